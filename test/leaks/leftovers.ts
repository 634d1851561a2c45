/** What a container leaves behind: mounts, cgroups, processes and state, found from outside and removed. */

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { becomesTrue, GRACE } from '../deadline.js';

/**
 * The host's mounts with all their options, on cgroup v2 only, where a mount can change the options of the host's; ''
 * elsewhere. Mounts of beds are left out, and those in /run, which systemd mounts and unmounts at any time.
 */
export function hostMounts(): string {
  if (!existsSync('/sys/fs/cgroup/cgroup.controllers')) return '';
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.filter((line) => !line.includes('/runt-bed-') && !line.split(' ')[4]?.startsWith('/run/')).join('\n');
}

/** What identifies the leftovers of a container. */
export interface Mark {
  /** The bed's directory, which holds the bundles and the state. */
  dir: string;
  /** The state root (`--root`). */
  root: string;
  /** The prefix of all ids of the bed. */
  id: string;
}

/** ms in which a sweep tries to end what a failed test left behind. */
const SWEEP_TIME = 1000;
const CGROUP_MAGIC = new Set([0x27e0eb, 0x63677270]);

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function names(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

/** Mount points in this mount namespace at or below `dir`. */
export function mountsBelow(dir: string): string[] {
  return text('/proc/self/mountinfo')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((target) => target === dir || target.startsWith(`${dir}/`));
}

/** Cgroup directories of every hierarchy whose name contains `id`; parents first. */
export function cgroupsNamed(id: string): string[] {
  const found: string[] = [];
  const walk = (dir: string, depth: number): void => {
    let entries: import('node:fs').Dirent[];
    try {
      entries = readdirSync(dir, { withFileTypes: true });
    } catch {
      return;
    }
    for (const entry of entries) {
      if (!entry.isDirectory()) continue;
      const path = join(dir, entry.name);
      if (path.slice('/sys/fs/cgroup'.length).includes(id)) found.push(path);
      if (depth < 8) walk(path, depth + 1);
    }
  };
  walk('/sys/fs/cgroup', 0);
  return found;
}

/** Session keyrings of containers whose id contains `id` (keyrings(7)); the kernel frees them a little later. */
export const keyringsOf = (id: string): string[] =>
  text('/proc/keys')
    .split('\n')
    .flatMap((line) => / keyring +(_ses\.\S+): /.exec(line)?.[1] ?? [])
    .filter((name) => name.includes(id));

/**
 * Live processes (no zombies) of the mark: in one of its cgroups, in a mount namespace whose root is in its directory,
 * or with its id on the command line.
 */
export function processesOf(mark: Mark): number[] {
  const found: number[] = [];
  const self = readlinkSync('/proc/self/ns/mnt');
  for (const name of names('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const stat = text(`/proc/${pid}/stat`);
    const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
    if (state === '' || state === 'Z' || state === 'X') continue;
    let foreign = false;
    try {
      foreign = readlinkSync(`/proc/${pid}/ns/mnt`) !== self;
    } catch {}
    if (
      text(`/proc/${pid}/cgroup`).includes(mark.id) ||
      text(`/proc/${pid}/cmdline`).includes(mark.id) ||
      (foreign && text(`/proc/${pid}/mountinfo`).includes(mark.dir))
    ) {
      found.push(pid);
    }
  }
  return found;
}

/** Whether a process is gone, or a zombie that is not reaped yet: process 1 may reap late. */
export function hasEnded(pid: number): boolean {
  const stat = text(`/proc/${pid}/stat`);
  return stat === '' || /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
}

/** Everything that is left of the mark, one line each; a process has `grace` ms to end. */
export function leftovers(mark: Mark, grace = GRACE): string[] {
  let pids: number[] = [];
  becomesTrue(() => {
    pids = processesOf(mark);
    return pids.length === 0;
  }, grace);
  return [
    ...pids.map((pid) => `process ${pid}: ${text(`/proc/${pid}/cmdline`).replaceAll('\0', ' ')}`),
    ...mountsBelow(mark.dir).map((target) => `mount ${target}`),
    ...cgroupsNamed(mark.id).map((path) => `cgroup ${path}`),
    ...names(join(mark.root, '.deleted')).map((name) => `poststop hooks of ${name}`),
    // Compiled seccomp filters stay, for the next container.
    ...names(mark.root)
      .filter((name) => name !== '.seccomp' && name !== '.deleted')
      .map((name) => `state ${join(mark.root, name)}`),
  ];
}

/** Kills, unmounts and removes everything that is left of the mark, then removes its directory. */
export function sweep(mark: Mark): void {
  becomesTrue(() => {
    for (const path of cgroupsNamed(mark.id)) {
      if (!CGROUP_MAGIC.has(statfsSync(path).type)) continue;
      const state = join(path, 'freezer.state');
      if (text(state).startsWith('FROZEN')) execFileSync('sh', ['-c', 'echo THAWED >"$0"', state]);
    }
    const pids = processesOf(mark);
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {}
    }
    for (const path of cgroupsNamed(mark.id).reverse()) {
      try {
        rmdirSync(path);
      } catch {}
    }
    return pids.length === 0 && cgroupsNamed(mark.id).length === 0;
  }, SWEEP_TIME);
  for (const target of mountsBelow(mark.dir).reverse()) execFileSync('umount', ['-l', target], { stdio: 'ignore' });
  if (mountsBelow(mark.dir).length > 0) throw new Error(`cannot unmount what is below ${mark.dir}`);
  execFileSync('rm', ['-rf', '--one-file-system', '--', mark.dir]);
}
