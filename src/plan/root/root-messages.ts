/** Messages and explain rows for operations of the rootfs and the mounts around it. */
import { MS_PRIVATE } from '../../sys/linux.js';
import { propagation } from '../explain/flag-names.js';
import { type Messages, row, slot } from '../explain/row-parts.js';
import { word } from '../printable-text.js';
import type { rootTable } from './root-ops.js';

export const rootMessages: Messages<keyof typeof rootTable> = {
  hostPropagation: {
    sentence: () => 'set the propagation of the inherited mounts',
    rows: (op) => row(op, 'propagation', 'inherited mounts', propagation(op.flags)),
  },
  isolate: {
    sentence: (op) => `make the mount that ${op.path} is on private`,
    rows: (op) => row(op, 'propagation', `the mount of ${word(op.path)}`, propagation(MS_PRIVATE)),
  },
  rootfs: {
    sentence: (op) => `make a mount of the root file system ${op.path}`,
    rows: (op) => row(op, 'root', word(op.path), slot(op.slot)),
  },
  detachedRoot: {
    sentence: (op) => `make a detached mount of the root file system ${op.path}`,
    rows: (op) => row(op, 'root', word(op.path), 'attached nowhere'),
  },
  changeRoot: {
    sentence: () => 'change the root to the root file system',
    rows: (op) => row(op, 'chroot', '/', slot(op.slot)),
  },
  leaveChroot: {
    sentence: () => 'leave the chroot of runt',
    rows: (op) => row(op, 'root', 'of the namespace', 'where runt is in a chroot'),
  },
  pivotRoot: {
    sentence: () => 'pivot into the root file system',
    rows: (op) => row(op, 'pivot_root', '/', 'old root detached'),
  },
  moveRoot: {
    sentence: () => 'move the root file system to /',
    rows: (op) => row(op, 'move root', '/', 'MS_MOVE and chroot'),
  },
  rootPropagation: {
    sentence: () => 'set the propagation of /',
    rows: (op) => row(op, 'propagation', '/', propagation(op.flags)),
  },
  readonlyRoot: {
    sentence: () => 'make the root read-only',
    rows: (op) => row(op, 'read-only', '/'),
  },
  showRoot: {
    sentence: (op) => `move the root to ${op.path}`,
    rows: (op) => row(op, 'move root', word(op.path), 'where hooks look for it'),
  },
};
