/** `runt delete`: removes a container and all its resources. */
import { remove } from '../../container/delete.js';
import { reportWarning } from '../command-log.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

export async function command({ global, flags, args }: Call<'delete'>): Promise<number> {
  const root = rootDirectory(global);
  const warn = (sentence: string) => reportWarning(global, sentence);
  const one = (id: string) => remove({ root, id, force: flags.force === true, warn });
  if (flags.regex) {
    const { forEach, matchingIds } = await import('../../container/matching-ids.js');
    await forEach(matchingIds(root, args[0]!), one);
  } else await one(args[0]!);
  return 0;
}
