/** The record of a new container of `create`, `run` or `restore`. */
import { cgroupDirectories } from '../../cgroup/cgroup-paths.js';
import { recordedHooks } from '../../plan/hooks/hook-compile.js';
import { opsNamed } from '../../plan/op-list.js';
import { rootfsPath } from '../../plan/root/root-compile.js';
import { native } from '../../sys/host.js';
import { timestamp } from '../../sys/timestamp.js';
import type { CompiledBundle } from '../launch/compile-bundle.js';
import { configPath } from './config-path.js';
import { pidNamespace, thisProcess } from './recorded-process.js';
import type { ContainerRecord } from './state-store.js';

/** Id and origin of a new container. */
interface NewContainer {
  readonly id: string;
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** Path of a config other than the bundle's config.json. */
  readonly config?: string;
}

/** The initial record, with this process as the creator. */
export function newRecord(o: NewContainer, { spec, facts, cgroups, plan, options }: CompiledBundle): ContainerRecord {
  const { systemd } = options;
  const unit = systemd && opsNamed(plan.ops, 'systemdScope')[0]?.unit;
  const hooks = recordedHooks(spec.hooks);
  const namespace = pidNamespace();
  const layers = opsNamed(plan.ops, 'makeLayer').map(({ path }) => path);
  return {
    version: 1,
    ociVersion: spec.ociVersion,
    id: o.id,
    status: 'creating',
    pid: 0,
    startTime: '',
    creator: thisProcess(),
    ...(namespace !== undefined && { pidsIn: namespace }),
    bundle: o.bundle,
    ...(o.config !== undefined && { config: configPath(o) }),
    rootfs: rootfsPath(spec, o.bundle),
    created: timestamp(native.realtime()),
    owner: facts.euid,
    ...(spec.annotations && { annotations: spec.annotations }),
    ...(hooks && { hooks }),
    cgroups: cgroupDirectories(cgroups),
    ...(layers.length > 0 && { layers }),
    ...(unit && { unit: { name: unit, ...(systemd.bus && { bus: systemd.bus }) } }),
    pidNamespace: spec.linux?.namespaces?.some((n) => n.type === 'pid' && !n.path) ?? false,
  };
}
