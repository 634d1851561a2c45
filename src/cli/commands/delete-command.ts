/** `runt delete`: removes a container and all its resources. */
import { remove } from '../../container/delete.js';
import { usageError } from '../arguments.js';
import { reportWarning } from '../command-log.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

export async function command({ global, flags, args }: Call<'delete'>): Promise<number> {
  const root = rootDirectory(global);
  const warn = (sentence: string) => reportWarning(global, sentence);
  const { force = false, wait } = flags;
  if (wait && force) throw usageError('delete', '--wait and --force exclude each other: --force kills the container');
  const one = async (id: string): Promise<void> => {
    if (wait) await (await import('../../container/stop.js')).awaitStop(root, id);
    await remove({ root, id, force, warn });
  };
  if (flags.regex) {
    const { forEach, matchingIds } = await import('../../container/matching-ids.js');
    await forEach(matchingIds(root, args[0]!), one);
  } else await one(args[0]!);
  return 0;
}
