/** A container whose cgroup is a scope of systemd's: what the compiler makes of its config (`--systemd-cgroup`). Loaded by need. */
import { systemdProperty } from '../../plan/annotations.js';
import type { CompileOptions, HostFacts } from '../../plan/facts.js';
import type { Op } from '../../plan/ops.js';
import type { Spec } from '../../spec/types.js';
import { RuntError } from '../../sys/error.js';
import { deviceList } from '../devices.js';
import type { CgroupPaths } from '../path.js';
import { v2Settings } from '../v2.js';
import { deviceProperties, type Property, resourceProperties } from './properties.js';
import { scopeName } from './unit.js';
import { parseVariant } from './variant.js';

/** Where the cgroup will be. @throws RuntError ERR_UNSUPPORTED but on cgroup v2 as root, ERR_CGROUP_PATH */
export function scopePaths(spec: Spec, facts: HostFacts, id: string): CgroupPaths {
  const { cgroup, rootless } = facts;
  if (cgroup.layout !== 'v2') throw lacks(cgroup.layout === 'none' ? 'on a host without cgroups' : 'on cgroup v1');
  if (rootless) throw lacks('without root');
  const { mountPoint } = cgroup.unified!;
  return {
    v1: [],
    unified: { mountPoint, path: `${mountPoint}${scopeName(spec.linux?.cgroupsPath, id, false).path}`, writable: true },
  };
}

function lacks(where: string): RuntError {
  return new RuntError({
    code: 'ERR_UNSUPPORTED',
    message: `--systemd-cgroup is not supported ${where} by this version of runt`,
    hint: 'leave it out: runt makes the cgroup by itself then',
  });
}

/** The operations that make the cgroup and write its values, with systemd's in the place of the directory's. */
export function scopeOps(before: readonly Op[], spec: Spec, options: CompileOptions): Op[] {
  const { unit, slice } = scopeName(spec.linux?.cgroupsPath, options.id, false);
  const resources = spec.linux?.resources ?? {};
  const properties = merged([
    `Description='runt container ${options.id}'`,
    `Slice='${slice}'`,
    'Delegate=true',
    'DefaultDependencies=false',
    'CPUAccounting=true',
    'IOAccounting=true',
    'MemoryAccounting=true',
    'TasksAccounting=true',
    ...resourceProperties(v2Settings(resources, '/linux/resources')),
    ...deviceProperties(deviceList(resources.devices, '/linux/resources/devices', spec.linux?.devices ?? [])),
    ...annotated(spec),
  ]);
  return before.map((op) =>
    op.op === 'cgroupCreate' ? { op: 'systemdScope', at: op.at, path: op.path, unit, properties } : op,
  );
}

/** The last one of a name counts; but a list is cleared first and then filled. */
function merged(properties: readonly Property[]): Property[] {
  const nameOf = (p: Property) => p.slice(0, p.indexOf('='));
  const last = new Map(properties.map((p, i) => [nameOf(p), i]));
  return properties.filter((p, i) => last.get(nameOf(p)) === i || (nameOf(p) === 'DeviceAllow' && p.endsWith(' []')));
}

/** `org.systemd.property.NAME`; NAMESec in seconds is NAMEUSec in µs, as with runc. @throws RuntError ERR_SPEC_VALUE */
function annotated(spec: Spec): Property[] {
  const list: Property[] = [];
  for (const [key, value] of Object.entries(spec.annotations ?? {})) {
    if (!key.startsWith(systemdProperty)) continue;
    const name = key.slice(systemdProperty.length);
    try {
      if (!/^[A-Za-z]{3,64}$/.test(name)) throw bad(`${JSON.stringify(name)} is no name of a property`);
      const variant = parseVariant(value);
      if (!/[a-z]Sec$/.test(name)) list.push(`${name}=${value}`);
      else if (typeof variant.value === 'bigint' || typeof variant.value === 'number') {
        if (variant.value < 0) throw bad(`${value} is no time`);
        const us =
          typeof variant.value === 'bigint' ? variant.value * 1_000_000n : BigInt(Math.round(variant.value * 1e6));
        list.push(`${name.slice(0, -3)}USec=uint64 ${us}`);
      } else throw bad(`${value} is no number of seconds`);
    } catch (error) {
      if (error instanceof RuntError) {
        error.pointer ??= `/annotations/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
        error.value ??= value;
      }
      throw error;
    }
  }
  return list;
}

const bad = (message: string): RuntError => new RuntError({ code: 'ERR_SPEC_VALUE', message });
