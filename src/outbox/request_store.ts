// What commands ask of the running listener, and what came of it. A command writes, over its own
// connection; the listener looks whether another process has written anything, which costs it
// next to nothing, and answers.

import type { Request } from "../rules/request.ts";
import type { Connection } from "./connection.ts";

/** A request that waits, as it was written. */
export interface WaitingRequest {
  readonly id: number;
  readonly atMs: number;
  /** The JSON; see parseRequest. */
  readonly text: string;
}

/** What came of a request. */
export interface Answer {
  readonly done: boolean;
  /** A sentence for people. */
  readonly text: string;
}

/** So many may wait: a script that asks again and again fills no disk. */
export const MOST_WAITING_REQUESTS = 1000;

/** So many are taken at one look, for supervisord waits meanwhile. */
const BATCH = 100;

/** Answers are kept for so long, for the command that waits. */
const KEEP_MS = 60 * 60 * 1000;

/** The requests in one database. */
export class RequestStore {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Changes when another file takes the place of the one that was used. */
  get generation(): number {
    return this.#connection.generation;
  }

  /** Changes whenever another process, or another connection of ours, has written something. */
  version(): string {
    return this.#connection.run(() => {
      const row = this.#connection.sql("pragma data_version").get();
      return `${this.#connection.generation} ${row?.data_version}`;
    });
  }

  /** Writes requests down, all or none; answers their numbers. */
  add(requests: readonly Request[], nowMs: number): number[] {
    return this.#connection.transaction(() => {
      const waiting = this.#connection
        .sql("select count(*) as n from request where taken_at_ms is null").get();
      if (Number(waiting?.n) + requests.length > MOST_WAITING_REQUESTS) {
        throw new Error(
          `${waiting?.n} requests wait for the listener already, and ${MOST_WAITING_REQUESTS} may`,
        );
      }
      return requests.map((request) => {
        const row = this.#connection
          .sql("insert into request (at_ms, request) values (?, ?) returning id")
          .get(nowMs, JSON.stringify(request));
        return Number(row!.id);
      });
    });
  }

  /** Those that wait, the oldest first; at most as many as are taken at once. */
  waiting(): WaitingRequest[] {
    return this.#connection.run(() =>
      this.#connection
        .sql(
          `select id, at_ms, request from request
           where taken_at_ms is null order by id limit ${BATCH}`,
        )
        .all()
        .map((row) => ({
          id: Number(row.id),
          atMs: Number(row.at_ms),
          text: String(row.request),
        }))
    );
  }

  /** Writes down what came of them, and forgets old answers. */
  answer(answers: ReadonlyMap<number, Answer>, nowMs: number): void {
    this.#connection.transaction(() => {
      for (const [id, { done, text }] of answers) {
        this.#connection
          .sql("update request set taken_at_ms = ?, done = ?, answer = ? where id = ?")
          .run(nowMs, done ? 1 : 0, text, id);
      }
      this.#connection.sql("delete from request where taken_at_ms not between ? and ?")
        .run(nowMs - KEEP_MS, nowMs);
    });
  }

  /** What came of a request; undefined: nothing yet. */
  answerTo(id: number): Answer | undefined {
    return this.#connection.run(() => {
      const row = this.#connection
        .sql("select done, answer from request where id = ? and taken_at_ms is not null").get(id);
      if (row === undefined) return undefined;
      return { done: row.done === 1, text: String(row.answer) };
    });
  }
}
