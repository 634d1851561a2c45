/** The cgroups of a container that exists: found again from its record, changed while it runs. */

import { noController, notDelegated, settingOp, split } from '../plan/cgroup/cgroup-compile.js';
import type { Op } from '../plan/plan-ops.js';
import type { Resources } from '../spec/config-types.js';
import { append } from '../sys/append.js';
import type { CgroupFacts } from './cgroup-facts.js';
import { type DeviceList, deviceList, exceptionText, v2DeviceList, v2DeviceOps } from './devices/device-list.js';
import type { LiveCgroup, Setting } from './settings/setting.js';
import { v1Settings } from './settings/v1-settings.js';
import { v2Settings } from './settings/v2-settings.js';
import { type ReadFile, tryRead } from './stats/cgroup-stats.js';

/** The directories of a container, by controller. */
export class LiveCgroups implements LiveCgroup {
  constructor(
    readonly facts: CgroupFacts,
    /** `cgroups` of the container's record. */
    readonly directories: readonly string[],
    private readonly file: ReadFile = tryRead,
  ) {}

  /** Where a controller's files are; undefined when the container has no cgroup there. */
  directory(controller: string): string | undefined {
    const { facts } = this;
    if (facts.layout === 'v2') return this.directories[0];
    const mountPoint = facts.v1.find((h) => h.controllers.includes(controller))?.mountPoint;
    return mountPoint === undefined ? undefined : this.below(mountPoint);
  }

  /** The directory of the v2 hierarchy, alone or beside v1. */
  unified(): string | undefined {
    return this.facts.unified === undefined ? undefined : this.below(this.facts.unified.mountPoint);
  }

  read(file: string): string {
    const path = this.directory(file.slice(0, file.indexOf('.')));
    return path === undefined ? '' : (this.file(`${path}/${file}`) ?? '').trim();
  }

  private below(mountPoint: string): string | undefined {
    return this.directories.find((path) => path.startsWith(`${mountPoint}/`));
  }
}

/**
 * The operations that give a container's cgroups new values. Pointers are into `resources`. What is not given stays.
 * Throws what `cgroupOps` throws.
 */
export function updateOps(live: LiveCgroups, resources: Resources): Op[] {
  const { facts } = live;
  if (facts.layout === 'v2') return updateV2(live, resources);
  const [inV1, inUnified] = split(facts, resources);
  const ops = v1Settings(inV1, '', live).map((s) => {
    const there = facts.v1.some((h) => h.controllers.includes(s.controller));
    if (!there) throw noController(s, facts);
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
    if (!facts.v1.some((h) => h.controllers.includes('devices'))) throw noController(missing, facts);
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
    if (s.controller !== 'cgroup' && !available.includes(s.controller)) throw noController(s, facts);
  const path = live.unified();
  const ops: Op[] = [];
  if (settings.length > 0) {
    const required = available.filter((c) => settings.some((s) => s.controller === c));
    const directory = path ?? refuse(settings[0]!);
    // As at create: they are there already, unless somebody has taken them away.
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
  throw notDelegated(setting, setting.file);
}

/**
 * v1: what differs between the list that is wanted and the text of devices.list, so that a running container loses at no
 * moment what it keeps. Between "all" and "none by default" there is no such way: the list is written anew.
 */
export function deviceChanges(path: string, wanted: DeviceList, current: string): Op[] {
  const write = (file: 'allow' | 'deny', value: string, at: string): Op => ({
    op: 'cgroupWrite',
    at,
    path: `${path}/devices.${file}`,
    value,
  });
  const lines = current.split('\n').filter((line) => line !== '');
  const allowsAll = lines.some((line) => line.startsWith('a '));
  const exceptions = wanted.exceptions.map((e) => [exceptionText(e), e.at] as const);
  if (wanted.allow || allowsAll) {
    const [all, each] = wanted.allow ? (['allow', 'deny'] as const) : (['deny', 'allow'] as const);
    return [write(all, 'a', wanted.at), ...exceptions.map(([text, at]) => write(each, text, at))];
  }
  const held = new Map(lines.map(splitLine));
  const kept = new Map(exceptions.map(([text]) => splitLine(text)));
  const missing = (from: string | undefined, letters: string) =>
    [...letters].filter((l) => !from?.includes(l)).join('');
  const ops: Op[] = [];
  for (const [text, at] of exceptions) {
    const [device, access] = splitLine(text);
    const more = missing(held.get(device), access);
    if (more) ops.push(write('allow', `${device} ${more}`, at));
  }
  for (const [device, access] of held) {
    const less = missing(kept.get(device), access);
    if (less) ops.push(write('deny', `${device} ${less}`, wanted.at || '/devices'));
  }
  return ops;
}

/** `c 1:3 rwm` as `c 1:3` and `rwm`. */
function splitLine(line: string): [device: string, access: string] {
  const space = line.lastIndexOf(' ');
  return [line.slice(0, space), line.slice(space + 1)];
}
