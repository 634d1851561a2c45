/**
 * The teardown of a container: every command that ends one, or takes one back, removes what it has by this function.
 *
 * The order, and its reasons:
 *  1. Network devices go back to the host first: their namespace ends with its last process, and virtual devices with it.
 *  2. Processes end next: every later step removes what a process may still use. When one does not end, the steps up to
 *     the supervisor are left out, because they would take its limits away and then fail.
 *  3. Then the rest of the cgroups' processes, where the end of the first one does not end them.
 *  4. The systemd unit stops before its cgroup is removed: systemd would report a unit that lost its cgroup as failed.
 *  5. The cgroups, then the resctrl groups, which have no process by now.
 *  6. The supervisor, which writes into the state directory until it ends.
 *  7. The record of the poststop hooks, then the state directory: as long as it is there, a second `delete` finds what is
 *     left. So it stays when a step before it failed.
 * The poststop hooks run last, without the container's lock (`runPoststop`).
 */
import { removeCgroups } from '../cgroup/cgroup-removal.js';
import { thaw } from '../cgroup/freezer.js';
import { SIGKILL } from '../sys/linux.js';
import { supervisorEndTime } from '../sys/waiting/time-limits.js';
import { killAll } from './cgroups/kill-all.js';
import { holdProcess } from './state/recorded-process.js';
import { type ContainerRecord, type RecordedProcess, type RecordedUnit, removeStateDir } from './state/state-store.js';

/** What a container has. What is absent is not there. */
interface Remains {
  /** The command, for messages. */
  readonly command: string;
  readonly root: string;
  readonly id: string;
  readonly warn?: ((sentence: string) => void) | undefined;
  /** Moves network devices back. */
  readonly giveBackDevices?: (() => void) | undefined;
  /** Each ends one process, and throws when that still runs. */
  readonly endProcesses?: readonly (() => Promise<void>)[] | undefined;
  /** Processes may be left in the cgroups that the end of the first one does not end. */
  readonly othersInCgroups?: boolean | undefined;
  readonly unit?: RecordedUnit | undefined;
  readonly cgroups?: readonly string[] | undefined;
  /** Ends processes that stay in the cgroups although the container's own have ended. */
  readonly endOccupants?: (() => Promise<void>) | undefined;
  readonly rdt?: readonly string[] | undefined;
  readonly endSupervisor?: (() => Promise<void>) | undefined;
  /** The record whose poststop hooks are to run. */
  readonly poststop?: ContainerRecord | undefined;
  /** There is a state directory. */
  readonly stateDirectory?: boolean | undefined;
}

/**
 * Removes all that a container has. A step that fails does not keep the others from being done.
 * @throws the error of the first step that failed
 */
export async function teardown(r: Remains): Promise<void> {
  const errors: unknown[] = [];
  const step = async (work: () => unknown): Promise<void> => {
    try {
      await work();
    } catch (error) {
      errors.push(error);
    }
  };
  if (r.giveBackDevices) await step(r.giveBackDevices);
  const before = errors.length;
  for (const end of r.endProcesses ?? []) await step(end);
  const { cgroups = [], unit, rdt } = r;
  if (errors.length === before) {
    if (r.othersInCgroups) {
      await step(() => killAll(cgroups, SIGKILL));
      // A frozen process of v1 ends only once it is thawed.
      await step(() => thaw(cgroups));
    }
    if (unit) await step(async () => (await import('./cgroups/systemd-unit.js')).endUnit(unit, r.warn));
    await step(() => removeCgroups(cgroups, undefined, r.endOccupants));
    if (rdt?.length) await step(async () => (await import('./launch/handlers/rdt-handler.js')).removeRdt(rdt));
  }
  if (r.endSupervisor) await step(r.endSupervisor);
  if (r.poststop && errors.length === 0) {
    const { keepForPoststop } = await import('./hooks/poststop-hooks.js');
    await step(() => keepForPoststop(r.command, r.root, r.poststop!, r.warn ?? (() => {})));
  }
  if (r.stateDirectory && errors.length === 0) await step(() => removeStateDir(r.root, r.id));
  if (errors.length > 0) throw errors[0];
}

/** `teardown`, then the poststop hooks. For commands that do not hold the container's lock. @throws as teardown */
async function teardownWithHooks(r: Remains): Promise<void> {
  await teardown(r);
  if (!r.poststop) return;
  const { runPoststop } = await import('./hooks/poststop-hooks.js');
  await runPoststop(r.command, r.root, r.id, r.warn ?? (() => {}));
}

/** What the record of a container names. Without a pid namespace of its own, processes outlive the first one. */
export const recordedRemains = (record: ContainerRecord) => ({
  othersInCgroups: !record.pidNamespace,
  unit: record.unit,
  cgroups: record.cgroups,
  rdt: record.rdt,
  endSupervisor: record.supervisor && (() => supervisorEnded(record.supervisor!)),
  poststop: record.hooks?.poststop ? record : undefined,
  stateDirectory: true,
});

/**
 * A supervisor ends by itself once it has recorded the end of its last process. One that took over from another may
 * wait longer, until the process is reaped by its own parent: it is killed.
 */
async function supervisorEnded(supervisor: RecordedProcess): Promise<void> {
  const process = holdProcess(supervisor);
  if (process && !(await process.ended(supervisorEndTime))) process.signal(SIGKILL);
  process?.close();
}

/**
 * Removes a container whose process has ended, and was reaped: the end of a command in the foreground. It stays when
 * another container is in its cgroups; a warning says so.
 * @throws as teardown
 */
export async function removeEnded(
  command: string,
  { root, id, warn }: { readonly root: string; readonly id: string; readonly warn: (sentence: string) => void },
  record: ContainerRecord,
): Promise<void> {
  // A pid namespace ends with its processes; a unit is ended as a whole.
  if (!record.pidNamespace || record.unit) {
    const { endsAlone } = await import('./cgroups/occupants.js');
    if (!endsAlone({ root, id, warn }, record)) return;
  }
  await teardownWithHooks({ command, root, id, warn, ...recordedRemains(record) });
}

/** `teardownWithHooks` for a command that already has an error: what could not be removed is a warning. */
export async function takeBack(r: Remains): Promise<void> {
  try {
    await teardownWithHooks(r);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    r.warn?.(`not all of ${r.id} was removed: ${why} ("delete --force ${r.id}" removes the rest)`);
  }
}
