// Headers: free text in their middle, and lines that are none.

import { findHeader, findHeaderWithin, parseHeader } from "../../src/events/frame.ts";
import { assertEquals } from "../support/assert.ts";

function line(server: string, pool: string, eventname = "TICK_5"): string {
  return `ver:3.0 server:${server} serial:21 pool:${pool} poolserial:10 eventname:${eventname} len:15`;
}

const SERVERS = [
  "supervisor",
  "my box: prod 1",
  "",
  " ",
  "订单 🔥",
  "a serial:1 pool:b",
  "x serial:1 pool:y poolserial:2",
  "ver:3.0 server:ver",
  "\u3000\u00a0\u2028",
];
const POOLS = ["superbell", " cap ", "", "a\tb", "a poolserial:5", "eventname:x len:3"];
for (const server of SERVERS) {
  for (const pool of POOLS) {
    Deno.test(`parseHeader() reads server ${JSON.stringify(server)}, pool ${JSON.stringify(pool)}`, () => {
      const header = {
        ver: "3.0",
        server,
        serial: 21,
        pool,
        poolserial: 10,
        eventname: "TICK_5",
        len: 15,
      };
      assertEquals(parseHeader(line(server, pool)), header);
      const at = server.startsWith("ver:") ? 15 : 0;
      const found = findHeader(`stray${line(server, pool)}`);
      if (at === 0) assertEquals(found, { header, at: 5 });
      assertEquals(findHeaderWithin(`a\nb${line(server, pool)}\n`)! >= 3, true);
    });
  }
}

const NO_HEADERS = [
  "",
  "ver:",
  "hello",
  ` ${line("s", "p")}`,
  `${line("s", "p")} `,
  `${line("s", "p")}\r`,
  line("s", "p").replace("len:15", "len:"),
  line("s", "p").replace("len:15", "len:-1"),
  line("s", "p").replace("len:15", "len:1e3"),
  line("s", "p").replace("len:15", "len:1234567890123456"),
  line("s", "p").replace("serial:21", "serial:x"),
  line("s", "p").replace("poolserial:10", "poolserial:"),
  line("s", "p").replace("eventname:TICK_5", "eventname:TICK 5"),
  line("s", "p").replace("ver:3.0", "ver:"),
  line("s", "p").replace("pool:p", "p"),
];
for (const text of NO_HEADERS) {
  Deno.test(`parseHeader() takes ${JSON.stringify(text)} for no header`, () => {
    assertEquals(parseHeader(text), undefined);
  });
}

Deno.test("parseHeader() carries an event name that it does not know, and none", () => {
  for (const name of ["None", "", "未来"]) {
    assertEquals(parseHeader(line("s", "p", name))?.eventname, name);
  }
});

Deno.test("findHeader() finds the last header of a line, behind what others wrote", () => {
  const first = line("first", "p").replace("len:15", "");
  const found = findHeader(`${first}${line("second", "p")}`);
  assertEquals([found?.at, found?.header.server], [first.length, "second"]);
  assertEquals(findHeader(`${line("s", "p")}stray`), undefined);
});

Deno.test("findHeaderWithin() finds a header only where its line has ended", () => {
  assertEquals(findHeaderWithin(line("s", "p")), undefined);
  assertEquals(findHeaderWithin(`${line("s", "p")}\n`), 0);
  assertEquals(findHeaderWithin(`text\nmore${line("s", "p")}\nrest`), 9);
  assertEquals(findHeaderWithin(""), undefined);
});
