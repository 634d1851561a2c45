/** A program of the host that is run to its end, within a deadline. */
import { endOf } from '../container/launch/child-end.js';
import { signalProcess } from '../container/state/recorded-process.js';
import { concatenate } from '../sys/append.js';
import { check, RuntError } from '../sys/error.js';
import { fdPair } from '../sys/fds.js';
import { host, native } from '../sys/host.js';
import { SIGKILL } from '../sys/linux.js';
import { nulList } from '../sys/nul-list.js';
import { now, readable, readableOrPolled } from '../sys/waiting/loop.js';
import { killedProcessTime } from '../sys/waiting/time-limits.js';

export interface ProgramResult {
  readonly status: number;
  /** Standard output and standard error. */
  readonly output: string;
}

/** More than an engine prints of its config. */
const maxOutput = 4 << 20;

/**
 * Runs a program with the caller's environment, and without input.
 * @param args with the absolute path first @param timeout ms; then it is killed
 * @throws RuntError ERR_PROGRAM if it cannot be run, or did not end in time
 */
export async function runProgram(args: readonly string[], timeout: number): Promise<ProgramResult> {
  const [path = ''] = args;
  const fail = { code: 'ERR_PROGRAM', message: `run ${args.join(' ')}`, path };
  const pair = new Uint8Array(16);
  check(native.socketPair(pair), { ...fail, syscall: 'socketpair' });
  const [ours, theirs] = fdPair(pair);
  const pidfdOut = new Uint8Array(8);
  const env = Object.entries(host.env).map(([name, value]) => `${name}=${value}`);
  const child = native.spawn(path, nulList([...args]), nulList(env), -1, theirs, theirs, pidfdOut);
  native.close(theirs);
  if (child < 0) native.close(ours);
  check(child, { ...fail, syscall: 'execve' });
  const pidfd = new DataView(pidfdOut.buffer).getInt32(0, true);
  const end = now() + timeout;
  try {
    const parts: Uint8Array[] = [];
    let length = 0;
    // A process that the program leaves behind may hold the socket open: the end of the program counts.
    for (let ended = false; length < maxOutput; ) {
      if (!(await readable(ours, ended ? 0 : Math.min(100, Math.max(0, end - now()))))) {
        if (ended || now() >= end) break;
        ended = native.isReadable(pidfd) === 1;
        continue;
      }
      const data = new Uint8Array(65536);
      const n = native.read(ours, data);
      if (n <= 0) break;
      parts.push(data.subarray(0, n));
      length += n;
    }
    if (!(await readableOrPolled(pidfd, Math.max(0, end - now())))) {
      signalProcess(pidfd, child, SIGKILL);
      await readableOrPolled(pidfd, killedProcessTime);
      endOf(pidfd);
      throw new RuntError({ ...fail, message: `${fail.message}: it did not end within ${timeout / 1000} seconds` });
    }
    return { status: endOf(pidfd).status, output: host.decodeRaw(concatenate(parts), length) };
  } finally {
    native.close(pidfd);
    native.close(ours);
  }
}
