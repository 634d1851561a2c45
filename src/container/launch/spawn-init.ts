/** runt-init as a child of this process or of the container's supervisor. */

import type { Op } from '../../plan/plan-ops.js';
import { fdList } from '../../sys/fds.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD, O_PATH } from '../../sys/linux.js';
import { checkOp } from '../failure/op-failed.js';
import { preservedOf } from '../stdio/preserved-descriptors.js';
import { endKilled } from './child-end.js';
import { type StartResult, startInit } from './start-init.js';

/** The caller's descriptors that become 0, 1 and 2 of the process. */
export type Stdio = readonly [stdin: number, stdout: number, stderr: number];

interface SpawnInput {
  /** runt-init's end of the sync socket. */
  readonly sync: number;
  /** Listening start socket; -1 for none. */
  readonly startSocket: number;
  /** -1 for an empty slot. */
  readonly slots: readonly number[];
  /** Number of descriptors from 3 on that the process keeps; some may be closed. */
  readonly preserveFds: number;
  /** The supervisor that starts it; this process when absent. */
  readonly supervisor?: {
    readonly stateDir: string;
    readonly kind: 'init' | 'successor' | 'exec';
    /** File in which the kernel counts OOM kills; empty for none. */
    readonly oomFile: string;
  };
  /** This process's when absent. */
  readonly stdio?: Stdio | undefined;
}

interface SpawnResult {
  readonly pid: number;
  readonly pidfd: number;
  /** The start socket's number in runt-init; -1 for none. */
  readonly startSocket: number;
  /** The slots' numbers in runt-init. */
  readonly slots: readonly number[];
}

/**
 * Starts runt-init in a clone operation's namespaces and, if the kernel allows it, in its v2 cgroup.
 * @throws OpFailed, RuntError ERR_SUPERVISOR
 */
export async function spawnInit(op: Extract<Op, { op: 'clone' }>, input: SpawnInput): Promise<SpawnResult> {
  const { startSocket, slots, sync, supervisor, stdio } = input;
  const preserved = preservedOf(input.preserveFds);
  const shared = startSocket >= 0 ? [...slots, startSocket] : slots;
  if (!supervisor) {
    const passedFds = fdList([...preserved, ...shared.filter((fd) => fd >= 0)]);
    const child = await inCgroup(op, (cgroup) =>
      startInit(BigInt(op.flags), sync, passedFds, cgroup, fdList(stdio ?? [])),
    );
    return { ...child, startSocket, slots };
  }
  // The supervisor numbers them consecutively, after the preserved descriptors.
  const { spawnSupervised } = await import('./supervisor.js');
  const first = (preserved.at(-1) ?? 2) + 1;
  const fds = [
    ...(stdio ?? [0, 1, 2]).map((fd, i) => [fd, i] as const),
    ...preserved.map((fd) => [fd, fd] as const),
    ...[sync, ...shared].map((fd, i) => [fd, first + i] as const).filter(([fd]) => fd >= 0),
  ];
  const { stateDir, kind, oomFile } = supervisor;
  const request = { flags: Number(op.flags), kind, oomFile, fds, sync: first };
  const child = await inCgroup(op, (cgroup) => spawnSupervised(stateDir, { ...request, cgroup }));
  return {
    ...child,
    slots: slots.map((fd, i) => (fd < 0 ? -1 : first + 1 + i)),
    startSocket: startSocket >= 0 ? first + 1 + slots.length : -1,
  };
}

/** Clones into the operation's cgroup. If the kernel refuses CLONE_INTO_CGROUP (or lacks it, before 5.7), moves it. */
async function inCgroup(
  op: Extract<Op, { op: 'clone' }>,
  spawn: (cgroup: number) => Promise<StartResult>,
): Promise<StartResult> {
  const cgroup = op.cgroup ? native.openAt(AT_FDCWD, op.cgroup, O_PATH, 0) : -1;
  let child: StartResult | undefined;
  try {
    if (cgroup >= 0) child = await spawn(cgroup);
  } finally {
    if (cgroup >= 0) native.close(cgroup);
  }
  if (child && child.pid >= 0) return child;
  // If both fail, report the error of the plain clone.
  child = await spawn(-1);
  checkOp(op, child.pid, child.syscall);
  if (op.cgroup) {
    const procs = `${op.cgroup}/cgroup.procs`;
    const r = native.writeFile(AT_FDCWD, procs, 0, 0, host.encode(String(child.pid)));
    if (r < 0) await endKilled(child.pidfd, child.pid);
    checkOp(op, r, 'write', procs);
  }
  return child;
}
