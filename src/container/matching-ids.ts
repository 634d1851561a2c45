/** `--regex` of kill and delete (as in crun): one call for all containers with matching ids. */
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { nulList } from '../sys/nul-list.js';
import { names } from './list.js';
import { isId } from './state/state-store.js';

/**
 * The ids below a root that match an extended regular expression (regex(7)), not anchored unless by `^` and `$`.
 * @throws RuntError ERR_USAGE for a bad pattern, ERR_STATE
 */
export function matchingIds(root: string, pattern: string): string[] {
  const list = nulList(names(root).filter(isId));
  const out = new Uint8Array(list.length);
  const n = pattern.includes('\0') ? -E.EINVAL : native.matching(pattern, list, out);
  if (n < 0) {
    throw new RuntError({
      code: 'ERR_USAGE',
      message: `bad regular expression ${JSON.stringify(pattern)}`,
      errno: -n,
      see: 'regex(7)',
    });
  }
  return host.decodeRaw(out, n).split('\0').filter(Boolean);
}

/** Calls f for each id, even if some fail. Then throws the first error, with the number of failures. */
export async function forEach(ids: readonly string[], f: (id: string) => Promise<void>): Promise<void> {
  const failed: string[] = [];
  let first: unknown;
  for (const id of ids) {
    try {
      await f(id);
    } catch (error) {
      first ??= error;
      failed.push(id);
    }
  }
  if (failed.length > 1 && first instanceof RuntError) {
    const all = `look at ${failed.slice(0, 20).join(', ')} too: it failed for ${failed.length} of ${ids.length} containers`;
    first.hint = first.hint === undefined ? all : `${first.hint}; ${all}`;
  }
  if (failed.length > 0) throw first;
}
