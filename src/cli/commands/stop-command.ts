/** `runt stop`: ends a container by its stop signal or, after a time, by KILL. */
import { stop } from '../../container/stop.js';
import type { Call } from '../command-syntax.js';
import { durationOption } from '../duration-option.js';
import { rootDirectory } from '../root-directory.js';
import { signalOf } from '../signal-option.js';

export async function command({ global, flags, args }: Call<'stop'>): Promise<number> {
  await stop({
    root: rootDirectory(global),
    id: args[0]!,
    ...durationOption('stop', 'timeout', flags.timeout),
    ...(flags.signal !== undefined && { signal: signalOf('stop', flags.signal) }),
  });
  return 0;
}
