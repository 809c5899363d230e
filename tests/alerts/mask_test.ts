import { masker } from "../../src/alerts/mask.ts";
import { assert, assertEquals } from "../support/assert.ts";

const byDefault = masker({ patterns: [], defaults: true });

/** What is printed, and what of it may leave the host. */
const LINES: readonly (readonly [string, string])[] = [
  ["password=hunter2 for root", "password=*** for root"],
  ['DB_PASSWORD: "two words" x', "DB_PASSWORD: *** x"],
  ['{"password":"a\\"b","user":"root"}', '{"password":***b","user":"root"}'],
  ["clientSecret='q' api_key => 7", "clientSecret=*** api_key => ***"],
  ["aws_secret_access_key = wJalr/XU+x", "aws_secret_access_key = ***"],
  ["?access_token=abc&sign=1", "?access_token=***&sign=1"],
  ["mysql --password hunter2 -h db", "mysql --password *** -h db"],
  ["Authorization: Bearer abc.def-1", "Authorization: ***"],
  ["curl -H 'Proxy-Authorization: Basic Zm9vOmJhcg==' x", "curl -H 'Proxy-Authorization: ***' x"],
  ["sent bearer abcdefgh12345", "sent bearer ***"],
  ["Set-Cookie: sid=1; Path=/", "Set-Cookie: ***"],
  ["https://u:p%40x@h/x?y", "https://u:***@h/x?y"],
  ["redis://:pw@h:6379/0", "redis://:***@h:6379/0"],
  ["root:pw@tcp(db:3306)/shop", "root:***@tcp(db:3306)/shop"],
  ["key AKIAIOSFODNN7EXAMPLE used", "key *** used"],
  [`ghp_${"a1".repeat(18)} is old`, "*** is old"],
  ["jwt eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJ", "jwt ***"],
  ["密码 password：123", "密码 password：123"],
];

for (const [line, expected] of LINES) {
  Deno.test(`masker() of ${line}`, () => assertEquals(byDefault(line), expected));
}

/** What only looks like a secret, and is wanted at night. */
const HARMLESS = [
  "Access denied for user 'root'@'db' (using password: YES)",
  "Unexpected token < in JSON at position 0",
  "max_tokens=4096, 12 tokens: fine",
  "bypass: true, passed: 5, compass=3",
  "secret: none, password=null",
  "http://host:8080/path and user@example.com: hello",
  "2026-11-21 10:11:30 ERROR at a.b:12",
];

for (const line of HARMLESS) {
  Deno.test(`masker() leaves ${line}`, () => assertEquals(byDefault(line), line));
}

const KEYS: readonly (readonly [string, string])[] = [
  ["a\n-----BEGIN RSA PRIVATE KEY-----\nq\nz\n-----END RSA PRIVATE KEY-----\nb", "a\n***\nb"],
  ["a\n-----BEGIN PRIVATE KEY-----\nq", "a\n***"],
  ["q\nz\n-----END EC PRIVATE KEY-----\nb", "***\nb"],
  ["a\n-----BEGIN PRIVATE KEY-----q-----END PRIVATE KEY-----\nb", "a\n***\nb"],
  ["-----BEGIN PUBLIC KEY-----\nq", "-----BEGIN PUBLIC KEY-----\nq"],
];

for (const [text, expected] of KEYS) {
  Deno.test(`masker() of a key: ${JSON.stringify(text)}`, () => {
    assertEquals(byDefault(text), expected);
  });
}

Deno.test("masker() takes the user's patterns line by line, with or without the usual forms", () => {
  const patterns = [/card [0-9]+/, /^user .*$/];
  const text = "user 张三\ncard 4711 and card 12\npassword=x";
  assertEquals(masker({ patterns, defaults: true })(text), "***\n*** and ***\npassword=***");
  assertEquals(masker({ patterns, defaults: false })(text), "***\n*** and ***\npassword=x");
});

Deno.test("masker() says nothing of a secret that stands at the end of the text, cut off", () => {
  for (let length = 10; length < 30; length++) {
    const cut = "x password=correct-horse-battery".slice(0, length);
    assert(!byDefault(cut).includes("c"), cut);
  }
});

Deno.test("masker() takes time in proportion to the text, whatever stands in it", () => {
  // Quadratic it would be minutes; the test would not end.
  const parts = ["a", "token", "token=", "a.", "a:", "://", "eyJ", "a-_", "passwd_", "bearer "];
  for (const part of parts) {
    assert(byDefault(part.repeat(200_000 / part.length)).length > 0);
  }
});
