/** `runt kill`: sends a signal to a container. */
import { kill } from '../../container/kill.js';
import { loadRecord } from '../../container/state/state-store.js';
import type { AwaitedEnd } from '../../container/stop.js';
import { usageError } from '../arguments.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';
import { signalOf } from '../signal-option.js';

export async function command({ global, flags, args }: Call<'kill'>): Promise<number> {
  if (flags.signal !== undefined && args[1] !== undefined) {
    throw usageError('kill', `two signals are given, "${flags.signal}" and "${args[1]}"`);
  }
  const signal = signalOf('kill', flags.signal ?? args[1] ?? 'TERM', true);
  const root = rootDirectory(global);
  const ends: AwaitedEnd[] = [];
  const send = async (id: string): Promise<void> => {
    const end = flags.wait ? await awaitedEnd(root, id) : undefined;
    await kill({ root, id, signal, all: flags.all === true });
    if (end) ends.push(end);
  };
  try {
    if (flags.regex) {
      const { forEach, matchingIds } = await import('../../container/matching-ids.js');
      await forEach(matchingIds(root, args[0]!), send);
    } else await send(args[0]!);
  } finally {
    await Promise.all(ends.map((end) => end.wait()));
  }
  return 0;
}

async function awaitedEnd(root: string, id: string): Promise<AwaitedEnd> {
  const { AwaitedEnd } = await import('../../container/stop.js');
  return new AwaitedEnd(root, loadRecord(root, id));
}
