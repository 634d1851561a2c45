/** Namespaces, id mappings, and the mounts of the template that depend on them. */
import type { IdMapping, Spec } from '../config-types.js';
import type { HostLookups } from './lookups.js';
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

/** Adapts mounts of the template to the namespaces; root of a user namespace may not make all of them. */
export function fitNamespaces(spec: Spec, { exists }: HostLookups): void {
  const { namespaces, gidMappings } = spec.linux!;
  const at = (wanted: string) => namespaces!.find(({ type }) => type === wanted);
  if (!at('ipc') && exists('/dev/shm')) bind(spec, '/dev/shm');
  const user = at('user');
  if (!user) return;
  const ttyMapped = gidMappings?.some(({ containerID, size }) => containerID <= 5 && 5 < containerID + size);
  // proc, sysfs and mqueue are of a namespace, and only root of its user namespace may mount them.
  const owns = (type: string) => at(type) !== undefined && (at(type)!.path === undefined || user.path !== undefined);
  for (const mount of spec.mounts!) {
    if (mount.type === 'devpts' && !ttyMapped) mount.options = mount.options!.filter((o) => o !== 'gid=5');
    if (mount.type === 'sysfs' && !owns('network')) bind(spec, '/sys');
  }
  if (!at('pid')) bind(spec, '/proc');
  if (!at('ipc') && exists('/dev/mqueue')) bind(spec, '/dev/mqueue');
  else if (!owns('ipc')) spec.mounts = spec.mounts!.filter(({ type }) => type !== 'mqueue');
}

/** Makes a mount of the template the bind mount of the same path on the host. */
function bind(spec: Spec, path: string): void {
  const mount = spec.mounts!.find(({ destination }) => destination === path);
  if (!mount || mount.type === 'none') return;
  const options = (mount.options ?? []).filter((o) => !o.includes('='));
  Object.assign(mount, { type: 'none', source: path, options: ['rbind', ...options] });
}
