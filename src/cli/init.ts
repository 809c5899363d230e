// superbell init: a section for supervisord and a configuration that are right as they stand.

import { formatDuration } from "../config/duration.ts";
import { subscriptionsFor } from "../rules/subscriptions.ts";
import type { Rule } from "../rules/rule.ts";
import { type Command, parseOptions, print, UsageError } from "./command.ts";
import { findConfig, settingsFrom } from "./config_file.ts";

const DEFAULT_CONFIG = "/etc/superbell.yaml";

export const init: Command = {
  name: "init",
  summary: "prints an [eventlistener:superbell] section and a starter configuration",
  help: `Usage: superbell init [section | config] [-c FILE]

section  the [eventlistener:superbell] section, for a file that supervisord includes; its
         events= is what the rules of the configuration need (-c FILE, or the usual places)
config   a starter configuration, for ${DEFAULT_CONFIG}
Without a word: both, one after the other.

  superbell init config  > ${DEFAULT_CONFIG}
  superbell init section -c ${DEFAULT_CONFIG} > /etc/supervisor/conf.d/superbell.conf
`,
  run(args) {
    const options = parseOptions(args, { words: ["part"] });
    const [part = "both"] = options.words;
    if (!["section", "config", "both"].includes(part)) {
      throw new UsageError(`unknown part "${part}"; expected section or config`);
    }
    // Without a name the file that the listener would find, so that events= fits its rules.
    const path = part === "config" ? undefined : findConfig(options);
    const settings = path === undefined
      ? undefined
      : settingsFrom(options, { needsSecrets: false });
    if (part !== "config") {
      print(section({
        command: [Deno.execPath(), "listen", "-c", absolute(path ?? DEFAULT_CONFIG)].map(word)
          .join(" "),
        events: subscriptionsFor(settings?.rules ?? STARTER_RULES),
        windowMs: settings?.shutdownWindowMs ?? 8000,
      }));
    }
    if (part === "both") print("");
    if (part !== "section") print(STARTER_CONFIG);
    return 0;
  },
};

const STARTER_RULES: readonly Rule[] = [
  { name: "crash", on: ["crash", "fatal", "flapping", "gap"], where: {}, to: ["oncall"] },
];

const STARTER_CONFIG =
  `# ${DEFAULT_CONFIG}: superbell's configuration. Try it: superbell check; superbell test
# After a change, without a restart: superbell check && supervisorctl signal HUP superbell
language: auto                         # zh, en, or auto (by LANG)
state_dir: /var/lib/superbell          # messages wait here until they are delivered
channels:
  oncall:
    type: dingtalk
    token: { file: /etc/superbell/dingtalk.token } # the access_token of the robot's address
    # secret: { file: /etc/superbell/dingtalk.secret } # if the robot is set to "sign": SEC…
    # mention: { mobiles: ["13800138000"] }
    # fallback: ops-mail               # another channel: takes over while this one fails
rules:
  - name: crash
    # Exited unexpectedly; given up by supervisord; ends again and again; events dropped; one of
    # the channels fails. Each is told once, and that it is over: docs/incidents.md.
    on: [crash, fatal, flapping, gap, channel_failing, channel_recovered]
    to: [oncall]
`;

/** In ASCII: under LANG=C supervisord on Python 3.6 refuses a file with anything else. */
function section(values: {
  readonly command: string;
  readonly events: readonly string[];
  readonly windowMs: number;
}): string {
  const stopSeconds = Math.ceil(values.windowMs / 1000) + 4;
  return `; superbell's section, for a file that supervisord includes. A new or changed
; section needs: supervisorctl reread && supervisorctl update
; (before Supervisor 3.3.4 update does not see changes here: restart supervisord then).
[eventlistener:superbell]
command=${values.command.replaceAll("%", "%%")}
; How each process stands, what else the rules need, and TICK_60 as a sign of life.
events=${values.events.join(",")}
; The default of 10 loses events as soon as a few programs die together, or at boot.
buffer_size=1000
; Of its own and below -1: listeners of the same priority get each other's refused events,
; and this one is started before the programs and stopped after them.
priority=-100
; stdout carries the protocol; a log of it is of no use and its rotation has had bugs.
stdout_logfile=NONE
; superbell's own log: what it decided, sent, and could not send.
stderr_logfile=/var/log/superbell.log
stderr_logfile_maxbytes=10MB
stderr_logfile_backups=3
autostart=true
; A listener that ended is started again whatever its exit code; no event is lost meanwhile.
autorestart=true
; Longer than shutdown_window (${
    formatDuration(values.windowMs)
  }), so that running deliveries can end.
stopwaitsecs=${stopSeconds}
; Secrets that the configuration takes by { env: NAME }. Keep this file readable by root only.
;environment=DINGTALK_TOKEN="...",DINGTALK_SECRET="SEC..."
`;
}

/** As supervisord splits command= (shlex), once it has cut off what it takes for a comment. */
function word(text: string): string {
  if (/\s[;#]|[\r\n]/.test(text)) {
    throw new UsageError(
      `supervisord cannot be told of "${text}": it takes what stands behind " ;" or " #" for a ` +
        "comment, in quotes too; give the file another name",
    );
  }
  return /^[^\s"'\\;#]+$/.test(text) ? text : `"${text.replace(/["\\]/g, "\\$&")}"`;
}

function absolute(path: string): string {
  return path.startsWith("/") ? path : `${Deno.cwd()}/${path}`;
}
