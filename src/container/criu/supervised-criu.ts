/** criu as the supervisor's child, so that the supervisor can record how the restored process ends (`rst_sibling`). */

import { encodePlan } from '../../plan/encode-plan.js';
import type { Plan } from '../../plan/op-list.js';
import { check } from '../../sys/error.js';
import { fdPair } from '../../sys/fds.js';
import { readText } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { InitChannel } from '../launch/init-channel.js';
import type { Stdio } from '../launch/spawn-init.js';
import { spawnSupervised } from '../launch/supervisor.js';

interface SupervisedProgram {
  readonly what: string;
  readonly stateDir: string;
  /** File in which the kernel counts OOM kills; empty for none. */
  readonly oomFile: string;
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly stdio: Stdio;
  /** Descriptors that become 3, 4 … */
  readonly fds: readonly number[];
}

/** Executes criu by way of a runt-init; resolves once it runs. @throws RuntError ERR_CRIU, ERR_SUPERVISOR */
export async function spawnProgram(p: SupervisedProgram): Promise<{ pid: number; pidfd: number }> {
  const facts = { code: 'ERR_CRIU', message: `${p.what}: run ${p.path}`, path: p.path };
  const pair = new Uint8Array(16);
  check(native.socketPair(pair), { ...facts, syscall: 'socketpair' });
  const [ours, theirs] = fdPair(pair);
  const channel = new InitChannel(ours);
  let pidfd = -1;
  try {
    const sync = 3 + p.fds.length;
    const fdTargets = [...p.stdio, ...p.fds].map((fd, i) => [fd, i] as const);
    const request = { flags: 0, kind: 'successor' as const, oomFile: p.oomFile, cgroup: -1, sync };
    const fds = [...fdTargets, [theirs, sync] as const];
    const spawned = await spawnSupervised(p.stateDir, { ...request, fds }).finally(() => native.close(theirs));
    check(spawned.pid, { ...facts, syscall: 'clone3' });
    pidfd = spawned.pidfd;
    channel.send(encodePlan(planOf(p), { trace: false, startSocket: -1, slots: [] }));
    for (let report = await channel.next(); report.kind !== 'eof'; report = await channel.next())
      if (report.kind === 'error') check(-report.errno, { ...facts, syscall: report.syscall });
    pidfd = -1;
    return spawned;
  } finally {
    channel.close();
    if (pidfd >= 0) native.close(pidfd);
  }
}

function planOf(p: SupervisedProgram): Plan {
  const umask = Number.parseInt(/^Umask:\s*([0-7]+)/m.exec(readText('/proc/self/status'))?.[1] ?? '22', 8);
  return {
    version: 1,
    ops: [
      { op: 'keepFds', at: '', count: p.fds.length },
      // The same user, root, only to set the umask.
      { op: 'user', at: '', uid: 0, gid: 0, groups: [], setGroups: false, groupsOptional: false, umask },
      { op: 'findExecutable', at: '', name: p.path, path: '' },
      { op: 'exec', at: '', args: p.args, env: p.env, homeOfNamed: false },
    ],
  };
}
