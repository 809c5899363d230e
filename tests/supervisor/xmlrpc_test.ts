import { Buffer } from "node:buffer";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import {
  readReply,
  RpcFault,
  RpcFormatError,
  type RpcValue,
  writeCall,
} from "../../src/supervisor/xmlrpc.ts";

const FIXTURES = new URL("../fixtures/xmlrpc/", import.meta.url);

/** The bodies of the answers in a recorded exchange. */
function recordedBodies(name: string): string[] {
  const text = Deno.readTextFileSync(new URL(name, FIXTURES));
  return text.match(/<\?xml version='1.0'\?>\n<methodResponse>[\s\S]*?<\/methodResponse>\n/g) ?? [];
}

/** A character per byte, so that a row can hold any bytes. */
function bytesOf(binary: string): Uint8Array {
  return Buffer.from(binary, "latin1");
}

function utf8(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

const reply = (inner: string) =>
  `<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n<value>${inner}</value>\n` +
  `</param>\n</params>\n</methodResponse>\n`;
const member = (name: string, inner: string) =>
  `<member><name>${name}</name><value>${inner}</value></member>`;

Deno.test("readReply() reads two answers that supervisord 4.2.5 gave", () => {
  const [state, version] = recordedBodies("xmlrpc-http-auth-keepalive-supervisor-4.2.5-deb.txt");
  assertEquals(readReply(bytesOf(state!)), { statecode: 1, statename: "RUNNING" });
  assertEquals(readReply(bytesOf(version!)), "4.2.5");
});

Deno.test("readReply() throws the fault that supervisord 4.2.5 gave", () => {
  const [body] = recordedBodies("xmlrpc-http-fault-supervisor-4.2.5-deb.txt");
  const fault = assertThrows(() => readReply(bytesOf(body!)), RpcFault);
  assertEquals(fault.code, 10);
  assertEquals(fault.message, "supervisord refused the call: BAD_NAME: nosuch (fault 10)");
});

Deno.test("readReply() reads the results of a multicall", () => {
  const [body] = recordedBodies("xmlrpc-http-multicall-supervisor-4.2.5-deb.txt");
  assertEquals(readReply(bytesOf(body!)), [
    { statecode: 1, statename: "RUNNING" },
    { faultCode: 10, faultString: "BAD_NAME: x" },
  ]);
});

const GBK_NOT_FOUND = "\xce\xb4\xd5\xd2\xb5\xbd"; // 未找到
const accepted: readonly (readonly [what: string, reply: string, expected: RpcValue])[] = [
  ["a text", reply("<string>web</string>"), "web"],
  ["a text without a type, blanks kept", reply("  web "), "  web "],
  ["an empty text", reply("<string></string>"), ""],
  ["an empty text in short", reply("<string/>"), ""],
  ["an empty value", reply(""), ""],
  ["a number", reply("<int>-12</int>"), -12],
  ["a number with blanks, as <i4>", reply("<i4>\n 2147483647 </i4>"), 2147483647],
  ["a double", reply("<double>1.5e3</double>"), 1500],
  [
    "booleans",
    reply(
      "<array><data><value><boolean>1</boolean></value><value><boolean>0</boolean>" +
        "</value></data></array>",
    ),
    [true, false],
  ],
  ["nil", reply("<nil/>"), null],
  ["an empty list", reply("<array><data></data></array>"), []],
  ["an empty struct", reply("<struct></struct>"), {}],
  [
    "the five entities and numbers",
    reply("<string>&lt;&gt;&amp;&quot;&apos;&#65;&#x42;</string>"),
    "<>&\"'AB",
  ],
  [
    "an entity that is none",
    reply("<string>&nbsp; &#9999999; &#xd800; &amp;lt;</string>"),
    "&nbsp; \ufffd \ufffd &lt;",
  ],
  ["Chinese in UTF-8", reply(`<string>${utf8("订单服务 🐶")}</string>`), "订单服务 🐶"],
  [
    "control characters (issue 85)",
    reply("<string>\x1b[31mred\x00\x07\x0b</string>"),
    "\x1b[31mred\0\x07\x0b",
  ],
  [
    "GBK beside UTF-8, each by itself",
    reply(
      `<struct>${member("gbk", GBK_NOT_FOUND)}${member("utf8", utf8("未找到"))}</struct>`,
    ),
    { gbk: "未找到", utf8: "未找到" },
  ],
  [
    "a character cut at the beginning of a text (3.x)",
    reply(
      `<array><data><value>${utf8("订单服务").slice(1)}</value><value>x</value></data></array>`,
    ),
    ["单服务", "x"],
  ],
  [
    "names that exist on every object",
    reply(
      `<struct>${member("constructor", "a")}${member("toString", "b")}</struct>`,
    ),
    { constructor: "a", toString: "b" },
  ],
  ["a reply without its last bytes", reply("<int>1</int>").slice(0, -30), 1],
  ["a reply without an XML declaration", reply("<int>1</int>").slice(22), 1],
];

for (const [what, text, expected] of accepted) {
  Deno.test(`readReply() reads ${what}`, () => assertEquals(readReply(bytesOf(text)), expected));
}

const nested = (depth: number) =>
  reply("<array><data><value>".repeat(depth) + "x" + "</value></data></array>".repeat(depth));

const refused: readonly (readonly [what: string, reply: string, message: string])[] = [
  ["nothing", "", "expected <methodResponse>, found its end"],
  ["a page", "<html><body>It works!</body></html>", 'found "<html><body>It works!'],
  [
    "a DTD",
    `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]>${reply("&b;").slice(22)}`,
    'found "<!DOCTYPE a',
  ],
  [
    "a DTD inside the declaration",
    `<?xml <!DOCTYPE a>?>${reply("x").slice(22)}`,
    'found "<?xml <!DOCTYPE',
  ],
  ["a comment", reply("<!-- -->"), 'expected </value>, found "<!-- -->'],
  ["a CDATA section", reply("<![CDATA[x]]>"), 'expected </value>, found "<![CDATA['],
  ["a processing instruction", reply("<?php ?>"), 'expected </value>, found "<?php'],
  ["attributes", reply('<string lang="x">a</string>'), 'found "<string lang'],
  ["an unknown type", reply("<base64>eA==</base64>"), 'found "<base64>'],
  ["nesting", nested(30), "The reply is nested too deep"],
  ["endless nesting", nested(1_000_000), "The reply is nested too deep"],
  ["a text that does not end", reply("x".repeat(90)).slice(0, 120), "expected a tag, found"],
  [
    "a list that does not end",
    `<methodResponse><params><param><value><array><data>${"<value>x</value>".repeat(9)}`,
    "expected <value>, found its end",
  ],
  [
    "a struct that does not end",
    `<methodResponse><params><param><value><struct>${member("a", "b")}`,
    "expected </struct>, found its end",
  ],
  [
    "an int out of range",
    reply("<int>99999999999999999999</int>"),
    "expected a value of the type int",
  ],
  [
    "an int of a million digits",
    reply(`<int>${"9".repeat(1_000_000)}</int>`),
    "expected a value of the type int",
  ],
  ["an int in hexadecimal", reply("<int>0x10</int>"), "expected a value of the type int"],
  ["an empty int", reply("<int></int>"), "expected a value of the type int"],
  ["an infinite double", reply("<double>1e999</double>"), "expected a value of the type double"],
  ["a double that is none", reply("<double>NaN</double>"), "expected a value of the type double"],
  ["a boolean that is none", reply("<boolean>2</boolean>"), "expected a value of the type boolean"],
  [
    "a member __proto__",
    reply(`<struct>${member("__proto__", "<struct></struct>")}</struct>`),
    "The reply has a member __proto__",
  ],
  [
    "a member without a name",
    reply("<struct><member><value>1</value></member></struct>"),
    "expected <name>",
  ],
  [
    "something after the value",
    reply("x").replace("</param>", "</param><param>"),
    "expected the end of the reply",
  ],
  ["something after the end", `${reply("x")}HTTP/1.1 200 OK`, "expected the end of the reply"],
  [
    "a fault that is no struct",
    "<methodResponse><fault><value><nil/></value></fault></methodResponse>",
    "The fault has no code and text",
  ],
  [
    "a fault without a code",
    `<methodResponse><fault><value><struct>${
      member("faultString", "x")
    }</struct></value></fault></methodResponse>`,
    "The fault has no code and text",
  ],
];

for (const [what, text, message] of refused) {
  Deno.test(`readReply() refuses ${what}`, () => {
    const error = assertThrows(() => readReply(bytesOf(text)), RpcFormatError, message);
    assert(error.message.length < 250, error.message);
  });
}

const large: readonly (readonly [what: string, reply: string])[] = [
  ["a text with a million entities", reply(`<string>${"&amp;".repeat(1_000_000)}</string>`)],
  [
    "a million values",
    reply(`<array><data>${"<value>x</value>".repeat(1_000_000)}</data></array>`),
  ],
  ["ten million blanks", reply(" ".repeat(10_000_000))],
  ["a million unfinished entities", reply(`<string>${"&#".repeat(1_000_000)}</string>`)],
  ["a declaration that does not end", `<?xml ${"?".repeat(10_000_000)}`],
];

for (const [what, text] of large) {
  Deno.test(`readReply() takes no time for ${what}`, () => {
    const bytes = bytesOf(text);
    const startedAtMs = performance.now();
    try {
      readReply(bytes);
    } catch (error) {
      assert(error instanceof RpcFormatError);
    }
    const tookMs = performance.now() - startedAtMs;
    assert(tookMs < 5000, `it took ${tookMs} ms`); // what is not linear takes minutes
  });
}

const written: readonly (readonly [what: string, value: RpcValue, expected: string])[] = [
  ["a text", "a<b>&c", "<string>a&#60;b&#62;&#38;c</string>"],
  ["Chinese in ASCII", "订🐶", "<string>&#35746;&#128054;</string>"],
  ["line ends", "a\r\n\tb", "<string>a&#13;\n\tb</string>"],
  ["a number", -16384, "<int>-16384</int>"],
  ["a boolean", true, "<boolean>1</boolean>"],
  ["nil", null, "<nil/>"],
  [
    "a list",
    [1, "x"],
    "<array><data><value><int>1</int></value><value><string>x</string></value></data></array>",
  ],
  [
    "a struct",
    { "a&": [] },
    "<struct><member><name>a&#38;</name><value><array><data></data></array></value></member></struct>",
  ],
];

for (const [what, value, expected] of written) {
  Deno.test(`writeCall() writes ${what}`, () => {
    assertEquals(
      writeCall("a.b", [value]),
      '<?xml version="1.0"?><methodCall><methodName>a.b</methodName><params><param>' +
        `<value>${expected}</value></param></params></methodCall>`,
    );
  });
}

for (const number of [0.5, NaN, Infinity, 2 ** 31]) {
  Deno.test(`writeCall() does not send ${number}`, () => {
    assertThrows(
      () => writeCall("a.b", [number]),
      RangeError,
      "expected a whole number of 32 bits",
    );
  });
}
