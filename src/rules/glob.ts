// Names with wildcards. By hand and not by a regular expression: `*-*-*-*-x` would backtrack
// for seconds on a long name, and names are anybody's to choose.

/** Whether the whole name fits: `*` stands for any characters, `?` for one, others for themselves. */
export function matchesGlob(pattern: string, name: string): boolean {
  const wanted = Array.from(pattern);
  const found = Array.from(name);
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
