/** `runt wait`: the exit status of a supervised container, or of an exec in it. */
import { wait } from '../../container/wait.js';
import { print } from '../command-output.js';
import type { Call } from '../command-syntax.js';
import { durationOption } from '../duration-option.js';
import { rootDirectory } from '../root-directory.js';

export async function command({ global, flags, args }: Call<'wait'>): Promise<number> {
  const pid = flags.pid === undefined ? {} : { pid: flags.pid };
  const timeout = durationOption('wait', 'timeout', flags.timeout);
  const record = await wait({ root: rootDirectory(global), id: args[0]!, ...pid, ...timeout });
  print(flags.format === 'json' ? `${JSON.stringify(record)}\n` : `${record.status}\n`);
  return 0;
}
