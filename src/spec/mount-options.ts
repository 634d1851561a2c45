/** Table of mount options (runtime-spec config.md#linux-mount-options): each name, and its effect in the kernel. */
import * as linux from '../sys/linux.js';

/** Effect of one option of `mounts[].options`. */
type MountOption =
  /**
   * Attributes of the mount (mount_setattr(2)): first `clear`, then `set`, both MOUNT_ATTR_*. `recursive` includes all
   * mounts below (AT_RECURSIVE). `superblock` is an additional fsconfig(2) flag for a new file system: `ro` and `rw` of
   * mount(2) apply to the mount and to the file system.
   */
  | {
      readonly kind: 'attr';
      readonly set: number;
      readonly clear: number;
      readonly recursive: boolean;
      readonly superblock?: 'ro' | 'rw';
    }
  /** Propagation type: one of MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, with MS_REC or not. */
  | { readonly kind: 'propagation'; readonly flags: number }
  /** A bind mount, of one mount or of the tree. */
  | { readonly kind: 'bind'; readonly recursive: boolean }
  /**
   * A flag of the file system, not of the mount. `flag` is its MS_* bit, `set` whether it is on. `key` is its name for
   * fsconfig(2) FSCONFIG_SET_FLAG; undefined if only mount(2) can pass it.
   */
  | { readonly kind: 'superblock'; readonly flag: number; readonly set: boolean; readonly key?: string }
  /**
   * Id-mapped mount (mount_setattr(2) MOUNT_ATTR_IDMAP), with the mappings of the mount, of the option (`ranges`,
   * crun's `idmap=uids=…;gids=…`) or of the container.
   */
  | { readonly kind: 'idmap'; readonly recursive: boolean; readonly ranges?: string }
  /** crun's: does not follow a symlink at the source or at the destination, or recreates it instead of mounting. */
  | { readonly kind: 'nofollow'; readonly what: 'sourceNofollow' | 'targetNofollow' | 'copySymlink' }
  /** tmpfs that starts with a copy of the directory below it. */
  | { readonly kind: 'tmpcopyup' }
  /** Change of an existing mount. */
  | { readonly kind: 'remount' }
  /** `defaults`: no effect. */
  | { readonly kind: 'none' };

const ATIME = linux.MOUNT_ATTR__ATIME;

/** Mount attributes: name → [set, clear]. A prefix `r` makes each recursive: `rro`, `rnosuid`. */
const ATTRIBUTES: Readonly<Record<string, readonly [set: number, clear: number]>> = {
  ro: [linux.MOUNT_ATTR_RDONLY, 0],
  rw: [0, linux.MOUNT_ATTR_RDONLY],
  nosuid: [linux.MOUNT_ATTR_NOSUID, 0],
  suid: [0, linux.MOUNT_ATTR_NOSUID],
  nodev: [linux.MOUNT_ATTR_NODEV, 0],
  dev: [0, linux.MOUNT_ATTR_NODEV],
  noexec: [linux.MOUNT_ATTR_NOEXEC, 0],
  exec: [0, linux.MOUNT_ATTR_NOEXEC],
  nosymfollow: [linux.MOUNT_ATTR_NOSYMFOLLOW, 0],
  symfollow: [0, linux.MOUNT_ATTR_NOSYMFOLLOW],
  nodiratime: [linux.MOUNT_ATTR_NODIRATIME, 0],
  diratime: [0, linux.MOUNT_ATTR_NODIRATIME],
  // The access time is one field, so to leave a mode is to use the kernel's default, relatime. `norelatime` alone keeps
  // that default, as mount(2) does: it uses relatime if no other mode is named.
  noatime: [linux.MOUNT_ATTR_NOATIME, ATIME],
  atime: [linux.MOUNT_ATTR_RELATIME, ATIME],
  relatime: [linux.MOUNT_ATTR_RELATIME, ATIME],
  norelatime: [linux.MOUNT_ATTR_RELATIME, ATIME],
  strictatime: [linux.MOUNT_ATTR_STRICTATIME, ATIME],
  nostrictatime: [linux.MOUNT_ATTR_RELATIME, ATIME],
};

const PROPAGATION: Readonly<Record<string, number>> = {
  shared: linux.MS_SHARED,
  slave: linux.MS_SLAVE,
  private: linux.MS_PRIVATE,
  unbindable: linux.MS_UNBINDABLE,
};

/** File system flags: name → [MS_* bit, on, fsconfig key]. fsconfig only supports the keys of fs/fs_context.c. */
const SUPERBLOCK: Readonly<Record<string, readonly [flag: number, set: boolean, key?: string]>> = {
  sync: [linux.MS_SYNCHRONOUS, true, 'sync'],
  async: [linux.MS_SYNCHRONOUS, false, 'async'],
  dirsync: [linux.MS_DIRSYNC, true, 'dirsync'],
  lazytime: [linux.MS_LAZYTIME, true, 'lazytime'],
  nolazytime: [linux.MS_LAZYTIME, false, 'nolazytime'],
  mand: [linux.MS_MANDLOCK, true, 'mand'],
  nomand: [linux.MS_MANDLOCK, false, 'nomand'],
  iversion: [linux.MS_I_VERSION, true],
  noiversion: [linux.MS_I_VERSION, false],
  silent: [linux.MS_SILENT, true],
  loud: [linux.MS_SILENT, false],
  acl: [linux.MS_POSIXACL, true],
  noacl: [linux.MS_POSIXACL, false],
};

const OTHER: Readonly<Record<string, MountOption>> = {
  defaults: { kind: 'none' },
  bind: { kind: 'bind', recursive: false },
  rbind: { kind: 'bind', recursive: true },
  idmap: { kind: 'idmap', recursive: false },
  ridmap: { kind: 'idmap', recursive: true },
  tmpcopyup: { kind: 'tmpcopyup' },
  remount: { kind: 'remount' },
  'src-nofollow': { kind: 'nofollow', what: 'sourceNofollow' },
  'dest-nofollow': { kind: 'nofollow', what: 'targetNofollow' },
  'copy-symlink': { kind: 'nofollow', what: 'copySymlink' },
};

/** All of the tables above, by name; built once, in the static binary at build time. */
const OPTIONS: ReadonlyMap<string, MountOption> = new Map(allOptions());

function* allOptions(): Generator<[string, MountOption]> {
  for (const [name, [set, clear]] of Object.entries(ATTRIBUTES)) {
    const plain = { kind: 'attr', set, clear, recursive: false } as const;
    yield [name, name === 'ro' || name === 'rw' ? { ...plain, superblock: name } : plain];
    yield [`r${name}`, { ...plain, recursive: true }];
  }
  for (const [name, flags] of Object.entries(PROPAGATION)) {
    yield [name, { kind: 'propagation', flags }];
    yield [`r${name}`, { kind: 'propagation', flags: flags | linux.MS_REC }];
  }
  for (const [name, [flag, set, key]] of Object.entries(SUPERBLOCK)) {
    yield [name, { kind: 'superblock', flag, set, ...(key !== undefined && { key }) }];
  }
  yield* Object.entries(OTHER);
}

/** The effect of one option, or undefined if it is data for the file system, such as `size=64k`. */
export function mountOption(name: string): MountOption | undefined {
  const found = OPTIONS.get(name);
  if (found || !name.includes('idmap=')) return found;
  const [, r = '', ranges] = /^(r?)idmap=(.*)$/s.exec(name) ?? [];
  return ranges === undefined ? undefined : { kind: 'idmap', recursive: r !== '', ranges };
}

/** Every name of the table, sorted: for `features` and for suggestions. */
export function mountOptionNames(): string[] {
  return [...OPTIONS.keys()].sort();
}

/** Made once: thousands of mounts would make as many expressions. */
const DOTS = /^[./]*$/;

/** Whether a destination is `/`, so that the mount becomes the container's root. */
export function isRoot(destination: string): boolean {
  const second = destination.charAt(1);
  if (second !== '' && second !== '/' && second !== '.') return false;
  return DOTS.test(destination) && destination.split('/').every((p) => p.length < 3);
}
