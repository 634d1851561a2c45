/** `runt kill`: sends a signal to a container. */
import { kill } from '../../container/kill.js';
import { signalNames, signalNumber } from '../../sys/kernel-names.js';
import { usageError } from '../arguments.js';
import type { Call } from '../command-syntax.js';
import { rootDirectory } from '../root-directory.js';

export async function command({ global, flags, args }: Call<'kill'>): Promise<number> {
  if (flags.signal !== undefined && args[1] !== undefined) {
    throw usageError('kill', `two signals are given, "${flags.signal}" and "${args[1]}"`);
  }
  const signal = signalOf(flags.signal ?? args[1] ?? 'TERM');
  const root = rootDirectory(global);
  const send = (id: string) => kill({ root, id, signal, all: flags.all === true });
  if (flags.regex) {
    const { forEach, matchingIds } = await import('../../container/matching-ids.js');
    await forEach(matchingIds(root, args[0]!), send);
  } else await send(args[0]!);
  return 0;
}

/** The number of a signal; 0 only checks that the process exists, as in kill(2). Throws ERR_USAGE. */
function signalOf(text: string): number {
  const number = text === '0' ? 0 : signalNumber(text);
  if (number === undefined) {
    const upper = text.toUpperCase();
    throw usageError(
      'kill',
      `unknown signal "${text}"`,
      upper.startsWith('SIG') ? upper.slice(3) : upper,
      signalNames(),
    );
  }
  return number;
}
