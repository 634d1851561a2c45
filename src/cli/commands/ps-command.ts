/** `runt ps`: lists the processes of a container, as a table of ps(1) or as JSON. */
import { listPids, processTable } from '../../container/ps.js';
import { print } from '../command-output.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

export async function command({ global, flags, args }: Call<'ps'>): Promise<number> {
  const [id = '', ...options] = args;
  const o = { root: rootDirectory(global), id };
  print(flags.format === 'json' ? `${JSON.stringify(listPids(o))}\n` : await processTable(o, options));
  return 0;
}
