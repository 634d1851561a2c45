/** `update`: new limits for a running container. */
import { readCgroupFacts } from '../../cgroup/cgroup-facts.js';
import { LiveCgroups } from '../../cgroup/live-cgroups.js';
import { updateOps } from '../../plan/cgroup/update-compile.js';
import { parseResources } from '../../spec/load-resources.js';
import { RuntError } from '../../sys/error.js';
import { statusOf } from '../state/recorded-process.js';
import { loadRecord, withLock } from '../state/state-store.js';
import { writeResources } from './update-files.js';
import type { RdtSchemas } from './update-rdt.js';

interface UpdateOptions {
  readonly root: string;
  readonly id: string;
  /** LinuxResources as JSON; absent values, and 0 where it means "not set", do not change. */
  readonly resources: string;
  /** Name of the text in errors: a file, or the flags. */
  readonly document: string;
  /** Schemas of its resctrl class (caches and memory bandwidth). */
  readonly rdt?: RdtSchemas;
  /** Receives a sentence for each value that has no effect. */
  readonly warn?: (sentence: string) => void;
}

/**
 * Sets new limits; if one is refused, none changes.
 * @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS, ERR_SPEC_JSON, ERR_SPEC_INVALID, ERR_UNSUPPORTED,
 * ERR_SPEC_VALUE, ERR_CGROUP_CONTROLLER, ERR_CGROUP_NOT_DELEGATED, ERR_CGROUP, ERR_RDT
 */
export async function update(o: UpdateOptions): Promise<void> {
  const resources = parseResources(o.resources, o.document, o.warn);
  await withLock(o.root, o.id, async () => {
    const record = loadRecord(o.root, o.id);
    const status = statusOf(o.root, record);
    if (status === 'stopped' || status === 'creating') {
      throw new RuntError({ code: 'ERR_CONTAINER_STATUS', message: `container not running: ${o.id} is ${status}` });
    }
    if (record.cgroups.length === 0 && Object.keys(resources).length > 0) {
      throw new RuntError({
        code: 'ERR_CGROUP',
        message: `update ${o.id}: the container has no cgroup, and so no limits`,
        hint: 'create the container without --cgroup-manager disabled, and, if it is rootless, delegate a cgroup to the user first',
        see: 'cgroups(7)',
      });
    }
    const live = new LiveCgroups(readCgroupFacts(), record.cgroups);
    const undoRdt = o.rdt && (await import('./update-rdt.js')).updateRdt(o.root, record, o.rdt);
    try {
      if (record.unit === undefined) writeResources(o.id, resources, updateOps(live, resources));
      else await (await import('./update-unit.js')).updateUnit(o.root, record, record.unit, resources, live);
    } catch (error) {
      const undoFailure = undoRdt?.();
      if (error instanceof RuntError) {
        error.document ??= o.document;
        if (undoFailure)
          error.hint = `${error.hint ?? 'correct the value'}; the new schema of the resctrl group stays: ${undoFailure}`;
      }
      throw error;
    }
  });
}
