import type { Alert } from "../../src/alerts/alert.ts";
import { compose } from "../../src/alerts/compose.ts";
import { composeDigest } from "../../src/alerts/digest.ts";
import {
  parseMessageTemplate,
  parseTemplate,
  render,
  renderEach,
} from "../../src/alerts/template.ts";
import { PLACEHOLDERS } from "../../src/alerts/values.ts";
import { ConfigNode, Reading } from "../../src/config/node.ts";
import { assertEquals, assertNotEquals } from "../support/assert.ts";
import { ALERT, INCIDENT, messageOf } from "../support/message.ts";

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
  ["{exit|default unknown} {process|default nobody}", "unknown web:api"],
  ["{process|first 4}|{process|last 4}|{process | first 99}", "web…|…api|web:api"],
  ["{time|date %H:%M} {time|date %F %T%z %%}", "02:11 2026-11-21 02:11:30+0000 %"],
  ["{event|last 7|first 6}", "…EXIT…"],
  ["{{process|first 3}} {}|{ x|y} {a b|c}", "{process|first 3} {}|{ x|y} {a b|c}"],
  ["{tail|default (nothing)}", "(nothing)"],
  ["{Process} { process }", "{Process} { process }"],
  ["{data|html} {data|last 4|slack}", '&lt;b&gt; &amp; &quot;c&quot; …"c"'],
  ["{tail|html|default <i>none</i>} {tail|default <|html}", "<i>none</i> &lt;"],
];

for (const [text, expected] of CASES) {
  Deno.test(`render() fills ${text}`, () => {
    const { template, problems } = parse(text);
    assertEquals(problems, []);
    assertEquals(render(template, messageOf({ text: '<b> & "c"' })), expected);
  });
}

Deno.test("parseTemplate() finds every unknown placeholder and suggests", () => {
  assertEquals(parse("{proces} at {tiem}").problems, [
    'unknown placeholder {proces}; did you mean "process"?',
    'unknown placeholder {tiem}; did you mean "time"?',
  ]);
});

const WRONG: readonly (readonly [string, string])[] = [
  ["{exit|lst 3}", 'unknown filter "lst" in {exit|lst 3}; did you mean "last"?'],
  [
    "{exit|}",
    'unknown filter "" in {exit|}; known are: default, first, last, date, html, slack, feishu, ' +
    "wecom, telegram_html, telegram_markdown",
  ],
  ["{text|slak}", 'unknown filter "slak" in {text|slak}; did you mean "slack"?'],
  ["{text|slack 3}", "slack in {text|slack 3} takes nothing behind it"],
  [
    "{text|slack|first 9}",
    "first in {text|slack|first 9} must stand before slack: it would cut what that writes",
  ],
  [
    "{time|html|date %H}",
    "date in {time|html|date %H} must stand before html: it would cut what that writes",
  ],
  [
    "{text|html|default none|telegram_html}",
    "{text|html|default none|telegram_html} is escaped twice; take one of html and telegram_html",
  ],
  ["{exit|default}", "default in {exit|default} needs a text: {exit|default ?}"],
  ["{exit|first}", "first in {exit|first} needs a number of characters: {exit|first 200}"],
  ["{exit|last 0}", "last in {exit|last 0} needs a number of characters: {exit|last 200}"],
  ["{exit|date %H}", "date in {exit|date %H} is only for {time}"],
  [
    "{time|date %Q}",
    'date in {time|date %Q} takes %Y %m %d %H %M %S %z %F %T and %%, found "%Q": {time|date %H:%M}',
  ],
  [
    "{time|date}",
    "date in {time|date} takes %Y %m %d %H %M %S %z %F %T and %%, found nothing: {time|date %H:%M}",
  ],
];

for (const [text, problem] of WRONG) {
  Deno.test(`parseTemplate() finds what is wrong with ${text}`, () => {
    assertEquals(parse(text).problems, [problem]);
  });
}

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
        messageOf({
          text: "boom",
          tries: 3,
          exit: { status: 1, certainty: "sure" },
          uptimeMs: 90_000,
          restarts: { count: 2, isAll: true },
          tails: [{ stream: "stderr", lines: ["the end"] }],
          severity: "critical",
          incident: INCIDENT,
        }),
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
  assertEquals(
    render(parse("{pid|default ?}, {time|date %H:%M}").template, message),
    "4242, 7, 02:11",
  );
  assertEquals(render(template, message), "web:api 4242, 7");
});

/** The message about the alert in the words of a configuration. */
function inOwnWords(template: Record<string, string>, changes: Partial<Alert> = {}) {
  const reading = new Reading({ env: () => undefined, readFile: () => ({ why: "none" }) });
  const own = parseMessageTemplate(new ConfigNode(template, "template", reading));
  assertEquals(reading.problems, []);
  return compose({ ...ALERT, ...changes }, { language: "en", timeZone: "UTC", template: own });
}

Deno.test("compose() puts the user's title above our facts", () => {
  const message = inOwnWords({ title: "[{host}] {process} {happened}" });
  assertEquals(message.title, "[node-7] web:api exited unexpectedly");
  assertEquals(message.text.split("\n")[0], message.title);
  assertEquals(message.values.summary, message.title);
  assertEquals(message.values.text, message.text);
  assertEquals(message.facts, messageOf().facts);
});

Deno.test("compose() puts the user's text in place of ours, and knows what in it is his", () => {
  const message = inOwnWords({ text: "**{process}**\n{tail|last 20}" }, {
    tails: [{ stream: "stderr", lines: ["first", "*last*"] }],
  });
  assertEquals(message.text, "**web:api**\nfirst\n*last*");
  assertEquals(message.title, messageOf().title);
  assertEquals(message.ownText?.filter(({ isValue }) => !isValue).map(({ text }) => text), [
    "**",
    "**\n",
  ]);
});

Deno.test("compose() takes the rule's words before the channel's, each key for itself", () => {
  const parsed = (text: string) => parse(text).template;
  const message = compose(ALERT, {
    language: "en",
    template: { title: parsed("channel"), text: parsed("text of {process}") },
    templateOf: (rule) => rule === ALERT.rule ? { title: parsed("rule {rule}") } : undefined,
  });
  assertEquals([message.title, message.text], ["rule crash", "text of web:api"]);
});

Deno.test("composeDigest() uses the user's text for each alert, and his title where ours is in it", () => {
  const reading = new Reading({ env: () => undefined, readFile: () => ({ why: "none" }) });
  const digest = (template: Record<string, string>) =>
    composeDigest([ALERT, { ...ALERT, pid: 7 }], {
      language: "en",
      template: parseMessageTemplate(new ConfigNode(template, "template", reading)),
    });
  const plain = "2 alerts on node-7: web:api exited unexpectedly";
  assertEquals(digest({ title: "[PROD] {summary}" }).title, `[PROD] ${plain}`);
  assertEquals(digest({ title: "{process} died" }).title, plain);
  const { facts } = digest({ text: "pid {pid}" });
  assertEquals(facts.filter(({ label }) => /^\d/.test(label)).map(({ value }) => value), [
    "pid 4242",
    "pid 7",
  ]);
});
