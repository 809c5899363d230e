import { glibcVersion, libcPath } from "../../src/cli/host_libc.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { superbell } from "../support/executable.ts";

const LATIN1 = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

const maps: readonly (readonly [host: string, line: string, path: string | undefined])[] = [
  [
    "CentOS 7",
    "7f1c0-7f1c1 r-xp 00000000 fd:00 1234    /usr/lib64/libc-2.17.so",
    "/usr/lib64/libc-2.17.so",
  ],
  [
    "Debian 12",
    "7f1c0-7f1c1 r--p 00000000 fe:00 99    /usr/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
  ],
  ["another library", "7f1c0-7f1c1 r--p 00000000 fe:00 99    /usr/lib/libcap.so.2", undefined],
  ["no library", "7f1c0-7f1c1 rw-p 00000000 00:00 0    [heap]", undefined],
];

for (const [host, line, path] of maps) {
  Deno.test(`libcPath() of ${host}`, () => {
    assertEquals(libcPath(`55d0-55d1 r--p 00000000 fe:00 7    /bin/superbell\n${line}\n`), path);
  });
}

const banners: readonly (readonly [text: string, version: string | undefined])[] = [
  ["\0GNU C Library (GNU libc) stable release version 2.17, by Roland McGrath et al.\n", "2.17"],
  ["\0GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\n", "2.36"],
  ["\0GNU C Library (GNU libc) development release version 2.39.9000.\n", "2.39.9000"],
  ["musl libc (x86_64)\nVersion 1.2.3\n", undefined],
];

for (const [text, version] of banners) {
  Deno.test(`glibcVersion() is ${version} for ${JSON.stringify(text.slice(0, 40))}`, () => {
    assertEquals(glibcVersion(LATIN1(`\x7fELF ${text} more`)), version);
  });
}

Deno.test("superbell version prints one line, with --verbose what a bug report needs", async () => {
  const short = await superbell(["version"]);
  assertMatch(short.stdout, /^superbell \S+ \(commit [0-9a-f]+.*\) linux-\S+, Deno \d\S+\n$/);
  const { code, stdout } = await superbell(["version", "--verbose"]);
  assertEquals(code, 0);
  const [first, built, host, executable, end] = stdout.split("\n");
  assertEquals(`${first}\n`, short.stdout);
  assertMatch(
    built!,
    /^built for: {2}glibc 2\.17 or newer, Linux 3\.10 or newer, (x86_64|aarch64)$/,
  );
  assertMatch(
    host!,
    /^this host: {2}glibc 2\.\d+ \(\/.*libc.*\), Linux \d+\.\S+, (x86_64|aarch64)$/,
  );
  assertMatch(executable!, /^executable: \/.*superbell/);
  assertEquals(end, "");
});
