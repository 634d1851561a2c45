/** Settings of cgroup v2 as properties of a unit (systemd.resource-control(5)), so that systemd keeps them. */
import type { DeviceList, DeviceOrder } from '../devices/device-list.js';
import type { Setting } from '../settings/setting.js';
import type { Value, Variant } from './variant.js';

/** A unit property, with the type that systemd expects (org.freedesktop.systemd1(5)). */
export interface Property extends Variant {
  readonly name: string;
}

export const property = (name: string, signature: string, value: Value): Property => ({ name, signature, value });

const uint64 = (name: string, value: bigint): Property => property(name, 't', value);
const string = (name: string, value: string): Property => property(name, 's', value);

const NONE = (1n << 64n) - 1n;

/** Files whose value is a number or "max", and their properties. */
const amountProperties: { readonly [file: string]: string } = {
  'memory.max': 'MemoryMax',
  'memory.low': 'MemoryLow',
  'memory.min': 'MemoryMin',
  'memory.high': 'MemoryHigh',
  'memory.swap.max': 'MemorySwapMax',
  'memory.zswap.max': 'MemoryZSwapMax',
  'cpu.weight': 'CPUWeight',
  'pids.max': 'TasksMax',
};
/** Properties that only newer versions of systemd have: the first such version. */
export const firstVersions: { readonly [property: string]: number } = {
  OOMPolicy: 253,
  MemoryZSwapMax: 253,
  MemoryZSwapWriteback: 256,
};
const maskProperties: { readonly [file: string]: string } = {
  'cpuset.cpus': 'AllowedCPUs',
  'cpuset.mems': 'AllowedMemoryNodes',
};

/**
 * The properties equivalent to the settings; a later setting overrides. Settings without an exact property are only
 * written to the files.
 * @param version systemd's: the steps of a CPU quota depend on it
 */
export function resourceProperties(settings: readonly Setting[], version = 0): Property[] {
  const found = new Map<string, Property>();
  for (const s of settings) {
    // No longer idle: the kernel resets it to the default weight, unless the settings have a weight too.
    if (s.file === 'cpu.idle' && s.value.trim() === '0' && !found.has('CPUWeight'))
      found.set('CPUWeight', uint64('CPUWeight', 100n));
    for (const p of propertiesOf(s, version)) found.set(p.name, p);
  }
  return [...found.values()];
}

/**
 * Whether this version of systemd changes one of the files at a daemon-reload: it rounds a CPU quota, and before 253 it
 * has no OOM policy for scopes and writes 0 to memory.oom.group.
 */
export function changesOnReload(settings: readonly Setting[], version = 0): boolean {
  const last = new Map(settings.map(({ file, value }) => [file, value]));
  if (last.get('memory.oom.group')?.trim() === '1' && version < firstVersions.OOMPolicy!) return true;
  const { quota, period, perSecond } = cpuQuota(last.get('cpu.max') ?? 'max', version) ?? {};
  return quota !== undefined && quota !== NONE && (perSecond! * period!) / SECOND !== quota;
}

function propertiesOf({ file, value, others }: Setting, version: number): Property[] {
  const text = value.trim();
  const amount = amountProperties[file];
  if (amount !== undefined) {
    const number = amountOf(text);
    // systemd refuses 0, which is written to the file: the unit gets the next value, which allows no fork either.
    if (amount === 'TasksMax' && number === 0n) return [uint64(amount, 1n)];
    return number === undefined ? [] : [uint64(amount, number)];
  }
  const maskProperty = maskProperties[file];
  if (maskProperty !== undefined) {
    const mask = bitmask(value);
    return mask === undefined ? [] : [property(maskProperty, 'ay', mask)];
  }
  if (file === 'cpu.max') {
    const max = cpuQuota(value, version);
    if (!max) return [];
    return [uint64('CPUQuotaPerSecUSec', max.perSecond), uint64('CPUQuotaPeriodUSec', max.period)];
  }
  // systemd writes 0 for any other policy.
  if (file === 'memory.oom.group') return text === '1' ? [string('OOMPolicy', 'kill')] : [];
  if (file === 'memory.zswap.writeback')
    return text === '0' || text === '1' ? [property('MemoryZSwapWriteback', 'b', text === '1')] : [];
  // systemd (252) expresses an idle group as weight 0.
  if (file === 'cpu.idle' && text === '1') return [uint64('CPUWeight', 0n)];
  const weight = file === 'io.weight' ? value : others?.find((o) => o.file === 'io.weight')?.value;
  const number = /^(?:default )?(\d+)$/.exec(weight?.trim() ?? '')?.[1];
  return number === undefined ? [] : [uint64('IOWeight', BigInt(number))];
}

function amountOf(text: string): bigint | undefined {
  if (text === 'max') return NONE;
  return /^\d{1,19}$/.test(text) ? BigInt(text) : undefined;
}

/** µs. */
const SECOND = 1_000_000n;

/**
 * `QUOTA PERIOD` in µs. systemd has a quota per second. It writes `CPUQuota=` in steps of 0.01 % since 257 and in whole
 * percents before, both truncated; so round up to such a step, as runc does.
 */
function cpuQuota(
  value: string,
  version: number,
): { readonly quota: bigint; readonly period: bigint; readonly perSecond: bigint } | undefined {
  const [quota = '', period = '100000'] = value.trim().split(/\s+/);
  if (!/^(max|\d{1,16})$/.test(quota) || !/^[1-9]\d{0,15}$/.test(period)) return undefined;
  if (quota === 'max') return { quota: NONE, period: BigInt(period), perSecond: NONE };
  const step = version >= 257 ? 100n : 10_000n;
  const unit = step * BigInt(period);
  const steps = (BigInt(quota) * SECOND + unit - 1n) / unit;
  return { quota: BigInt(quota), period: BigInt(period), perSecond: steps * step };
}

/** `0-2,5` as a bit mask in bytes, the lowest first. */
function bitmask(list: string): bigint[] | undefined {
  const bytes: number[] = [];
  for (const part of list.trim().split(',')) {
    const [, first, last] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim()) ?? [];
    if (first === undefined) return undefined;
    for (let n = Number(first); n <= Number(last ?? first); n++) {
      while (bytes.length <= n >> 3) bytes.push(0);
      bytes[n >> 3]! |= 1 << (n & 7);
    }
  }
  return bytes.map(BigInt);
}

/**
 * The device list as systemd's own. systemd can only allow: all devices of a type, those of a major number, or one. For
 * any other list use `auto` with nothing allowed, which restricts nothing: runt's own filter is always attached.
 */
export function deviceProperties(list: DeviceList | DeviceOrder): Property[] {
  const allowed = (entries: Value): Property => property('DeviceAllow', 'a(ss)', entries);
  const clear = allowed([]);
  const open = [string('DevicePolicy', 'auto'), clear];
  if ('ordered' in list) return open;
  const specifiers = list.exceptions.map(({ type, major, minor }) => {
    const long = type === 'c' ? 'char' : 'block';
    if (major < 0) return minor < 0 ? `${long}-*` : undefined;
    return minor < 0 ? `${long}-${major}` : `/dev/${long}/${major}:${minor}`;
  });
  if (list.allow || specifiers.includes(undefined)) return open;
  const entries = list.exceptions.map((e, i) => [specifiers[i]!, e.access]);
  return [string('DevicePolicy', 'strict'), clear, allowed(entries)];
}
