/** Namespaces, id mappings, and the mounts of the template that depend on them. */
import type { IdMapping, Spec } from '../config-types.js';
import type { SpecOptions } from './option-types.js';
import type { Refuse } from './refusal.js';

export function mapOptions(linux: NonNullable<Spec['linux']>, o: SpecOptions, refuse: Refuse): void {
  const { uidMap, gidMap = uidMap } = o;
  if (uidMap === undefined && o.gidMap !== undefined) {
    throw refuse('gidMap', o.gidMap.join(' '), 'needs user ids too: they are mapped together');
  }
  if (!uidMap?.length || !gidMap?.length) return;
  const read =
    (option: 'uidMap' | 'gidMap') =>
    (text: string): IdMapping => {
      const match = /^([0-9]{1,10}):([0-9]{1,10}):([0-9]{1,10})$/.exec(text);
      if (!match) throw refuse(option, text, 'is not CONTAINER:HOST:SIZE, three numbers such as 0:100000:65536');
      return { containerID: Number(match[1]), hostID: Number(match[2]), size: Number(match[3]) };
    };
  linux.uidMappings = uidMap.map(read('uidMap'));
  linux.gidMappings = gidMap.map(read('gidMap'));
  if (!linux.namespaces!.some(({ type }) => type === 'user')) linux.namespaces!.push({ type: 'user' });
}

/** Adapts mounts of the template that root of a user namespace may not make. */
export function fitUserNamespace(spec: Spec): void {
  const { namespaces, gidMappings = [] } = spec.linux!;
  const ttyMapped = gidMappings.some(({ containerID, size }) => containerID <= 5 && 5 < containerID + size);
  for (const mount of spec.mounts!) {
    if (mount.type === 'devpts' && !ttyMapped) mount.options = mount.options!.filter((o) => o !== 'gid=5');
    // A new sysfs needs a network namespace of the same user namespace.
    if (mount.type === 'sysfs' && !namespaces!.some(({ type }) => type === 'network')) {
      Object.assign(mount, { type: 'none', source: '/sys', options: ['rbind', ...mount.options!] });
    }
  }
}
