/** `linux.resources.devices`: one list of device rules that both v1 and v2 can hold. */
import type { Device, DeviceRule, Int } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import { unsupportedError, valueError } from '../settings/setting.js';

/**
 * Allowed in every container, after the config's own rules, as in runc. `path` is the node's path, at which a config
 * can have a device of its own. net/tun: runc 1.2.0 removed it, programs missed it, 1.2.4 restored it.
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

/** Access that differs from the default: allowed if the default denies, denied if it allows. */
export interface DeviceException {
  readonly type: 'b' | 'c';
  /** -1 means any. */
  readonly major: number;
  readonly minor: number;
  /** Some of `rwm`, in this order. */
  readonly access: string;
  /** The index of the config's rule; -1 for a default rule. A pointer for each of thousands would be longer. */
  readonly rule: number;
}

/** The result of the rules, applied in order. Exceptions do not depend on their order. */
export interface DeviceList {
  readonly allow: boolean;
  /** Pointer of the rule that set the default; '' if none did. */
  readonly at: string;
  /** Pointer of the config's list. */
  readonly list: string;
  readonly exceptions: DeviceExceptions;
}

/**
 * A list of exceptions. Nearly all are rules of the config as they are written: these are numbers, their indices, and
 * made when they are read.
 */
class DeviceExceptions implements Iterable<DeviceException> {
  constructor(
    private readonly rules: readonly DeviceRule[],
    private readonly entries: readonly (number | DeviceException)[],
  ) {}

  get length(): number {
    return this.entries.length;
  }

  at(i: number): DeviceException {
    return exceptionOf(this.entries[i] as number | DeviceException, this.rules);
  }

  map<T>(f: (exception: DeviceException, index: number) => T): T[] {
    return this.entries.map((entry, i) => f(exceptionOf(entry, this.rules), i));
  }

  *[Symbol.iterator](): Generator<DeviceException, undefined> {
    for (const entry of this.entries) yield exceptionOf(entry, this.rules);
  }
}

/** Rules in the config's order: the last one that matches decides about each kind of access. */
export interface DeviceOrder {
  /** The default. */
  readonly allow: boolean;
  readonly at: string;
  readonly ordered: readonly (DeviceException & { readonly allow: boolean })[];
}

/**
 * Applies the config's rules, then the defaults, to "deny all"; the last rule that matches wins. `at` is the pointer of
 * the list. `configured` is `linux.devices`: a node at the path of a default device removes that default rule.
 * @throws RuntError ERR_UNSUPPORTED for a rule that would carve a part out of a wider exception: v1 cannot hold that
 * (kernel: admin-guide/cgroup-v1/devices; runc refuses it too); ERR_SPEC_VALUE for an invalid access
 */
export function deviceList(
  rules: readonly DeviceRule[] | undefined,
  at: string,
  configured: readonly Device[],
): DeviceList {
  const state = initialState(rules, at);
  eachRule(rules, configured, (rule, index) => {
    for (const part of exceptionsOf(state, rule, index)) {
      if (rule.allow === state.allow) removeException(state, part, rule);
      else addException(state, part);
    }
  });
  return {
    allow: state.allow,
    at: state.at,
    list: at,
    exceptions: new DeviceExceptions(state.rules, [...state.exceptions.values()]),
  };
}

/**
 * The same for v2, whose filter can hold rules in any order. Returns a list if v1 could hold it too, so that both
 * versions behave alike; else the rules in order. @throws RuntError ERR_SPEC_VALUE
 */
export function v2DeviceList(
  rules: readonly DeviceRule[] | undefined,
  at: string,
  configured: readonly Device[],
): DeviceList | DeviceOrder {
  try {
    return deviceList(rules, at, configured);
  } catch (error) {
    if (!(error instanceof RuntError && error.code === 'ERR_UNSUPPORTED')) throw error;
  }
  const state = initialState(rules, at);
  const ordered: (DeviceException & { allow: boolean })[] = [];
  eachRule(rules, configured, (rule, index) => {
    const found = exceptionsOf(state, rule, index);
    if (found.length === 0) ordered.length = 0;
    for (const part of found) ordered.push({ ...part, allow: rule.allow });
  });
  return { allow: state.allow, at: state.at, ordered };
}

/** Visits the config's rules, then the default rules that `configured` does not remove; each with its index. */
function eachRule(
  rules: readonly DeviceRule[] | undefined,
  configured: readonly Device[],
  visit: (rule: DeviceRule, index: number) => void,
): void {
  rules?.forEach(visit);
  for (const [path, type, major, minor, access] of defaults) {
    if (path && configured.some((d) => d.path === path)) continue;
    visit({ allow: true, type, major, minor, access }, -1);
  }
}

interface DeviceState {
  allow: boolean;
  at: string;
  /** Pointer of the config's list. */
  readonly list: string;
  readonly rules: readonly DeviceRule[];
  /**
   * By type and numbers, in order of insertion: a list would need a search for each rule. A number is the index of the
   * rule that is one.
   */
  exceptions: Map<DeviceKey, number | DeviceException>;
}

const initialState = (rules: readonly DeviceRule[] = [], list: string): DeviceState => ({
  allow: false,
  at: '',
  list,
  rules,
  exceptions: new Map(),
});

/** A number where it is exact, as for all devices of Linux (12 bits and 20 bits): a text takes a block of its own. */
type DeviceKey = number | string;

const keyOf = (type: 'b' | 'c', major: number, minor: number): DeviceKey =>
  major < 0xfff && minor < 0xfffff
    ? ((major + 1) * 0x100000 + minor + 1) * 2 + (type === 'b' ? 1 : 0)
    : `${type} ${major}:${minor}`;

/** JSON pointer of the rule of an exception; '' for a default rule. */
export const rulePointer = (list: string, { rule }: DeviceException): string => (rule < 0 ? '' : `${list}/${rule}`);

/** A rule as one exception for each type; empty for a rule on all devices, which sets the default. */
function exceptionsOf(state: DeviceState, rule: DeviceRule, index: number): DeviceException[] {
  const { type } = rule;
  if (type !== undefined && type !== 'a') return [ruleException(rule, index, state.list)];
  const access = accessOf(rule, state.list, index);
  const major = numberOf(rule.major, state.list, index, 'major');
  const minor = numberOf(rule.minor, state.list, index, 'minor');
  if (major < 0 && minor < 0 && access === 'rwm') {
    state.allow = rule.allow;
    state.at = `${state.list}/${index}`;
    state.exceptions = new Map();
    return [];
  }
  // v1 reads "a" as all devices and ignores the numbers: a rule on both types becomes two rules.
  return (['c', 'b'] as const).map((each) => ({ type: each, major, minor, access, rule: index }));
}

/** The exception that an entry is: of a rule on one type of device, the only one. */
const exceptionOf = (entry: number | DeviceException, rules: readonly DeviceRule[]): DeviceException =>
  typeof entry === 'number' ? ruleException(rules[entry] as DeviceRule, entry, '') : entry;

/** `list`: the pointer of the config's list. */
const ruleException = (rule: DeviceRule, index: number, list: string): DeviceException => ({
  type: rule.type as 'c' | 'b',
  major: numberOf(rule.major, list, index, 'major'),
  minor: numberOf(rule.minor, list, index, 'minor'),
  access: accessOf(rule, list, index),
  rule: index,
});

function addException(state: DeviceState, e: DeviceException): void {
  const key = keyOf(e.type, e.major, e.minor);
  const entry = state.exceptions.get(key);
  if (entry === undefined) {
    state.exceptions.set(key, state.rules[e.rule]?.type === e.type ? e.rule : e);
    return;
  }
  const there = exceptionOf(entry, state.rules);
  const access = accessWhere((l) => e.access.includes(l) || hasAccess(there, l));
  state.exceptions.set(key, { ...e, access });
}

/** Removes the access of a rule that agrees with the default from the exceptions that it covers. */
function removeException(state: DeviceState, e: DeviceException, rule: DeviceRule): void {
  for (const [key, x] of overlappingExceptions(state, e)) {
    if (!accessWhere((l) => e.access.includes(l) && hasAccess(x, l))) continue;
    if (!covers(e.major, x.major) || !covers(e.minor, x.minor)) {
      const verb = rule.allow ? 'allow' : 'deny';
      throw unsupportedError(
        // A default rule has no pointer into the config: name the rule that it collides with.
        rulePointer(state.list, e.rule < 0 ? x : e),
        e.rule < 0 ? undefined : rule,
        `cannot ${verb} device ${exceptionText(e)}, because the earlier rule ${exceptionText(x)}${x.rule >= 0 ? ` (${rulePointer(state.list, x)})` : ''} overlaps it: put the wider rule last, or name the devices one by one`,
      );
    }
    const access = accessWhere((l) => hasAccess(x, l) && !e.access.includes(l));
    if (access) state.exceptions.set(key, { ...x, access });
    else state.exceptions.delete(key);
  }
}

/** The exceptions that share a device with `e`. */
function overlappingExceptions(
  { exceptions, rules }: DeviceState,
  { type, major, minor }: DeviceException,
): [DeviceKey, DeviceException][] {
  if (major < 0 || minor < 0) {
    const found: [DeviceKey, DeviceException][] = [];
    for (const [key, entry] of exceptions) {
      const x = exceptionOf(entry, rules);
      if (x.type === type && overlaps(x.major, major) && overlaps(x.minor, minor)) found.push([key, x]);
    }
    return found;
  }
  const keys = [keyOf(type, major, minor), keyOf(type, major, -1), keyOf(type, -1, minor), keyOf(type, -1, -1)];
  return keys.flatMap((key): [DeviceKey, DeviceException][] => {
    const entry = exceptions.get(key);
    return entry === undefined ? [] : [[key, exceptionOf(entry, rules)]];
  });
}

const overlaps = (a: number, b: number): boolean => a < 0 || b < 0 || a === b;
const covers = (a: number, b: number): boolean => a < 0 || a === b;
const numberOrStar = (n: number): string => (n < 0 ? '*' : String(n));
const hasAccess = (e: DeviceException | undefined, letter: string): boolean => e?.access.includes(letter) ?? false;
const accessWhere = (keep: (letter: string) => boolean): string =>
  (keep('r') ? 'r' : '') + (keep('w') ? 'w' : '') + (keep('m') ? 'm' : '');
/** All of them, with their letters in this order. */
const accesses: ReadonlySet<string> = new Set(['rwm', 'rw', 'rm', 'wm', 'r', 'w', 'm']);

/** A device number; -1 for any. The kernel's fields have 32 bits. */
function numberOf(value: Int | undefined, list: string, index: number, name: 'major' | 'minor'): number {
  if (value === undefined || value === null || value < 0) return -1;
  if (value > 0xffffffff) throw valueError(`${list}/${index}/${name}`, value, 'a device number has at most 32 bits');
  return Number(value);
}

/** A rule that denies without an access denies all access; one that allows must name the access, as rules check. */
function accessOf({ allow, access }: DeviceRule, list: string, index: number): string {
  if (allow && !access) throw valueError(`${list}/${index}/access`, access, 'a rule that allows must name the access');
  if (!access) return 'rwm';
  if (accesses.has(access)) return access;
  const known = accessWhere((l) => access.includes(l));
  if (known === '' || (!allow && /[^rwm]/.test(access)))
    throw valueError(`${list}/${index}/access`, access, 'the access of a device rule is made of r, w and m');
  return known;
}

/** An exception as v1 writes it. */
export const exceptionText = (e: DeviceException): string => `${deviceText(e)} ${e.access}`;

/** Its devices: `c 1:3`, `b *:*`. */
export const deviceText = (e: DeviceException): string => `${e.type} ${numberOrStar(e.major)}:${numberOrStar(e.minor)}`;
