/** A program of the host that is run to its end, within a deadline. */
import { concatenate } from '../../sys/append.js';
import { check, RuntError } from '../../sys/error.js';
import { fdPair } from '../../sys/fds.js';
import { host, native } from '../../sys/host.js';
import { SIGKILL } from '../../sys/linux.js';
import { nulList } from '../../sys/nul-list.js';
import { now, readable, readableOrPolled } from '../../sys/waiting/loop.js';
import { killedProcessTime } from '../../sys/waiting/time-limits.js';
import { environment } from '../environment.js';
import { signalProcess } from '../state/recorded-process.js';
import { childEnd, endOf } from './child-end.js';

export interface ProgramResult {
  readonly status: number;
  /** Standard output and standard error. */
  readonly output: string;
}

/** A program that exceeds a limit is killed. */
interface ProgramLimits {
  /** ms */
  readonly timeout: number;
  /** Bytes of output; 4 MiB if absent, more than an engine prints of its config. */
  readonly most?: number;
  /** Code of the error; ERR_PROGRAM if absent. */
  readonly code?: string;
  /** What helps if a limit is exceeded. */
  readonly hint?: string;
}

/**
 * Runs a program with the caller's environment, and without input.
 * @param args with the absolute path first
 * @throws RuntError with the code if it cannot be run, its output cannot be read, or a limit is exceeded
 */
export async function runProgram(args: readonly string[], limits: ProgramLimits): Promise<ProgramResult> {
  const { timeout, most = 4 << 20, code = 'ERR_PROGRAM', hint } = limits;
  const [path = ''] = args;
  const fail = { code, message: `run ${args.join(' ')}`, path };
  const exceeded = (what: string): RuntError =>
    new RuntError({ ...fail, message: `${fail.message}: it ${what}`, ...(hint !== undefined && { hint }) });
  const pair = new Uint8Array(16);
  check(native.socketPair(pair), { ...fail, syscall: 'socketpair' });
  const [ours, theirs] = fdPair(pair);
  const pidfdOut = new Uint8Array(8);
  const child = native.spawn(path, nulList([...args]), nulList(environment()), -1, theirs, theirs, pidfdOut);
  native.close(theirs);
  if (child < 0) native.close(ours);
  check(child, { ...fail, syscall: 'execve' });
  const pidfd = new DataView(pidfdOut.buffer).getInt32(0, true);
  const end = now() + timeout;
  try {
    const parts: Uint8Array[] = [];
    const data = new Uint8Array(65536);
    let length = 0;
    // A process that the program leaves behind may hold the socket open: the end of the program counts.
    for (let ended = false; ; ) {
      if (!(await readable(ours, ended ? 0 : Math.min(100, Math.max(0, end - now()))))) {
        if (ended || now() >= end) break;
        ended = native.isReadable(pidfd) === 1;
        continue;
      }
      const n = native.read(ours, data);
      check(n, { ...fail, message: `read the output of ${path}`, syscall: 'read' });
      if (n === 0) break;
      parts.push(data.slice(0, n));
      length += n;
      if (length > most) throw exceeded(`printed more than ${most >> 20} MiB`);
    }
    if (!(await readableOrPolled(pidfd, Math.max(0, end - now()))))
      throw exceeded(`did not end within ${timeout / 1000} seconds`);
    return { status: endOf(pidfd).status, output: host.decodeRaw(concatenate(parts), length) };
  } catch (error) {
    signalProcess(pidfd, child, SIGKILL);
    if (await readableOrPolled(pidfd, killedProcessTime)) childEnd(pidfd);
    throw error;
  } finally {
    native.close(pidfd);
    native.close(ours);
  }
}
