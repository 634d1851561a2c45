/** /proc/PID/stat: name, state and start time of a process. */
import { E } from './errno.js';
import { RuntError } from './error.js';
import { host, native } from './host.js';

export interface ProcessStat {
  readonly name: string;
  /** One letter, such as R, S or Z. */
  readonly state: string;
  /** Clock ticks since boot. */
  readonly startTime: string;
  /** PF_* of linux/sched.h, as a decimal number. */
  readonly flags: string;
  /** Number of threads that have not been reaped, as a decimal number. */
  readonly threads: string;
  /** Mask of the first thread's pending signals, as a decimal number. */
  readonly pending: string;
}

/** Attempts until procfs and pidfd_open(2) agree: the kernel may reuse the pid between the two. */
const tries = 3;

/**
 * Stat of a process (proc_pid_stat(5)); undefined if it does not exist or has ended. ENOENT alone does not mean that:
 * procfs returns it for a hidden process (hidepid) too, and any other file system for every process.
 * @throws RuntError ERR_PROCESS if the status cannot be determined
 */
export function processStat(pid: number): ProcessStat | undefined {
  const buffer = new Uint8Array(1024);
  for (let left = tries; ; left--) {
    const n = native.processStat(pid, buffer);
    if (n > 0) return parse(host.decode(buffer, n));
    // The pid may belong to the other pid namespace, so pidfd_open(2) cannot help.
    if (n === -E.EXDEV) throw readError(pid, n);
    if (hasEnded(pid)) return undefined;
    if (left === 1 || (n !== 0 && n !== -E.ENOENT && n !== -E.ESRCH)) throw readError(pid, n);
  }
}

/** Whether a process does not exist or has ended, checked without procfs. @throws RuntError ERR_PROCESS */
function hasEnded(pid: number): boolean {
  const fd = native.pidfdOpen(pid);
  if (fd === -E.ENOSYS) return native.killProcess(pid, 0) === -E.ESRCH;
  if (fd === -E.ESRCH) return true;
  if (fd < 0) {
    throw new RuntError({ code: 'ERR_PROCESS', message: `open process ${pid}`, errno: -fd, syscall: 'pidfd_open' });
  }
  // pidfd_open(2): readable once the process has ended, even before it is reaped.
  const ended = native.isReadable(fd) === 1;
  native.close(fd);
  return ended;
}

function parse(text: string): ProcessStat {
  // The name may contain any byte, even parentheses: the last one ends it.
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  return {
    name: text.slice(text.indexOf('(') + 1, end),
    state: fields[0] as string,
    startTime: fields[19] as string,
    flags: fields[6] as string,
    threads: fields[17] as string,
    pending: fields[28] as string,
  };
}

/**
 * Whether a process has ended, and at most its parent has not reaped it. A first thread that called pthread_exit(3) is
 * a zombie too, while the other threads run.
 */
export const isDead = ({ state, threads }: ProcessStat): boolean =>
  state === 'X' || (state === 'Z' && !(Number(threads) > 1));

function readError(pid: number, result: number): RuntError {
  const facts = { code: 'ERR_PROCESS', path: `/proc/${pid}/stat`, see: 'proc(5)' };
  const message = `read /proc/${pid}/stat`;
  switch (-result) {
    case E.ENODEV:
      return new RuntError({
        ...facts,
        message: `${message}: /proc is not a proc file system`,
        hint: 'run "mount -t proc proc /proc"',
      });
    case E.EXDEV:
      return new RuntError({
        ...facts,
        message: `${message}: /proc shows another pid namespace than the one that runt is in`,
        hint: 'run "mount -t proc proc /proc" in this pid namespace',
      });
    case E.ENOENT:
    case E.ESRCH:
    case E.EPERM:
      return new RuntError({
        ...facts,
        message: `${message}: the process exists, and /proc hides it`,
        errno: -result,
        hint: 'mount /proc without hidepid, or run runt as root',
      });
    default:
      return new RuntError({ ...facts, message, errno: -result || E.EIO });
  }
}
