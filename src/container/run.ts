/** `run`: create, start and, in the foreground, wait, pass signals on, and delete. */
import { removeCgroups } from '../cgroup/remove.js';
import { native } from '../sys/host.js';
import { readable } from '../sys/loop.js';
import { bringUp, type CreateOptions, checkPreserved, explained, finish } from './create.js';
import { killAll } from './kill.js';
import type { Launch } from './launch.js';
import { endOf } from './process.js';
import { removeStateDir } from './store.js';

export interface RunOptions extends CreateOptions {
  readonly detach: boolean;
  /** Leave the stopped container for `state` and `delete`. */
  readonly keep: boolean;
  readonly noSubreaper: boolean;
}

/** Signals that are never passed on: they are about this process itself (SIGCHLD, SIGURG), or cannot be caught. */
const SIGKILL = 9;
const SIGCHLD = 17;
const SIGSTOP = 19;
const SIGURG = 23;
const signalInfoSize = 128;

/** @returns the exit status: the process's, or 128 + the signal that ended it; 0 when detached */
export async function run(o: RunOptions): Promise<number> {
  checkPreserved(o);
  // Before the clone: a signal that comes early is kept, not lost.
  const signals = o.detach ? -1 : native.signalFd(forwarded());
  if (!o.detach && !o.noSubreaper) native.setSubreaper(1);
  const { launch, compiled } = await bringUp('run', o, false);
  await explained('run', o.id, compiled, () => launch.start());
  await finish(o, launch, compiled);
  if (o.detach) return 0;
  const status = await waitForEnd(launch, signals);
  if (!o.keep) {
    const { cgroups } = launch.input.record;
    if (!launch.input.record.pidNamespace) killAll(cgroups, SIGKILL);
    await removeCgroups(cgroups);
    removeStateDir(o.root, o.id);
  }
  return status;
}

/** All signals but those that a process cannot pass on. */
function forwarded(): bigint {
  let mask = (1n << 64n) - 1n;
  for (const n of [SIGKILL, SIGSTOP, SIGCHLD, SIGURG]) mask &= ~(1n << BigInt(n - 1));
  // Faults of this process itself (ILL, TRAP, BUS, FPE, SEGV) stay deadly.
  for (const n of [4, 5, 7, 8, 11]) mask &= ~(1n << BigInt(n - 1));
  return BigInt.asIntN(64, mask);
}

/** Passes signals on until the process has ended. */
async function waitForEnd(launch: Launch, signals: number): Promise<number> {
  const ended = readable(launch.pidfd);
  const info = new Uint8Array(signalInfoSize);
  while (!(await Promise.race([ended, readable(signals).then(() => false)]))) {
    const n = native.read(signals, info);
    if (n === signalInfoSize) native.pidfdSignal(launch.pidfd, new DataView(info.buffer).getUint32(0, true));
  }
  return endOf(launch.pidfd).status;
}
