/** `runt start`: tells a created container to run its process. */
import { start } from '../../container/start.js';
import { host } from '../../sys/host.js';
import { absolute } from '../absolute-path.js';
import { logLevel, reportWarning } from '../command-log.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

export async function command({ global, flags, args }: Call<'start'>): Promise<number> {
  const root = rootDirectory(global);
  const id = args[0]!;
  await start({
    root,
    id,
    warn: (sentence) => reportWarning(global, sentence),
    ...(host.env.NOTIFY_SOCKET ? { notifySocket: host.env.NOTIFY_SOCKET } : {}),
    ...(flags.trace === undefined ? {} : { trace: absolute(flags.trace) }),
  });
  if (logLevel(global) === 'debug') {
    const { operationLog } = await import('../operation-log.js');
    const { storedOps } = await import('../../container/state/plan-rest.js');
    storedOps(root, id).forEach(operationLog(global).onDone);
  }
  return 0;
}
