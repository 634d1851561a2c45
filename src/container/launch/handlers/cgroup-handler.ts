/** The runtime's cgroup operations, performed through cgroupfs. */

import { pidsIn } from '../../../cgroup/cgroup-processes.js';
import { filterProgram } from '../../../cgroup/devices/device-filter.js';
import { frozenError } from '../../../cgroup/frozen-ancestor.js';
import type { Op, OpOf } from '../../../plan/plan-ops.js';
import { E } from '../../../sys/errno.js';
import { RuntError } from '../../../sys/error.js';
import { host, native } from '../../../sys/host.js';
import { AT_FDCWD, F_OK, O_TRUNC } from '../../../sys/linux.js';
import { checkOp, OpFailed, type OpFailure } from '../../failure/op-failed.js';
import type { ValueFile } from './value-file.js';

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

/**
 * Performs one operation. Appends the cgroups that it makes to `made`, children last.
 * @param file writes the values of `cgroupWrite`; the caller closes it
 * @returns the failure, if any
 */
export function applyCgroupOp(op: CgroupOp, made: string[], file?: ValueFile): OpFailure | undefined {
  try {
    return withCgroupGone(apply(op, made, file));
  } catch (error) {
    if (error instanceof OpFailed) return withCgroupGone(error.failed);
    throw error;
  }
}

/** Checks whether a file is missing because its cgroup is. Must run before an undo removes the cgroup. */
function withCgroupGone(failed: OpFailure | undefined): OpFailure | undefined {
  if (!failed || (failed.errno !== E.ENOENT && failed.errno !== E.ENODEV)) return failed;
  const { op, detail } = failed;
  const directory = op.op === 'cgroupDevices' ? op.path : detail.slice(0, detail.lastIndexOf('/'));
  return directory !== '' && native.access(directory, F_OK) === -E.ENOENT ? { ...failed, cgroupGone: true } : failed;
}

function apply(op: CgroupOp, made: string[], file?: ValueFile): OpFailure | undefined {
  switch (op.op) {
    case 'cgroupCreate':
      return makeCgroup(op, made);
    case 'cgroupWrite':
      return write(op, op.path, op.value, file);
    case 'cgroupWriteFirst':
      return writeFirst(op);
    case 'cgroupRealtime':
      return writeRealtime(op, made);
    case 'cgroupInherit':
      return inherit(op, made);
    case 'cgroupControllers':
      return enableControllers(op);
    case 'cgroupDevices':
      return filterDevices(op);
    case 'cgroupOwner':
      return changeOwner(op);
  }
}

/** Makes the cgroup. An existing one must be empty: its processes would share the limits, and be killed. */
function makeCgroup(op: OpOf<'cgroupCreate'>, made: string[]): OpFailure | undefined {
  const before = made.length;
  const failed = makeDirectory(op, op.path, made);
  if (failed) return failed;
  if (made.length === before) checkEmpty(op, op.path);
  if (op.freezer) checkThawed(op, op.freezer);
  return undefined;
}

/**
 * A frozen cgroup, or a new one below it, freezes each process that starts in it or moves there. A kernel without a
 * freezer (v2 before 5.2) has no such file, or not that line in it.
 * @throws RuntError ERR_CGROUP
 */
function checkThawed(op: OpOf<'cgroupCreate'>, freezer: string): void {
  if (!/FR|frozen 1/.test(read(op, freezer))) return;
  throw frozenError("container's cgroup unexpectedly frozen", op.path, 'name another linux.cgroupsPath', op.at);
}

/** Refuses a cgroup with processes in or below it, as runc does since 1.2. @throws RuntError ERR_CGROUP_BUSY */
function checkEmpty(op: CgroupOp, path: string): void {
  const pids = pidsIn(path, true);
  if (pids.length === 0) return;
  throw new RuntError({
    code: 'ERR_CGROUP_BUSY',
    message: `the container's cgroup is not empty: ${path}`,
    path,
    pointer: op.at,
    hint: `end process ${pids.slice(0, 5).join(', ')}${pids.length > 5 ? ` and ${pids.length - 5} more` : ''}, or name another linux.cgroupsPath: the cgroup has processes already`,
  });
}

function makeDirectory(op: CgroupOp, path: string, made: string[]): OpFailure | undefined {
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

function write(op: CgroupOp, path: string, value: string, file?: ValueFile): OpFailure | undefined {
  const data = host.encode(value);
  const r = file ? file.write(path, data) : native.writeFile(AT_FDCWD, path, O_TRUNC, 0, data);
  return r < 0 ? { op, errno: -r, syscall: 'write', detail: path } : undefined;
}

function writeFirst(op: Extract<Op, { op: 'cgroupWriteFirst' }>): OpFailure | undefined {
  let missing: OpFailure | undefined;
  for (const [i, path] of op.paths.entries()) {
    const failed = write(op, path, op.values[i] ?? '');
    if (!failed || failed.errno !== E.ENOENT) return failed;
    missing ??= failed;
  }
  return op.required ? missing : undefined;
}

function writeRealtime(op: Extract<Op, { op: 'cgroupRealtime' }>, made: readonly string[]): OpFailure | undefined {
  for (const parent of made) {
    if (!op.path.startsWith(`${parent}/`)) continue;
    const failed = write(op, `${parent}/${op.file}`, op.value);
    if (failed) return failed;
  }
  return write(op, `${op.path}/${op.file}`, op.value);
}

/** The longest file is cgroup.procs on a host with many processes. */
const maxFile = 16 << 20;

/** Content of a file; '' when the kernel or the cgroup does not have it. @throws OpFailed */
function read(op: CgroupOp, path: string): string {
  let buffer = new Uint8Array(4096);
  let n = native.readFile(AT_FDCWD, path, buffer);
  while (n === -E.EOVERFLOW && buffer.length < maxFile) {
    buffer = new Uint8Array(buffer.length * 16);
    n = native.readFile(AT_FDCWD, path, buffer);
  }
  // EOPNOTSUPP: cgroup.procs of a threaded cgroup. Its processes are listed in the domain above it.
  if (n === -E.ENOENT || n === -E.EOPNOTSUPP) return '';
  return host.decode(buffer, checkOp(op, n, 'read', path)).trim();
}

/** Directories from the first below `top` down to `path` itself. */
function directoriesBelow(path: string, top: string): string[] {
  const parts = path.slice(top.length).split('/').filter(Boolean);
  return parts.map((_, i) => `${top}/${parts.slice(0, i + 1).join('/')}`);
}

function inherit(op: Extract<Op, { op: 'cgroupInherit' }>, made: readonly string[]): OpFailure | undefined {
  // From the bottom up to the first with a value. A new one has none, or its parent's (cgroup.clone_children).
  const missing: string[] = [];
  let value = '';
  const directories = [op.top, ...directoriesBelow(op.path, op.top)];
  for (let i = directories.length - 1; i >= 0; i--) {
    const directory = directories[i] as string;
    value = made.includes(directory) ? '' : read(op, `${directory}/${op.file}`);
    if (value) break;
    missing.unshift(directory);
  }
  for (const directory of missing) {
    const failed = write(op, `${directory}/${op.file}`, value);
    if (failed) return failed;
  }
  return undefined;
}

function enableControllers(op: Extract<Op, { op: 'cgroupControllers' }>): OpFailure | undefined {
  const parents = [op.top, ...directoriesBelow(op.path, op.top)].slice(0, -1);
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
      // Enable all in one write. If the kernel refuses one of them, enable them one by one.
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
 * Whether a cgroup has processes of its own; the hierarchy's root, which has no cgroup.type, may have them. With only
 * cpu and pids enabled it would become the root of a threaded tree. No process can enter a cgroup below that
 * (cgroups(7), "domain invalid").
 */
function holdsProcesses(op: CgroupOp, directory: string): boolean {
  return read(op, `${directory}/cgroup.type`) === 'domain' && read(op, `${directory}/cgroup.procs`) !== '';
}

function filterDevices(op: Extract<Op, { op: 'cgroupDevices' }>): OpFailure | undefined {
  const r = native.attachDeviceFilter(op.path, filterProgram(op.filter));
  return r < 0 ? { op, errno: -r, syscall: 'bpf', detail: op.path } : undefined;
}

/** The list for a kernel before 4.14, which lacks /sys/kernel/cgroup/delegate. */
const delegated = 'cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n';

/** Files of controllers that are not enabled do not exist. */
function changeOwner(op: Extract<Op, { op: 'cgroupOwner' }>): OpFailure | undefined {
  const files = (read(op, '/sys/kernel/cgroup/delegate') || delegated).split('\n').filter((name) => name !== '');
  for (const path of [op.path, ...files.map((name) => `${op.path}/${name}`)]) {
    const r = native.chownAt(AT_FDCWD, path, BigInt(op.uid), -1n);
    if (r < 0 && !(r === -E.ENOENT && path !== op.path)) return { op, errno: -r, syscall: 'fchownat', detail: path };
  }
  return undefined;
}
