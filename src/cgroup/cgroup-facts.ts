/** The host's cgroup hierarchies, their mount points, and the runtime's own cgroup in each. */
import { E } from '../sys/errno.js';
import { RuntError } from '../sys/error.js';
import { LONG_FILE, readText, tryReadText } from '../sys/fs.js';
import { native } from '../sys/host.js';
import { AT_FDCWD, CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, F_OK, W_OK } from '../sys/linux.js';
import { isBelow, visibleCgroupMounts } from './cgroup-mounts.js';

/** One mounted v1 hierarchy. */
export interface V1Hierarchy {
  /** Absolute path; its last component names the directory below /sys/fs/cgroup in the container. */
  readonly mountPoint: string;
  /** The cgroup at the root of the mount: `/`, or another one inside a container without a cgroup namespace. */
  readonly root: string;
  /** In the kernel's order; empty for a named hierarchy. */
  readonly controllers: readonly string[];
  /** `systemd` for `name=systemd`; undefined with controllers. */
  readonly name?: string;
  /** Own cgroup, relative to mountPoint: `/` or `/a/b`. */
  readonly own: string;
}

/** The v2 hierarchy. */
interface UnifiedHierarchy {
  readonly mountPoint: string;
  /** Own cgroup, relative to mountPoint: `/` or `/a/b`. */
  readonly own: string;
  /** `cgroup.controllers` at the mount point. */
  readonly controllers: readonly string[];
}

export interface CgroupFacts {
  /** `hybrid`: v1 hierarchies and a v2 mount beside them. */
  readonly layout: 'v1' | 'hybrid' | 'v2' | 'none';
  /** Every mounted v1 hierarchy, in the order of /proc/self/cgroup. */
  readonly v1: readonly V1Hierarchy[];
  /** Present when the layout is `v2` or `hybrid`. */
  readonly unified?: UnifiedHierarchy;
}

/** Whether /sys/fs/cgroup is the hierarchy of cgroup v2, without those of v1. */
export const hasOnlyV2 = (): boolean => native.statfsType('/sys/fs/cgroup') === CGROUP2_SUPER_MAGIC;

/**
 * Looks at the usual mount points first, and reads mountinfo only if a hierarchy is elsewhere. mountinfo is long on a
 * host with many containers, and the kernel locks its mounts while it writes it.
 * @throws RuntError ERR_IO when /proc cannot be read
 */
export function readCgroupFacts(): CgroupFacts {
  const cgroup = tryReadText('/proc/self/cgroup') ?? refuseWithoutProc();
  if (hasOnlyV2()) {
    const own = pathBelowRoot(ownPaths(cgroup).find((l) => l.unified)?.path ?? '/', '/');
    // If a parent container without a cgroup namespace bind-mounted it, the mount does not begin at the hierarchy's
    // root. Then only mountinfo shows which part of the own path is above the mount.
    if (own === '/' || native.access(`/sys/fs/cgroup${own}`, F_OK) >= 0) {
      const controllers = splitWords(tryReadText('/sys/fs/cgroup/cgroup.controllers') ?? '');
      return { layout: 'v2', v1: [], unified: { mountPoint: '/sys/fs/cgroup', own, controllers } };
    }
  }
  const controllersOf = (mountPoint: string) => tryReadText(`${mountPoint}/cgroup.controllers`);
  return (
    factsAtUsualMounts(cgroup, controllersOf) ??
    parseCgroupFacts(cgroup, readText('/proc/self/mountinfo', AT_FDCWD, LONG_FILE), controllersOf)
  );
}

function refuseWithoutProc(): never {
  throw new RuntError({
    code: 'ERR_IO',
    message: 'read /proc/self/cgroup',
    path: '/proc/self/cgroup',
    errno: E.ENOENT,
    syscall: 'open',
    hint: 'run "mount -t proc proc /proc": no procfs is mounted there, as in a new chroot, or the kernel has no cgroups',
    see: 'proc(5)',
  });
}

/** Facts for v1 and hybrid at the usual mount points; undefined if a hierarchy or an own cgroup is not there. */
function factsAtUsualMounts(
  cgroup: string,
  controllersOf: (mountPoint: string) => string | undefined,
): CgroupFacts | undefined {
  const v1: V1Hierarchy[] = [];
  let unified: UnifiedHierarchy | undefined;
  for (const { controllers, name, path, unified: isUnified } of ownPaths(cgroup)) {
    const mountPoint = `/sys/fs/cgroup/${isUnified ? 'unified' : (name ?? controllers.join(','))}`;
    const magic = isUnified ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC;
    const type = native.statfsType(mountPoint);
    if (type !== magic) {
      // v2 need not be mounted beside v1 hierarchies.
      if (isUnified && (type >= 0n || type === BigInt(-E.ENOENT))) continue;
      return undefined;
    }
    if (path !== '/' && native.access(`${mountPoint}${path}/cgroup.procs`, F_OK) < 0) return undefined;
    if (isUnified) unified = { mountPoint, own: path, controllers: splitWords(controllersOf(mountPoint) ?? '') };
    else v1.push({ mountPoint, root: '/', controllers, ...(name !== undefined && { name }), own: path });
  }
  if (v1.length === 0) return undefined;
  return { layout: unified ? 'hybrid' : 'v1', v1, ...(unified && { unified }) };
}

/**
 * The facts from the texts of /proc/self/cgroup and /proc/self/mountinfo (proc_pid_cgroup(5), proc_pid_mountinfo(5)).
 * `controllersOf` returns the text of cgroup.controllers at a v2 mount point.
 */
export function parseCgroupFacts(
  cgroup: string,
  mountinfo: string,
  controllersOf: (mountPoint: string) => string | undefined,
): CgroupFacts {
  const mounts = visibleCgroupMounts(mountinfo);
  const v1: V1Hierarchy[] = [];
  let unified: UnifiedHierarchy | undefined;
  for (const line of ownPaths(cgroup)) {
    if (line.unified) {
      const m = mounts.find((c) => c.type === 'cgroup2');
      if (m) {
        const controllers = splitWords(controllersOf(m.mountPoint) ?? '');
        unified = { mountPoint: m.mountPoint, own: pathBelowRoot(line.path, m.root), controllers };
      }
      continue;
    }
    const key = line.name === undefined ? line.controllers[0]! : `name=${line.name}`;
    const m = mounts.find((c) => c.type === 'cgroup' && c.options.includes(key));
    if (!m) continue;
    v1.push({
      mountPoint: m.mountPoint,
      root: m.root,
      controllers: line.controllers,
      ...(line.name === undefined ? {} : { name: line.name }),
      own: pathBelowRoot(line.path, m.root),
    });
  }
  const layout = v1.length > 0 ? (unified ? 'hybrid' : 'v1') : unified ? 'v2' : 'none';
  return { layout, v1, ...(unified ? { unified } : {}) };
}

/** Name of a hierarchy in mount options and in the state: `cpu,cpuacct`, `name=systemd`. */
export function hierarchyName(h: Pick<V1Hierarchy, 'controllers' | 'name'>): string {
  return h.name === undefined ? h.controllers.join(',') : `name=${h.name}`;
}

/** Directory of a hierarchy below /sys/fs/cgroup, the same on the host and in the container. */
export function hierarchyDirectory(h: V1Hierarchy): string {
  return h.mountPoint.slice(h.mountPoint.lastIndexOf('/') + 1);
}

/**
 * Symlinks to the hierarchy's directory that a co-mounted hierarchy needs, one for each controller (`cpu` →
 * `cpu,cpuacct`); empty for a hierarchy of one controller.
 */
export function hierarchyLinks(h: V1Hierarchy): string[] {
  const directory = hierarchyDirectory(h);
  return h.controllers.length > 1 ? h.controllers.filter((c) => c !== directory) : [];
}

/** Options to mount the hierarchy again in a new cgroup namespace. */
export function hierarchyOptions(h: V1Hierarchy): string[] {
  return h.name === undefined ? [...h.controllers] : ['none', `name=${h.name}`];
}

/** The cgroup of a process in one hierarchy. */
export interface OwnPath {
  readonly unified: boolean;
  readonly controllers: readonly string[];
  readonly name?: string;
  readonly path: string;
}

/** The lines `id:controllers:path` of proc_pid_cgroup(5); a path may hold colons. */
export function ownPaths(text: string): OwnPath[] {
  const paths: OwnPath[] = [];
  for (const line of text.split('\n')) {
    const first = line.indexOf(':');
    const second = line.indexOf(':', first + 1);
    if (first < 0 || second < 0) continue;
    const list = line.slice(first + 1, second);
    const path = line.slice(second + 1);
    const name = list.split(',').find((c) => c.startsWith('name='));
    if (list === '') paths.push({ unified: true, controllers: [], path });
    else if (name !== undefined) paths.push({ unified: false, controllers: [], name: name.slice(5), path });
    else paths.push({ unified: false, controllers: list.split(','), path });
  }
  return paths;
}

/** A path of /proc/self/cgroup as seen from a mount whose root is `root`; `/` if it is not below `root`. */
function pathBelowRoot(path: string, root: string): string {
  if (path.split('/').includes('..')) return '/';
  if (root === '/') return path;
  if (path === root) return '/';
  return isBelow(path, root) ? path.slice(root.length) : '/';
}

function splitWords(text: string): string[] {
  return text
    .replaceAll('\n', ' ')
    .split(' ')
    .filter((w) => w !== '');
}

/**
 * Whether the runtime can make or use the cgroup at `path`. Checks its nearest existing ancestor and the cgroup.procs
 * in it: a delegation covers both (cgroups(7), "Cgroups delegation").
 * @throws RuntError ERR_CGROUP if access(2) fails for a reason other than permissions or a missing file
 */
export function isCgroupWritable(path: string): boolean {
  for (let directory = path; directory.length > 1; directory = directory.slice(0, directory.lastIndexOf('/'))) {
    if (isAccessible(directory, F_OK))
      return isAccessible(directory, W_OK) && isAccessible(`${directory}/cgroup.procs`, W_OK);
  }
  return false;
}

function isAccessible(path: string, mode: number): boolean {
  const result = native.access(path, mode);
  if (result >= 0) return true;
  if ([E.ENOENT, E.ENOTDIR, E.EACCES, E.EPERM, E.EROFS].includes(-result)) return false;
  const facts = { code: 'ERR_CGROUP', message: `check access to the cgroup ${path}`, path, syscall: 'faccessat2' };
  throw new RuntError({ ...facts, errno: -result });
}

/**
 * Whether `path` is a cgroup or a file of one: check before you trust its pids or remove directories. False if `path`
 * does not exist or is on another file system.
 * @throws RuntError ERR_CGROUP when statfs(2) fails for any other reason
 */
export function isCgroup(path: string): boolean {
  const type = fileSystemType(path);
  return type !== undefined && isCgroupType(type);
}

/**
 * The cgroup version of a directory; undefined if it is not a cgroup.
 * @throws RuntError ERR_CGROUP when statfs(2) fails for any reason but that the path does not exist
 */
export function hierarchyVersion(path: string): 1 | 2 | undefined {
  const type = fileSystemType(path);
  if (type === CGROUP_SUPER_MAGIC) return 1;
  return type === CGROUP2_SUPER_MAGIC ? 2 : undefined;
}

/**
 * Throws if a cgroup is missing only because its hierarchy is not mounted: the cgroup may still hold processes.
 * @throws RuntError ERR_CGROUP
 */
export function checkMounted(paths: readonly string[]): void {
  for (const path of paths) {
    let above = path;
    let type = fileSystemType(path);
    for (; type === undefined; type = fileSystemType(above || '/')) above = above.slice(0, above.lastIndexOf('/'));
    if (isCgroupType(type)) continue;
    throw new RuntError({
      code: 'ERR_CGROUP',
      message: `look for the cgroup ${path}: no cgroup hierarchy is mounted at ${above || '/'}`,
      path,
      hint: 'mount the cgroup hierarchies as they were when the container was made',
    });
  }
}

const isCgroupType = (type: bigint): boolean => type === CGROUP_SUPER_MAGIC || type === CGROUP2_SUPER_MAGIC;

/** Type of the file system at a path; undefined if the path does not exist. */
function fileSystemType(path: string): bigint | undefined {
  const type = native.statfsType(path);
  if (type >= 0n) return type;
  const errno = -Number(type);
  if (errno === E.ENOENT || errno === E.ENOTDIR) return undefined;
  throw new RuntError({
    code: 'ERR_CGROUP',
    message: `look for the cgroup ${path}`,
    path,
    errno,
    syscall: 'statfs',
  });
}
