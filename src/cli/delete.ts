/** `runt delete`: removes what a container holds. */
import { remove } from '../container/delete.js';
import { reportWarning } from './log.js';
import { rootDirectory } from './root.js';
import type { Call } from './syntax.js';

export async function command({ global, flags, args }: Call<'delete'>): Promise<number> {
  const root = rootDirectory(global);
  const warn = (sentence: string) => reportWarning(global, sentence);
  const one = (id: string) => remove({ root, id, force: flags.force === true, warn });
  if (flags.regex) {
    const { forEach, matchingIds } = await import('../container/regex.js');
    await forEach(matchingIds(root, args[0]!), one);
  } else await one(args[0]!);
  return 0;
}
