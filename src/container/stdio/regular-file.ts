/** Regular files as standard streams, of the command and of the library. */
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { stat } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_APPEND,
  O_CREAT,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  S_IFMT,
  S_IFREG,
} from '../../sys/linux.js';

/**
 * Opens a file for input, or for output that is appended; a new file has mode 0600.
 * @param option names the stream in errors @param hint what else to do, as a clause that begins with a verb
 * @returns a descriptor @throws RuntError ERR_IO, also if it is not a regular file
 */
export function openRegular(path: string, isInput: boolean, option: string, hint: string): number {
  const flags = isInput ? O_RDONLY : O_WRONLY | O_CREAT | O_APPEND;
  const facts = { code: 'ERR_IO', message: `open ${path} for ${option}`, path };
  // The open of a FIFO would wait for its other end. The flag has no effect on a regular file (open(2)).
  const fd = native.openAt(AT_FDCWD, path, flags | O_NONBLOCK, 0o600);
  // ENXIO: a FIFO without a reader, or a socket.
  if (fd !== -E.ENXIO) {
    check(fd, { ...facts, syscall: 'openat' });
    if ((stat('', fd, AT_EMPTY_PATH).mode & S_IFMT) === S_IFREG) return fd;
    native.close(fd);
  }
  throw new RuntError({ ...facts, message: `open ${path} for ${option}: it is not a regular file`, hint });
}
