/** The start of runt-init in a mode other than that of a plan. */

import { RuntError } from '../../sys/error.js';
import { fdList, fdPair } from '../../sys/fds.js';
import { host, native } from '../../sys/host.js';
import { nulList } from '../../sys/nul-list.js';
import { readable, readableInBackground, readableOrPolled } from '../../sys/waiting/loop.js';
import { supervisorAnswerTime } from '../../sys/waiting/time-limits.js';
import { signalProcess } from '../state/recorded-process.js';
import { endOf } from './child-end.js';
import { InitChannel } from './init-channel.js';
import { startInit } from './start-init.js';

/** A child of this process. */
export interface ModeProcess {
  readonly pid: number;
  readonly pidfd: number;
  readonly channel: InitChannel;
}

/** An error of a start. */
type StartFailure = (step: string, errno?: number, syscall?: string) => RuntError;

/** @param what the step of a command that fails, "start the supervisor" */
export const startFailure =
  (code: string, what: string): StartFailure =>
  (step, errno, syscall = step) =>
    new RuntError({ code, message: `${what}: ${step}`, ...(errno !== undefined && { errno, syscall }) });

/**
 * Starts runt-init with a first frame, and waits until it runs.
 * @param fds the descriptors in the frame, which it gets under the same numbers; this closes ours in any case
 * @throws RuntError of `failure`
 */
export async function startMode(
  frame: readonly (string | number)[],
  fds: readonly number[],
  failure: StartFailure,
): Promise<ModeProcess> {
  const pair = new Uint8Array(16);
  const paired = native.socketPair(pair);
  const [sync, theirs] = fdPair(pair);
  const started =
    paired < 0 ? { pid: paired, pidfd: -1, syscall: 'socketpair' } : await startInit(0n, theirs, fdList(fds));
  // A copy here would keep the other end open after the process has ended.
  for (const fd of paired < 0 ? fds : [...fds, theirs]) native.close(fd);
  const { pid, pidfd, syscall } = started;
  if (pid < 0) {
    if (paired >= 0) native.close(sync);
    throw failure(syscall, -pid);
  }
  const process = { pid, pidfd, channel: new InitChannel(sync) };
  try {
    process.channel.send(nulList(frame));
    if (!(await readable(sync, supervisorAnswerTime)))
      throw failure(`it did not answer within ${supervisorAnswerTime / 1000} s`);
    const report = await process.channel.next();
    if (report.kind === 'created') return process;
    if (report.kind === 'error')
      throw failure(`${report.syscall} ${report.detail}`.trimEnd(), report.errno, report.syscall);
    await readableOrPolled(pidfd, supervisorAnswerTime);
    throw failure(`it ${endOf(pidfd).description}`);
  } catch (error) {
    await endMode(process);
    throw error;
  }
}

/**
 * Lets a process go on by itself. A script that uses the library outlives it and must reap it: a pids cgroup counts
 * zombies. A command ends before it, or reaps it as an orphan; the shim reaps all its children
 * (src/shim/task/orphan-reaper.ts).
 */
export function releaseMode({ pidfd, channel }: ModeProcess): void {
  channel.close();
  if (host.name === 'node') {
    // If it cannot be watched, it is not reaped.
    const ended = readableInBackground(pidfd).then(
      () => void endOf(pidfd),
      () => {},
    );
    void ended.then(() => native.close(pidfd));
  } else native.close(pidfd);
}

/** Kills and reaps the process. */
export async function endMode({ pid, pidfd, channel }: ModeProcess): Promise<void> {
  signalProcess(pidfd, pid, 9);
  await readableOrPolled(pidfd, supervisorAnswerTime);
  endOf(pidfd);
  native.close(pidfd);
  channel.close();
}
