/** Known causes of failures of the terminal. */
import { E } from '../../sys/errno.js';
import { type Failure, type Failures, type Hint, hintOf } from '../failure/known-cause.js';
import type { terminalTable } from './terminal-ops.js';

const devpts = 'mount a devpts with newinstance and ptmxmode=0666 on /dev/pts, as "runt spec" does';

export const terminalFailures: Failures<keyof typeof terminalTable> = {
  consoleConnect: { code: 'ERR_TERMINAL', hint: connectHint },
  consolePair: { code: 'ERR_TERMINAL' },
  terminal: { code: 'ERR_TERMINAL', hint: terminalHint },
};

function connectHint({ errno }: Failure): Hint | undefined {
  if (errno === E.ENOENT) return hintOf('make the console socket before you run runt: nothing is at that path');
  if (errno === E.ECONNREFUSED)
    return hintOf(
      'start the program that listens on --console-socket: nothing listens there, or the path is not a socket',
    );
  if (errno === E.ETIMEDOUT)
    return hintOf('restart the process that listens on --console-socket: it accepts no connection');
  return undefined;
}

function terminalHint(f: Failure): Hint | undefined {
  const { errno } = f;
  if (f.detail === '/dev/console') {
    if (errno === E.ELOOP || errno === E.EISDIR) {
      return hintOf(
        'remove /dev/console from the image, or mount a tmpfs on /dev: it is a symbolic link or a directory, and runt binds no terminal over that',
        'CVE-2025-52565',
      );
    }
    return undefined;
  }
  switch (errno) {
    case E.ENOENT:
    case E.ENODEV:
    case E.ENOTDIR:
      return hintOf(`${devpts}: runt-init makes the terminal in the container's own devpts, and there is none`);
    case E.ELOOP:
    case E.EXDEV:
      return hintOf(`${devpts}: it is not a devpts, or a link or another mount is in the way`, 'CVE-2025-52565');
    case E.EACCES:
      return hintOf(`${devpts}: the user may not open /dev/pts/ptmx, or its mount forbids devices (nodev)`);
    case E.ENOSPC:
      return hintOf(
        'raise the sysctl kernel.pty.max, or the max= of the devpts: it allows no more terminals',
        'pty(7)',
      );
    case E.EINVAL:
      return f.syscall === 'fchown'
        ? hintOf('add the uid of the process to linux.uidMappings: the user namespace does not map it')
        : undefined;
    case E.EPIPE:
      return hintOf('keep the console socket open until it has received the terminal: its owner closed it');
    default:
      return undefined;
  }
}
