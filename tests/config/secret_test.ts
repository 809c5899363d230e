import { Redactor, Secret } from "../../src/config/secret.ts";
import { assert, assertEquals, assertFalse } from "../support/assert.ts";

const VALUE = 'pa"ss/w ö+rd';

Deno.test("Secret shows its value to nobody who does not reveal it", () => {
  const secret = new Secret(VALUE, "literal");
  const shown = [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    Deno.inspect({ secret }),
    Deno.inspect(secret, { showHidden: true, depth: 9 }),
    Object.values(secret).join(),
    JSON.stringify(Object.getOwnPropertyNames(secret)),
    new Error(`Cannot log in with ${secret}`).stack,
  ];
  for (const text of shown) assertFalse(text!.includes(VALUE), text);
  assertEquals(secret.reveal(), VALUE);
});

const TEXTS: readonly (readonly [string, string, string])[] = [
  ["as it is", `password ${VALUE} refused`, "password [secret] refused"],
  ["in a URL", `?p=${encodeURIComponent(VALUE)}&x=1`, "?p=[secret]&x=1"],
  ["in JSON", JSON.stringify({ p: VALUE }), '{"p":"[secret]"}'],
  [
    "in base64",
    `Basic ${btoa(String.fromCharCode(...new TextEncoder().encode(VALUE)))}`,
    "Basic [secret]",
  ],
  ["twice", `${VALUE} ${VALUE}`, "[secret] [secret]"],
];

for (const [where, text, expected] of TEXTS) {
  Deno.test(`Redactor removes a secret ${where}`, () => {
    assertEquals(new Redactor([new Secret(VALUE, "env")]).redact(text), expected);
  });
}

Deno.test("Redactor removes what lets one in from an address, and leaves its host", () => {
  const url = "https://u:hunter22@hooks.example.com/services/T0000AAAA/abcdefgh?key=0123456789";
  const redactor = new Redactor([new Secret(url, "literal")]);
  for (const part of ["hunter22", "T0000AAAA", "abcdefgh", "0123456789"]) {
    assertFalse(redactor.redact(`got ${part} back`).includes(part), part);
  }
  assertEquals(redactor.redact(`cannot reach ${url}`), "cannot reach [secret]");
  assertEquals(redactor.redact("hooks.example.com refused"), "hooks.example.com refused");
});

Deno.test("Redactor removes the longest first, so that no rest is left behind", () => {
  const redactor = new Redactor([new Secret("abcd", "env"), new Secret("abcdefgh", "env")]);
  assertEquals(redactor.redact("xabcdefghx abcdx"), "x[secret]x [secret]x");
});

Deno.test("Redactor leaves texts alone that a very short secret would destroy", () => {
  assertEquals(new Redactor([new Secret("a", "env")]).redact("a banana"), "a banana");
  assert(new Redactor([]).redact("nothing to hide") === "nothing to hide");
});
