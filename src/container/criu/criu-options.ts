/** The options of a request to criu, from the flags of `checkpoint` and `restore`. Pure. */
import { criuConfig } from '../../spec/annotation-names.js';
import type { Spec } from '../../spec/config-types.js';
import { CLONE_NEWNET } from '../../sys/linux.js';
import { CgroupMode, type CriuOptions } from './criu-messages.js';

/** Flags that both commands have. */
export interface CriuFlags {
  readonly tcpEstablished: boolean;
  readonly extUnixSk: boolean;
  readonly shellJob: boolean;
  readonly fileLocks: boolean;
  readonly autoDedup: boolean;
  readonly lazyPages: boolean;
  /** `soft` when absent. */
  readonly manageCgroupsMode?: 'soft' | 'full' | 'strict' | 'ignore';
}

export interface DumpFlags extends CriuFlags {
  readonly leaveRunning: boolean;
  readonly preDump: boolean;
  readonly linkRemap: boolean;
  readonly tcpSkipInFlight: boolean;
  /** Relative to the image directory. */
  readonly parentPath?: string;
  readonly pageServer?: { readonly address: string; readonly port: number };
}

export interface RestoreFlags extends CriuFlags {
  readonly tcpClose: boolean;
  readonly lsmProfile?: string;
  readonly lsmMountContext?: string;
}

/** What both requests need of the machine. */
interface RequestFacts {
  readonly imageFd: number;
  readonly workFd: number;
  /** Directory that is the container's root. */
  readonly rootfs: string;
  readonly configFile: string | undefined;
}

/** What criu leaves to others, by names that hold no path. */
export interface External {
  readonly mounts: readonly { readonly key: string; readonly val: string }[];
  readonly ids: readonly string[];
}

const cgroupModes = {
  soft: CgroupMode.SOFT,
  full: CgroupMode.FULL,
  strict: CgroupMode.STRICT,
  ignore: CgroupMode.IGNORE,
} as const;

/** criu's log level: information, as the log is read when something has failed. */
const logLevel = 4;

function common(flags: CriuFlags, facts: RequestFacts, log: string): CriuOptions & { images_dir_fd: number } {
  return {
    images_dir_fd: facts.imageFd,
    work_dir_fd: facts.workFd,
    root: facts.rootfs,
    log_level: logLevel,
    log_file: log,
    notify_scripts: true,
    // A terminal of the container has its master outside.
    orphan_pts_master: true,
    manage_cgroups: true,
    manage_cgroups_mode: cgroupModes[flags.manageCgroupsMode ?? 'soft'],
    tcp_established: flags.tcpEstablished,
    ext_unix_sk: flags.extUnixSk,
    shell_job: flags.shellJob,
    file_locks: flags.fileLocks,
    auto_dedup: flags.autoDedup,
    lazy_pages: flags.lazyPages,
    // As runc: devices and addresses are their makers', a hook's or the engine's, who make them anew.
    empty_ns: CLONE_NEWNET,
    ...(facts.configFile !== undefined && { config_file: facts.configFile }),
  };
}

/** The options of DUMP and PRE_DUMP. */
export function dumpOptions(
  flags: DumpFlags,
  facts: RequestFacts & { readonly pid: number; readonly freezer: string | undefined },
  external: External,
): CriuOptions {
  return {
    ...common(flags, facts, 'dump.log'),
    pid: facts.pid,
    // A pre-dump never stops the container; criu refuses it otherwise.
    leave_running: flags.leaveRunning || flags.preDump,
    link_remap: flags.linkRemap,
    tcp_skip_in_flight: flags.tcpSkipInFlight,
    ...(facts.freezer !== undefined && { freeze_cgroup: facts.freezer }),
    ...(flags.parentPath !== undefined && { parent_img: flags.parentPath }),
    // What changes after a pre-dump is all that the next one, or the dump, writes.
    ...((flags.preDump || flags.parentPath !== undefined) && { track_mem: true }),
    ...(flags.pageServer && { ps: flags.pageServer }),
    ext_mnt: [...external.mounts],
    external: [...external.ids],
  };
}

/** What only a restore gives. */
interface Restored {
  readonly mounts: External['mounts'];
  /** Descriptors that criu has, for what is external. */
  readonly inherited: readonly { readonly key: string; readonly fd: number }[];
  readonly joined: readonly { readonly ns: string; readonly ns_file: string }[];
  /** The cgroups that were made for it: controllers as in /proc/PID/cgroup (none for v2) and path. */
  readonly cgroups: readonly { readonly ctrl?: string; readonly path: string }[];
}

/** The options of RESTORE. */
export function restoreOptions(flags: RestoreFlags, facts: RequestFacts, restored: Restored): CriuOptions {
  return {
    ...common(flags, facts, 'restore.log'),
    // The restored process is a child of the runtime, and so its engine's, as a created one.
    rst_sibling: true,
    tcp_close: flags.tcpClose,
    ...(flags.lsmProfile !== undefined && { lsm_profile: flags.lsmProfile }),
    ...(flags.lsmMountContext !== undefined && { lsm_mount_context: flags.lsmMountContext }),
    // It would refuse the cgroups that were made for it just now: that they were not there is seen to by who made them.
    ...(flags.manageCgroupsMode === 'strict' && { manage_cgroups_mode: CgroupMode.FULL }),
    ext_mnt: [...restored.mounts],
    inherit_fd: [...restored.inherited],
    join_ns: [...restored.joined],
    // With `ignore` nothing of cgroups is in the image, and the processes stay where criu was put.
    cg_root: flags.manageCgroupsMode === 'ignore' ? [] : [...restored.cgroups],
  };
}

/** Where criu's own configuration for this container is: annotation, then the usual files. '' in the annotation is none. */
export function criuConfigFile(
  annotations: Spec['annotations'],
  exists: (path: string) => boolean,
): string | undefined {
  const named = annotations?.[criuConfig];
  if (named !== undefined) return named || undefined;
  return ['/etc/criu/runt.conf', '/etc/criu/runc.conf'].find(exists);
}
