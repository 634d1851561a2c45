/** `runt wait`: how a supervised container, or an exec in it, has ended. */
import { wait } from '../../container/wait.js';
import { print } from '../command-output.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

export async function command({ global, flags, args }: Call<'wait'>): Promise<number> {
  const pid = flags.pid === undefined ? {} : { pid: flags.pid };
  const record = await wait({ root: rootDirectory(global), id: args[0]!, ...pid });
  print(flags.format === 'json' ? `${JSON.stringify(record)}\n` : `${record.status}\n`);
  return 0;
}
