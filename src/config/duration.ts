// Durations and sizes as people write them in the configuration: "8s", "1h30m", "256MB".

const MS_BY_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const BYTES_BY_UNIT: Readonly<Record<string, number>> = {
  b: 1,
  kb: 1024,
  mb: 1024 ** 2,
  gb: 1024 ** 3,
};

/** Milliseconds of a text like "90s", "1h30m" or "250ms"; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(ms|[smhd]))+$/.test(text)) return undefined;
  let totalMs = 0;
  for (const [, count, unit] of text.matchAll(/(\d+)(ms|[smhd])/g)) {
    totalMs += Number(count) * MS_BY_UNIT[unit!]!;
  }
  return totalMs;
}

/** The shortest exact text that parseDuration reads back: 90000 is "1m30s". */
export function formatDuration(durationMs: number): string {
  let rest = Math.round(durationMs);
  const parts: string[] = [];
  for (const unit of ["d", "h", "m", "s", "ms"]) {
    const count = Math.floor(rest / MS_BY_UNIT[unit]!);
    if (count > 0) parts.push(`${count}${unit}`);
    rest -= count * MS_BY_UNIT[unit]!;
  }
  return parts.join("") || "0s";
}

/** As people say it, by the two greatest units and no less than a second: 10001 is "10s". */
export function formatRoughly(durationMs: number): string {
  const { s, m, h, d } = MS_BY_UNIT as Record<"s" | "m" | "h" | "d", number>;
  const stepMs = durationMs >= d ? h : durationMs >= h ? m : s;
  return formatDuration(Math.round(durationMs / stepMs) * stepMs);
}

/** Bytes of a text like "256MB" (1 KB is 1024 bytes, as supervisord counts); undefined when it is none. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+)(b|kb|mb|gb)$/i.exec(text);
  return match === null ? undefined : Number(match[1]) * BYTES_BY_UNIT[match[2]!.toLowerCase()]!;
}
