/** The teardown of a container, used by every command that ends a container or undoes a launch. */
import { removeCgroups } from '../cgroup/cgroup-removal.js';
import { thaw } from '../cgroup/freezer.js';
import { SIGKILL, SIGUSR1 } from '../sys/linux.js';
import { supervisorEndTime } from '../sys/waiting/time-limits.js';
import { killAll } from './cgroups/kill-all.js';
import { holdProcess } from './state/recorded-process.js';
import { type ContainerRecord, type RecordedProcess, type RecordedUnit, removeStateDir } from './state/state-store.js';

/** Parts of a container; absent if they do not exist. */
interface ContainerParts {
  /** Name of the command, for messages. */
  readonly command: string;
  readonly root: string;
  readonly id: string;
  readonly warn?: ((sentence: string) => void) | undefined;
  /** Moves network devices back. */
  readonly returnDevices?: (() => void) | undefined;
  /** Each ends one process, and throws if it still runs. */
  readonly endProcesses?: readonly (() => Promise<void>)[] | undefined;
  /** The cgroups may have processes that outlive the init process. */
  readonly othersInCgroups?: boolean | undefined;
  readonly unit?: RecordedUnit | undefined;
  readonly cgroups?: readonly string[] | undefined;
  /** Kills processes that remain in the cgroups after the container's own have ended. */
  readonly endOccupants?: (() => Promise<void>) | undefined;
  readonly rdt?: readonly string[] | undefined;
  /** Directories of fresh layers. */
  readonly layers?: readonly string[] | undefined;
  /** @param processLeft a process did not end */
  readonly endSupervisor?: ((processLeft: boolean) => Promise<void>) | undefined;
  /** The record whose poststop hooks must run. */
  readonly poststop?: ContainerRecord | undefined;
  /** The state directory exists. */
  readonly stateDirectory?: boolean | undefined;
}

/**
 * Removes all parts of a container, in this order. A failed step does not prevent the others.
 *  1. Move network devices back to the host: their namespace ends with its last process, and virtual devices with it.
 *  2. End the processes: every later step removes what a process may still use. If one does not end, skip the steps to
 *     the supervisor, which would remove its limits and then fail.
 *  3. Kill the other processes in the cgroups, if the end of the first one does not end them.
 *  4. Stop the systemd unit before its cgroup is removed: systemd would report a unit without its cgroup as failed.
 *  5. Remove the cgroups, then the resctrl groups, which have no process by now.
 *  6. Remove the fresh layers, which no process uses any more.
 *  7. End the supervisor, which writes into the state directory until then.
 *  8. Store the record of the poststop hooks, then remove the state directory. It stays if an earlier step failed: then
 *     a second `delete` finds the rest.
 * The poststop hooks run last, without the container's lock (`runPoststop`).
 * @throws the error of the first step that failed
 */
export async function teardown(r: ContainerParts): Promise<void> {
  const errors: unknown[] = [];
  const step = async (work: () => unknown): Promise<void> => {
    try {
      await work();
    } catch (error) {
      errors.push(error);
    }
  };
  if (r.returnDevices) await step(r.returnDevices);
  const before = errors.length;
  for (const end of r.endProcesses ?? []) await step(end);
  const { cgroups = [], unit } = r;
  const processLeft = errors.length > before;
  if (!processLeft) {
    if (r.othersInCgroups) {
      await step(() => killAll(cgroups, SIGKILL));
      // A frozen process on v1 ends only when thawed.
      await step(() => thaw(cgroups));
    }
    if (unit) await step(async () => (await import('./cgroups/systemd-unit.js')).endUnit(unit, r.warn));
    await step(() => removeCgroups(cgroups, undefined, r.endOccupants));
    if (r.rdt ?? r.layers) await step(async () => (await import('./rare-parts.js')).removeRare(r));
  }
  if (r.endSupervisor) await step(() => r.endSupervisor!(processLeft));
  if (r.poststop && errors.length === 0) {
    const { storeForPoststop } = await import('./hooks/poststop-hooks.js');
    await step(() => storeForPoststop(r.command, r.root, r.poststop!, r.warn ?? (() => {})));
  }
  if (r.stateDirectory && errors.length === 0) await step(() => removeStateDir(r.root, r.id));
  if (errors.length > 0) throw errors[0];
}

/** `teardown`, then the poststop hooks. Only for commands without the container's lock. @throws as teardown */
async function teardownWithHooks(r: ContainerParts): Promise<void> {
  await teardown(r);
  if (!r.poststop) return;
  const { runPoststop } = await import('./hooks/poststop-hooks.js');
  await runPoststop(r.command, r.root, r.id, r.warn ?? (() => {}));
}

/** The parts in a container's record. Without its own pid namespace, processes outlive the first one. */
export const recordedParts = (record: ContainerRecord) => ({
  othersInCgroups: !record.pidNamespace,
  unit: record.unit,
  cgroups: record.cgroups,
  rdt: record.rdt,
  layers: record.layers,
  endSupervisor: async (processLeft: boolean) => {
    // The supervisor of a process that did not end will record its exit status.
    if (record.supervisor && !processLeft) await awaitSupervisorEnd(record.supervisor, record.follows);
  },
  poststop: record.hooks?.poststop ? record : undefined,
  stateDirectory: true,
});

/**
 * A supervisor exits after it has recorded its last process's end. An heir may wait longer, until the parent reaps the
 * process: kill it. One that follows processes would wait for their end, to remove the cgroups.
 */
async function awaitSupervisorEnd(supervisor: RecordedProcess, follows = false): Promise<void> {
  const process = holdProcess(supervisor);
  if (follows) process?.signal(SIGUSR1);
  if (process && !(await process.waitForEnd(supervisorEndTime))) process.signal(SIGKILL);
  process?.close();
}

/**
 * Removes a container at the end of a foreground command, after its process was reaped. If another container is in its
 * cgroups, warns and keeps it.
 * @throws as teardown
 */
export async function removeEnded(
  command: string,
  { root, id, warn }: { readonly root: string; readonly id: string; readonly warn: (sentence: string) => void },
  record: ContainerRecord,
): Promise<void> {
  // A pid namespace ends with its init; a unit is stopped as a whole.
  if (!record.pidNamespace || record.unit) {
    const { mayKillCgroups } = await import('./cgroups/occupants.js');
    if (!mayKillCgroups({ root, id, warn }, record)) return;
  }
  await teardownWithHooks({ command, root, id, warn, ...recordedParts(record) });
}

/** `teardownWithHooks` after an error: only warns of a failure. */
export async function teardownAfterError(r: ContainerParts): Promise<void> {
  try {
    await teardownWithHooks(r);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    r.warn?.(`not all of ${r.id} was removed: ${why} ("delete --force ${r.id}" removes the rest)`);
  }
}
