/** `linux.resources`, whose values are v1's, as files of cgroup v2 (kernel: admin-guide/cgroup-v2). */

import type { Cpu, Int, Memory, Resources } from '../../spec/config-types.js';
import { append } from '../../sys/append.js';
import { v2BlockIo } from './block-io-settings.js';
import {
  checkUsage,
  isSet,
  type LiveCgroup,
  pointerBelow,
  type Setting,
  settingOf,
  unsupportedError,
  valueError,
} from './setting.js';
import { hugepageSettings, pidsSetting, rdmaSettings } from './shared-settings.js';

/**
 * Settings in the order to write them; `unified` comes last, so that it overrides, as the spec requires.
 * `live`: the cgroup, if it is already in use, for an update.
 * @throws RuntError ERR_UNSUPPORTED for a value for which v2 has no file, ERR_SPEC_VALUE
 */
export function v2Settings(resources: Resources, at: string, live?: LiveCgroup): Setting[] {
  const { memory, cpu, pids, blockIO, hugepageLimits, rdma, network, unified } = resources;
  const settings: Setting[] = [];
  if (memory) append(settings, memorySettings(memory, `${at}/memory`, live));
  if (cpu) append(settings, cpuSettings(cpu, `${at}/cpu`, live));
  if (pids?.limit !== undefined) settings.push(pidsSetting(pids.limit, `${at}/pids`));
  if (blockIO) append(settings, v2BlockIo(blockIO, `${at}/blockIO`));
  if (hugepageLimits) append(settings, hugepageSettings(hugepageLimits, `${at}/hugepageLimits`, true));
  if (rdma) append(settings, rdmaSettings(rdma, `${at}/rdma`));
  if (isSet(network?.classID)) {
    throw unsupportedError(`${at}/network/classID`, network.classID, 'cgroup v2 has no network classes');
  }
  if (network?.priorities?.length) {
    throw unsupportedError(`${at}/network/priorities`, network.priorities, 'cgroup v2 has no network priorities');
  }
  for (const [file, value] of Object.entries(unified ?? {})) {
    const pointer = pointerBelow(`${at}/unified`, file);
    const dot = file.indexOf('.');
    if (dot <= 0 || dot === file.length - 1 || file.includes('/')) {
      throw valueError(pointer, value, `"${file}" is not the name of a cgroup file, such as memory.high`);
    }
    // The kernel accepts one line per write, such as the limit of one device in io.max.
    const lines = value.split('\n').filter((line) => line.trim() !== '');
    if (lines.length === 0) throw valueError(pointer, value, `"${file}" has no value`);
    for (const line of lines) {
      const whole = file === 'cpu.max' ? withPeriod(line.trim(), settings, live) : line;
      settings.push({ controller: file.slice(0, dot), file, value: whole, at: pointer });
    }
  }
  return settings;
}

/** The kernel keeps the period if only a quota is written; systemd writes both. */
function withPeriod(quota: string, before: readonly Setting[], live: LiveCgroup | undefined): string {
  if (/\s/.test(quota)) return quota;
  const now = before.filter((s) => s.file === 'cpu.max').at(-1)?.value ?? live?.read('cpu.max') ?? '';
  const period = now.split(/\s+/)[1];
  return period === undefined ? quota : `${quota} ${period}`;
}

/** v2 writes "no limit" as `max`. */
function limit(value: Int): string {
  return value < 0 ? 'max' : String(value);
}

/** `checkBeforeUpdate` only applies to a live cgroup: a new one uses no memory. */
function memorySettings(m: Memory, at: string, live: LiveCgroup | undefined): Setting[] {
  const refuse = (key: keyof Memory, why: string): never => {
    throw unsupportedError(`${at}/${key}`, m[key], `cgroup v2 ${why}`);
  };
  if (isSet(m.kernel) && m.kernel > 0) refuse('kernel', 'has no limit of kernel memory: it counts in the memory limit');
  if (isSet(m.kernelTCP) && m.kernelTCP > 0) {
    refuse('kernelTCP', 'has no limit of TCP memory: it counts in the memory limit');
  }
  if (m.swappiness !== undefined && m.swappiness !== null)
    refuse('swappiness', 'has no swappiness for a single cgroup');
  if (m.disableOOMKiller) refuse('disableOOMKiller', 'cannot disable the OOM killer');
  if (m.useHierarchy === false) refuse('useHierarchy', 'always accounts memory hierarchically');

  const settings: Setting[] = [];
  const add = (key: keyof Memory, file: string, value: string) =>
    settings.push({ controller: 'memory', file: `memory.${file}`, value, at: `${at}/${key}` });
  if (live) checkUsage(m, at, live, 'memory.current');
  const swap = swapMax(m, at, live);
  if (swap !== undefined) {
    // If the kernel does not account swap, there is no swap to limit.
    const optional = swap === 'max' || swap === '0';
    const key = isSet(m.swap) ? 'swap' : 'limit';
    settings.push({
      controller: 'memory',
      file: 'memory.swap.max',
      value: swap,
      at: `${at}/${key}`,
      ...(optional && { optional }),
    });
  }
  if (isSet(m.limit)) add('limit', 'max', limit(m.limit));
  if (isSet(m.reservation)) add('reservation', 'low', limit(m.reservation));
  return settings;
}

/** v1 limits memory and swap together, v2 swap alone: returns the difference. */
function swapMax(m: Memory, at: string, live: LiveCgroup | undefined): string | undefined {
  // Without a memory limit, memory and swap together have none either (as runc).
  if (!isSet(m.swap)) return isSet(m.limit) ? (m.limit < 0 ? 'max' : restOfSum(m.limit, at, live)) : undefined;
  if (m.swap < 0) return 'max';
  const now = isSet(m.limit) ? undefined : live?.read('memory.max');
  const memory = isSet(m.limit) ? m.limit : now && now !== 'max' ? BigInt(now) : -1;
  if (memory < 0) {
    throw valueError(`${at}/swap`, m.swap, 'swap needs a limit of memory: it counts memory and swap together');
  }
  if (m.swap < memory) {
    throw valueError(`${at}/swap`, m.swap, 'the limit of memory and swap together is below the limit of memory');
  }
  return String(BigInt(m.swap) - BigInt(memory));
}

/** If only the memory limit changes, keep the limit of memory and swap together, as runc does. */
function restOfSum(limit: Int, at: string, live: LiveCgroup | undefined): string | undefined {
  const [memory, swap] = [live?.read('memory.max') ?? '', live?.read('memory.swap.max') ?? ''];
  if (!/^\d+$/.test(memory) || !/^\d+$/.test(swap)) return undefined;
  const sum = BigInt(memory) + BigInt(swap);
  if (sum >= BigInt(limit)) return String(sum - BigInt(limit));
  throw valueError(
    `${at}/limit`,
    limit,
    `it is above the limit of memory and swap together, ${sum}: set that limit too`,
  );
}

function cpuSettings(c: Cpu, at: string, live: LiveCgroup | undefined): Setting[] {
  for (const key of ['realtimeRuntime', 'realtimePeriod'] as const) {
    if (isSet(c[key])) throw unsupportedError(`${at}/${key}`, c[key], 'cgroup v2 does not limit real-time scheduling');
  }
  const settings: Setting[] = [];
  const add = (key: keyof Cpu, file: string, value: unknown) => settings.push(settingOf(at, key, file, value));
  // An idle cgroup has a fixed weight, and rejects another one (sched_group_set_shares in the kernel).
  if (isSet(c.shares) && Number(c.idle ?? 0) !== 1) add('shares', 'cpu.weight', cpuWeight(c.shares));
  if (c.idle !== undefined && c.idle !== null) add('idle', 'cpu.idle', c.idle);
  if (isSet(c.quota) || isSet(c.period)) {
    // A live cgroup keeps its quota or period if only the other one is set.
    const [oldQuota, oldPeriod] = (live?.read('cpu.max') ?? '').split(' ');
    const quota = isSet(c.quota) ? limit(c.quota) : oldQuota || 'max';
    const period = isSet(c.period) ? c.period : oldPeriod || 100000;
    add(isSet(c.quota) ? 'quota' : 'period', 'cpu.max', `${quota} ${period}`);
  }
  if (c.burst !== undefined && c.burst !== null) add('burst', 'cpu.max.burst', c.burst);
  if (c.cpus) add('cpus', 'cpuset.cpus', c.cpus);
  if (c.mems) add('mems', 'cpuset.mems', c.mems);
  return settings;
}

/**
 * v1 shares (2 … 262144, default 1024) as a v2 weight (1 … 10000, default 100): a curve through the minimum, default
 * and maximum pairs, quadratic in log2, as in runc and crun since 2025. The earlier straight line mapped the default
 * 1024 shares to a weight of 39.
 */
export function cpuWeight(shares: Int): number {
  const s = Number(shares);
  if (s <= 2) return 1;
  if (s >= 262144) return 10000;
  const l = Math.log2(s);
  return Math.ceil(10 ** ((l * l + 125 * l) / 612 - 7 / 34));
}
