// The words in both languages, and what must hold for every one of them.

import { compose, composeTest } from "../../src/alerts/compose.ts";
import { LANGUAGES, WORDS } from "../../src/alerts/messages.ts";
import { truncateChars } from "../../src/alerts/truncate.ts";
import { PLACEHOLDERS } from "../../src/alerts/values.ts";
import { CONDITION_WORDS } from "../../src/rules/rule.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { ALERT, messageOf } from "../support/message.ts";

Deno.test("WORDS has the same keys in every language, none of them empty", () => {
  const keys = (words: object): string[] =>
    Object.entries(words).flatMap(([key, value]) =>
      typeof value === "object" ? keys(value).map((inner) => `${key}.${inner}`) : key
    );
  assertEquals(keys(WORDS.zh).sort(), keys(WORDS.en).sort());
  for (const language of LANGUAGES) {
    for (const [key, value] of Object.entries(WORDS[language])) assert(value !== "", key);
  }
});

Deno.test("WORDS in Chinese is Chinese", () => {
  for (const text of Object.values(WORDS.zh.happened)) assert(/\p{Script=Han}/u.test(text), text);
  for (const text of Object.values(WORDS.en.happened)) assert(!/\p{Script=Han}/u.test(text), text);
});

Deno.test("composeTest() has a title without stray blanks in every language", () => {
  const titles = LANGUAGES.map((language) => composeTest(ALERT, { language }).title);
  assertEquals(titles, [
    "superbell 测试消息，主机 node-7",
    "Test message of superbell on node-7",
  ]);
});

for (const language of LANGUAGES) {
  Deno.test(`compose() in ${language} gives every placeholder a text, for every condition`, () => {
    for (const word of CONDITION_WORDS) {
      const message = messageOf({ word }, language);
      assertEquals(Object.keys(message.values).sort(), Object.keys(PLACEHOLDERS).sort());
      for (const [key, value] of Object.entries(message.values)) {
        assert(typeof value === "string" && !/undefined|null|NaN/.test(value), `${word} ${key}`);
      }
      assert(!/undefined|null|NaN|\[object/.test(message.text), message.text);
      assert(!message.title.includes("  ") && !message.title.includes("\n"), message.title);
    }
  });
}

Deno.test("compose() says nothing of what the event does not say", () => {
  const { process: _p, pid: _i, fromState: _f, expected: _e, ...bare } = ALERT;
  assertEquals(
    compose({ ...bare, word: "tick", eventname: "TICK_60" }, { language: "en", timeZone: "UTC" })
      .text,
    `supervisord is alive on node-7

Host: node-7 (10.0.0.7)
Event: TICK_60
Time: 2026-11-21 02:11:30 +00:00
Rule: crash
Alert: 0123456789ab`,
  );
});

Deno.test("compose() writes the hours around a change of the clocks", () => {
  const times = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-03-29T01:00:00Z"].map(
    (instant) =>
      compose({ ...ALERT, atMs: Date.parse(instant) }, {
        language: "en",
        timeZone: "Europe/Berlin",
      }).values.time,
  );
  assertEquals(times, [
    "2026-10-25 02:30:00 +02:00",
    "2026-10-25 02:30:00 +01:00",
    "2026-03-29 03:00:00 +02:00",
  ]);
});

Deno.test("truncateChars() keeps within the limit and never cuts a surrogate pair", () => {
  const text = "aé订🔔e\u0301👩‍👩‍👧".repeat(20);
  for (let maxChars = 0; maxChars < 240; maxChars++) {
    const cut = truncateChars(text, maxChars);
    assert([...cut].length <= maxChars, `${maxChars}`);
    assert(cut.isWellFormed(), `${maxChars}`);
  }
});
