/** `runt kill`: sends a signal to a container. */
import { kill } from '../container/kill.js';
import { signalNames, signalNumber } from '../sys/linux.js';
import { usageError } from './arguments.js';
import { rootDirectory } from './root.js';
import type { Call } from './syntax.js';

export async function command({ global, flags, args }: Call<'kill'>): Promise<number> {
  const signal = signalOf(args[1] ?? 'TERM');
  await kill({ root: rootDirectory(global), id: args[0]!, signal, all: flags.all === true });
  return 0;
}

/** The signal of a command line; 0, as for kill(2), only asks whether the process is there. Throws ERR_USAGE. */
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
