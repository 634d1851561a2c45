/** `linux.resources.devices` as operations: writes on v1, a filter on v2, and the changes of an `update`. */
import type { DeviceFilter, FilterRule } from '../../cgroup/devices/device-filter.js';
import {
  type DeviceException,
  type DeviceList,
  type DeviceOrder,
  deviceText,
  exceptionText,
  rulePointer,
} from '../../cgroup/devices/device-list.js';
import type { OpEntry, OpMakers } from '../op-list.js';
import type { Op } from '../plan-ops.js';

/** The list as writes to devices.allow and devices.deny of a v1 cgroup. */
export function v1DeviceOps(path: string, list: DeviceList, makers: OpMakers | undefined): OpEntry[] {
  const { exceptions } = list;
  const file = `${path}/devices.${list.allow ? 'deny' : 'allow'}`;
  const op = (i: number): Op => {
    const e = exceptions.at(i);
    return { op: 'cgroupWrite', at: rulePointer(list.list, e), path: file, value: exceptionText(e) };
  };
  const first = makers?.add({ by: 'runtime', op }, exceptions.length);
  const entries: OpEntry[] = [
    { op: 'cgroupWrite', at: list.at, path: `${path}/devices.${list.allow ? 'allow' : 'deny'}`, value: 'a' },
  ];
  for (let i = 0; i < exceptions.length; i++) entries.push(first === undefined ? op(i) : first + i);
  return entries;
}

/**
 * v2 has no such files: the list becomes a BPF program that is attached to the cgroup. `at` points to the config's
 * list.
 */
export function v2DeviceOps(path: string, list: DeviceList | DeviceOrder, at: string): Op[] {
  const { allow } = list;
  const filter: DeviceFilter =
    'ordered' in list
      ? { allow, ordered: list.ordered.map((rule) => ({ allow: rule.allow, ...ruleOf(rule) })) }
      : { allow, exceptions: list.exceptions.map(ruleOf) };
  return [{ op: 'cgroupDevices', at, path, filter }];
}

/** Without the pointer, and without numbers that mean any. */
const ruleOf = ({ type, major, minor, access }: DeviceException): FilterRule => ({
  type,
  ...(major >= 0 && { major }),
  ...(minor >= 0 && { minor }),
  access,
});

/**
 * v1: the differences between the new list and the text of devices.list, so that a running container never loses access
 * that it keeps. Between "allow all" and "deny all" there are no such steps: the list is written anew.
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
  if (wanted.allow || allowsAll) {
    const [all, each] = wanted.allow ? (['allow', 'deny'] as const) : (['deny', 'allow'] as const);
    return [
      write(all, 'a', wanted.at),
      ...wanted.exceptions.map((e) => write(each, exceptionText(e), rulePointer(wanted.list, e))),
    ];
  }
  const currentAccess = new Map(lines.map(splitLine));
  const wantedAccess = new Map(wanted.exceptions.map((e) => [deviceText(e), e.access]));
  const missing = (from: string | undefined, letters: string) =>
    [...letters].filter((l) => !from?.includes(l)).join('');
  const ops: Op[] = [];
  for (const e of wanted.exceptions) {
    const access = missing(currentAccess.get(deviceText(e)), e.access);
    if (access) ops.push(write('allow', exceptionText({ ...e, access }), rulePointer(wanted.list, e)));
  }
  for (const [device, access] of currentAccess) {
    const less = missing(wantedAccess.get(device), access);
    if (less) ops.push(write('deny', `${device} ${less}`, wanted.at || '/devices'));
  }
  return ops;
}

/** A line of devices.list, `c 1:3 rwm`, as `c 1:3` and `rwm`. */
function splitLine(line: string): [device: string, access: string] {
  const space = line.lastIndexOf(' ');
  return [line.slice(0, space), line.slice(space + 1)];
}
