/** Host facts for the compiler, read without side effects. */

import { type CgroupFacts, isCgroupWritable, readCgroupFacts } from '../../cgroup/cgroup-facts.js';
import { defaultParent, unifiedOptions } from '../../cgroup/unified-tree.js';
import type { HostFacts } from '../../plan/host-facts.js';
import { callerIds } from '../../sys/caller-ids.js';
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { exists, LONG_FILE, readText, realPath, stat, tryReadText, tryStat } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, CAP_LAST, OPEN_TREE_CLONE, SELINUX_MAGIC, X_OK } from '../../sys/linux.js';
import { isInUserNamespace } from './user-namespace.js';

/** Where to look for newuidmap and newgidmap. Not in PATH: they run with root's rights. */
const helperDirectories = ['/usr/bin', '/usr/local/bin', '/bin', '/usr/sbin'];

/** Whether to act as for an ordinary user; `auto`: if this process is one, or root of a user namespace. */
export type RootlessMode = 'true' | 'false' | 'auto';

/** @throws RuntError ERR_IO when /proc cannot be read */
export function readHostFacts(rootless: RootlessMode = 'auto'): HostFacts {
  const { uid: euid, gid: egid } = callerIds();
  const isRootless = withoutRoot(rootless, euid);
  let cgroup: CgroupFacts | undefined;
  let last: number | undefined;
  return {
    // An exec that names no cgroup does not need them.
    get cgroup() {
      cgroup ??= readCgroupFacts();
      return cgroup;
    },
    euid,
    egid,
    rootless: isRootless,
    get lastCapability() {
      last ??= lastCapability();
      return last;
    },
    isCgroupWritable,
    cgroupParent: defaultParent,
    unifiedOptions,
    ownCgroupNamespace: (path) => isSameFile(path, '/proc/self/ns/cgroup'),
    realPath,
    mayClone,
    hasMountTemplate,
    get kcore() {
      return exists('/proc/kcore');
    },
    newuidmap: isRootless ? helper('newuidmap') : '',
    newgidmap: isRootless ? helper('newgidmap') : '',
    resctrl: () => resctrlMount(readText('/proc/self/mountinfo', AT_FDCWD, LONG_FILE)),
    apparmor: () => small('/sys/module/apparmor/parameters/enabled').startsWith('Y'),
    // Without a policy every process is labelled "kernel", and labels have no effect.
    selinux: () =>
      isSelinux('/sys/fs/selinux') && small('/proc/self/attr/current').replace(/[\0\n]+$/, '') !== 'kernel',
  };
}

/** Tries it: the kernel checks the mount namespace's owner before it resolves the path (open_tree(2), EPERM). */
function mayClone(): boolean {
  const tree = native.openTree(AT_FDCWD, '/', OPEN_TREE_CLONE);
  if (tree >= 0) native.close(tree);
  return tree >= 0;
}

/**
 * A copy of a mount namespace costs 1.5 µs for each mount or more, in each of copy, propagation and removal; to find
 * and open the template costs 0.2 ms.
 */
const manyMounts = 256;

function hasMountTemplate(): boolean {
  if (native.countMounts(manyMounts) < manyMounts) return false;
  const template = native.mountTemplate();
  if (template >= 0) native.close(template);
  return template >= 0;
}

/** Whether the runtime lacks root's rights on the host. */
export function withoutRoot(rootless: RootlessMode = 'auto', euid = callerIds().uid): boolean {
  return rootless === 'true' || (rootless === 'auto' && (euid !== 0 || isInUserNamespace()));
}

const helper = (name: string): string => {
  const directory = helperDirectories.find((d) => native.access(`${d}/${name}`, X_OK) === 0);
  return directory ? `${directory}/${name}` : '';
};

/** Mount point of the first resctrl file system in a mountinfo (proc_pid_mountinfo(5)); '' if there is none. */
export function resctrlMount(mountinfo: string): string {
  const at = mountinfo.indexOf(' - resctrl ');
  if (at < 0) return '';
  const path = mountinfo.slice(mountinfo.lastIndexOf('\n', at) + 1, at).split(' ')[4] ?? '';
  return path.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function lastCapability(): number {
  const text = small('/proc/sys/kernel/cap_last_cap').trim();
  return text === '' ? CAP_LAST : Number(text);
}

/** Whether both paths are the same file. False if the first is missing: another operation reports that. */
function isSameFile(path: string, other: string): boolean {
  const [a, b] = [tryStat(path), stat(other)];
  return a !== undefined && a.dev === b.dev && a.ino === b.ino;
}

const small = (path: string): string => tryReadText(path) ?? '';

function isSelinux(path: string): boolean {
  const type = native.statfsType(path);
  if (type >= 0n || type === BigInt(-E.ENOENT)) return type === SELINUX_MAGIC;
  throw new RuntError({ code: 'ERR_IO', message: `look at ${path}`, path, errno: -Number(type), syscall: 'statfs' });
}
