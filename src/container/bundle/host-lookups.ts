/** What the options of `spec` need to know of the host. */
import type { HostLookups } from '../../spec/options/lookups.js';
import { readText, tryReadText } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { capabilityNames } from '../../sys/kernel-names.js';
import { AT_FDCWD, O_RDONLY } from '../../sys/linux.js';
import { isInUserNamespace } from '../launch/user-namespace.js';

/** CAP_SYS_RESOURCE in a mask of capabilities (capabilities(7)). */
const mayRaiseLimits = 1n << 24n;

/** Names of proc_pid_limits(5) by type. */
const limitLines: Readonly<Record<string, string>> = {
  RLIMIT_NOFILE: 'Max open files',
  RLIMIT_NPROC: 'Max processes',
};

export const hostLookups: HostLookups = {
  text: (path) => tryReadText(path),
  machine: () => tryReadText('/proc/sys/kernel/arch')?.trim() ?? machineOfProgram(),
  release: () => readText('/proc/sys/kernel/osrelease').trim(),
  capabilities(mapped) {
    const last = Number(readText('/proc/sys/kernel/cap_last_cap'));
    const bounding = mapped ? -1n : capabilityMask('CapBnd');
    return capabilityNames().filter((_, n) => n <= last && (bounding >> BigInt(n)) & 1n);
  },
  hardLimit(type) {
    if ((capabilityMask('CapEff') & mayRaiseLimits) !== 0n && !isInUserNamespace()) return undefined;
    const line = readText('/proc/self/limits')
      .split('\n')
      .find((text) => text.startsWith(`${limitLines[type]} `));
    const hard = line?.slice(limitLines[type]!.length).trim().split(/ +/)[1];
    return hard === undefined || hard === 'unlimited' ? undefined : Number(hard);
  },
};

/** A set of this process's capabilities, from proc_pid_status(5). */
function capabilityMask(set: string): bigint {
  const match = new RegExp(`^${set}:\\s*([0-9a-f]+)$`, 'm').exec(readText('/proc/self/status'));
  return BigInt(`0x${match?.[1] ?? '0'}`);
}

/** By e_machine of our own program (elf(5)): kernels before 6.1 have no file with the machine. '' if unknown. */
function machineOfProgram(): string {
  const fd = native.openAt(AT_FDCWD, '/proc/self/exe', O_RDONLY, 0);
  if (fd < 0) return '';
  const header = new Uint8Array(20);
  const length = native.read(fd, header);
  native.close(fd);
  return (length === header.length ? machines[header[18]!] : undefined) ?? '';
}

/** EM_X86_64 and EM_AARCH64. */
const machines: Readonly<Record<number, string>> = { 62: 'x86_64', 183: 'aarch64' };
