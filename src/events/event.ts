// An event is a frame with its meaning: every type of supervisord 3.x and 4.x as a tagged
// union. A type that we do not know, or a payload that is not of its type's form, is carried
// as "unknown"; nothing is dropped and nothing throws. Some events supervisord does not send:
// we find them out, and they have no serials.

/** Where the event came from: its header, or our own finding. */
export interface EventOrigin {
  /** supervisord's `identifier=`. */
  readonly server: string;
  /** supervisord's name of the event, or ours for one that it does not know. */
  readonly eventname: string;
  /** The header's numbers; absent where no frame brought the event. */
  readonly serial?: number;
  readonly pool?: string;
  readonly poolserial?: number;
  /** What makes an event without a frame this one and no other: the same for every repeat. */
  readonly identity?: string;
  /** It was missed, and found out by comparing afterwards. */
  readonly reconciled?: true;
  /** Of such a one: when it happened, in milliseconds since 1970 UTC; absent: that is not known. */
  readonly atMs?: number;
  /** supervisord sent all that the section subscribes to, so its type is not among that. */
  readonly unsubscribed?: true;
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

/** How a process ended. The event does not say; it is found out afterwards. */
export interface Exit {
  /** Its exit status, or the signal that killed it ("SIGSEGV"); neither where only a spawn error is known. */
  readonly status?: number;
  readonly signal?: string;
  readonly coreDumped?: boolean;
  /** Why supervisord could not even start it, in its words. */
  readonly spawnError?: string;
  /** "likely": the name fits, but another process may be meant. */
  readonly certainty: "sure" | "likely";
}

/** A channel of ours that cannot deliver, or could not until now. */
export interface ChannelTrouble {
  /** The channel's name. */
  readonly name: string;
  /** When it began, in milliseconds since 1970 UTC. */
  readonly sinceMs: number;
  /** What the last failed attempt was told. */
  readonly reason: string;
  /** Messages that wait for it. */
  readonly waiting: number;
  /** The channel that takes its messages meanwhile. */
  readonly fallback?: string;
  /** Messages that were given up meanwhile, because too many waited. */
  readonly givenUp?: number;
}

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
  | StateChange & { readonly kind: "process_starting"; readonly tries: number }
  | StateChange & {
    readonly kind: "process_backoff";
    /** Absent where no frame brought the event, as what is optional below. */
    readonly tries?: number;
    /** How it ended, where we have found that out with the event. */
    readonly exit?: Exit;
  }
  | StateChange & {
    readonly kind: "process_running" | "process_stopping" | "process_stopped";
    /** 0: not known. */
    readonly pid: number;
  }
  | StateChange & {
    readonly kind: "process_exited";
    /** 0: not known. */
    readonly pid: number;
    /** Whether the exit code is one of the program's `exitcodes`; a signal never is. */
    readonly expected: boolean;
    readonly exit?: Exit;
    /** It runs with another process id now, and nothing says how the one before ended. */
    readonly isAssumed?: true;
  }
  | StateChange & { readonly kind: "process_fatal"; readonly exit?: Exit }
  | StateChange & { readonly kind: "process_unknown" }
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
  | Base & {
    /** supervisord dropped events; so many ends of processes were found out all the same. */
    readonly kind: "gap";
    readonly dropped: number;
    readonly recovered: number;
  }
  | Base & { readonly kind: "channel_failing"; readonly trouble: ChannelTrouble }
  | Base & {
    readonly kind: "channel_recovered";
    readonly trouble: ChannelTrouble & { readonly downMs: number };
  }
  /** A new configuration was refused, with its problems as text; and one was taken after that. */
  | Base & { readonly kind: "reload_failed"; readonly text: string; readonly file: string }
  | Base & { readonly kind: "reload_recovered" }
  | Base & { readonly kind: "unknown"; readonly text: string };

export type EventKind = Event["kind"];

/** When it happened, where that is known; else when it came. Both since 1970 UTC. */
export function happenedAtMs({ origin }: Event, cameAtMs: number): number {
  return Math.min(origin.atMs ?? cameAtMs, cameAtMs);
}

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
