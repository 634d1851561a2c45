/** `runt delete`: removes what a container holds. */
import { remove } from '../container/delete.js';
import { reportWarning } from './log.js';
import { rootDirectory } from './root.js';
import type { Call } from './syntax.js';

export async function command({ global, flags, args }: Call<'delete'>): Promise<number> {
  await remove({
    root: rootDirectory(global),
    id: args[0]!,
    force: flags.force === true,
    warn: (sentence) => reportWarning(global, sentence),
  });
  return 0;
}
