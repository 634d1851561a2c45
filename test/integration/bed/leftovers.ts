/** What a container leaves behind: mounts, cgroups, processes and state; found from outside and taken away. */

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { becomesTrue, GRACE } from '../../deadline.js';

/** What a container can be recognised by. */
/**
 * The mounts of the host with all their options, but for those of beds and those in /run, which systemd makes and
 * removes at any time. On cgroup v2, where a mount can change the
 * options of the host's; '' elsewhere.
 */
export function hostMounts(): string {
  if (!existsSync('/sys/fs/cgroup/cgroup.controllers')) return '';
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return lines.filter((line) => !line.includes('/runt-bed-') && !line.split(' ')[4]?.startsWith('/run/')).join('\n');
}

export interface Mark {
  /** The bed's directory: holds the bundles and the state. */
  dir: string;
  /** The state root (`--root`). */
  root: string;
  /** The beginning of all ids of the bed. */
  id: string;
}

/** ms that a sweep tries to end what is left of a test that has failed. */
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
function mountsBelow(dir: string): string[] {
  return text('/proc/self/mountinfo')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((target) => target === dir || target.startsWith(`${dir}/`));
}

/** Cgroup directories, of every hierarchy, whose name holds `id`; parents first. */
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

/**
 * Live processes (no zombies) that belong to the mark: in one of its cgroups, in a mount namespace whose root lies in
 * its directory, or with its id on the command line.
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

/** Whether a process is gone, or a zombie that nobody has reaped: process 1 may take its time. */
export function hasEnded(pid: number): boolean {
  const stat = text(`/proc/${pid}/stat`);
  return stat === '' || /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
}

/** Everything left of the mark, one line each; a process may take `grace` ms to end. */
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
    // Compiled seccomp programs stay, for the next container.
    ...names(mark.root)
      .filter((name) => name !== '.seccomp' && name !== '.deleted')
      .map((name) => `state ${join(mark.root, name)}`),
  ];
}

/** Ends, unmounts and removes all that is left, however it came about; then the directory itself. */
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
