/** Limits that are nearly alike on v1 and v2 (processes, huge pages, RDMA), and v1's network classes. */
import type { HugepageLimit, Int, NetworkPriority, Rdma } from '../../spec/config-types.js';
import { isSet, pointerBelow, type Setting, valueError } from './setting.js';

/**
 * `hugepageLimits`: the limit of usage, and since Linux 5.7 also that of reservations. With a limit of usage alone, the
 * kernel kills by SIGBUS a process whose mmap(2) has succeeded.
 */
export function hugepageSettings(limits: readonly HugepageLimit[], at: string, v2: boolean): Setting[] {
  return limits.flatMap(({ pageSize, limit }, i) => {
    const [used, reserved] = v2 ? ['max', 'rsvd.max'] : ['limit_in_bytes', 'rsvd.limit_in_bytes'];
    const setting = { controller: 'hugetlb', value: String(limit), at: `${at}/${i}/limit` };
    return [
      { ...setting, file: `hugetlb.${pageSize}.${used}` },
      { ...setting, file: `hugetlb.${pageSize}.${reserved}`, optional: true },
    ];
  });
}

/** `pids`: 0 allows the first process alone, as 1 does (1 is what runc writes: systemd refuses `TasksMax=0`). */
export function pidsSetting(limit: Int, at: string): Setting {
  const value = limit < 0 ? 'max' : String(limit || 1);
  return { controller: 'pids', file: 'pids.max', value, at: `${at}/limit` };
}

/** `rdma`: one line for each device; the same file on v1 and v2. */
export function rdmaSettings(rdma: Readonly<Record<string, Rdma>>, at: string): Setting[] {
  return Object.entries(rdma).flatMap(([device, { hcaHandles, hcaObjects }]) => {
    const pointer = pointerBelow(at, device);
    if (device === '' || device.includes(' ') || device.includes('\n')) {
      throw valueError(pointer, device, `"${device}" is not the name of an RDMA device`);
    }
    const limits = [
      ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
      ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
    ];
    if (limits.length === 0) return [];
    return [{ controller: 'rdma', file: 'rdma.max', value: [device, ...limits].join(' '), at: pointer }];
  });
}

/** `network`: v1 only; v2 has no such controller (kernel: admin-guide/cgroup-v2, "Network"). */
export function networkSettings({ classID, priorities }: NetworkPriority, at: string): Setting[] {
  const settings: Setting[] = [];
  if (isSet(classID)) {
    settings.push({ controller: 'net_cls', file: 'net_cls.classid', value: String(classID), at: `${at}/classID` });
  }
  priorities?.forEach(({ name, priority }, i) => {
    const pointer = `${at}/priorities/${i}`;
    if (name.includes(' ') || name.includes('\n')) {
      throw valueError(`${pointer}/name`, name, `"${name}" is not the name of a network interface`);
    }
    settings.push({ controller: 'net_prio', file: 'net_prio.ifpriomap', value: `${name} ${priority}`, at: pointer });
  });
  return settings;
}
