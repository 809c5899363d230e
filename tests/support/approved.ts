// Texts that a person has read and found right. They lie as whole files below
// tests/fixtures/messages/ and are compared whole. With SUPERBELL_APPROVE=1 in the environment
// the tests write them instead; git diff then shows what must be read.

import { assertEquals } from "./assert.ts";

const FOLDER = new URL("../fixtures/messages/", import.meta.url).pathname;
const HOW = "read it, then: SUPERBELL_APPROVE=1 deno test … , and look at git diff";

/** Fails where the text is not the approved one of this name. */
export function assertApproved(name: string, text: string): void {
  const path = `${FOLDER}${name}.txt`;
  if (Deno.env.get("SUPERBELL_APPROVE") === "1") {
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(path, `${text}\n`);
    return;
  }
  let approved: string;
  try {
    approved = Deno.readTextFileSync(path);
  } catch {
    throw new Error(`${path} is not there; ${HOW}\n\n${text}`);
  }
  assertEquals(`${text}\n`, approved, `${name} is not what was approved; ${HOW}`);
}

/** The names of the approved texts of a folder below. */
export function approvedNames(folder: string): string[] {
  return [...Deno.readDirSync(`${FOLDER}${folder}`)].map(({ name }) => name.replace(/\.txt$/, ""))
    .sort();
}
