/** The processes of a container that has no cgroup of its own (rootless, `--cgroup-manager disabled`): its pid namespace has them. */
import { tryListDir } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { isAlive, processStat } from './process.js';
import type { ContainerRecord } from './store.js';

/** Which pid namespace a process is in, `pid:[INODE]`; '' when that cannot be seen. */
function namespaceOf(pid: number): string {
  const out = new Uint8Array(64);
  const n = native.readLink(AT_FDCWD, `/proc/${pid}/ns/pid`, out);
  return n > 0 ? host.decode(out, n) : '';
}

/** Pids, in the runtime's pid namespace. Of a container that shares a pid namespace only the first process is known. */
export function pidsWithoutCgroup(record: ContainerRecord): number[] {
  if (!isAlive(record)) return [];
  const own = record.pidNamespace ? namespaceOf(record.pid) : '';
  if (own === '') return [record.pid];
  return (tryListDir('/proc') ?? [])
    .filter((name) => /^[0-9]{1,10}$/.test(name))
    .map(Number)
    .filter((pid) => pid === record.pid || (namespaceOf(pid) === own && processStat(pid)?.state !== 'Z'));
}

/** Signals all of them, each through a pidfd and looked up again: a number can have become another process's. */
export function signalWithoutCgroup(record: ContainerRecord, signal: number): void {
  for (const pid of pidsWithoutCgroup(record)) {
    const fd = native.pidfdOpen(pid);
    if (fd < 0) continue;
    if (pidsWithoutCgroup(record).includes(pid)) native.pidfdSignal(fd, signal);
    native.close(fd);
  }
}
