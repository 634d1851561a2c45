/** Options of `runt spec` and of the library's `bundle()`, and what their values depend on. */

import type { Spec } from '../config-types.js';
import type { ProfileName } from './profiles.js';

export interface SpecOptions {
  /** For an ordinary user: a user namespace that maps the caller's ids to root; needs no root. */
  readonly rootless?: boolean;
  /** Directory of the rootfs; `rootfs` in the bundle if absent. */
  readonly rootfs?: string;
  /** Keeps the rootfs unchanged: writes go into `upper` of this directory (overlayfs). */
  readonly overlay?: string;
  /** Keeps the rootfs unchanged: each container writes a fresh layer, on disk or, with a size, on a tmpfs. */
  readonly ephemeral?: boolean | string;
  /** Directory of the layers of `ephemeral` on disk; `/var/lib/runt/layers` if absent. */
  readonly layerDir?: string;
  /** `SRC:DST[:OPTION,…]` each: binds SRC of the host to DST. Options are those of bind mounts. */
  readonly volume?: readonly string[];
  /** `NAME=VALUE` each, or `NAME` for the caller's value; replaces the template's value. */
  readonly env?: readonly string[];
  /** Files with a line `NAME=VALUE` or `NAME` for each variable; `env` goes first. */
  readonly envFile?: readonly string[];
  /** Working directory, absolute; `/` when absent. */
  readonly cwd?: string;
  /** `UID[:GID]`, numbers; `0:0` when absent. */
  readonly user?: string;
  /** Host name inside; `runt` when absent. */
  readonly hostname?: string;
  /** Whether there is a terminal. If absent: not for a command, but for the template's shell (`bundle()`: never). */
  readonly tty?: boolean;
  /** Whether the root is read-only; if absent, it is unless there is an overlay or a fresh layer. */
  readonly readOnly?: boolean;
  /** Uses the host's network namespace instead of a new one. */
  readonly hostNetwork?: boolean;
  /** Memory limit: bytes, or a number with k, m, g, t or p; -1 means none. */
  readonly memory?: string | number;
  /** CPU limit on average, such as 1.5. */
  readonly cpus?: string | number;
  /** Maximum number of processes; -1 means no limit. */
  readonly pids?: string | number;
  /** `CONTAINER:HOST:SIZE` each: a user namespace with these user ids. */
  readonly uidMap?: readonly string[];
  /** The same for groups; same as `uidMap` if absent. */
  readonly gidMap?: readonly string[];
  /** Capabilities, seccomp profile, limits and masked paths of an engine; `runc spec`'s when absent. */
  readonly profile?: ProfileName;
  /** Capabilities to add, with or without `CAP_`, or `ALL`. */
  readonly capAdd?: readonly string[];
  /** Capabilities to remove, with or without `CAP_`, or `ALL`. */
  readonly capDrop?: readonly string[];
  /** Whether setuid programs and file capabilities give nothing; if absent, as the profile has it. */
  readonly noNewPrivs?: boolean;
  /** `default`, `unconfined` or a file with a seccomp profile; with `profile` the default is `default`. */
  readonly seccomp?: string;
  /** `NAME=SOFT[:HARD]` each: resource limits, such as `nofile=1024:4096`. */
  readonly ulimit?: readonly string[];
  /** `DST[:OPTION,…]` each: a tmpfs, nosuid, nodev and noexec unless an option says otherwise. */
  readonly tmpfs?: readonly string[];
  /** Size of /dev/shm: bytes, or a number with k, m, g, t or p. */
  readonly shmSize?: string | number;
  /** `HOST[:CONTAINER[:rwm]]` each: a device, or all devices below a directory; or a name of CDI. */
  readonly device?: readonly string[];
  /** Directories of CDI's spec files; `/etc/cdi` and `/var/run/cdi` if absent. */
  readonly cdiSpecDir?: readonly string[];
  /** `NAME=VALUE` each: a sysctl of the container's namespaces. */
  readonly sysctl?: readonly string[];
  /** `NAME=VALUE` each. */
  readonly annotation?: readonly string[];
  /** `NAME[=VALUE]` each: an annotation, as engines store labels of images. */
  readonly label?: readonly string[];
  /** `POINT=PATH` each: a program for a hook, such as `createRuntime=/usr/bin/setup`. */
  readonly hook?: readonly string[];
  /** `new`, `host`, `container:ID` or a path; the same for the five below. */
  readonly pid?: string;
  /** Also `bridge`, `cni:NAME`, `cni:FILE`, `pasta` or `slirp4netns`: a new namespace, which hooks connect. */
  readonly net?: string;
  readonly ipc?: string;
  readonly uts?: string;
  /** `new` needs `uidMap`. */
  readonly userns?: string;
  readonly cgroupns?: string;
  /** The command and its arguments; `sh` when absent. */
  readonly args?: readonly string[];
}

/** Properties of the caller. */
export interface SpecCaller {
  /** The command, for errors; `spec` if absent. */
  readonly command?: string;
  /** Changes the template before the options apply. */
  readonly template?: (spec: Spec) => void;
  readonly uid: number;
  readonly gid: number;
  /** As `DefaultOptions.cgroupV2`. */
  readonly cgroupV2?: boolean;
  /** Absolute path of the bundle. */
  readonly bundle: string;
  /** State root of the containers that options name; the default one if absent. */
  readonly root?: string;
  /** Resolves a path of the caller's to an absolute one. */
  readonly absolute: (path: string) => string;
  /** Name of an option in errors: `--read-only`, or `readOnly`. */
  readonly name: (option: keyof SpecOptions) => string;
}
