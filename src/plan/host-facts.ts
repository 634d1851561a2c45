/** What the compiler may know of the host: read once by `container/launch/read-host-facts.ts`, passed in, so that compiling stays pure. */
import type { CgroupFacts } from '../cgroup/cgroup-facts.js';
import type { CgroupPaths } from '../cgroup/cgroup-paths.js';
import type { Address } from '../cgroup/systemd/bus-address.js';
import type { Spec } from '../spec/config-types.js';
import type { Op } from './plan-ops.js';

/** What the compiler does otherwise where systemd manages the cgroup (plan/cgroup/systemd-scope.ts). */
export interface SystemdScope {
  /** Where the cgroup will be. @throws RuntError ERR_UNSUPPORTED, ERR_CGROUP_PATH, ERR_CGROUP_NOT_DELEGATED */
  readonly scopePaths: (spec: Spec, facts: HostFacts, id: string) => CgroupPaths;
  /** The operations that make the cgroup and write its values, with systemd's in the place of the directory's. */
  readonly scopeOps: (before: readonly Op[], spec: Spec, options: CompileOptions) => Op[];
  /** Whether the paths and operations depend on systemd's version, which is not known yet. */
  readonly dependsOnVersion: (spec: Spec) => boolean;
  /** The same for this version. */
  readonly ofVersion: (version: number) => SystemdScope;
  /** Where the manager of a user's session is reached; absent for the system's. */
  readonly bus?: Address;
}

export interface HostFacts {
  readonly cgroup: CgroupFacts;
  readonly euid: number;
  readonly egid: number;
  /** No root on the host: started by an ordinary user, or inside a user namespace (`--rootless`). */
  readonly rootless: boolean;
  /** Highest capability number of the kernel. */
  readonly lastCapability: number;
  /** Whether a cgroup can be made at a path; asked only when rootless. */
  readonly cgroupWritable: (path: string) => boolean;
  /** Options of the host's mount of cgroup v2; asked only for a cgroup mount with options that shows it. */
  readonly unifiedOptions: () => readonly string[];
  /** Whether the path is the cgroup namespace that the runtime is in; asked only for one that is joined. */
  readonly ownCgroupNamespace: (path: string) => boolean;
  /** cgroup/cgroup-facts.ts, `defaultParent`; asked only with root, on v2, for a container that names no cgroup. */
  readonly cgroupParent: (mountPoint: string, own: string) => string;
  /**
   * A path of the host without symlinks and `..`; '' where it cannot be opened. Asked only for the directories of
   * overlays and for paths with `..`.
   */
  readonly realPath: (path: string) => string;
  /**
   * Whether the runtime may clone mounts: root may, and root of a user namespace in a mount namespace that belongs to
   * it. Asked only when rootless.
   */
  readonly mayClone: () => boolean;
  /** Whether the kernel has /proc/kcore, to which /dev/core points. */
  readonly kcore: boolean;
  /** Absolute paths of newuidmap and newgidmap, '' where missing; looked up only when rootless. */
  readonly newuidmap: string;
  readonly newgidmap: string;
  /** Where the resctrl file system is mounted, '' where it is not; asked only with intelRdt. */
  readonly resctrl: () => string;
  /** open_tree(2) was refused in a first attempt: only runt-init can bind, in the container's mount namespace. */
  readonly oldMounts?: boolean;
  /** Whether the security modules are on; asked only with a profile or label. */
  readonly apparmor: () => boolean;
  readonly selinux: () => boolean;
}

/** What the caller of the runtime chose. */
export interface CompileOptions {
  readonly id: string;
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** Absolute path of the container's state directory. */
  readonly stateDir: string;
  /** `create` awaits `start` on a socket; `run` goes on at once. */
  readonly startSocket: boolean;
  /** No cgroup of its own (`--cgroup-manager disabled`). */
  readonly noCgroup?: boolean;
  /** systemd manages the cgroup (`--systemd-cgroup`): made by plan/cgroup/systemd-scope.ts, which only then is loaded. */
  readonly systemd?: SystemdScope;
  /** `--supervise`. */
  readonly supervise: boolean;
  /** `--no-pivot`. */
  readonly noPivot: boolean;
  /** `--no-new-keyring`. */
  readonly noNewKeyring: boolean;
  /** Path of the socket that gets the master of the terminal (`--console-socket`); without it the runtime keeps it. */
  readonly consoleSocket?: string;
  /** Descriptors from 3 on that the process keeps, those of `listen` among them. */
  readonly preserveFds: number;
  /** Socket activation (sd_listen_fds(3)): the first of these descriptors, and how the process learns of them. */
  readonly listen?: ListenFds;
  /** sd_notify(3): the process gets a socket, on which `run` or `start` awaits that it is ready. */
  readonly notify?: boolean;
  /** The command waits for the end of the process, and then its stdio is again whose it was. */
  readonly foreground?: boolean;
  /** Path of the socket that gets a pidfd of the process (`--pidfd-socket`). */
  readonly pidfdSocket?: string;
}

/** LISTEN_FDS and LISTEN_FDNAMES. */
export interface ListenFds {
  readonly count: number;
  /** Names with colons between them; '' for none. */
  readonly names: string;
}
