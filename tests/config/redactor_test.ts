// Hostile secrets: none may stop us from starting, and none may get through.

import { Redactor, Secret } from "../../src/config/secret.ts";
import { assert, assertEquals } from "../support/assert.ts";

/** Secrets that encoders choke on. */
const AWKWARD: Readonly<Record<string, string>> = {
  "an address whose password holds a bare %": "https://u:100%safe@example.com/hook",
  "an address with an encoded password": "https://u:p%40ss%20word@example.com/hook",
  "half of a surrogate pair": "abc\ud800def",
  "300,000 characters": "0123456789".repeat(30_000),
  "a regular expression": "(a+)+$.*[",
  "replacement patterns": "$&$1$$`'",
  "control characters": "tab\tline\nnul\0",
  "our own placeholder": "[secret]-x",
  "blanks": "    ",
  "an emoji": "🔥🔥",
  "an address without a path": "https://example.com",
  "an address that is no URL": "https://",
  "a scheme alone": "mailto:",
};
for (const [what, value] of Object.entries(AWKWARD)) {
  Deno.test(`Redactor removes ${what}`, () => {
    const redactor = new Redactor([new Secret(value, "literal")]);
    assertEquals(redactor.redact(`<${value}>`), "<[secret]>");
    const json = JSON.stringify({ value });
    assertEquals(redactor.redact(json).includes(JSON.stringify(value).slice(1, -1)), false);
  });
}

Deno.test("Redactor removes a password however it is written", () => {
  const redactor = new Redactor([
    new Secret("https://u:p%40ss%20word@example.com/h", "literal"),
  ]);
  for (const written of ["p@ss word", "p%40ss%20word"]) {
    assertEquals(redactor.redact(`<${written}>`), "<[secret]>");
  }
});

Deno.test("Redactor removes the ends of an address that a service repeats", () => {
  const url = "https://oapi.example.com/robot/send?access_token=0123456789abcdef&wait=true";
  const redactor = new Redactor([new Secret(url, "literal")]);
  for (
    const text of [
      url,
      "/robot/send?access_token=0123456789abcdef&wait=true",
      "robot/send?access_token=0123456789abcdef&wait=true",
      "?access_token=0123456789abcdef&wait=true",
      "0123456789abcdef",
      encodeURIComponent(url),
      btoa(url),
    ]
  ) assert(!redactor.redact(text).includes("0123456789abcdef"), text);
  assertEquals(
    redactor.redact("this is true at oapi.example.com"),
    "this is true at oapi.example.com",
  );
});

Deno.test("Redactor with many secrets leaves nothing of any", () => {
  const secrets = Array.from(
    { length: 200 },
    (_, index) => `tok${"x".repeat(index % 7)}en${index}`,
  );
  const redactor = new Redactor(secrets.map((secret) => new Secret(secret, "env")));
  const clean = redactor.redact(secrets.join(" and "));
  for (const secret of secrets) assert(!clean.includes(secret), secret);
});

Deno.test("Redactor leaves a secret of nothing alone", () => {
  assertEquals(new Redactor([new Secret("", "file")]).redact("as it is"), "as it is");
});
