/** What the options of `spec` need to know of the host. */
import type { HostDevice, HostLookups } from '../../spec/options/lookups.js';
import { RuntError } from '../../sys/error.js';
import { exists, listDir, readLink, readText, type Stat, tryListDir, tryReadText, tryStat } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { capabilityNames } from '../../sys/kernel-names.js';
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, O_RDONLY, S_IFBLK, S_IFCHR, S_IFDIR, S_IFMT, X_OK } from '../../sys/linux.js';
import { isInUserNamespace } from '../launch/user-namespace.js';
import { state } from '../state.js';

/** CAP_SYS_RESOURCE in a mask of capabilities (capabilities(7)). */
const mayRaiseLimits = 1n << 24n;

/** Names of proc_pid_limits(5) by type. */
const limitLines: Readonly<Record<string, string>> = {
  RLIMIT_NOFILE: 'Max open files',
  RLIMIT_NPROC: 'Max processes',
};

/** @param root the state root of containers that are named by their id */
export const hostLookups = (root: string | undefined): HostLookups => ({
  containerPid: (id) => pidOf(root, id),
  program: ownProgram,
  text: (path) => tryReadText(path),
  machine: () => tryReadText('/proc/sys/kernel/arch')?.trim() ?? machineOfProgram(),
  environment: (name) => host.env[name],
  devices: devicesBelow,
  exists,
  names: (directory) => (tryListDir(directory) ?? []).sort(),
  bindsDevices: isInUserNamespace,
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
});

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

/** The static binary; under Node.js the one in PATH. */
function ownProgram(): string | undefined {
  if (host.name !== 'node') return readLink('/proc/self/exe');
  const directories = (host.env.PATH ?? '').split(':').filter((directory) => directory.startsWith('/'));
  return directories.map((directory) => `${directory}/runt`).find((path) => native.access(path, X_OK) === 0);
}

function pidOf(root: string | undefined, id: string): number {
  if (root === undefined)
    throw new RuntError({ code: 'ERR_USAGE', message: `find the container ${id}: there is no state root` });
  return state({ root, id }).pid;
}

/** The device nodes at or below a path, sorted. No symlink is followed below it. */
function devicesBelow(path: string): HostDevice[] | undefined {
  const found = tryStat(path);
  if (!found) return undefined;
  if ((found.mode & S_IFMT) === S_IFDIR) return listed(path);
  return nodeAt(path, found);
}

function listed(directory: string): HostDevice[] {
  return listDir(directory)
    .sort()
    .flatMap((name) => {
      const path = `${directory}/${name}`;
      // udev makes and removes nodes at any time.
      const found = tryStat(path, AT_FDCWD, AT_SYMLINK_NOFOLLOW);
      if (!found) return [];
      return (found.mode & S_IFMT) === S_IFDIR ? listed(path) : nodeAt(path, found);
    });
}

function nodeAt(path: string, { mode, uid, gid, rdev }: Stat): HostDevice[] {
  const type = { [S_IFCHR]: 'c', [S_IFBLK]: 'b' }[mode & S_IFMT] as 'b' | 'c' | undefined;
  if (!type) return [];
  // makedev(3).
  const major = Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn));
  const minor = Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn));
  return [{ path, type, major, minor, mode: mode & 0o777, uid, gid }];
}
