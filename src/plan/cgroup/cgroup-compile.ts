/** `linux.resources` → plan operations, for any cgroup layout of the host. */

import { type CgroupFacts, hierarchyName } from '../../cgroup/cgroup-facts.js';
import type { CgroupPaths } from '../../cgroup/cgroup-paths.js';
import { deviceList, v2DeviceList } from '../../cgroup/devices/device-list.js';
import type { Setting } from '../../cgroup/settings/setting.js';
import { v1Settings } from '../../cgroup/settings/v1-settings.js';
import { v2Settings } from '../../cgroup/settings/v2-settings.js';
import type { Device, Resources } from '../../spec/config-types.js';
import { append } from '../../sys/append.js';
import { RuntError } from '../../sys/error.js';
import type { OpEntry, OpMakers } from '../op-list.js';
import type { Op } from '../plan-ops.js';
import { v1DeviceOps, v2DeviceOps } from './device-rule-ops.js';

interface CgroupOpsOptions {
  /**
   * No rights on the host: cgroups that are not writable are left out unless the config needs them. So are device
   * rules: the kernel requires CAP_SYS_ADMIN on the host for them, and without it no process can make a device that the
   * user could not open anyway (as runc).
   */
  readonly rootless: boolean;
  /** The config names the cgroup: if the user cannot make it, that is an error, as with runc. */
  readonly named?: boolean;
  /** The container gets no cgroup: refuse limits for that reason. */
  readonly noCgroup?: boolean;
  /** `linux.devices`: a default device that the config overrides loses its default rule (as runc). */
  readonly devices: readonly Device[];
}

/** Controllers whose files engines read for statistics; enabled on v2 if the kernel allows, even without a limit. */
export const statistics: readonly string[] = ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids', 'rdma', 'misc'];

export interface CgroupOps<E extends OpEntry = Op> {
  /** Before the clone: makes the cgroups and writes every value, in an order that the kernel accepts. */
  readonly before: E[];
  /** v1: the files through which runt-init enters its cgroups. */
  readonly tasks: readonly string[];
  /** v2: the cgroup in which runt-init is cloned; empty for none. */
  readonly cloneCgroup: string;
}

/**
 * The operations for `linux.resources` in the cgroups of `paths`. With `makers`, those of v1 device rules are made when
 * they are read.
 * @throws RuntError ERR_UNSUPPORTED for a value that the layout cannot hold, ERR_CGROUP_CONTROLLER for a value whose
 * controller the host lacks, ERR_CGROUP_NOT_DELEGATED for a named cgroup, or a value, that a rootless runtime may not
 * write, ERR_SPEC_VALUE for values that contradict each other
 */
export function cgroupOps(
  facts: CgroupFacts,
  paths: CgroupPaths,
  resources: Resources | undefined,
  options: CgroupOpsOptions,
): CgroupOps;
export function cgroupOps(
  facts: CgroupFacts,
  paths: CgroupPaths,
  resources: Resources | undefined,
  options: CgroupOpsOptions,
  makers: OpMakers | undefined,
): CgroupOps<OpEntry>;
export function cgroupOps(
  facts: CgroupFacts,
  paths: CgroupPaths,
  resources: Resources | undefined,
  options: CgroupOpsOptions,
  makers?: OpMakers,
): CgroupOps<OpEntry> {
  const requested = resources ?? {};
  if (options.noCgroup) refuseLimits(facts, requested);
  else if (options.named) refuseUnwritable(facts, paths);
  const before =
    facts.layout === 'v2' ? v2Ops(facts, paths, requested, options) : v1Ops(facts, paths, requested, options, makers);
  return {
    before,
    tasks: paths.v1.filter((p) => p.writable).map((p) => `${p.path}/tasks`),
    cloneCgroup: paths.unified?.writable ? paths.unified.path : '',
  };
}

/** JSON pointer of the resources. */
const at = '/linux/resources';

function v1Ops(
  facts: CgroupFacts,
  paths: CgroupPaths,
  resources: Resources,
  options: CgroupOpsOptions,
  makers: OpMakers | undefined,
): OpEntry[] {
  const ops: OpEntry[] = [];
  for (const { hierarchy, path, writable } of paths.v1) {
    if (!writable) continue;
    const at = '/linux/cgroupsPath';
    const freezer = hierarchy.controllers.includes('freezer') ? `${path}/freezer.state` : undefined;
    ops.push({ op: 'cgroupCreate', at, path, ...(freezer && { freezer }) });
    if (!hierarchy.controllers.includes('cpuset')) continue;
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      ops.push({ op: 'cgroupInherit', at: '', path, top: hierarchy.mountPoint, file });
    }
  }
  if (paths.unified?.writable) ops.push(v2CreateOp(paths.unified.path, '/linux/cgroupsPath'));
  const [inV1, inUnified] = splitByLayout(facts, resources);
  const unifiedSettings = v2Settings(inUnified, at);
  for (const setting of v1Settings(inV1, at)) {
    const v1Path = paths.v1.find((p) => p.hierarchy.controllers.includes(setting.controller));
    if (!v1Path) throw controllerError(setting, facts);
    if (!v1Path.writable) throw delegationError(setting, v1Path.path);
    ops.push(settingOp(setting, v1Path.path));
  }
  if (unifiedSettings.length > 0) append(ops, unifiedOps(facts, paths, unifiedSettings));
  if (!options.rootless) {
    const v1Path = paths.v1.find((p) => p.hierarchy.controllers.includes('devices'));
    if (v1Path) {
      const list = deviceList(resources.devices, `${at}/devices`, options.devices);
      append(ops, v1DeviceOps(v1Path.path, list, makers));
    } else if (resources.devices?.length) {
      throw controllerError({ controller: 'devices', file: 'devices.deny', value: '', at: `${at}/devices` }, facts);
    }
  }
  return ops;
}

/** Throws for a cgroup that cannot be made. The hierarchies that only track processes are optional, as in runc. */
function refuseUnwritable({ layout }: CgroupFacts, { v1, unified }: CgroupPaths): void {
  const needed = layout === 'v2' && unified ? [unified] : v1.filter(({ hierarchy }) => hierarchy.name === undefined);
  const refused = needed.find(({ writable }) => !writable);
  if (!refused) return;
  throw new RuntError({
    code: 'ERR_CGROUP_NOT_DELEGATED',
    message: `make the cgroup ${refused.path}: the user may not write there`,
    path: refused.path,
    pointer: '/linux/cgroupsPath',
    hint: 'remove linux.cgroupsPath to run without limits, name a cgroup that is delegated to the user, or use --systemd-cgroup',
    see: 'cgroups(7), "Cgroups delegation"',
  });
}

/** Throws for the first limit: only a cgroup can hold one. */
function refuseLimits(facts: CgroupFacts, resources: Resources): void {
  const [first] = facts.layout === 'v2' ? v2Settings(resources, at) : v1Settings(resources, at);
  if (!first) return;
  throw new RuntError({
    code: 'ERR_UNSUPPORTED',
    message: `apply the limit "${first.file}": the container has no cgroup`,
    pointer: first.at,
    value: first.value,
    hint: 'leave --cgroup-manager disabled out, or remove the limit: with that flag runt makes no cgroup',
  });
}

function v2Ops(facts: CgroupFacts, paths: CgroupPaths, resources: Resources, options: CgroupOpsOptions): Op[] {
  const settings = v2Settings(resources, at);
  const { path, mountPoint, writable } = paths.unified!;
  const available = facts.unified!.controllers;
  const required: string[] = [];
  for (const setting of settings) {
    if (!writable) throw delegationError(setting, path);
    if (setting.controller === 'cgroup') continue;
    if (!available.includes(setting.controller)) throw controllerError(setting, facts);
    if (!required.includes(setting.controller)) required.push(setting.controller);
  }
  if (!writable) return [];
  const wanted = available.filter((c) => statistics.includes(c) && !required.includes(c));
  const ops: Op[] = [
    v2CreateOp(path, '/linux/cgroupsPath'),
    { op: 'cgroupControllers', at: required.length > 0 ? at : '', path, top: mountPoint, required, wanted },
    ...settings.map((s) => settingOp(s, path)),
  ];
  if (!options.rootless) {
    const list = v2DeviceList(resources.devices, `${at}/devices`, options.devices);
    append(ops, v2DeviceOps(path, list, resources.devices ? `${at}/devices` : ''));
  }
  return ops;
}

/** The operation that makes the v2 cgroup `path`. */
export const v2CreateOp = (path: string, at: string): Op => ({
  op: 'cgroupCreate',
  at,
  path,
  freezer: `${path}/cgroup.events`,
});

/** The operation that writes a value into the cgroup at `directory`. */
export function settingOp(s: Setting, directory: string): Op {
  const { at, value } = s;
  if (s.others || s.optional) {
    const all = [{ file: s.file, value }, ...(s.others ?? [])];
    return {
      op: 'cgroupWriteFirst',
      at,
      paths: all.map((x) => `${directory}/${x.file}`),
      values: all.map((x) => x.value),
      required: !s.optional,
    };
  }
  if (s.file.startsWith('cpu.rt_')) return { op: 'cgroupRealtime', at, path: directory, file: s.file, value };
  return { op: 'cgroupWrite', at, path: `${directory}/${s.file}`, value };
}

/** Hybrid: splits the resources by hierarchy. Huge pages and RDMA can be controllers of v2. */
export function splitByLayout(facts: CgroupFacts, r: Resources): readonly [v1: Resources, unified: Resources] {
  const [v1, unified]: [Resources, Resources] = [{ ...r }, {}];
  const inUnified = (controller: string) => facts.unified?.controllers.includes(controller) === true;
  if (r.hugepageLimits && inUnified('hugetlb')) {
    unified.hugepageLimits = r.hugepageLimits;
    delete v1.hugepageLimits;
  }
  if (r.rdma && inUnified('rdma')) {
    unified.rdma = r.rdma;
    delete v1.rdma;
  }
  return [v1, unified];
}

/** Hybrid: the values in the v2 hierarchy. */
function unifiedOps(facts: CgroupFacts, paths: CgroupPaths, settings: readonly Setting[]): Op[] {
  const { path, mountPoint: top, writable } = paths.unified!;
  if (!writable) throw delegationError(settings[0]!, path);
  const required = facts.unified!.controllers.filter((c) => settings.some((s) => s.controller === c));
  return [{ op: 'cgroupControllers', at, path, top, required, wanted: [] }, ...settings.map((s) => settingOp(s, path))];
}

export function controllerError(setting: Setting, facts: CgroupFacts): RuntError {
  const have = facts.layout === 'v2' ? facts.unified!.controllers : facts.v1.map(hierarchyName);
  return new RuntError({
    code: 'ERR_CGROUP_CONTROLLER',
    message: `the host has no cgroup controller "${setting.controller}"`,
    pointer: setting.at,
    ...(setting.value === '' ? {} : { value: setting.value }),
    hint:
      have.length === 0
        ? 'mount the cgroup hierarchies, or remove this value: none is mounted below /sys/fs/cgroup'
        : `enable the controller (kernel command line cgroup_enable=, or a v1 mount that holds it), or remove this value: the host has ${have.join(', ')}`,
    see: 'cgroups(7)',
  });
}

export function delegationError(setting: Setting, path: string): RuntError {
  return new RuntError({
    code: 'ERR_CGROUP_NOT_DELEGATED',
    message: `make the cgroup for "${setting.file}": the user may not write there`,
    path,
    pointer: setting.at,
    ...(setting.value === '' ? {} : { value: setting.value }),
    hint: 'delegate the cgroup to the user (systemd: Delegate=yes), name a delegated one in linux.cgroupsPath, or remove the limit',
    see: 'cgroups(7), "Cgroups delegation"',
  });
}
