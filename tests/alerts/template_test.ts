import { PLACEHOLDERS } from "../../src/alerts/compose.ts";
import { composeDigest } from "../../src/alerts/digest.ts";
import { parseTemplate, render, renderEach } from "../../src/alerts/template.ts";
import { ConfigNode, Reading } from "../../src/config/node.ts";
import { assertEquals, assertNotEquals } from "../support/assert.ts";
import { ALERT, messageOf } from "../support/message.ts";

function parse(text: string) {
  const reading = new Reading({ env: () => undefined, readFile: () => ({ why: "none" }) });
  const template = parseTemplate(new ConfigNode(text, "body", reading));
  return { template, problems: reading.problems.map(({ message }) => message) };
}

const CASES: readonly (readonly [string, string])[] = [
  [
    "[Supervisord] {process} crashed at {time}",
    "[Supervisord] web:api crashed at 2026-11-21 02:11:30 +00:00",
  ],
  [
    "[Host:{address}][Process:{name}][pid:{pid}][exited unexpectedly fromstate:{from_state}]",
    "[Host:10.0.0.7][Process:api][pid:4242][exited unexpectedly fromstate:RUNNING]",
  ],
  ['{"text": "{on}", "n": {}}', '{"text": "crash", "n": {}}'],
  ["{{process}} is {process}", "{process} is web:api"],
  ["no placeholder", "no placeholder"],
  ["{Process} { process }", "{Process} { process }"],
];

for (const [text, expected] of CASES) {
  Deno.test(`render() fills ${text}`, () => {
    const { template, problems } = parse(text);
    assertEquals(problems, []);
    assertEquals(render(template, messageOf()), expected);
  });
}

Deno.test("parseTemplate() finds every unknown placeholder and suggests", () => {
  assertEquals(parse("{proces} at {tiem}").problems, [
    'unknown placeholder {proces}; did you mean "process"?',
    'unknown placeholder {tiem}; did you mean "time"?',
  ]);
});

Deno.test("parseTemplate() takes no name of JavaScript's own for a placeholder", () => {
  assertEquals(parse("{constructor}").problems.length, 1);
});

Deno.test("render() does not look for placeholders in what it puts in", () => {
  const { template } = parse("{data}|{process}");
  const message = messageOf({ text: "{pid} {{pid}}" });
  assertEquals(render(template, message), "{pid} {{pid}}|web:api");
});

Deno.test("render() escapes values and nothing else", () => {
  const { template } = parse('{"a": "{data}"}');
  const message = messageOf({ text: 'say "hi"\n' });
  const escape = (value: string) => JSON.stringify(value).slice(1, -1);
  assertEquals(JSON.parse(render(template, message, escape)), { a: 'say "hi"\n' });
});

for (const name of Object.keys(PLACEHOLDERS)) {
  Deno.test(`render() knows {${name}}`, () => {
    const { template, problems } = parse(`{${name}}`);
    assertEquals(problems, []);
    assertNotEquals(
      render(
        template,
        messageOf({ text: "boom", tries: 3, exit: { status: 1, certainty: "sure" } }),
      ),
      "",
    );
  });
}

Deno.test("renderEach() writes the text once for each alert of a digest", () => {
  const { template } = parse("{process} {pid}");
  const alerts = [ALERT, { ...ALERT, pid: 7 }] as const;
  const message = composeDigest(alerts, { language: "en", timeZone: "UTC" });
  assertEquals(renderEach(template, message), "web:api 4242\n\nweb:api 7");
  assertEquals(render(template, message), "web:api 4242, 7");
});
