/** New values for a running container's cgroups: all of them or none. */

import type { Op } from '../../plan/plan-ops.js';
import { append } from '../../sys/append.js';
import { exists, tryReadText } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD, O_TRUNC } from '../../sys/linux.js';
import type { OpFailure } from '../failure/op-failed.js';
import { applyCgroupOp, type CgroupOp } from '../launch/handlers/cgroup-handler.js';

/** The result of a write, which can be undone. */
interface WriteResult {
  /** Why no value has changed; absent on success. */
  readonly refused?: RefusedWrite;
  /** Restores the old contents. @returns the files that refuse theirs */
  readonly restore: () => readonly string[];
}

/** Content of a file before the write. */
interface OldContent {
  readonly path: string;
  /** The value to write to restore it; undefined if unknown. */
  readonly value: string | undefined;
}

interface RefusedWrite {
  readonly failed: OpFailure;
  /** Files that refuse their old content. */
  readonly unrestored: readonly string[];
}

/**
 * Performs the operations. Values bound each other: memory and swap together, quota and burst, period and runtime. So
 * the order that the kernel accepts depends on the current values. Retries refused writes for as long as another one
 * succeeds. If some stay refused, restores the old values.
 */
export function writeAll(ops: readonly Op[]): WriteResult {
  const done: OldContent[] = [];
  let left = ops as readonly CgroupOp[];
  let first: OpFailure | undefined;
  while (left.length > 0) {
    first = undefined;
    const refused = left.filter((op) => {
      const before = contentsBefore(op);
      const failed = applyCgroupOp(op, []);
      if (failed) first ??= failed;
      else append(done, before);
      return failed !== undefined;
    });
    if (refused.length === left.length) break;
    left = refused;
  }
  return first
    ? { refused: { failed: first, unrestored: restoreAll(done) }, restore: () => [] }
    : { restore: () => restoreAll(done) };
}

/** Restores in reverse, and retries as above. @returns the files that refuse their old value */
function restoreAll(done: readonly OldContent[]): string[] {
  let left = [...done].reverse();
  for (let count = -1; left.length > 0 && left.length !== count; ) {
    count = left.length;
    left = left.filter(({ path, value }) => {
      if (value === undefined) return true;
      return native.writeFile(AT_FDCWD, path, O_TRUNC, 0, host.encode(value)) < 0;
    });
  }
  return left.map((b) => b.path);
}

function contentsBefore(op: CgroupOp): OldContent[] {
  switch (op.op) {
    case 'cgroupWrite': {
      const slash = op.path.lastIndexOf('/');
      return contentBefore(op.path.slice(0, slash), op.path.slice(slash + 1), op.value);
    }
    case 'cgroupRealtime':
      return contentBefore(op.path, op.file, op.value);
    case 'cgroupWriteFirst': {
      const i = op.paths.findIndex((p) => exists(p));
      const path = op.paths[i];
      if (path === undefined) return [];
      const slash = path.lastIndexOf('/');
      return contentBefore(path.slice(0, slash), path.slice(slash + 1), op.values[i] ?? '');
    }
    case 'cgroupCreate':
    case 'cgroupInherit':
    case 'cgroupControllers':
    case 'cgroupDevices':
    case 'cgroupOwner':
      // Controllers may stay enabled. The device filter is replaced atomically, as the last operation.
      return [];
  }
}

function contentBefore(directory: string, file: string, value: string): OldContent[] {
  const path = `${directory}/${file}`;
  // These are write-only: the opposite file undoes an entry.
  if (file === 'devices.allow' || file === 'devices.deny') {
    const other = file === 'devices.allow' ? 'deny' : 'allow';
    return [{ path: `${directory}/devices.${other}`, value: value === 'a' ? undefined : value }];
  }
  const old = { path, value: oldValue(path, file, value) };
  if (file !== 'cpu.idle' || old.value !== '0') return [old];
  // The kernel resets the weight when cpu.idle changes. The undo is in reverse, so the weight is restored last.
  const weights = ['cpu.weight', 'cpu.shares'].filter((each) => exists(`${directory}/${each}`));
  return [
    ...weights.map((each) => ({ path: `${directory}/${each}`, value: oldValue(`${directory}/${each}`, each, '') })),
    old,
  ];
}

function oldValue(path: string, file: string, value: string): string | undefined {
  let text: string | undefined;
  try {
    text = tryReadText(path);
  } catch {
    return undefined;
  }
  if (text === undefined) return undefined;
  const lines = text.split('\n').filter((line) => line !== '');
  if (file === 'memory.oom_control') return lines[0]?.split(' ')[1];
  const space = value.indexOf(' ');
  // For `8:0 1000`, the line of that device; a device without one has no limit. cpu.max and CPU lists have one line.
  if (space > 0 && file !== 'cpu.max' && !file.startsWith('cpuset.')) {
    const key = value.slice(0, space);
    return lines.find((line) => line.startsWith(`${key} `)) ?? `${key} ${noLimitLine(file)}`;
  }
  // An empty CPU list needs an empty line: writing zero bytes has no effect.
  return lines.length === 0 ? '\n' : lines.length === 1 ? lines[0] : lines.find((l) => l.startsWith('default '));
}

/** The value "no limit" for a device that the file does not list. */
function noLimitLine(file: string): string {
  if (file === 'io.max') return 'rbps=max wbps=max riops=max wiops=max';
  if (file === 'io.weight' || file === 'io.bfq.weight') return 'default';
  return '0';
}
