/** `linux.resources` as files of cgroup v1, in an order that a new cgroup accepts (kernel: admin-guide/cgroup-v1). */

import type { Cpu, Memory, Resources } from '../../spec/config-types.js';
import { append } from '../../sys/append.js';
import { v1BlockIo } from './block-io-settings.js';
import {
  checkUsage,
  isSet,
  type LiveCgroup,
  type Setting,
  settingOf,
  unsupportedError,
  valueError,
} from './setting.js';
import { hugepageSettings, networkSettings, pidsSetting, rdmaSettings } from './shared-settings.js';

/**
 * Settings in the order to write them. A limit comes before what it bounds: memory before memory and swap, the period
 * before the quota, the quota before the burst, shares before idle (an idle group rejects shares).
 * `live`: the cgroup, if it is already in use, for an update. @throws RuntError ERR_UNSUPPORTED, ERR_SPEC_VALUE
 */
export function v1Settings(resources: Resources, at: string, live?: LiveCgroup): Setting[] {
  const { memory, cpu, pids, blockIO, hugepageLimits, rdma, network, unified } = resources;
  if (unified && Object.keys(unified).length > 0) {
    throw unsupportedError(
      `${at}/unified`,
      unified,
      'invalid configuration: unified needs cgroup v2, and this host has cgroup v1',
    );
  }
  const settings: Setting[] = [];
  if (memory) append(settings, memorySettings(memory, `${at}/memory`, live));
  if (cpu) append(settings, cpuSettings(cpu, `${at}/cpu`));
  if (pids?.limit !== undefined) settings.push(pidsSetting(pids.limit, `${at}/pids`));
  if (blockIO) append(settings, v1BlockIo(blockIO, `${at}/blockIO`));
  if (hugepageLimits) append(settings, hugepageSettings(hugepageLimits, `${at}/hugepageLimits`, false));
  if (rdma) append(settings, rdmaSettings(rdma, `${at}/rdma`));
  if (network) append(settings, networkSettings(network, `${at}/network`));
  return settings;
}

/**
 * `checkBeforeUpdate` only applies to a live cgroup: a new one uses no memory. Since Linux 5.11 the kernel always
 * accounts memory hierarchically, and rejects `useHierarchy: false`.
 */
function memorySettings(m: Memory, at: string, live: LiveCgroup | undefined): Setting[] {
  if (isSet(m.limit) && isSet(m.swap) && m.swap > 0 && (m.limit < 0 || m.swap < m.limit)) {
    throw valueError(`${at}/swap`, m.swap, 'the limit of memory and swap together is below the limit of memory');
  }
  if (isSet(m.swap) && m.swap > 0 && !isSet(m.limit) && !live) {
    throw valueError(`${at}/swap`, m.swap, 'swap needs a limit of memory: it counts memory and swap together');
  }
  if (live) checkUsage(m, at, live, 'memory.usage_in_bytes');
  if (m.useHierarchy === false) {
    throw unsupportedError(
      `${at}/useHierarchy`,
      false,
      'the kernel (5.11 and later) always accounts memory hierarchically',
    );
  }
  const settings: Setting[] = [];
  const add = (key: keyof Memory, file: string, value: unknown) =>
    settings.push({ controller: 'memory', file: `memory.${file}`, value: String(value), at: `${at}/${key}` });
  if (m.useHierarchy) add('useHierarchy', 'use_hierarchy', 1);
  if (isSet(m.kernel)) add('kernel', 'kmem.limit_in_bytes', m.kernel);
  if (isSet(m.kernelTCP)) add('kernelTCP', 'kmem.tcp.limit_in_bytes', m.kernelTCP);
  if (isSet(m.limit)) add('limit', 'limit_in_bytes', m.limit);
  if (isSet(m.swap)) add('swap', 'memsw.limit_in_bytes', m.swap);
  else if (isSet(m.limit) && m.limit < 0) {
    // Without a memory limit, a limit of memory and swap together would still limit memory (as runc).
    const file = 'memory.memsw.limit_in_bytes';
    settings.push({ controller: 'memory', file, value: '-1', at: `${at}/limit`, optional: true });
  }
  if (isSet(m.reservation)) add('reservation', 'soft_limit_in_bytes', m.reservation);
  if (m.swappiness !== undefined && m.swappiness !== null) add('swappiness', 'swappiness', m.swappiness);
  if (m.disableOOMKiller) add('disableOOMKiller', 'oom_control', 1);
  return settings;
}

function cpuSettings(c: Cpu, at: string): Setting[] {
  const settings: Setting[] = [];
  const add = (key: keyof Cpu, file: string, value: unknown) => settings.push(settingOf(at, key, file, value));
  if (isSet(c.realtimePeriod)) add('realtimePeriod', 'cpu.rt_period_us', c.realtimePeriod);
  if (isSet(c.realtimeRuntime)) add('realtimeRuntime', 'cpu.rt_runtime_us', c.realtimeRuntime);
  if (isSet(c.shares)) add('shares', 'cpu.shares', c.shares);
  if (c.idle !== undefined && c.idle !== null) add('idle', 'cpu.idle', c.idle);
  if (isSet(c.period)) add('period', 'cpu.cfs_period_us', c.period);
  if (isSet(c.quota)) add('quota', 'cpu.cfs_quota_us', c.quota);
  if (c.burst !== undefined && c.burst !== null) add('burst', 'cpu.cfs_burst_us', c.burst);
  if (c.cpus) add('cpus', 'cpuset.cpus', c.cpus);
  if (c.mems) add('mems', 'cpuset.mems', c.mems);
  return settings;
}
