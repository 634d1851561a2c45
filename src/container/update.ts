/** `update`: other limits for a container that runs. */
import { readCgroupFacts } from '../cgroup/facts.js';
import { LiveCgroups, updateOps } from '../cgroup/live.js';
import { parseResources } from '../spec/load-resources.js';
import type { Resources, Spec } from '../spec/types.js';
import { RuntError } from '../sys/error.js';
import { failure } from './failure.js';
import { statusOf } from './process.js';
import { load, locked } from './store.js';
import type { RdtSchemas } from './update-rdt.js';
import { writeAll } from './write-all.js';

export interface UpdateOptions {
  readonly root: string;
  readonly id: string;
  /** LinuxResources as JSON; what is absent, and 0 where that means "not set", stays as it is. */
  readonly resources: string;
  /** What errors call the text: a file's name, or that it comes from flags. */
  readonly document: string;
  /** Schemas of its class of caches and memory bandwidth. */
  readonly rdt?: RdtSchemas;
}

/**
 * Gives the container new limits; when one is refused none is changed.
 * @throws RuntError ERR_NO_CONTAINER, ERR_CONTAINER_STATUS, ERR_SPEC_JSON, ERR_SPEC_INVALID, ERR_UNSUPPORTED, ERR_CGROUP_VALUE,
 * ERR_CGROUP_CONTROLLER, ERR_CGROUP_NOT_DELEGATED, ERR_CGROUP, ERR_RDT
 */
export async function update(o: UpdateOptions): Promise<void> {
  const resources = parseResources(o.resources, o.document);
  await locked(o.root, o.id, async () => {
    const record = load(o.root, o.id);
    const status = statusOf(o.root, record);
    if (status === 'stopped' || status === 'creating') {
      throw new RuntError({ code: 'ERR_CONTAINER_STATUS', message: `container not running: ${o.id} is ${status}` });
    }
    if (record.cgroups.length === 0 && Object.keys(resources).length > 0) {
      throw new RuntError({
        code: 'ERR_CGROUP',
        message: `update ${o.id}: the container has no cgroup, and so no limits`,
        hint: 'a rootless container gets a cgroup only where one was delegated to its user, and with --cgroup-manager disabled none does',
        see: 'cgroups(7)',
      });
    }
    const undoRdt = o.rdt && (await import('./update-rdt.js')).updateRdt(o.root, record, o.rdt);
    const live = new LiveCgroups(readCgroupFacts(), record.cgroups);
    try {
      apply(o, resources, live);
      if (record.unit === undefined) return;
      // After the kernel, which refuses more; systemd then writes what it knows, rounded: the exact values once more.
      const { setUnitProperties } = await import('./systemd.js');
      await setUnitProperties(record.unit, resources, live);
      apply(o, resources, live);
    } catch (error) {
      undoRdt?.();
      if (error instanceof RuntError) error.document ??= o.document;
      throw error;
    }
  });
}

function apply(o: UpdateOptions, resources: Resources, live: LiveCgroups): void {
  const refused = writeAll(updateOps(live, resources));
  if (!refused) return;
  // Pointers are into the resources, and so is the value that is looked up with them.
  const error = failure('update', o.id, refused.failed, resources as unknown as Spec);
  error.hint = [
    ...(error.hint ? [error.hint] : []),
    refused.kept.length === 0
      ? 'nothing was changed'
      : `these have their new values and would not take back the old ones: ${refused.kept.join(', ')}`,
  ].join('; ');
  throw error;
}
