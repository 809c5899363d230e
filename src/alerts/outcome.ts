// What became of one attempt to send. Never a boolean: "retry" and "rejected" are both
// failures, and mixing them up either loses a message or mutes a robot.

/** `reason` is written by us and holds no secret; `detail` is what the service said when it took the message. */
export type Outcome =
  | { readonly kind: "delivered"; readonly detail: string }
  | {
    readonly kind: "retry";
    readonly reason: string;
    /** Not before so many milliseconds from now, where the service said so. */
    readonly afterMs?: number;
    /** The service refuses everything for that time, not only this message. */
    readonly closesChannel?: true;
  }
  | { readonly kind: "rejected"; readonly reason: string };

/** The service took the message; `detail` is its answer in short. */
export function delivered(detail: string): Outcome {
  return { kind: "delivered", detail };
}

/** Worth another try: the network, a busy service, or we cannot know. */
export function retry(reason: string, afterMs?: number): Outcome {
  return { kind: "retry", reason, ...(afterMs !== undefined && { afterMs }) };
}

/** The service takes nothing from us for `afterMs`. */
export function closed(reason: string, afterMs: number): Outcome {
  return { kind: "retry", reason, afterMs, closesChannel: true };
}

/** Trying again as it is cannot help: wrong token, wrong signature, refused content. */
export function rejected(reason: string): Outcome {
  return { kind: "rejected", reason };
}
