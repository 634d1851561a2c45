/** Operations of the rootfs and the mounts around it. */
import { table } from '../op-shape.js';

export const rootTable = table({
  hostPropagation: {
    code: 38,
    by: 'init',
    phase: 'root and mounts',
    fields: { flags: 'flags' },
    doc: 'set the propagation (MS_* flags) of the whole inherited mount tree',
  },
  isolate: {
    code: 154,
    by: 'init',
    phase: 'root and mounts',
    fields: { path: 'str' },
    doc: 'make private the mount that path is on',
  },
  rootfs: {
    code: 39,
    by: 'init',
    phase: 'root and mounts',
    fields: { path: 'str', slot: 'fd?' },
    doc: 'make a private mount of the rootfs (from slot if there is one; pivot_root(2) refuses a shared one), attach it over `/`, and resolve later paths in it',
  },
  detachedRoot: {
    code: 150,
    by: 'init',
    phase: 'root and mounts',
    fields: { path: 'str' },
    doc: 'without a mount namespace: clone the rootfs into a detached tree, and resolve later paths in it (mounting in it: Linux 6.15)',
  },
  changeRoot: {
    code: 151,
    by: 'init',
    phase: 'root and mounts',
    fields: { slot: 'fd?' },
    doc: 'chroot(2) into the root, or into the directory at slot (exec)',
  },
  leaveChroot: {
    code: 155,
    by: 'init',
    phase: 'root and mounts',
    fields: {},
    doc: 'check whether runt is in a chroot, and leave it; pivotRoot and moveRoot also detect that, but pivotRoot only if mounts are not locked',
  },
  pivotRoot: {
    code: 47,
    by: 'init',
    phase: 'root and mounts',
    fields: {},
    doc: 'pivot_root(2) into the root and detach the old one; if runt is in a chroot, from the root of the mount namespace; on a ramdisk the root covers it instead, and all other mounts there are detached',
  },
  moveRoot: {
    code: 48,
    by: 'init',
    phase: 'root and mounts',
    fields: {},
    doc: 'MS_MOVE the root over / and chroot(2) (--no-pivot), with other mounts detached or covered first; in a chroot as pivotRoot',
  },
  rootPropagation: {
    code: 49,
    by: 'init',
    phase: 'root and mounts',
    fields: { flags: 'flags' },
    doc: 'set the propagation of the new / (rootfsPropagation)',
  },
  readonlyRoot: { code: 50, by: 'init', phase: 'hide and protect', fields: {}, doc: 'make the root mount read-only' },
  showRoot: {
    code: 75,
    by: 'init',
    phase: 'root and mounts',
    fields: { path: 'str' },
    doc: "move the root's mount from over / to its path in the host's tree, where hooks look for it; where init may not go it stays",
  },
});
