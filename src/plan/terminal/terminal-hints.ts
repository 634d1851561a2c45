/** Known causes of failures of the terminal. */
import { E } from '../../sys/errno.js';
import { because, type Failure, type Failures, type Hint } from '../failure/known-cause.js';
import type { terminalTable } from './terminal-ops.js';

const devpts = 'mount a devpts with newinstance and ptmxmode=0666 on /dev/pts, as "runt spec" does';

export const terminalFailures: Failures<keyof typeof terminalTable> = {
  consoleConnect: { code: 'ERR_TERMINAL', hint: connectHint },
  consolePair: { code: 'ERR_TERMINAL' },
  terminal: { code: 'ERR_TERMINAL', hint: terminalHint },
};

function connectHint({ errno }: Failure): Hint | undefined {
  if (errno === E.ENOENT) return because('nothing is at that path: who calls runt makes the console socket first');
  if (errno === E.ECONNREFUSED) return because('nobody listens there: it is no socket, or its owner has ended');
  if (errno === E.ETIMEDOUT)
    return because('the process that listens on --console-socket accepts no connection: restart it');
  return undefined;
}

function terminalHint(f: Failure): Hint | undefined {
  const { errno } = f;
  if (f.detail === '/dev/console') {
    if (errno === E.ELOOP || errno === E.EISDIR) {
      return because(
        'the image has a symbolic link or a directory as /dev/console, over which no terminal is bound: remove it, or mount a tmpfs on /dev',
        'CVE-2025-52565',
      );
    }
    return undefined;
  }
  switch (errno) {
    case E.ENOENT:
    case E.ENODEV:
    case E.ENOTDIR:
      return because(`the terminal is made in the container's own devpts, and there is none: ${devpts}`);
    case E.ELOOP:
    case E.EXDEV:
      return because(
        `/dev/pts must be a devpts, without a link or another mount in the way: ${devpts}`,
        'CVE-2025-52565',
      );
    case E.EACCES:
      return because(`the user may not open /dev/pts/ptmx, or its mount forbids devices (nodev): ${devpts}`);
    case E.ENOSPC:
      return because('no more terminals: raise the sysctl kernel.pty.max, or the max= of the devpts', 'pty(7)');
    case E.EINVAL:
      return f.syscall === 'fchown'
        ? because('the uid of the process has no mapping in the user namespace: add one to linux.uidMappings')
        : undefined;
    case E.EPIPE:
      return because('who listened on the console socket has closed it');
    default:
      return undefined;
  }
}
