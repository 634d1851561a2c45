/** Slots: descriptors that only the runtime can open, and that runt-init finds by their number in the plan. */
import type { Op } from '../../../plan/plan-ops.js';
import { E } from '../../../sys/errno.js';
import { native } from '../../../sys/host.js';
import {
  AT_FDCWD,
  AT_RECURSIVE,
  AT_SYMLINK_NOFOLLOW,
  O_APPEND,
  O_CREAT,
  O_PATH,
  O_WRONLY,
  OPEN_TREE_CLONE,
} from '../../../sys/linux.js';
import { connectTo } from '../../../sys/sockets/unix-socket.js';
import { checkOp } from '../../failure/op-failed.js';
import { holdProcess, isAlive } from '../../state/recorded-process.js';
import type { ContainerRecord } from '../../state/state-store.js';

export type SlotOp = Extract<
  Op,
  {
    op:
      | 'openTree'
      | 'mountTemplate'
      | 'hookFile'
      | 'cgroupOpen'
      | 'cgroupDirectory'
      | 'consoleConnect'
      | 'initProcess'
      | 'processRoot';
  }
>;

/** Opens the file that hook output is appended to. @returns the descriptor, or -errno */
export const openHookFile = (path: string): number =>
  native.openAt(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND, 0o600);

/** Opens the descriptor for a slot. Returns a promise if that waits. @throws OpFailed */
export function openSlot(op: SlotOp, record: ContainerRecord): number | Promise<number> {
  switch (op.op) {
    case 'openTree': {
      const flags = OPEN_TREE_CLONE | (op.recursive ? AT_RECURSIVE : 0) | (op.nofollow ? AT_SYMLINK_NOFOLLOW : 0);
      const tree = native.openTree(AT_FDCWD, op.source, flags);
      return tree === -E.ENOENT && op.optional ? -1 : checkOp(op, tree, 'open_tree', op.source);
    }
    case 'mountTemplate':
      return checkOp(op, native.mountTemplate(), 'open');
    case 'hookFile':
      return checkOp(op, openHookFile(op.path), 'open', op.path);
    case 'cgroupOpen':
      return checkOp(op, native.openAt(AT_FDCWD, op.path, O_WRONLY, 0), 'open', op.path);
    case 'cgroupDirectory':
      return checkOp(op, native.openAt(AT_FDCWD, op.path, O_PATH, 0), 'open', op.path);
    case 'consoleConnect':
      return connectTo(op.path).then((socket) => checkOp(op, socket, 'connect', op.path));
    case 'processRoot': {
      const path = `/proc/${record.pid}/root`;
      return ofContainer(op, native.openAt(AT_FDCWD, path, O_PATH, 0), record, path);
    }
    case 'initProcess': {
      const held = holdProcess(record);
      if (!held || held.fd >= 0) return checkOp(op, held?.fd ?? -E.ESRCH, 'pidfd_open');
      // pidfd_open(2) is refused. The directory never refers to another process; runt-init verifies that it is of a
      // procfs.
      const path = `/proc/${record.pid}`;
      return ofContainer(op, native.openDirectory(AT_FDCWD, path, O_PATH), record, path);
    }
  }
}

/** What was opened by the pid is the container's when its process is still there afterwards; else it is closed. */
function ofContainer(op: SlotOp, fd: number, record: ContainerRecord, path: string): number {
  checkOp(op, fd, 'open', path);
  let alive = false;
  try {
    alive = isAlive(record);
  } finally {
    if (!alive) native.close(fd);
  }
  return checkOp(op, alive ? fd : -E.ESRCH, 'open', path);
}
