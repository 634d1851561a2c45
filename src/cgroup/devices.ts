/** `linux.resources.devices`: which device nodes may be made and opened, as one list that v1 and v2 can both hold. */
import type { Op } from '../plan/ops.js';
import type { Device, DeviceRule, Int } from '../spec/types.js';
import { badValue, unsupported } from './setting.js';

/**
 * Allowed in every container, after the config's own rules, as runc does: path of the node (where a config can have
 * another one in its place), the rule. net/tun: runc 1.2.0 took it away, programs missed it, 1.2.4 gave it back.
 */
const defaults: readonly (readonly [path: string, type: 'b' | 'c', major: number, minor: number, access: string])[] = [
  ['', 'c', -1, -1, 'm'],
  ['', 'b', -1, -1, 'm'],
  ['/dev/null', 'c', 1, 3, 'rwm'],
  ['/dev/random', 'c', 1, 8, 'rwm'],
  ['/dev/full', 'c', 1, 7, 'rwm'],
  ['/dev/tty', 'c', 5, 0, 'rwm'],
  ['/dev/zero', 'c', 1, 5, 'rwm'],
  ['/dev/urandom', 'c', 1, 9, 'rwm'],
  ['', 'c', 136, -1, 'rwm'],
  ['', 'c', 5, 2, 'rwm'],
  ['', 'c', 10, 200, 'rwm'],
];

/** What differs from the default: always allowed where the default denies, denied where it allows. */
export interface DeviceException {
  readonly type: 'b' | 'c';
  /** -1: any. */
  readonly major: number;
  readonly minor: number;
  /** Some of `rwm`, in this order. */
  readonly access: string;
  readonly at: string;
}

/** The state that the rules, applied in order, lead to. Exceptions do not depend on their order. */
export interface DeviceList {
  readonly allow: boolean;
  /** Pointer of the rule that set the default; '' when none did. */
  readonly at: string;
  readonly exceptions: readonly DeviceException[];
}

/**
 * Applies the config's rules, then the defaults, to "deny all"; the last rule that matches wins. `at` is the pointer of the list,
 * `configured` is `linux.devices`: a node of the config in the place of a default one takes the default's rule away.
 * Throws ERR_UNSUPPORTED for a rule that would take a part out of a wider exception: v1 cannot hold that
 * (kernel: admin-guide/cgroup-v1/devices; runc refuses it too), ERR_CGROUP_VALUE for an access that is none.
 */
export function deviceList(
  rules: readonly DeviceRule[] | undefined,
  at: string,
  configured: readonly Device[],
): DeviceList {
  const state: DeviceState = { allow: false, at: '', exceptions: [] };
  rules?.forEach((rule, i) => {
    apply(state, rule, `${at}/${i}`);
  });
  for (const [path, type, major, minor, access] of defaults) {
    if (path && configured.some((d) => d.path === path)) continue;
    apply(state, { allow: true, type, major, minor, access }, '');
  }
  return state;
}

interface DeviceState {
  allow: boolean;
  at: string;
  exceptions: DeviceException[];
}

function apply(state: DeviceState, rule: DeviceRule, at: string): void {
  const access = accessOf(rule.access, at);
  const major = numberOf(rule.major, `${at}/major`);
  const minor = numberOf(rule.minor, `${at}/minor`);
  const any = rule.type === undefined || rule.type === 'a';
  if (any && major < 0 && minor < 0 && access === 'rwm') {
    state.allow = rule.allow;
    state.at = at;
    state.exceptions = [];
    return;
  }
  // v1 takes "a" for all devices whatever the numbers say: a rule on both types is two rules.
  for (const type of any ? (['c', 'b'] as const) : [rule.type as 'c' | 'b']) {
    const part: DeviceException = { type, major, minor, access, at };
    if (rule.allow === state.allow) removeException(state, part, rule);
    else addException(state, part);
  }
}

function addException(state: DeviceState, e: DeviceException): void {
  const i = state.exceptions.findIndex((x) => x.type === e.type && x.major === e.major && x.minor === e.minor);
  if (i < 0) state.exceptions.push(e);
  else state.exceptions[i] = { ...e, access: letters((l) => e.access.includes(l) || has(state.exceptions[i], l)) };
}

/** A rule that agrees with the default takes its access away from the exceptions that it covers. */
function removeException(state: DeviceState, e: DeviceException, rule: DeviceRule): void {
  state.exceptions = state.exceptions.flatMap((x) => {
    const meets = x.type === e.type && touches(x.major, e.major) && touches(x.minor, e.minor);
    if (!meets || !letters((l) => e.access.includes(l) && has(x, l))) return [x];
    if (!covers(e.major, x.major) || !covers(e.minor, x.minor)) {
      const verb = rule.allow ? 'allow' : 'deny';
      throw unsupported(
        // A default rule has no place in the config: the rule that it collides with has.
        e.at || x.at,
        e.at ? rule : undefined,
        `cannot ${verb} device ${exceptionText(e)} out of the wider rule ${exceptionText(x)}${x.at ? ` (${x.at})` : ''}: put the wider rule last, or name the devices one by one`,
      );
    }
    const access = letters((l) => has(x, l) && !e.access.includes(l));
    return access ? [{ ...x, access }] : [];
  });
}

const touches = (a: number, b: number): boolean => a < 0 || b < 0 || a === b;
const covers = (a: number, b: number): boolean => a < 0 || a === b;
const star = (n: number): string => (n < 0 ? '*' : String(n));
const has = (e: DeviceException | undefined, letter: string): boolean => e?.access.includes(letter) ?? false;
const letters = (keep: (letter: string) => boolean): string => ['r', 'w', 'm'].filter(keep).join('');

/** A device number; -1 for any. The kernel's fields have 32 bits. */
function numberOf(value: Int | undefined, at: string): number {
  if (value === undefined || value === null || value < 0) return -1;
  if (value > 0xffffffff) throw badValue(at, value, 'a device number has at most 32 bits');
  return Number(value);
}

function accessOf(access: string | undefined, at: string): string {
  if (!access || access === 'rwm') return 'rwm';
  for (const letter of access) {
    if (!'rwm'.includes(letter)) throw badValue(`${at}/access`, access, `"${letter}" is not one of r, w and m`);
  }
  return letters((l) => access.includes(l));
}

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
export function v2DeviceOps(path: string, list: DeviceList, at: string): Op[] {
  return [{ op: 'cgroupDevices', at, path, allow: list.allow ? 1 : 0, exceptions: list.exceptions.map(exceptionText) }];
}

/** An exception as v1 writes it. */
export function exceptionText(e: DeviceException): string {
  return `${e.type} ${star(e.major)}:${star(e.minor)} ${e.access}`;
}
