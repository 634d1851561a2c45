/** Files as standard input, output and error of a container's process. */
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
  O_RDWR,
  O_WRONLY,
  S_IFMT,
  S_IFREG,
} from '../../sys/linux.js';
import type { Stdio } from '../launch/spawn-init.js';

/** Absolute paths of regular files; `null` is /dev/null. Streams that are absent are this process's. */
export interface StdioFiles {
  readonly stdin?: string;
  readonly stdout?: string;
  readonly stderr?: string;
}

/**
 * Opens the files. Output is appended; a new file has mode 0600.
 * @throws RuntError ERR_IO if one cannot be opened, or is not a regular file
 */
export function openStdioFiles({ stdin, stdout, stderr }: StdioFiles): Stdio {
  const output = O_WRONLY | O_CREAT | O_APPEND;
  return [
    stdin === undefined ? 0 : openFile('stdin', stdin, O_RDONLY),
    stdout === undefined ? 1 : openFile('stdout', stdout, output),
    stderr === undefined ? 2 : openFile('stderr', stderr, output),
  ];
}

function openFile(stream: string, path: string, flags: number): number {
  const facts = (name: string) => ({ code: 'ERR_IO', message: `open ${name} for --${stream}`, path: name });
  if (path === 'null') return check(native.openAt(AT_FDCWD, '/dev/null', O_RDWR, 0), facts('/dev/null'));
  // The open of a FIFO would wait for its other end. The flag has no effect on a regular file (open(2)).
  const fd = check(native.openAt(AT_FDCWD, path, flags | O_NONBLOCK, 0o600), { ...facts(path), syscall: 'openat' });
  if ((stat('', fd, AT_EMPTY_PATH).mode & S_IFMT) === S_IFREG) return fd;
  native.close(fd);
  throw new RuntError({
    ...facts(path),
    message: `open ${path} for --${stream}: it is not a regular file`,
    hint: `leave --${stream} out, and redirect runt's own stream: the process inherits it`,
  });
}
