/** The runtime's cgroup operations of a plan, done through cgroupfs. */

import { pidsIn } from '../../../cgroup/cgroup-processes.js';
import { filterProgram } from '../../../cgroup/devices/device-filter.js';
import { frozenError } from '../../../cgroup/frozen-ancestor.js';
import type { Op } from '../../../plan/plan-ops.js';
import { E } from '../../../sys/errno.js';
import { RuntError } from '../../../sys/error.js';
import { host, native } from '../../../sys/host.js';
import { AT_FDCWD, F_OK, O_TRUNC } from '../../../sys/linux.js';
import { checkOp, type Failed, OpFailed } from '../../failure/op-failed.js';

export type CgroupOp = Extract<
  Op,
  {
    op:
      | 'cgroupCreate'
      | 'cgroupWrite'
      | 'cgroupWriteFirst'
      | 'cgroupRealtime'
      | 'cgroupInherit'
      | 'cgroupControllers'
      | 'cgroupDevices'
      | 'cgroupOwner';
  }
>;

/** Does one operation; what it makes is appended to `made`, children last. @returns the failure, if it failed */
export function applyCgroupOp(op: CgroupOp, made: string[]): Failed | undefined {
  try {
    return looked(apply(op, made));
  } catch (error) {
    if (error instanceof OpFailed) return looked(error.failed);
    throw error;
  }
}

/** Now, as it is removed when the create is taken back: whether a file is missing because its cgroup is. */
function looked(failed: Failed | undefined): Failed | undefined {
  if (!failed || (failed.errno !== E.ENOENT && failed.errno !== E.ENODEV)) return failed;
  const { op, detail } = failed;
  const directory = op.op === 'cgroupDevices' ? op.path : detail.slice(0, detail.lastIndexOf('/'));
  return directory !== '' && native.access(directory, F_OK) === -E.ENOENT ? { ...failed, cgroupGone: true } : failed;
}

function apply(op: CgroupOp, made: string[]): Failed | undefined {
  switch (op.op) {
    case 'cgroupCreate':
      return make(op, op.path, made);
    case 'cgroupWrite':
      return write(op, op.path, op.value);
    case 'cgroupWriteFirst':
      return writeFirst(op);
    case 'cgroupRealtime':
      return realtime(op, made);
    case 'cgroupInherit':
      return inherit(op);
    case 'cgroupControllers':
      return enableControllers(op);
    case 'cgroupDevices':
      return filterDevices(op);
    case 'cgroupOwner':
      return giveAway(op);
  }
}

/** Makes the cgroup; one that was there is refused unless it is empty: its processes would share limits and end. */
function make(op: CgroupOp, path: string, made: string[]): Failed | undefined {
  const before = made.length;
  const failed = makeDirectory(op, path, made);
  if (failed) return failed;
  if (made.length === before) checkEmpty(op, path);
  checkThawed(op, path);
  return undefined;
}

/**
 * Throws ERR_CGROUP for a cgroup that is frozen, as a new one below a frozen one is: nothing that is born in it, or
 * moved there, would go on. One file of v2 and one of v1's freezer tell; other hierarchies have neither.
 */
function checkThawed(op: CgroupOp, path: string): void {
  const events = read(op, `${path}/cgroup.events`);
  const frozen = events ? events.includes('frozen 1') : !['', 'THAWED'].includes(read(op, `${path}/freezer.state`));
  if (!frozen) return;
  throw frozenError("the container's cgroup is frozen", path, 'name another linux.cgroupsPath', op.at);
}

/** Throws ERR_CGROUP_BUSY for a cgroup that holds processes (it or one below it), as runc since 1.2. */
function checkEmpty(op: CgroupOp, path: string): void {
  const pids = pidsIn(path, true);
  if (pids.length === 0) return;
  throw new RuntError({
    code: 'ERR_CGROUP_BUSY',
    message: `the container's cgroup is not empty: ${path}`,
    path,
    pointer: op.at,
    hint: `process ${pids.slice(0, 5).join(', ')}${pids.length > 5 ? ` and ${pids.length - 5} more are` : ' is'} in it already: end them, or name another linux.cgroupsPath`,
  });
}

function makeDirectory(op: CgroupOp, path: string, made: string[]): Failed | undefined {
  let r = native.mkdirAt(AT_FDCWD, path, 0o755);
  if (r === -E.ENOENT && path.lastIndexOf('/') > 0) {
    const failed = makeDirectory(op, path.slice(0, path.lastIndexOf('/')), made);
    if (failed) return failed;
    r = native.mkdirAt(AT_FDCWD, path, 0o755);
  }
  if (r === -E.EEXIST) return undefined;
  if (r < 0) return { op, errno: -r, syscall: 'mkdir', detail: path };
  made.push(path);
  return undefined;
}

function write(op: CgroupOp, path: string, value: string): Failed | undefined {
  const r = native.writeFile(AT_FDCWD, path, O_TRUNC, 0, host.encode(value));
  return r < 0 ? { op, errno: -r, syscall: 'write', detail: path } : undefined;
}

function writeFirst(op: Extract<Op, { op: 'cgroupWriteFirst' }>): Failed | undefined {
  let missing: Failed | undefined;
  for (const [i, path] of op.paths.entries()) {
    const failed = write(op, path, op.values[i] ?? '');
    if (!failed || failed.errno !== E.ENOENT) return failed;
    missing ??= failed;
  }
  return op.required ? missing : undefined;
}

function realtime(op: Extract<Op, { op: 'cgroupRealtime' }>, made: readonly string[]): Failed | undefined {
  for (const parent of made) {
    if (!op.path.startsWith(`${parent}/`)) continue;
    const failed = write(op, `${parent}/${op.file}`, op.value);
    if (failed) return failed;
  }
  return write(op, `${op.path}/${op.file}`, op.value);
}

/** cgroup.procs of a host with many processes is the longest. */
const maxFile = 16 << 20;

/** What a file says; '' when the kernel or the cgroup has none. @throws OpFailed */
function read(op: CgroupOp, path: string): string {
  let buffer = new Uint8Array(4096);
  let n = native.readFile(AT_FDCWD, path, buffer);
  while (n === -E.EOVERFLOW && buffer.length < maxFile) {
    buffer = new Uint8Array(buffer.length * 16);
    n = native.readFile(AT_FDCWD, path, buffer);
  }
  // EOPNOTSUPP: cgroup.procs of a threaded cgroup, whose processes are those of the domain above it.
  if (n === -E.ENOENT || n === -E.EOPNOTSUPP) return '';
  return host.decode(buffer, checkOp(op, n, 'read', path)).trim();
}

/** Directories from below `top` down to `path`, path included. */
function chain(path: string, top: string): string[] {
  const parts = path.slice(top.length).split('/').filter(Boolean);
  return parts.map((_, i) => `${top}/${parts.slice(0, i + 1).join('/')}`);
}

function inherit(op: Extract<Op, { op: 'cgroupInherit' }>): Failed | undefined {
  // From the bottom up to the first that has a value: usually one read each of the new cgroup and of its parent.
  const missing: string[] = [];
  let value = '';
  const directories = [op.top, ...chain(op.path, op.top)];
  for (let i = directories.length - 1; i >= 0; i--) {
    const directory = directories[i] as string;
    value = read(op, `${directory}/${op.file}`);
    if (value) break;
    missing.unshift(directory);
  }
  for (const directory of missing) {
    const failed = write(op, `${directory}/${op.file}`, value);
    if (failed) return failed;
  }
  return undefined;
}

function enableControllers(op: Extract<Op, { op: 'cgroupControllers' }>): Failed | undefined {
  const parents = [op.top, ...chain(op.path, op.top)].slice(0, -1);
  for (const parent of parents) {
    const enabled = read(op, `${parent}/cgroup.subtree_control`).split(' ');
    for (const [list, must] of [
      [op.required, true],
      [op.wanted, false],
    ] as const) {
      const add = list.filter((c) => !enabled.includes(c));
      if (add.length > 0 && holdsProcesses(op, parent)) {
        if (must) return { op, errno: E.EBUSY, syscall: 'write', detail: `${parent}/cgroup.subtree_control` };
        continue;
      }
      // All in one write; one by one where some are refused, so that the others are there.
      if (
        add.length === 0 ||
        write(op, `${parent}/cgroup.subtree_control`, add.map((c) => `+${c}`).join(' ')) === undefined
      )
        continue;
      for (const controller of add) {
        const failed = write(op, `${parent}/cgroup.subtree_control`, `+${controller}`);
        if (failed && must) return failed;
      }
    }
  }
  return undefined;
}

/**
 * Below a cgroup with processes of its own, but for the hierarchy's root (which has no cgroup.type), cpu and pids could be given alone:
 * it would become the root of a threaded tree, and the new cgroup one that nobody can enter (cgroups(7), "domain invalid").
 */
function holdsProcesses(op: CgroupOp, directory: string): boolean {
  return read(op, `${directory}/cgroup.type`) === 'domain' && read(op, `${directory}/cgroup.procs`) !== '';
}

function filterDevices(op: Extract<Op, { op: 'cgroupDevices' }>): Failed | undefined {
  const r = native.attachDeviceFilter(op.path, filterProgram(op.filter));
  return r < 0 ? { op, errno: -r, syscall: 'bpf', detail: op.path } : undefined;
}

/** What a kernel before 4.14 would have in /sys/kernel/cgroup/delegate. */
const delegated = 'cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n';

/** Files of controllers that are not enabled are not there. */
function giveAway(op: Extract<Op, { op: 'cgroupOwner' }>): Failed | undefined {
  const files = (read(op, '/sys/kernel/cgroup/delegate') || delegated).split('\n').filter((name) => name !== '');
  for (const path of [op.path, ...files.map((name) => `${op.path}/${name}`)]) {
    const r = native.chownAt(AT_FDCWD, path, BigInt(op.uid), -1n);
    if (r < 0 && !(r === -E.ENOENT && path !== op.path)) return { op, errno: -r, syscall: 'fchownat', detail: path };
  }
  return undefined;
}
