// superbell test: a real message through each channel, and what the service answered.

import type { Alert } from "../alerts/alert.ts";
import { composeTest } from "../alerts/compose.ts";
import { formatDuration } from "../config/duration.ts";
import { suggest } from "../config/nearest.ts";
import { hostSource } from "../host.ts";
import type { ConfiguredChannel, Settings } from "../settings.ts";
import { printWarnings } from "./check.ts";
import { type Command, parseOptions, print, UsageError } from "./command.ts";
import { settingsFrom } from "./config_file.ts";

export const test: Command = {
  name: "test",
  summary: "sends a test message through each channel",
  help: `Usage: superbell test [-c FILE] [--channel NAME]

Sends one test message through each channel, or through the named one, and prints what the
service answered. The message says that it is a test. Nothing is stored or sent again.

Exit codes: 0 every channel took it; 1 at least one did not; 2 problems in the configuration.
`,
  async run(args) {
    const options = parseOptions(args, { strings: ["channel"] });
    const settings = settingsFrom(options, { needsSecrets: true });
    printWarnings(settings.path, settings.warnings);
    const channels = wanted(settings.channels, options.string("channel"));
    let failed = 0;
    for (const channel of channels) {
      const result = await sendTest(channel, settings);
      if (!result.delivered) failed++;
      print(`${channel.name} (${channel.type}): ${result.text}`);
    }
    return failed === 0 ? 0 : 1;
  },
};

function wanted(
  channels: readonly ConfiguredChannel[],
  name: string | undefined,
): readonly ConfiguredChannel[] {
  if (name === undefined) return channels;
  const found = channels.filter((channel) => channel.name === name);
  if (found.length > 0) return found;
  throw new UsageError(
    `no channel "${name}"; ${suggest(name, channels.map((channel) => channel.name))}`,
  );
}

async function sendTest(
  configured: ConfiguredChannel,
  settings: Settings,
): Promise<{ readonly delivered: boolean; readonly text: string }> {
  const nowMs = Date.now();
  const message = composeTest(testAlert(settings, nowMs), {
    language: configured.language,
    timeZone: settings.timeZone,
    template: configured.template,
  });
  const signal = AbortSignal.timeout(configured.timeoutMs);
  try {
    const outcome = await configured.open().send(message, { signal, nowMs });
    if (outcome.kind === "delivered") {
      return { delivered: true, text: settings.redactor.redact(`delivered: ${outcome.detail}`) };
    }
    // As the listener writes it, so that the docs' words for it fit here too.
    const reason = signal.aborted
      ? `${outcome.reason} (timeout ${formatDuration(configured.timeoutMs)})`
      : outcome.reason;
    const next = outcome.kind === "retry"
      ? "superbell would try again"
      : "trying again cannot help";
    return {
      delivered: false,
      text: settings.redactor.redact(`NOT delivered: ${reason} (${next})`),
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { delivered: false, text: settings.redactor.redact(`NOT delivered: ${why}`) };
  }
}

/** An alert that is about nothing, for the words of a test. */
function testAlert(settings: Settings, nowMs: number): Alert {
  return {
    id: crypto.randomUUID().replaceAll("-", "").slice(0, 12),
    rule: "test",
    word: "tick",
    eventname: "TEST",
    atMs: nowMs,
    host: hostSource(settings.host, () => nowMs)(),
    supervisor: "supervisor",
  };
}
