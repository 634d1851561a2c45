/** Options of one mount, sorted by their effect (config.md#linux-mount-options). */

import type { Mount } from '../../spec/config-types.js';
import { mountOption } from '../../spec/mount-options.js';
import { MOUNT_ATTR_NOEXEC } from '../../sys/linux.js';
import type { BindMount, FsMount } from './mount-op.js';
import type { SharedFields } from './mount-text.js';

export type MountSettings = Readonly<ParsedOptions>;

interface ParsedOptions {
  bind: boolean;
  recursiveBind: boolean;
  setAttrs: number;
  clearAttrs: number;
  setAttrsRec: number;
  clearAttrsRec: number;
  /** MS_* flags, in order. */
  propagation: readonly number[];
  /** Options of the file system: `key=value` or `key`. */
  data: readonly string[];
  /** MS_* flags that only mount(2) can pass to a file system. */
  flags: number;
  /** `tmpcopyup`. */
  copyUp: boolean;
  /** Changes an existing mount. */
  remount: boolean;
  /** The last of `idmap` and `ridmap` (for all mounts of the tree), with its mappings, if any. */
  idmap?: { readonly recursive: boolean; readonly ranges?: string };
  /** `src-nofollow`, `dest-nofollow`, `copy-symlink`. */
  sourceNofollow: boolean;
  targetNofollow: boolean;
  copySymlink: boolean;
}

/** Whether a mount is a bind. */
export const isBind = ({ type, options }: Mount): boolean =>
  type === 'bind' || (options?.some((o) => o === 'bind' || o === 'rbind') ?? false);

/**
 * The attributes of a new mount, which has no mounts below it. Recursive ones apply after the others, as in runc. Both
 * cannot be joined: the modes of access times are numbers, and `noatime` with `rstrictatime` would be none.
 */
export const newMountAttributes = (s: MountSettings): number => ((s.setAttrs & ~s.clearAttrsRec) | s.setAttrsRec) >>> 0;

/** What mounts of one type with equal options share. */
export interface MountKind {
  readonly settings: MountSettings;
  /** The type; '' for none. */
  readonly type: string;
  /** Once the first of them is compiled: its operation, of which the others get copies with their own paths. */
  bind?: BindMount | undefined;
  fs?: FsMount | undefined;
  /** One of them is encoded. */
  isEncoded: boolean;
  /** The fields on the wire that they share, once two are encoded. */
  shared?: SharedFields | undefined;
}

/** The kind of each mount, in order. Most mounts of a long list are of the kind of another one. */
export function mountKinds(mounts: readonly Mount[]): readonly MountKind[] {
  const known = new Map<string, MountKind>();
  const kinds: MountKind[] = [];
  for (let i = 0; i < mounts.length; i++) {
    const mount = mounts[i] as Mount;
    const before = mounts[i - 1];
    if (before && before.options === mount.options && before.type === mount.type) {
      kinds[i] = kinds[i - 1] as MountKind;
      continue;
    }
    // No option holds a NUL: rules/text-rules.ts. Without options, or with an empty one, a mount has no settings.
    const key = `${mount.type ?? ''}\0${mount.options?.join('\0') ?? ''}`;
    let kind = known.get(key);
    if (!kind) {
      kind = {
        settings: mountSettings(mount),
        type: mount.type ?? '',
        bind: undefined,
        fs: undefined,
        isEncoded: false,
        shared: undefined,
      };
      known.set(key, kind);
    }
    kinds[i] = kind;
  }
  return kinds;
}

/**
 * Parses the options of one mount. A bind mount keeps the flags and data of its source's file system, so its own are
 * dropped here; the config rules warn about each. One with an attribute of its own loses its source's noexec.
 */
export function mountSettings(mount: Mount): MountSettings {
  const propagation: number[] = [];
  const data: string[] = [];
  const s: ParsedOptions = {
    bind: mount.type === 'bind',
    recursiveBind: false,
    setAttrs: 0,
    clearAttrs: 0,
    setAttrsRec: 0,
    clearAttrsRec: 0,
    propagation,
    data,
    flags: 0,
    copyUp: false,
    remount: false,
    sourceNofollow: false,
    targetNofollow: false,
    copySymlink: false,
  };
  let readOnly = '';
  const keys: string[] = [];
  for (const name of mount.options ?? []) {
    const option = mountOption(name);
    switch (option?.kind) {
      case undefined:
        // An empty option has no effect: podman 5.8 writes some with --systemd.
        if (name !== '') data.push(name);
        break;
      case 'bind':
        s.bind = true;
        // As flags of mount(2): `bind` does not undo `rbind`; CRI-O writes both.
        s.recursiveBind ||= option.recursive;
        break;
      case 'propagation':
        propagation.push(option.flags);
        break;
      case 'attr':
        if (option.recursive) {
          s.setAttrsRec = (s.setAttrsRec & ~option.clear) | option.set;
          s.clearAttrsRec = (s.clearAttrsRec & ~option.set) | option.clear;
        } else {
          s.setAttrs = (s.setAttrs & ~option.clear) | option.set;
          s.clearAttrs = (s.clearAttrs & ~option.set) | option.clear;
          if (option.superblock) readOnly = option.superblock;
        }
        break;
      case 'superblock':
        if (option.key !== undefined) keys.push(option.key);
        else s.flags = option.set ? s.flags | option.flag : s.flags & ~option.flag;
        break;
      case 'idmap':
        s.idmap = option;
        break;
      case 'tmpcopyup':
        s.copyUp = true;
        break;
      case 'remount':
        s.remount = true;
        break;
      case 'nofollow':
        s[option.what] = true;
        break;
      default:
    }
  }
  if (s.bind) {
    s.data = [];
    s.flags = 0;
    // runc and crun clear all flags that the options do not name, so that a program on a `:ro` volume runs.
    if (!s.remount && s.setAttrs | s.clearAttrs) s.clearAttrs |= MOUNT_ATTR_NOEXEC & ~s.setAttrs;
  } else if (readOnly === 'ro' || (readOnly && s.remount)) s.data = [readOnly, ...keys, ...s.data];
  else s.data = [...keys, ...s.data];
  return s;
}
