// What a program prints is text to each service, and never markup: here is, for each, what its
// parser looks for, and how it shows an escaped text. Hostile texts are put together by chance.

import { ESCAPES } from "../../src/alerts/escapes.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { Random } from "../support/random.ts";

/** What a service makes of a text. */
interface Reader {
  /** What calls people, leads elsewhere or changes how text looks. */
  readonly markup: RegExp;
  /** The text that people see. */
  show(text: string): string;
  /** What is shown in place of characters that the service has no way to write. */
  readonly instead?: Readonly<Record<string, string>>;
}

const NAMED: Readonly<Record<string, string>> = {
  ...{ amp: "&", lt: "<", gt: ">", quot: '"', nbsp: " ", emsp: "\t", sim: "~" },
};

/** The entities of a text, once. */
function decoded(text: string): string {
  return text.replace(
    /&(?:#(\d+)|(\w+));/g,
    (_, code, name) => code === undefined ? NAMED[name]! : String.fromCharCode(Number(code)),
  );
}

const READERS: Readonly<Record<keyof typeof ESCAPES, Reader>> = {
  html: { markup: /<|&(?!amp;|lt;|gt;|quot;|#39;)|["']/, show: decoded },
  slack: { markup: /[<>]|&(?!amp;|lt;|gt;)/, show: decoded },
  feishu: {
    markup: /[<>*_~`[\]()!:$\\"']|^[ \t#+-]|&(?!#\d+;|nbsp;|emsp;|sim;)/m,
    show: decoded,
  },
  wecom: {
    markup: /[<>]|\]\(/,
    show: (text) => text,
    instead: { "＜": "<", "＞": ">", "]（": "](" },
  },
  telegram_html: {
    markup: /<|&(?!amp;|lt;|gt;|quot;|#39;)|(?<![A-Za-z0-9_])@(?:\w|$)/,
    show: decoded,
    instead: { "\u2060": "" },
  },
  telegram_markdown: {
    // Read from the left, one of the 18 that does not belong to the backslash before it.
    markup: /^(?:[^\\]|\\[^])*?[_*[\]()~`>#+\-=|{}.!]|(?<![A-Za-z0-9_])@(?:\\?\w|$)/s,
    show: (text) => text.replace(/\\([^])/g, "$1"),
    instead: { "\u2060": "" },
  },
};

const HOSTILE = [
  ...["<!channel>", "<!here|here>", "<@U024BE7LH>", "<!subteam^S01>", "<https://evil.test|login>"],
  ...['<at user_id="all">all</at>', "<at id=all></at>", "<at ids=a,b></at>", "<person id='a'>"],
  ...["<@all>", "<@zhangsan>", '<font color="warning">', "</font>", "[login](https://evil.test)"],
  ...["@everyone", "@all", "ops@example.com", "@", "(@oncall_bot)", "订单@admin", "tg://user?id=1"],
  ...['<a href="tg://user?id=123456789">x</a>', "</pre>", "<b>", "<!--", "![x](img)"],
  ...["&lt;!channel&gt;", "&#60;at id=all&#62;", "&amp;lt;", "&", "&#", ";", "\\", "\\\\", "\\@a"],
  ...[
    "*",
    "**",
    "_",
    "__",
    "~",
    "~~",
    "`",
    "```",
    ">",
    "# ",
    "- ",
    "+ ",
    "1. ",
    "|",
    "=",
    "{",
    "}",
  ],
  ...[".", "!", "(", ")", "[", "]", "](", ":DONE:", "$x$", "'", '"', "\n", "\n    ", "\n\t", " "],
  ...["汉字", "🚨", "a", "B7", "_x"],
];

/** A text of some of them. */
function hostileText(random: Random): string {
  return Array.from({ length: 1 + random.below(12) }, () => random.pick(HOSTILE)).join("");
}

const TEXTS = [
  ...HOSTILE,
  ...HOSTILE.flatMap((one) => [`${one}${one}`, `x${one}y`, `\\${one}`]),
  ...Array.from({ length: 3000 }, (_, seed) => hostileText(new Random(seed))),
];

for (const [name, reader] of Object.entries(READERS)) {
  const escape = ESCAPES[name as keyof typeof ESCAPES];

  Deno.test(`ESCAPES.${name} leaves no markup in whatever a program prints`, () => {
    for (const text of TEXTS) {
      const escaped = escape(text);
      assert(!reader.markup.test(escaped), `${JSON.stringify(text)} → ${JSON.stringify(escaped)}`);
    }
  });

  Deno.test(`ESCAPES.${name} shows what was printed`, () => {
    for (const text of TEXTS) {
      let shown = reader.show(escape(text));
      for (const [found, meant] of Object.entries(reader.instead ?? {})) {
        shown = shown.replaceAll(found, meant);
      }
      assertEquals(shown, text);
    }
  });

  Deno.test(`ESCAPES.${name} takes control characters and halves of characters`, () => {
    assertEquals(escape("a\0b\x1bc\ud83dd\te"), "a\ufffdb\ufffdc\ufffdd\te");
  });
}

Deno.test("READERS find the markup that stands in a text that is not escaped", () => {
  const calls: Readonly<Record<keyof typeof ESCAPES, string>> = {
    html: "<b>",
    slack: "<!channel>",
    feishu: "<at id=all></at>",
    wecom: "<@all>",
    telegram_html: "hello @oncall_bot",
    telegram_markdown: "hello @oncall_bot",
  };
  for (const [name, text] of Object.entries(calls)) {
    assert(READERS[name as keyof typeof ESCAPES].markup.test(text), name);
  }
  assert(READERS.telegram_markdown.markup.test("a\\\\*b"));
  assert(!READERS.telegram_markdown.markup.test("a\\\\\\*b\\*"));
});

const SAMPLES: readonly (readonly [keyof typeof ESCAPES, string, string])[] = [
  ["html", `<a href="x">'&`, "&lt;a href=&quot;x&quot;&gt;&#39;&amp;"],
  ["slack", "<!channel> a && b *c*", "&lt;!channel&gt; a &amp;&amp; b *c*"],
  ["feishu", "<at id=all></at> a_b", "&#60;at id=all&#62;&#60;/at&#62; a&#95;b"],
  ["feishu", "~x\n    y", "&sim;x\n&nbsp;&nbsp;&nbsp;&nbsp;y"],
  ["wecom", "<@all> if a < b [x](y) [ERROR]", "＜@all＞ if a ＜ b [x]（y) [ERROR]"],
  ["telegram_html", "@oncall <b> a@b.c", "@\u2060oncall &lt;b&gt; a@b.c"],
  ["telegram_markdown", "1.5 [a](b) \\ @x", "1\\.5 \\[a\\]\\(b\\) \\\\ @\u2060x"],
];
for (const [name, text, expected] of SAMPLES) {
  Deno.test(`ESCAPES.${name} writes ${JSON.stringify(text)} as the service wants it`, () => {
    assertEquals(ESCAPES[name](text), expected);
  });
}
