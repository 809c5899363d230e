// The body of a DingTalk robot's message: whole payloads, mentions, the keyword and the limit.

import { compose } from "../../src/alerts/compose.ts";
import { parseTemplate } from "../../src/alerts/template.ts";
import { bodyOf, MAX_BODY_BYTES } from "../../src/channels/dingtalk/message.ts";
import { ConfigNode, Reading } from "../../src/config/node.ts";
import {
  assert,
  assertEquals,
  assertLessOrEqual,
  assertStringIncludes,
} from "../support/assert.ts";
import type { Alert } from "../../src/alerts/alert.ts";
import { ALERT, INCIDENT, messageOf } from "../support/message.ts";

const NO_MENTION = { mobiles: [], userIds: [], all: false, from: "info" } as const;
const TEXT = { format: "text", mention: NO_MENTION, keyword: undefined } as const;

Deno.test("bodyOf() writes a text message", () => {
  assertEquals(JSON.parse(bodyOf(messageOf(), TEXT)), {
    msgtype: "text",
    text: {
      content: [
        "web:api exited unexpectedly on node-7",
        "",
        "Host: node-7 (10.0.0.7)",
        "Process: web:api",
        "PID: 4242",
        "Event: PROCESS_STATE_EXITED",
        "From state: RUNNING",
        "Time: 2026-11-21 02:11:30 +00:00",
        "Rule: crash",
        "Look at: supervisorctl tail web:api stderr",
        "Alert: 0123456789ab",
      ].join("\n"),
    },
  });
});

Deno.test("bodyOf() declares markdown as markdown and takes the meaning from marks", () => {
  const message = messageOf({
    process: { name: "my_*api*", group: "[a](b)\n# <b>" },
    text: "first\n# second\n1. third & `last`\n",
    word: "process_log",
  });
  assertEquals(JSON.parse(bodyOf(message, { ...TEXT, format: "markdown" })), {
    msgtype: "markdown",
    markdown: {
      title: "[a](b) # <b>:my_*api* wrote a line that a rule watches for on node-7",
      text: [
        "#### \\[a\\](b) # \\<b\\>:my\\_\\*api\\* wrote a line that a rule watches for on node-7",
        "",
        "- **Host**: node-7 (10.0.0.7)",
        "- **Process**: \\[a\\](b) # \\<b\\>:my\\_\\*api\\*",
        "- **PID**: 4242",
        "- **Event**: PROCESS\\_STATE\\_EXITED",
        "- **From state**: RUNNING",
        "- **Time**: 2026-11-21 02:11:30 +00:00",
        "- **Rule**: crash",
        "- **Alert**: 0123456789ab",
        "",
        "**Text**:",
        "",
        "> first  \n> \\# second  \n> 1\\. third \\& \\`last\\`",
      ].join("\n"),
    },
  });
});

for (const format of ["text", "markdown"] as const) {
  Deno.test(`bodyOf() mentions in \`at\` and in the ${format}`, () => {
    const mention = {
      mobiles: ["13800138000", "+852-12345678"],
      userIds: ["a_b_1"],
      all: true,
      from: "info",
    } as const;
    const { at, ...content } = JSON.parse(bodyOf(messageOf(), { ...TEXT, format, mention }));
    assertEquals(at, {
      atMobiles: ["13800138000", "+852-12345678"],
      atUserIds: ["a_b_1"],
      isAtAll: true,
    });
    const text = content.text?.content ?? content.markdown.text;
    assert(text.endsWith("\n\n@13800138000 @+852-12345678 @a_b_1"), text);
  });

  Deno.test(`bodyOf() calls only whom the severity is worth in ${format}`, () => {
    const mention = { mobiles: ["13800138000"], userIds: [], all: true, from: "critical" } as const;
    const called = (changes: Partial<Alert>) => {
      const body = bodyOf(messageOf(changes), { ...TEXT, format, mention });
      return ["at" in JSON.parse(body), body.includes("@13800138000")];
    };
    assertEquals(called({ severity: "critical", incident: INCIDENT }), [true, true]);
    assertEquals(called({ severity: "warning" }), [false, false]);
    assertEquals(called({}), [false, false]);
    const over = { ...INCIDENT, kind: "resolved" } as const;
    assertEquals(called({ severity: "critical", incident: over }), [false, false]);
  });

  Deno.test(`bodyOf() calls nobody to say in ${format} that something is over, unless asked to`, () => {
    const called = (changes: Partial<Alert>, from?: "info") => {
      const mention = { mobiles: ["13800138000"], userIds: [], all: false, from };
      return "at" in JSON.parse(bodyOf(messageOf(changes), { ...TEXT, format, mention }));
    };
    const over = { severity: "critical", incident: { ...INCIDENT, kind: "resolved" } } as const;
    assertEquals([called(over), called(over, "info")], [false, true]);
    assertEquals([called({ word: "channel_recovered" }), called({ severity: "info" })], [
      false,
      true,
    ]);
  });

  Deno.test(`bodyOf() has the keyword in the title and the text of ${format}`, () => {
    for (const keyword of ["告警", "my_alert*"]) {
      const content = JSON.parse(bodyOf(messageOf(), { ...TEXT, format, keyword }));
      const texts = [content.text?.content ?? content.markdown.text, content.markdown?.title];
      for (const text of texts) if (text !== undefined) assertStringIncludes(text, keyword);
    }
  });

  Deno.test(`bodyOf() cuts the long text of ${format} and nothing else`, () => {
    // Quotes and control characters take two to six bytes in JSON, Chinese three.
    const text = `"引号"\\\u0001🙂_\n`.repeat(4000);
    const mention = { mobiles: ["13800138000"], userIds: [], all: false, from: "info" } as const;
    const layout = { format, mention, keyword: "告警" };
    const body = bodyOf(messageOf({ text, word: "process_log" }), layout);
    const bytes = new TextEncoder().encode(body).length;
    assertLessOrEqual(bytes, MAX_BODY_BYTES);
    assertLessOrEqual(MAX_BODY_BYTES - 20, bytes, "cut more than needed");
    const content = JSON.parse(body);
    const shown: string = content.text?.content ?? content.markdown.text;
    for (const part of ["告警 web:api", "10.0.0.7", "0123456789ab", "@13800138000", "…"]) {
      assertStringIncludes(shown, part);
    }
    assert(!shown.includes("\ufffd"));
  });
}

Deno.test("bodyOf() cuts names too when the long text is not to blame", () => {
  const process = { name: "进程".repeat(20_000), group: "web" };
  const body = bodyOf(messageOf({ process }), TEXT);
  assertLessOrEqual(new TextEncoder().encode(body).length, MAX_BODY_BYTES);
  assertStringIncludes(JSON.parse(body).text.content, "web:进程");
});

Deno.test("bodyOf() adds the keyword only where it is missing", () => {
  const keyword = "web:api";
  const { text } = JSON.parse(bodyOf(messageOf(), { ...TEXT, keyword }));
  assert(text.content.startsWith("web:api exited"));
});

Deno.test("bodyOf() leaves the user's markup to him and takes it from what comes from elsewhere", () => {
  const reading = new Reading({ env: () => undefined, readFile: () => ({ why: "none" }) });
  const text = parseTemplate(
    new ConfigNode("**{process}** [book](https://a.b)\n\n{tail}", "t", reading),
  );
  const message = compose(
    { ...ALERT, tails: [{ stream: "stderr", lines: ["# *bold*", "- x"] }] },
    { language: "en", template: { text } },
  );
  const { markdown } = JSON.parse(bodyOf(message, { ...TEXT, format: "markdown" }));
  assertEquals(markdown.text, "**web:api** [book](https://a.b)\n\n\\# \\*bold\\*  \n\\- x");
  const plain = JSON.parse(bodyOf(message, TEXT)).text.content;
  assertEquals(plain, "**web:api** [book](https://a.b)\n\n# *bold*\n- x");
});
