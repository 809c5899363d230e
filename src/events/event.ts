// An event is a frame with its meaning: every type of supervisord 3.x and 4.x as a tagged
// union. A type that we do not know, or a payload that is not of its type's form, is carried
// as "unknown"; nothing is dropped and nothing throws.

/** Where the event came from, as its header says. */
export interface EventOrigin {
  readonly server: string;
  readonly serial: number;
  readonly pool: string;
  readonly poolserial: number;
  readonly eventname: string;
}

/** A supervised process by name. `group:name` is what supervisorctl calls it. */
export interface ProcessName {
  readonly name: string;
  readonly group: string;
}

/** The state words of supervisord. */
export type ProcessState =
  | "STOPPED"
  | "STARTING"
  | "RUNNING"
  | "BACKOFF"
  | "STOPPING"
  | "EXITED"
  | "FATAL"
  | "UNKNOWN";

interface Base {
  readonly origin: EventOrigin;
}

interface StateChange extends Base {
  readonly process: ProcessName;
  readonly fromState: string;
}

interface ProcessText extends Base {
  readonly process: ProcessName;
  readonly pid: number;
  readonly text: string;
}

/** `tries` counts failed starts so far, from 0 (in BACKOFF: from 1 since supervisord 4.2.3). */
export type Event =
  | StateChange & { readonly kind: "process_starting" | "process_backoff"; readonly tries: number }
  | StateChange & {
    readonly kind: "process_running" | "process_stopping" | "process_stopped";
    readonly pid: number;
  }
  | StateChange & {
    readonly kind: "process_exited";
    readonly pid: number;
    /** Whether the exit code is one of the program's `exitcodes`; a signal never is. */
    readonly expected: boolean;
  }
  | StateChange & { readonly kind: "process_fatal" | "process_unknown" }
  | ProcessText & { readonly kind: "process_log"; readonly channel: "stdout" | "stderr" }
  | ProcessText & {
    readonly kind: "process_communication";
    readonly channel: "stdout" | "stderr";
  }
  | Base & {
    readonly kind: "remote_communication";
    readonly type: string;
    readonly text: string;
  }
  | Base & {
    readonly kind: "process_group_added" | "process_group_removed";
    readonly group: string;
  }
  | Base & { readonly kind: "supervisor_running" | "supervisor_stopping" }
  | Base & {
    readonly kind: "tick";
    readonly periodS: number;
    /** The second that the tick stands for, a multiple of the period. */
    readonly whenMs: number;
  }
  | Base & { readonly kind: "unknown"; readonly text: string };

export type EventKind = Event["kind"];

/** The process that an event is about, if it is about one. */
export function processOf(event: Event): ProcessName | undefined {
  return "process" in event ? event.process : undefined;
}

/** The group that an event is about, if it is about one. */
export function groupOf(event: Event): string | undefined {
  return "process" in event ? event.process.group : "group" in event ? event.group : undefined;
}

/** The text that an event carries, if its kind carries one. */
export function textOf(event: Event): string | undefined {
  return "text" in event ? event.text : undefined;
}

/** `web:api`, or `api` where the group has the same name, as supervisorctl shows it. */
export function displayName(process: ProcessName): string {
  return process.group === process.name ? process.name : `${process.group}:${process.name}`;
}
