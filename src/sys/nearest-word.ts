/** The nearest known word to one that was mistyped. */

/** More edits than this are another word, however long it is. */
const MOST_EDITS = 3;

/**
 * The candidate with the smallest edit distance to word, when that is small enough to be a typing error: one edit, or
 * one for each three letters. A prefix that all candidates have, such as RLIMIT_, says nothing about the word and does
 * not count. A word of less than three letters is near to too many.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length < 3) return undefined;
  const shared = sharedPrefix(candidates);
  const skip = word.startsWith(shared) ? shared.length : 0;
  const rest = word.slice(skip);
  let best: string | undefined;
  let least = Math.min(MOST_EDITS, Math.max(1, Math.floor(rest.length / 3))) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= least) continue;
    const d = distance(rest, candidate.slice(skip), least);
    if (d < least) {
      least = d;
      best = candidate;
    }
  }
  return best;
}

/** The words up to an underscore that all candidates begin with; empty for a single one. */
function sharedPrefix(candidates: readonly string[]): string {
  const [first = '', ...others] = candidates;
  let length = others.length > 0 ? first.lastIndexOf('_') + 1 : 0;
  while (length > 0 && !others.every((other) => other.startsWith(first.slice(0, length)))) {
    length = length > 1 ? first.lastIndexOf('_', length - 2) + 1 : 0;
  }
  return first.slice(0, length);
}

/**
 * Edits from a to b: insertion, deletion, substitution and exchange of two neighbours count one each. `limit` when there
 * are as many or more: most words are far apart, and a few of their letters tell.
 */
function distance(a: string, b: string, limit: number): number {
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
