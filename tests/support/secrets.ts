// Looks for secrets where none may be: in every file that a run has left, and in the command
// lines of what runs.

import { filesBelow } from "./places.ts";
import type { Supervisord } from "./supervisord.ts";

/** Files that hold secrets because a user put them there. */
const WRITTEN_BY_THE_USER = /\/(superbell\.(yaml|conf)|[^/]+\.(secret|token|password|url))$/;

/** Fails when one of the secrets, or a form of it, stands in a log, in the outbox or in argv. */
export function assertNoSecrets(supervisord: Supervisord, secrets: readonly string[]): void {
  const texts = new Map<string, string>();
  for (const path of filesBelow(supervisord.dir)) {
    if (!WRITTEN_BY_THE_USER.test(path)) texts.set(path, bytesAsText(path));
  }
  const seen = [...texts.keys()].join();
  if (!seen.includes("/superbell.log") || !seen.includes("/superbell.db")) {
    throw new Error(`nothing to look at but ${seen}`);
  }
  for (const line of supervisord.commandLines()) texts.set(`the command line of ${line}`, line);
  assertNoSecretsIn(texts, secrets);
}

/** The same for any texts by name. */
export function assertNoSecretsIn(
  texts: ReadonlyMap<string, string>,
  secrets: readonly string[],
): void {
  for (const secret of secrets) {
    const forms = [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)];
    // Half a secret, cut off at some limit, is a leak as well.
    const bytes = new TextEncoder().encode(secret);
    forms.push(btoa(String.fromCharCode(...bytes)), secret.slice(0, 12));
    forms.push(...forms.map((form) => latin1(new TextEncoder().encode(form))));
    for (const [where, text] of texts) {
      const at = forms.map((form) => text.indexOf(form)).find((index) => index >= 0);
      if (at !== undefined) {
        throw new Error(`a secret stands in ${where}, behind "${text.slice(at - 60, at)}"`);
      }
    }
  }
}

/** One character a byte, so that nothing is lost of a database file. */
function bytesAsText(path: string): string {
  return latin1(Deno.readFileSync(path));
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}
