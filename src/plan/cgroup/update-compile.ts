/** `update`: new values for the cgroups of a running container. */
import { deviceList, v2DeviceList } from '../../cgroup/devices/device-list.js';
import type { LiveCgroups } from '../../cgroup/live-cgroups.js';
import type { Setting } from '../../cgroup/settings/setting.js';
import { v1Settings } from '../../cgroup/settings/v1-settings.js';
import { v2Settings } from '../../cgroup/settings/v2-settings.js';
import type { Resources } from '../../spec/config-types.js';
import { append } from '../../sys/append.js';
import type { Op } from '../plan-ops.js';
import { controllerError, delegationError, settingOp, splitByLayout } from './cgroup-compile.js';
import { deviceChanges, v2DeviceOps } from './device-rule-ops.js';

/**
 * The operations that write new values to a container's cgroups. Pointers are into `resources`. Absent values stay.
 * @throws RuntError as `cgroupOps`
 */
export function updateOps(live: LiveCgroups, resources: Resources): Op[] {
  const { facts } = live;
  if (facts.layout === 'v2') return updateV2(live, resources);
  const [inV1, inUnified] = splitByLayout(facts, resources);
  const ops = v1Settings(inV1, '', live).map((s) => {
    const inV1 = facts.v1.some((h) => h.controllers.includes(s.controller));
    if (!inV1) throw controllerError(s, facts);
    return settingOp(s, live.directory(s.controller) ?? refuse(s));
  });
  const unified = v2Settings(inUnified, '', live);
  append(
    ops,
    unified.map((s) => settingOp(s, live.unified() ?? refuse(s))),
  );
  const devices = resources.devices?.length ? live.directory('devices') : undefined;
  if (resources.devices?.length) {
    const missing: Setting = { controller: 'devices', file: 'devices.list', value: '', at: '/devices' };
    if (!facts.v1.some((h) => h.controllers.includes('devices'))) throw controllerError(missing, facts);
    const list = deviceList(resources.devices, '/devices', []);
    append(ops, deviceChanges(devices ?? refuse(missing), list, live.read('devices.list')));
  }
  return ops;
}

function updateV2(live: LiveCgroups, resources: Resources): Op[] {
  const { facts } = live;
  const settings = v2Settings(resources, '', live);
  const available = facts.unified!.controllers;
  for (const s of settings)
    if (s.controller !== 'cgroup' && !available.includes(s.controller)) throw controllerError(s, facts);
  const path = live.unified();
  const ops: Op[] = [];
  if (settings.length > 0) {
    const required = available.filter((c) => settings.some((s) => s.controller === c));
    const directory = path ?? refuse(settings[0]!);
    // As at create: they are enabled already, unless another program disabled them.
    ops.push({
      op: 'cgroupControllers',
      at: '',
      path: directory,
      top: facts.unified!.mountPoint,
      required,
      wanted: [],
    });
    append(
      ops,
      settings.map((s) => settingOp(s, directory)),
    );
  }
  if (resources.devices?.length) {
    const missing: Setting = { controller: 'devices', file: 'device filter', value: '', at: '/devices' };
    append(ops, v2DeviceOps(path ?? refuse(missing), v2DeviceList(resources.devices, '/devices', []), '/devices'));
  }
  return ops;
}

function refuse(setting: Setting): never {
  throw delegationError(setting, setting.file);
}
