// Takes secrets out of what programs print before it leaves the host: by the user's patterns,
// and by the forms in which passwords and tokens are usually printed. Both look at one line at a
// time, so that a pattern means the same wherever a text was cut. What looks like no secret is
// not found: this lessens a risk and ends none.

/** What to take out. */
export interface MaskOptions {
  /** Run in linear time: the lines are anybody's. */
  readonly patterns: readonly RegExp[];
  /** Also the usual forms of passwords and tokens. */
  readonly defaults: boolean;
}

/** Stands for what was taken out. */
export const MASK = "***";

/** A name that says that a secret follows; `tokens=` and `bypass:` are none. */
const NAME = String.raw`(?:pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key|access[_-]?key|` +
  String.raw`private[_-]?key|credentials?)(?:[_-][\w-]{1,20})?`;
/** What usually stands there in place of a secret, as in "using password: YES". */
const NO_SECRET = String.raw`(?!(?:yes|no|true|false|null|none|nil|undefined|\*+)\b)`;
const VALUE = String.raw`(?:"[^"]{0,4000}"?|'[^']{0,4000}'?|${NO_SECRET}[^\s"'&,;)}\]]{1,4000})`;

/**
 * Each with what to keep in its first group. Repetitions are bounded and begin at fixed words, so
 * that the time grows with the length of the line only, although V8 runs them by backtracking.
 */
const DEFAULTS: readonly RegExp[] = [
  new RegExp(String.raw`(\b[\w-]{0,40}${NAME}["']?\s{0,4}(?:=>|[=:])\s{0,4})${VALUE}`, "gi"),
  new RegExp(String.raw`(--?${NAME}\s{1,4})${NO_SECRET}[^\s-][^\s]{0,4000}`, "gi"),
  /(\b(?:proxy-)?authorization["']?\s{0,4}[=:]\s{0,4}["']?)(?:(?:bearer|basic|digest|token|negotiate)\s{1,4})?[^\s"',;]{1,4000}/gi,
  /(\bbearer\s{1,4})[A-Za-z0-9._~+/=-]{8,4000}/gi,
  /(\b(?:set-)?cookie:\s{0,4})\S.{0,4000}/gi,
  // https://user:password@host, redis://:password@host, and user:password@tcp(host) of Go.
  /(\b[a-z][a-z0-9+.-]{0,20}:\/\/[^\s/@:]{0,200}:)[^\s/@]{1,400}(?=@)/gi,
  /(\b[\w.-]{1,64}:)[^\s@]{1,400}(?=@(?:tcp|unix)\()/gi,
  // Keys that are known by their beginning: AWS, GitHub, GitLab, Slack, a signed web token.
  /()\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/g,
  /()\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-)[\w-]{16,400}/g,
  /()\beyJ[\w-]{8,4000}\.[\w-]{8,4000}\.[\w-]{0,4000}/g,
];

const KEY_BEGINS = /-----BEGIN [A-Z ]{0,40}PRIVATE KEY-----/;
const KEY_ENDS = /-----END [A-Z ]{0,40}PRIVATE KEY-----/;

/** Answers what takes the secrets out of a text of several lines. */
export function masker({ patterns, defaults }: MaskOptions): (text: string) => string {
  const all = patterns.map((pattern) => new RegExp(pattern.source, `${pattern.flags}g`));
  const maskLine = (line: string) => {
    let masked = line;
    for (const pattern of all) masked = masked.replace(pattern, MASK);
    if (!defaults) return masked;
    for (const form of DEFAULTS) masked = masked.replace(form, `$1${MASK}`);
    return masked;
  };
  return (text) => {
    const lines = text.split("\n").map(maskLine);
    return (defaults ? withoutKeys(lines) : lines).join("\n");
  };
}

/** A private key is the one secret that has lines of its own. */
function withoutKeys(lines: readonly string[]): readonly string[] {
  const ends = lines.findIndex((line) => KEY_ENDS.test(line));
  const begins = lines.findIndex((line) => KEY_BEGINS.test(line));
  if (ends < 0 && begins < 0) return lines;
  // One whose beginning was cut off: all before its end may be it.
  let isInside = ends >= 0 && (begins < 0 || ends < begins);
  const kept: string[] = [];
  for (const [index, line] of lines.entries()) {
    const begins = KEY_BEGINS.test(line);
    if (begins || isInside && index === 0) kept.push(MASK);
    isInside ||= begins;
    if (!isInside) kept.push(line);
    if (KEY_ENDS.test(line)) isInside = false;
  }
  return kept;
}
