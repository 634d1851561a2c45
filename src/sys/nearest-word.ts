/** The search for the known word that is nearest to a mistyped one. */

/** A word with more edits than this counts as another word, even if it is long. */
const MAX_EDITS = 3;

/**
 * The candidate with the smallest edit distance to word, if that is small enough for a typing error: one edit, or one
 * for each three letters. A prefix that all candidates share, such as RLIMIT_, does not count. Words of less than three
 * letters get no answer: they are near to too many candidates.
 */
export function nearestWord(word: string, candidates: readonly string[]): string | undefined {
  if (word.length < 3) return undefined;
  const shared = sharedPrefix(candidates);
  const skip = word.startsWith(shared) ? shared.length : 0;
  const rest = word.slice(skip);
  let best: string | undefined;
  let least = Math.min(MAX_EDITS, Math.max(1, Math.floor(rest.length / 3))) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= least) continue;
    const d = editDistance(rest, candidate.slice(skip), least);
    if (d < least) {
      least = d;
      best = candidate;
    }
  }
  return best;
}

/** The longest common prefix of the candidates that ends with an underscore; empty for a single candidate. */
function sharedPrefix(candidates: readonly string[]): string {
  const [first = '', ...others] = candidates;
  let length = others.length > 0 ? first.lastIndexOf('_') + 1 : 0;
  while (length > 0 && !others.every((other) => other.startsWith(first.slice(0, length)))) {
    length = length > 1 ? first.lastIndexOf('_', length - 2) + 1 : 0;
  }
  return first.slice(0, length);
}

/**
 * Edit distance from a to b: insertion, deletion, substitution and exchange of two neighbours count one each. Stops at
 * `limit`: for most words, a few letters show that they are far apart.
 */
function editDistance(a: string, b: string, limit: number): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  let leastBefore = 0;
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let leastHere = i;
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let d = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) d = Math.min(d, before[j - 2]! + 1);
      row.push(d);
      if (d < leastHere) leastHere = d;
    }
    // An exchange reaches back two rows.
    if (leastHere >= limit && leastBefore + 1 >= limit) return limit;
    leastBefore = leastHere;
    before = last;
    last = row;
  }
  return last[b.length]!;
}
