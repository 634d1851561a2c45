/** `runt start`: tells a created container to run its process. */
import { start } from '../../container/start.js';
import { host } from '../../sys/host.js';
import { absolute } from '../absolute-path.js';
import { reportWarning } from '../command-log.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

export async function command({ global, flags, args }: Call<'start'>): Promise<number> {
  await start({
    root: rootDirectory(global),
    id: args[0]!,
    warn: (sentence) => reportWarning(global, sentence),
    ...(host.env.NOTIFY_SOCKET ? { notifySocket: host.env.NOTIFY_SOCKET } : {}),
    ...(flags.trace === undefined ? {} : { trace: absolute(flags.trace) }),
  });
  return 0;
}
