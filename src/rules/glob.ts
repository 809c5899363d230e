// Names with wildcards. By hand and not by a regular expression: `*-*-*-*-x` would backtrack
// for seconds on a long name, and names are anybody's to choose.

/** Whether the whole name fits: `*` stands for any characters, `?` for one, others for themselves. */
export function matchesGlob(pattern: string, name: string): boolean {
  const plain = matchesPlain(pattern, name);
  if (plain !== undefined) return plain;
  // Only ? asks what one character is; otherwise a string's own units compare as well.
  const wanted: ArrayLike<string> = pattern.includes("?") ? Array.from(pattern) : pattern;
  const found: ArrayLike<string> = wanted === pattern ? name : Array.from(name);
  let [at, star, resume] = [0, -1, 0];
  for (let next = 0; next < found.length;) {
    if (wanted[at] === "*") {
      [star, resume] = [at++, next];
    } else if (wanted[at] === "?" || wanted[at] === found[next]) {
      at++;
      next++;
    } else if (star >= 0) {
      // The last star takes one character more; those before it need never be tried again.
      at = star + 1;
      next = ++resume;
    } else return false;
  }
  while (wanted[at] === "*") at++;
  return at === wanted.length;
}

/** The answer for a pattern with at most one star, as nearly all are: each event asks each rule. */
function matchesPlain(pattern: string, name: string): boolean | undefined {
  const star = pattern.indexOf("*");
  if (pattern.includes("?")) return undefined;
  if (star < 0) return pattern === name;
  if (pattern.includes("*", star + 1)) return undefined;
  return name.length >= pattern.length - 1 && name.startsWith(pattern.slice(0, star)) &&
    name.endsWith(pattern.slice(star + 1));
}
