/** Rules of `linux.cgroupsPath`, `linux.resources`, `linux.memoryPolicy` and `linux.intelRdt`. */

import type { Cpu, IntelRdt, Linux, Memory, MemoryPolicy, Spec } from '../config-types.js';
import { escapeSegment } from '../json/json-pointer.js';
import type { Findings } from '../judge/findings.js';
import { listError } from '../number-list.js';

/** `update`: the container is running, and absent values stay. */
export function cgroupRules(spec: Spec, findings: Findings, update = false): void {
  const linux = spec.linux;
  if (!linux) return;
  pathRules(linux, findings);
  memoryRules(linux.resources?.memory, findings, update);
  cpuRules(linux.resources?.cpu, findings);
  for (const [key, value] of Object.entries(linux.resources?.unified ?? {})) {
    if (value.trim() === '') {
      const pointer = `/linux/resources/unified/${escapeSegment(key)}`;
      findings.refuse(pointer, value, 'be what is written to the file, not empty', 'config-linux.md#unified');
    }
    // These files would let a process of the host end with the container, or let a create wait for ever in a frozen
    // cgroup.
    if (/^cgroup\.(?:procs|threads|freeze|kill)$/.test(key)) {
      const expected = 'be a limit: this file moves, stops or ends processes';
      findings.refuse(`/linux/resources/unified/${escapeSegment(key)}`, key, expected, 'config-linux.md#unified');
    }
    // A path as a name could escape the cgroup.
    if (!/^[^./]+\.[^/]+$/.test(key)) {
      const expected = 'be the name of a file of cgroup v2, such as memory.high';
      findings.refuse(`/linux/resources/unified/${escapeSegment(key)}`, key, expected, 'config-linux.md#unified');
    }
  }
  // The kernel reads each name as the first word of a line.
  for (const device of Object.keys(linux.resources?.rdma ?? {})) {
    if (device !== '' && !/[ \n]/.test(device)) continue;
    const expected = 'be the name of an RDMA device';
    findings.refuse(`/linux/resources/rdma/${escapeSegment(device)}`, device, expected, 'config-linux.md#rdma');
  }
  linux.resources?.network?.priorities?.forEach(({ name }, i) => {
    if (!/[ \n]/.test(name)) return;
    const pointer = `/linux/resources/network/priorities/${i}/name`;
    findings.refuse(pointer, name, 'be the name of a network interface', 'config-linux.md#network');
  });
  if (linux.intelRdt) rdtRules(linux.intelRdt, findings);
  if (linux.memoryPolicy) policyRules(linux.memoryPolicy, findings);
}

function pathRules(linux: Linux, findings: Findings): void {
  const path = linux.cgroupsPath;
  if (path?.split('/').includes('..')) {
    findings.refuse('/linux/cgroupsPath', path, 'have no ".." in it', 'config-linux.md#cgroups-path');
  }
}

function memoryRules(memory: Memory | undefined, findings: Findings, update: boolean): void {
  if (!memory) return;
  const see = 'config-linux.md#memory';
  for (const key of ['limit', 'reservation', 'swap', 'kernel', 'kernelTCP'] as const) {
    const bytes = memory[key];
    if (bytes !== undefined && bytes < -1) {
      findings.refuse(`/linux/resources/memory/${key}`, bytes, 'be a number of bytes, or -1 for no limit', see);
    }
  }
  const { limit = 0, swap = 0 } = memory;
  if (swap > 0 && limit > swap) {
    const expected = `be at least the memory limit, ${limit}: it counts memory and swap together`;
    findings.refuse('/linux/resources/memory/swap', swap, expected, see);
  }
  if (swap > 0 && limit <= 0 && !(update && limit === 0)) {
    const expected = 'come with a memory limit: it counts memory and swap together';
    findings.refuse('/linux/resources/memory/swap', swap, expected, see);
  }
}

function cpuRules(cpu: Cpu | undefined, findings: Findings): void {
  if (!cpu) return;
  for (const key of ['cpus', 'mems'] as const) {
    const list = cpu[key];
    const error = list ? listError(list) : undefined;
    if (error) findings.refuse(`/linux/resources/cpu/${key}`, list, error, 'cpuset(7)');
  }
  // An idle cgroup has a fixed weight (sched_group_set_shares in the kernel).
  if (cpu.shares && Number(cpu.idle ?? 0) === 1) {
    const expected = 'be absent with idle 1: the kernel is unable to apply both, and it has no effect';
    findings.warn('/linux/resources/cpu/shares', cpu.shares, expected, 'config-linux.md#cpu');
  }
  const { quota = 0, burst = 0 } = cpu;
  if (quota > 0 && burst > quota) {
    findings.refuse('/linux/resources/cpu/burst', burst, `be at most the quota, ${quota}`, 'config-linux.md#cpu');
  }
}

function rdtRules(rdt: IntelRdt, findings: Findings): void {
  const see = 'config-linux.md#intelrdt';
  const { closID, memBwSchema } = rdt;
  // The class is a directory below /sys/fs/resctrl; `/` is the root class.
  if (
    closID !== undefined &&
    closID !== '/' &&
    (closID === '' || closID === '.' || closID === '..' || closID.includes('/'))
  ) {
    findings.refuse('/linux/intelRdt/closID', closID, 'be the name of a directory', see);
  }
  if (memBwSchema && (!memBwSchema.startsWith('MB:') || memBwSchema.includes('\n'))) {
    findings.refuse('/linux/intelRdt/memBwSchema', memBwSchema, 'be one line that starts with MB:', see);
  }
  rdt.schemata?.forEach((line, i) => {
    if (line.includes('\n')) findings.refuse(`/linux/intelRdt/schemata/${i}`, line, 'be one line', see);
  });
}

function policyRules(policy: MemoryPolicy, findings: Findings): void {
  const see = 'set_mempolicy(2)';
  const { mode, nodes, flags = [] } = policy;
  const at = '/linux/memoryPolicy';
  const error = nodes ? listError(nodes) : undefined;
  if (error) findings.refuse(`${at}/nodes`, nodes, error, see);
  if (nodes && (mode === 'MPOL_DEFAULT' || mode === 'MPOL_LOCAL')) {
    findings.refuse(`${at}/nodes`, nodes, `be absent for ${mode}`, see);
  } else if (!nodes && mode !== 'MPOL_DEFAULT' && mode !== 'MPOL_LOCAL' && mode !== 'MPOL_PREFERRED') {
    findings.refuse(`${at}/nodes`, nodes, `name at least one node for ${mode}`, see);
  }
  if (flags.includes('MPOL_F_STATIC_NODES') && flags.includes('MPOL_F_RELATIVE_NODES')) {
    findings.refuse(`${at}/flags`, flags, 'have only one of MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES', see);
  }
  if (flags.includes('MPOL_F_NUMA_BALANCING') && mode !== 'MPOL_BIND' && mode !== 'MPOL_PREFERRED_MANY') {
    findings.refuse(`${at}/flags`, flags, `not have MPOL_F_NUMA_BALANCING with ${mode}`, see);
  }
}
