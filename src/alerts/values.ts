// What may stand in a template, and what it stands for. The values are plain text: whoever puts
// them into a format escapes them there.

/** Every placeholder of a template, with what it stands for (shown by docs and errors). */
export const PLACEHOLDERS = {
  summary: "the title: what happened, to whom, where",
  text: "the whole message as plain text",
  happened: "what happened: exited with status 3",
  host: "the host's name",
  address: "the host's address",
  supervisor: "supervisord's identifier",
  process: "group:name, or the name alone where both are the same",
  name: "the process's name",
  group: "the group's name",
  pid: "the process id",
  from_state: "the state before",
  event: "supervisord's name of the event",
  on: "the rule's word that came true: crash, fatal, …",
  tries: "failed starts so far",
  exit: "how the process ended: its exit status, or the signal that killed it; empty if not known",
  uptime: "how long the process had run; empty if not known",
  restarts: "how often it was started again in the hour before; empty if not known or never",
  tail: "the last lines that the process wrote; empty if there are none",
  data: "what the program or the remote caller wrote",
  look: "the command that shows more; empty if there is none",
  time: "when, with the offset from UTC",
  rule: "the rule's name",
  severity: "info, warning or critical; empty if the rule's alerts have none",
  incident: "the id of the incident that it is part of; empty for a notice",
  kind: "which message of the incident: firing, reminder, escalated, resolved; empty for a notice",
  alert_id: "the alert's id, the same for every repeat",
} as const;
export type Placeholder = keyof typeof PLACEHOLDERS;

/** A text for each placeholder; what is not known is "". */
export type Values = Readonly<Record<Placeholder, string>>;
