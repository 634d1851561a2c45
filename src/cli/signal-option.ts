/** Names of signals on the command line. */
import { signalNames, signalNumber } from '../sys/kernel-names.js';
import { usageError } from './arguments.js';

/** The number of a signal; with `zero` also 0, which only checks that a process exists (kill(2)). Throws ERR_USAGE. */
export function signalOf(where: string, text: string, zero = false): number {
  const number = zero && text === '0' ? 0 : signalNumber(text);
  if (number === undefined) {
    const upper = text.toUpperCase();
    throw usageError(
      where,
      `unknown signal "${text}"`,
      upper.startsWith('SIG') ? upper.slice(3) : upper,
      signalNames(),
    );
  }
  return number;
}
