// Shortens a list of process names for people: the numbered processes of one program
// (numprocs) become one word, `worker_[00-41]`, and what is left is cut to a few.

/** A run of at least this many numbers is folded. */
const SHORTEST_RUN = 3;

/** The names with numbered ones folded: `a, worker_[00-02,07-09], z`, in natural order. */
export function foldNames(names: readonly string[]): string[] {
  const numbersByShape = new Map<string, Set<string>>();
  const plain = new Set<string>();
  for (const name of names) {
    // The last number of a name is the one that numprocs counts.
    const match = /^(.*?)(\d+)(\D*)$/s.exec(name);
    if (match === null) plain.add(name);
    else {
      const shape = JSON.stringify([match[1], match[3], match[2]!.length]);
      const numbers = numbersByShape.get(shape) ?? new Set();
      numbersByShape.set(shape, numbers.add(match[2]!));
    }
  }
  const folded = [...numbersByShape].flatMap(([shape, numbers]) => {
    const [before, after] = JSON.parse(shape) as [string, string, number];
    const sorted = [...numbers].sort((left, right) => Number(left) - Number(right));
    if (sorted.length < SHORTEST_RUN) return sorted.map((number) => before + number + after);
    return [`${before}[${ranges(sorted)}]${after}`];
  });
  const collator = new Intl.Collator("en", { numeric: true });
  return [...plain, ...folded].sort(collator.compare);
}

/** `00-02,07` for 00, 01, 02, 07. */
function ranges(sorted: readonly string[]): string {
  const parts: string[] = [];
  for (let first = 0; first < sorted.length;) {
    let last = first;
    while (Number(sorted[last + 1]) === Number(sorted[last]) + 1) last++;
    parts.push(last === first ? sorted[first]! : `${sorted[first]}-${sorted[last]}`);
    first = last + 1;
  }
  return parts.join(",");
}
