// Which libc this process runs with, for bug reports. Found without asking the libc itself, which
// would need a call into it: the kernel tells which file is loaded, and glibc's file says in plain
// text what it is.

/** The libc found: its file, and its version where the file tells it. */
export interface HostLibc {
  readonly path: string;
  /** For example "2.17". */
  readonly version: string | undefined;
}

/** The libc of this process; undefined where /proc does not tell. */
export function findLibc(): HostLibc | undefined {
  try {
    const path = libcPath(Deno.readTextFileSync("/proc/self/maps"));
    if (path === undefined) return undefined;
    return { path, version: glibcVersion(Deno.readFileSync(path)) };
  } catch {
    return undefined; // no /proc, or a file that was replaced: worth no failure
  }
}

/** `glibc 2.17 (/usr/lib64/libc-2.17.so)`. */
export function describeLibc(libc: HostLibc | undefined): string {
  if (libc === undefined) return "an unknown libc";
  return `${libc.version === undefined ? "libc" : `glibc ${libc.version}`} (${libc.path})`;
}

/** The libc among the files of /proc/PID/maps: libc.so.6, or libc-2.17.so before glibc 2.34. */
export function libcPath(maps: string): string | undefined {
  return /\s(\/\S*\/libc(?:-[\d.]+)?\.so(?:\.6)?)$/m.exec(maps)?.[1];
}

/** From the banner that glibc prints when its file is run as a program. */
export function glibcVersion(libc: Uint8Array): string | undefined {
  const text = new TextDecoder("latin1").decode(libc);
  return /GNU C Library[^\n]{0,200}? release version (\d+\.\d+(?:\.\d+)?)/.exec(text)?.[1];
}
