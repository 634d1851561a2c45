/** The start of runt-init (op `clone`): its channel, its clone and its plan. */
import { encodeParts } from '../../../plan/encode-plan.js';
import type { OpOf } from '../../../plan/plan-ops.js';
import { fdPair, OwnedFd } from '../../../sys/fds.js';
import { native } from '../../../sys/host.js';
import { checkOp } from '../../failure/op-failed.js';
import { InitChannel } from '../init-channel.js';
import type { LaunchResources } from '../launch-resources.js';
import { spawnInit } from '../spawn-init.js';

/** @throws OpFailed, RuntError ERR_SUPERVISOR, ERR_SYSTEMD, ERR_INIT */
export async function clone(op: OpOf<'clone'>, launch: LaunchResources): Promise<void> {
  const { plan, record, trace, oomFile, stdio, exec, supervised, preserveFds } = launch.input;
  launch.valueFile.close();
  const pair = new Uint8Array(16);
  checkOp(op, native.socketPair(pair), 'socketpair');
  const [ours, theirs] = fdPair(pair);
  launch.channel = new InitChannel(ours);
  const { unitCgroup, successors } = launch;
  const { pid, pidfd, startSocket, slots } = await spawnInit(unitCgroup === '' ? op : { ...op, cgroup: undefined }, {
    sync: theirs,
    startSocket: launch.startSocket?.number ?? -1,
    // A slot that is left open has no descriptor.
    slots: Array.from(launch.slots, (fd) => fd?.number ?? -1),
    preserveFds,
    ...((launch.supervisor || supervised) && {
      supervisor: {
        stateDir: launch.directory,
        kind: exec ? 'exec' : successors > 0 ? 'successor' : 'init',
        oomFile,
      },
    }),
    stdio,
  }).finally(() => {
    // Before the plan is sent: with a copy here, sending to a runt-init that has ended would block.
    native.close(theirs);
  });
  launch.process = { pid, pidfd: new OwnedFd(pidfd) };
  // Before its first operation: systemd checks its user, which operations change.
  if (unitCgroup !== '')
    await (await import('../../cgroups/systemd-unit.js')).attachProcess(record.unit!, unitCgroup, pid);
  if (successors === 0) await adoptExec(launch);
  // A process that joins enters the scope later: the placeholder ends once that one is created.
  if (op.cgroup !== undefined) await launch.endPlaceholder();
  launch.channel.send(...encodeParts(plan, { trace, startSocket, slots }));
}

/** From now on the supervisor records the exit status of the exec process. */
export async function adoptExec(launch: LaunchResources): Promise<void> {
  if (!launch.input.supervised || !launch.process) return;
  const { adoptExec } = await import('../supervisor.js');
  const { pid, pidfd } = launch.process;
  launch.execKey = await adoptExec(launch.directory, { pid, pidfd: pidfd.number });
}
