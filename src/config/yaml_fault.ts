// What to do about a text that is no YAML: the parser names the place where it gave up, this the
// slip that usually leads there. A hint is given only where the text shows that slip, and of the
// text it repeats nothing but keys: a line may hold a password.

/** Where the parser gave up and why. */
export interface YamlFault {
  /** The parser's words, without what they quote. */
  readonly what: string;
  /** From 1; 0: not known. */
  readonly line: number;
}

/** One line that says something, not a comment; `keysAt` is where its key begins, behind a dash. */
interface Line {
  readonly number: number;
  readonly text: string;
  readonly indent: number;
  readonly keysAt: number;
}

/** So many lines above are named. */
const MOST_NAMED = 3;

/** So much of a line is looked at. */
const MAX_CHARS = 1000;

/** The sentence about a fault, with what would work where that can be seen. */
export function explainFault(text: string, fault: YamlFault): string {
  const lines = linesOf(text);
  if (fault.what.includes("duplicated key")) return duplicateKey(lines, fault);
  const hint = hintFor(lines, fault);
  return `not valid YAML: ${fault.what}${hint === undefined ? "" : `; ${hint}`}`;
}

function linesOf(text: string): Line[] {
  return text.split(/\r\n|[\r\n]/).flatMap((line, index) => {
    const indent = /^ */.exec(line)![0].length;
    const rest = line.slice(indent);
    if (rest === "" || rest.startsWith("#")) return [];
    const dashes = /^(?:- +)*/.exec(rest)![0].length;
    return [{ number: index + 1, text: line.slice(0, MAX_CHARS), indent, keysAt: indent + dashes }];
  });
}

const KEY = /^(?:"([^"\\]{1,60})"|'([^'\\]{1,60})'|([\p{L}\p{N}_.-]{1,60}))\s*:(?:\s|$)/u;

function keyAt(line: Line | undefined, column: number): string | undefined {
  const match = line && KEY.exec(line.text.slice(column));
  return match?.[1] ?? match?.[2] ?? match?.[3];
}

function duplicateKey(lines: readonly Line[], fault: YamlFault): string {
  const at = lines.findIndex(({ number }) => number === fault.line);
  const line = lines[at];
  const key = keyAt(line, line?.keysAt ?? 0);
  const first = key === undefined ? undefined : lineAbove(lines.slice(0, at), line!, key);
  if (first !== undefined) {
    return `the key "${key}" stands twice, in line ${first} already; leave one of them`;
  }
  const inBraces = repeatedInBraces(line?.text ?? "");
  return inBraces === undefined
    ? "a key stands twice in one section; leave one of them"
    : `the key "${inBraces}" stands twice; leave one of them`;
}

/** The number of the line above with that key in the same section. */
function lineAbove(above: readonly Line[], line: Line, key: string): number | undefined {
  for (const candidate of above.toReversed()) {
    if (candidate.keysAt < line.keysAt) return undefined;
    if (candidate.keysAt === line.keysAt && keyAt(candidate, line.keysAt) === key) {
      return candidate.number;
    }
    if (candidate.indent < line.keysAt) return undefined; // with its dash another section begins
  }
  return undefined;
}

function repeatedInBraces(text: string): string | undefined {
  const keys = [...text.matchAll(/[{,]\s*([\p{L}\p{N}_.-]{1,60})\s*:\s/gu)].map(([, key]) => key);
  return keys.find((key, index) => keys.indexOf(key) < index);
}

/** A key with a value, as far as it begins like one that YAML reads as something else. */
const MARKED_VALUE = /(?:^|[:,[{-])\s+([*!%@`|>&])[^\s#]|[[{]([*!%@`&])/;
/** A value in brackets that goes on behind them. */
const BRACKETS_AND_MORE = /(?:^|[:-])\s+(?:\[[^\]]*\]|\{[^}]*\})\s*[^\s#,\]}]/;
/** A value without quotes that holds ": ". */
const COLON_IN_VALUE = /^\s*(?:- +)?[^\s:"'#[{]+:\s+[^\s"'[{#|>].*?:(?:\s|$)/;
/** A key whose value follows the colon at once; an address or a pattern may look like that. */
const NO_BLANK = /^\s*(?:- +name|[a-z_]+):[^\s:/*]/;

const QUOTES_NEEDED = "a value that begins with * ! [ { % @ & | > or ` must stand in quotes";

function isMarked({ text }: Line): boolean {
  return MARKED_VALUE.test(text) || BRACKETS_AND_MORE.test(text);
}

function hintFor(lines: readonly Line[], fault: YamlFault): string | undefined {
  const { what } = fault;
  if (what.includes("more than 1 document")) return "a line of dashes (---) begins another one";
  if (what.includes("escape")) return `within "…" each \\ must be doubled; within '…' it need not`;
  if (what.includes("quoted scalar")) return "a quotation mark that opens a text is never closed";
  const at = lines.findIndex(({ number }) => number === fault.line);
  const line = lines[at];
  const before = lines.findLast(({ number }) => number < fault.line);
  // There the parser notices only on the next line what it has read.
  if (what.includes("multiline key") && before !== undefined && isMarked(before)) {
    return `${QUOTES_NEEDED} (line ${before.number})`;
  }
  if ((line !== undefined && isMarked(line)) || /alias|anchor|unknown tag/.test(what)) {
    return QUOTES_NEEDED;
  }
  if (/[：，]/.test(`${before?.text}${line?.text}`)) return undefined; // another problem tells it
  if (what.includes("flow collection")) {
    return "a comma is missing, or a [ or { further up is not closed";
  }
  if (line === undefined) return undefined;
  const glued = [before, line].find((one) => one !== undefined && NO_BLANK.test(one.text));
  if (glued !== undefined) return `line ${glued.number} needs a blank behind its colon`;
  return indentationHint(lines.slice(0, at), line) ??
    (COLON_IN_VALUE.test(line.text) ? `a value that holds ": " must stand in quotes` : undefined);
}

/** For a line that stands in a column where nothing above it stands. */
function indentationHint(above: readonly Line[], line: Line): string | undefined {
  const isItem = isListItem(line);
  const open: { readonly number: number; readonly column: number }[] = [];
  for (const { number, indent, keysAt } of above.toReversed()) {
    // Items begin where items do, keys where keys do, be it behind a dash.
    const column = isItem ? indent : keysAt;
    if (column < (open.at(-1)?.column ?? Infinity)) open.push({ number, column });
    if (indent === 0) break;
  }
  if (open.length === 0) return undefined;
  const before = above.at(-1)!;
  const fits = open.some(({ column }) => column === line.indent);
  const isMixed = before.indent === line.indent && isListItem(before) !== isItem &&
    (isItem ? !/:\s*$/.test(before.text) : !fits);
  if (isMixed) {
    return `a list (- …) and keys (name: …) cannot stand side by side, as in lines ` +
      `${before.number} and ${line.number}`;
  }
  if (fits) return undefined;
  const columns = open.slice(0, MOST_NAMED).map(({ number, column }) =>
    `${column} (line ${number})`
  );
  const others = columns.length < 2
    ? columns.join()
    : `${columns.slice(0, -1).join(", ")} or ${columns.at(-1)}`;
  return `line ${line.number} begins with ${blanks(line.indent)}, where those above begin with ` +
    `${others}: what belongs together begins in the same column`;
}

function isListItem({ indent, keysAt }: Line): boolean {
  return keysAt > indent;
}

function blanks(count: number): string {
  return count === 0 ? "no blank" : count === 1 ? "1 blank" : `${count} blanks`;
}
