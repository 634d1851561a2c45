/** Values for cgroup v2 as properties of a unit (systemd.resource-control(5)), so that systemd keeps them; as GVariant text. */
import type { DeviceList, DeviceOrder } from '../devices.js';
import type { Setting } from '../setting.js';

/** `NAME=VALUE`. */
export type Property = string;

/** Its NAME. */
export const nameOf = (p: Property): string => p.slice(0, p.indexOf('='));

const NONE = (1n << 64n) - 1n;

/** Files whose value is a number or "max", and the property for it. */
const amounts: { readonly [file: string]: string } = {
  'memory.max': 'MemoryMax',
  'memory.low': 'MemoryLow',
  'memory.min': 'MemoryMin',
  'memory.high': 'MemoryHigh',
  'memory.swap.max': 'MemorySwapMax',
  'memory.zswap.max': 'MemoryZSwapMax',
  'cpu.weight': 'CPUWeight',
  'pids.max': 'TasksMax',
};
/** Files that newer systemds write as well, and undo what they were not told: the version from which on. */
export const since: { readonly [property: string]: number } = {
  OOMPolicy: 253,
  MemoryZSwapMax: 253,
  MemoryZSwapWriteback: 256,
};
const sets: { readonly [file: string]: string } = { 'cpuset.cpus': 'AllowedCPUs', 'cpuset.mems': 'AllowedMemoryNodes' };

/**
 * The properties that say what the settings say; a later setting overrides. What systemd has no property for, or not as exact, is
 * left to the files.
 */
export function resourceProperties(settings: readonly Setting[]): Property[] {
  const found = new Map<string, string>();
  for (const s of settings) {
    // Not idle any more: the kernel gives it the default weight, but for one that is given too.
    if (s.file === 'cpu.idle' && s.value.trim() === '0' && !found.has('CPUWeight'))
      found.set('CPUWeight', 'uint64 100');
    for (const [name, value] of ofSetting(s)) found.set(name, value);
  }
  return [...found].map(([name, value]) => `${name}=${value}`);
}

function ofSetting({ file, value, others }: Setting): (readonly [string, string])[] {
  const text = value.trim();
  const amount = amounts[file];
  if (amount !== undefined) {
    const number = uint64(text);
    return number === undefined ? [] : [[amount, number]];
  }
  const set = sets[file];
  if (set !== undefined) {
    const mask = bitmask(value);
    return mask === undefined ? [] : [[set, mask]];
  }
  if (file === 'cpu.max') return cpuMax(value);
  // systemd writes 0 for every other policy.
  if (file === 'memory.oom.group') return text === '1' ? [['OOMPolicy', "'kill'"]] : [];
  if (file === 'memory.zswap.writeback')
    return text === '0' || text === '1' ? [['MemoryZSwapWriteback', String(text === '1')]] : [];
  // An idle group has, for systemd (252), the weight 0.
  if (file === 'cpu.idle' && text === '1') return [['CPUWeight', 'uint64 0']];
  const weight = file === 'io.weight' ? value : others?.find((o) => o.file === 'io.weight')?.value;
  const number = /^(?:default )?(\d+)$/.exec(weight?.trim() ?? '')?.[1];
  return number === undefined ? [] : [['IOWeight', `uint64 ${number}`]];
}

function uint64(text: string): string | undefined {
  if (text === 'max') return `uint64 ${NONE}`;
  return /^\d{1,19}$/.test(text) ? `uint64 ${text}` : undefined;
}

/** `QUOTA PERIOD` in µs. systemd takes the time for each second, and writes it down in whole percents: rounded up, as runc does. */
function cpuMax(value: string): (readonly [string, string])[] {
  const [quota = '', period = '100000'] = value.trim().split(/\s+/);
  if (!/^(max|\d{1,16})$/.test(quota) || !/^[1-9]\d{0,15}$/.test(period)) return [];
  const each = 10_000n;
  const perSecond = quota === 'max' ? NONE : (BigInt(quota) * 1_000_000n) / BigInt(period);
  const rounded = quota === 'max' ? NONE : ((perSecond + each - 1n) / each) * each;
  return [
    ['CPUQuotaPerSecUSec', `uint64 ${rounded}`],
    ['CPUQuotaPeriodUSec', `uint64 ${period}`],
  ];
}

/** `0-2,5` as bytes, the lowest first. */
function bitmask(list: string): string | undefined {
  const bytes: number[] = [];
  for (const part of list.trim().split(',')) {
    const [, first, last] = /^(\d{1,4})(?:-(\d{1,4}))?$/.exec(part.trim()) ?? [];
    if (first === undefined) return undefined;
    for (let n = Number(first); n <= Number(last ?? first); n++) {
      while (bytes.length <= n >> 3) bytes.push(0);
      bytes[n >> 3]! |= 1 << (n & 7);
    }
  }
  return `[${bytes.map((b) => `byte ${b}`).join(', ')}]`;
}

/**
 * The device list as systemd's own. It knows lists of what is allowed, and of a type all devices, those of one major number, or one:
 * any other list is left to runt's filter alone, which is there always (`auto` with nothing allowed restricts nothing).
 */
export function deviceProperties(list: DeviceList | DeviceOrder): Property[] {
  const clear = 'DeviceAllow=@a(ss) []';
  if ('ordered' in list) return ["DevicePolicy='auto'", clear];
  const specifiers = list.exceptions.map(({ type, major, minor }) => {
    const long = type === 'c' ? 'char' : 'block';
    if (major < 0) return minor < 0 ? `${long}-*` : undefined;
    return minor < 0 ? `${long}-${major}` : `/dev/${long}/${major}:${minor}`;
  });
  if (list.allow || specifiers.includes(undefined)) return ["DevicePolicy='auto'", clear];
  const entries = list.exceptions.map((e, i) => `('${specifiers[i]}', '${e.access}')`);
  return ["DevicePolicy='strict'", clear, `DeviceAllow=[${entries.join(', ')}]`];
}
