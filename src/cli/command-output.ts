/** Standard output and standard error of the command. */
import { E } from '../sys/errno.js';
import { check } from '../sys/error.js';
import { host, native } from '../sys/host.js';

/** Writes text to standard output. Throws ERR_OUTPUT for a full disk, a closed pipe or a closed descriptor. */
export function print(text: string): void {
  const closed = ((host.closed ?? 0) & 2) !== 0 && text !== '';
  check(closed ? -E.EBADF : native.write(1, host.encode(text)), {
    code: 'ERR_OUTPUT',
    message: 'write to standard output',
    syscall: 'write',
  });
}

/** Writes text to standard error. A failure cannot be reported anywhere. */
export function printError(text: string): void {
  native.write(2, host.encode(text));
}
