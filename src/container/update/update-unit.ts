/** `update` of a container in a systemd scope: new values for the cgroup and for systemd, which keep all others. */
import type { LiveCgroups } from '../../cgroup/live-cgroups.js';
import { readUnitFiles, restoreUnitFiles } from '../../cgroup/systemd/unit-files.js';
import { updateOps } from '../../plan/cgroup/update-compile.js';
import type { Resources } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import { isRefusedBySystemd, setUnitProperties } from '../cgroups/systemd-unit.js';
import type { ContainerRecord, RecordedUnit } from '../state/state-store.js';
import { saveRecord } from '../state/stored-files.js';
import { writeResources } from './update-files.js';

/**
 * Writes to the kernel first, which refuses more; then to systemd. systemd rounds the values that it manages and resets
 * the others to its defaults. So write the exact values again, and restore all other files.
 * @throws RuntError ERR_SPEC_VALUE, ERR_CGROUP, ERR_SYSTEMD …; the files have their old values then
 */
export async function updateUnit(
  root: string,
  record: ContainerRecord,
  unit: RecordedUnit,
  resources: Resources,
  live: LiveCgroups,
): Promise<void> {
  const directory = live.unified() ?? '';
  const ops = updateOps(live, resources);
  const before = readUnitFiles(directory);
  // Not the device filter, whose replacement cannot be undone: it goes last.
  const restore = writeResources(
    record.id,
    resources,
    ops.filter(({ op }) => op !== 'cgroupDevices'),
  );
  try {
    await setUnitProperties(unit, resources, live);
  } catch (error) {
    const written = restore();
    const others = restoreUnitFiles(directory, before, new Set()).map((file) => `${directory}/${file}`);
    const unrestored = [...new Set([...written, ...others])];
    if (!(error instanceof RuntError)) throw error;
    const refused = isRefusedBySystemd(error);
    if (!refused) saveRecord(root, { ...record, unit: { ...unit, unsettled: true } });
    error.hint = [
      error.hint ?? 'correct the value',
      ...(refused ? [] : ['repeat the update, because systemd may still apply the values of this one']),
      unrestored.length > 0
        ? `runt could not restore the old values of ${unrestored.join(', ')}`
        : 'no limit was changed',
    ].join('; ');
    throw error;
  }
  if (unit.unsettled) {
    const { unsettled, ...settled } = unit;
    saveRecord(root, { ...record, unit: settled });
  }
  writeResources(record.id, resources, ops);
  restoreUnitFiles(directory, before, new Set(ops.flatMap(filesOf)));
}

/** Names of the files that an operation writes. */
function filesOf(op: object): string[] {
  const { path, paths } = op as { path?: string; paths?: readonly string[] };
  const names = [...(path ? [path] : []), ...(paths ?? [])].map((p) => p.slice(p.lastIndexOf('/') + 1));
  // Writing it also resets the weight.
  return names.includes('cpu.idle') ? [...names, 'cpu.weight'] : names;
}
