/** Lists of CPUs and memory nodes in the kernel's format (cpuset(7), "List format"): `0-3,7`. */

/** Why a list is invalid, as a clause after "must"; undefined if it is valid. The empty list is invalid. */
export function listError(list: string): string | undefined {
  for (const entry of list.split(',')) {
    const text = entry.trim();
    const colon = text.indexOf(':');
    // `0-31:2/4`: the first 2 of each group of 4.
    if (colon >= 0 && !/^[0-9]{1,9}\/[1-9][0-9]{0,8}$/.test(text.slice(colon + 1)))
      return 'have groups such as 0-31:2/4';
    const part = colon < 0 ? text : text.slice(0, colon);
    const dash = part.indexOf('-');
    const first = dash < 0 ? part : part.slice(0, dash);
    const last = dash < 0 ? part : part.slice(dash + 1);
    if (!/^[0-9]{1,9}$/.test(first) || !/^[0-9]{1,9}$/.test(last)) return 'be a list of numbers such as 0-3,7';
    if (Number(first) > Number(last)) return `have its ranges in ascending order, unlike ${part}`;
  }
  return undefined;
}

/** The numbers from the first to the last. */
export type NumberRange = readonly [first: number, last: number];

/** The ranges of a valid list; groups such as `0-31:2/4` are resolved. */
export function parseRanges(list: string): NumberRange[] {
  return list.split(',').flatMap((entry) => {
    const [range = '', groups] = entry.trim().split(':', 2);
    const [first, last = first] = range.split('-', 2).map(Number) as [number, number?];
    if (groups === undefined) return [[first, last] as const];
    const [used, size] = groups.split('/', 2).map(Number) as [number, number];
    const all: NumberRange[] = [];
    for (let n = first; n <= last && used > 0; n += size) all.push([n, Math.min(n + used - 1, last)]);
    return all;
  });
}
