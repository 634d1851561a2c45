/** `linux.resources.devices` as operations: writes of v1, a filter of v2, and what `update` changes of a list. */
import { type DeviceList, type DeviceOrder, exceptionText } from '../../cgroup/devices/device-list.js';
import type { Op } from '../plan-ops.js';

/** The list as writes to devices.allow and devices.deny of a v1 cgroup. */
export function v1DeviceOps(path: string, list: DeviceList): Op[] {
  const file = (allow: boolean) => `${path}/devices.${allow ? 'allow' : 'deny'}`;
  return [
    { op: 'cgroupWrite', at: list.at, path: file(list.allow), value: 'a' },
    ...list.exceptions.map(
      (e): Op => ({ op: 'cgroupWrite', at: e.at, path: file(!list.allow), value: exceptionText(e) }),
    ),
  ];
}

/** v2 has no such files: the list becomes a BPF program, attached to the cgroup. `at` is the pointer of the config's list. */
export function v2DeviceOps(path: string, list: DeviceList | DeviceOrder, at: string): Op[] {
  const exceptions =
    'ordered' in list
      ? list.ordered.map((rule) => `${rule.allow ? 'allow' : 'deny'} ${exceptionText(rule)}`)
      : list.exceptions.map(exceptionText);
  return [{ op: 'cgroupDevices', at, path, allow: list.allow, exceptions }];
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
