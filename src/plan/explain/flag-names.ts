/** Names of kernel flags in the spec and in mount(8), for explain. */

import { capabilityNames } from '../../sys/kernel-names.js';
import {
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_IDMAP,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
  MS_I_VERSION,
  MS_POSIXACL,
  MS_PRIVATE,
  MS_REC,
  MS_SHARED,
  MS_SILENT,
  MS_SLAVE,
  MS_UNBINDABLE,
  namespaceFlags,
} from '../../sys/linux.js';

/** CLONE_NEW* flags by the spec's names. */
export function namespaces(flags: number): string[] {
  const names: string[] = [];
  let rest = flags;
  for (const [name, flag] of Object.entries(namespaceFlags)) {
    if (flags & flag) names.push(name);
    rest &= ~flag;
  }
  if (rest) names.push(`0x${(rest >>> 0).toString(16)}`);
  return names;
}

/** Capability mask by names; bits without a name as `bit N`. */
export function capabilities(mask: number | bigint): string[] {
  const known = capabilityNames();
  const names: string[] = [];
  for (let rest = BigInt(mask), bit = 0; rest > 0n; rest >>= 1n, bit++) {
    if (rest & 1n) names.push(known[bit] ?? `bit ${bit}`);
  }
  return names.length === known.length && names.at(-1) === known.at(-1) ? ['all'] : names;
}

/** MS_* propagation flags by the names of mount options. */
export function propagation(flags: number | bigint): string {
  const f = Number(flags);
  const r = f & MS_REC ? 'r' : '';
  if (f & MS_SHARED) return `${r}shared`;
  if (f & MS_SLAVE) return `${r}slave`;
  if (f & MS_PRIVATE) return `${r}private`;
  if (f & MS_UNBINDABLE) return `${r}unbindable`;
  return `0x${f.toString(16)}`;
}

const attributeNames: readonly (readonly [flag: number, set: string, clear: string])[] = [
  [MOUNT_ATTR_RDONLY, 'ro', 'rw'],
  [MOUNT_ATTR_NOSUID, 'nosuid', 'suid'],
  [MOUNT_ATTR_NODEV, 'nodev', 'dev'],
  [MOUNT_ATTR_NOEXEC, 'noexec', 'exec'],
  [MOUNT_ATTR_NODIRATIME, 'nodiratime', 'diratime'],
  [MOUNT_ATTR_NOSYMFOLLOW, 'nosymfollow', 'symfollow'],
  [MOUNT_ATTR_IDMAP, 'idmap', ''],
];

/** MOUNT_ATTR_* flags by the names of mount options, each with a prefix (`r` for the recursive ones). */
export function attributes(set: number | bigint, clear: number | bigint = 0, prefix = ''): string {
  const [on, off] = [Number(set), Number(clear)];
  const names: string[] = [];
  let rest = on & ~MOUNT_ATTR__ATIME;
  for (const [flag, name, opposite] of attributeNames) {
    rest &= ~flag;
    if (on & flag) names.push(name);
    else if (off & flag && opposite !== '') names.push(opposite);
  }
  // The access time is a field, not a bit. relatime is its zero, so name it only if the field was cleared for it.
  const atime = on & MOUNT_ATTR__ATIME;
  if (atime === MOUNT_ATTR_NOATIME) names.push('noatime');
  else if (atime === MOUNT_ATTR_STRICTATIME) names.push('strictatime');
  else if (off & MOUNT_ATTR__ATIME) names.push('relatime');
  if (rest) names.push(`0x${rest.toString(16)}`);
  return names.map((name) => prefix + name).join(',');
}

/** MS_* flags of a file system by the names of mount options. */
export function superblockFlags(flags: number | bigint): string {
  const names = [
    [MS_SILENT, 'silent'],
    [MS_POSIXACL, 'acl'],
    [MS_I_VERSION, 'iversion'],
  ] as const;
  return names.flatMap(([flag, name]) => (Number(flags) & flag ? name : [])).join(',');
}

/** SECCOMP_FILTER_FLAG_* by name. */
export function seccompFlags(flags: number | bigint): string {
  const names = ['TSYNC', 'LOG', 'SPEC_ALLOW', 'NEW_LISTENER', 'TSYNC_ESRCH', 'WAIT_KILLABLE_RECV'];
  return names.filter((_, bit) => (Number(flags) >> bit) & 1).join(', ');
}
