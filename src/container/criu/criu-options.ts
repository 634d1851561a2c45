/** criu's options, compiled from the flags of `checkpoint` and `restore`. Pure. */
import { criuConfig } from '../../spec/annotation-names.js';
import type { Spec } from '../../spec/config-types.js';
import { CLONE_NEWNET } from '../../sys/linux.js';
import type { CriuFlags, DumpFlags, RestoreFlags } from './criu-flag-types.js';
import { CgroupMode, type CriuOptions } from './criu-messages.js';

/** Host facts for both requests. */
interface RequestFacts {
  readonly imageFd: number;
  readonly workFd: number;
  /** The container's root directory. */
  readonly rootfs: string;
  readonly configFile: string | undefined;
}

/** External resources, by names that are not paths. */
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

/** criu's log level "info": the log is only read after a failure. */
const logLevel = 4;

function commonOptions(flags: CriuFlags, facts: RequestFacts, log: string): CriuOptions & { images_dir_fd: number } {
  return {
    images_dir_fd: facts.imageFd,
    work_dir_fd: facts.workFd,
    root: facts.rootfs,
    log_level: logLevel,
    log_file: log,
    notify_scripts: true,
    // The master of a container's terminal is outside the container.
    orphan_pts_master: true,
    manage_cgroups: true,
    manage_cgroups_mode: cgroupModes[flags.manageCgroupsMode ?? 'soft'],
    tcp_established: flags.tcpEstablished,
    ext_unix_sk: flags.extUnixSk,
    shell_job: flags.shellJob,
    file_locks: flags.fileLocks,
    auto_dedup: flags.autoDedup,
    lazy_pages: flags.lazyPages,
    // As runc does: hooks or the engine made the devices and addresses, and make them again.
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
    ...commonOptions(flags, facts, 'dump.log'),
    pid: facts.pid,
    // criu refuses a pre-dump that would stop the container.
    leave_running: flags.leaveRunning || flags.preDump,
    link_remap: flags.linkRemap,
    tcp_skip_in_flight: flags.tcpSkipInFlight,
    ...(facts.freezer !== undefined && { freeze_cgroup: facts.freezer }),
    ...(flags.parentPath !== undefined && { parent_img: flags.parentPath }),
    // The next pre-dump or dump writes only what changed since.
    ...((flags.preDump || flags.parentPath !== undefined) && { track_mem: true }),
    ...(flags.pageServer && { ps: flags.pageServer }),
    ext_mnt: [...external.mounts],
    external: [...external.ids],
  };
}

/** Facts for a restore only. */
interface RestoredResources {
  readonly mounts: External['mounts'];
  /** criu's descriptors of external resources. */
  readonly inherited: readonly { readonly key: string; readonly fd: number }[];
  readonly joined: readonly { readonly ns: string; readonly ns_file: string }[];
  /** The cgroups made for it: controllers as in /proc/PID/cgroup (none for v2) and path. */
  readonly cgroups: readonly { readonly ctrl?: string; readonly path: string }[];
}

/** The options of RESTORE. */
export function restoreOptions(flags: RestoreFlags, facts: RequestFacts, restored: RestoredResources): CriuOptions {
  return {
    ...commonOptions(flags, facts, 'restore.log'),
    // Make the restored process a child of the runtime, as after a create; so the engine can become its parent.
    rst_sibling: true,
    tcp_close: flags.tcpClose,
    ...(flags.lsmProfile !== undefined && { lsm_profile: flags.lsmProfile }),
    ...(flags.lsmMountContext !== undefined && { lsm_mount_context: flags.lsmMountContext }),
    // `strict` would refuse the cgroups that runt just made. RestoredCgroups has checked that they did not exist.
    ...(flags.manageCgroupsMode === 'strict' && { manage_cgroups_mode: CgroupMode.FULL }),
    ext_mnt: [...restored.mounts],
    inherit_fd: [...restored.inherited],
    join_ns: [...restored.joined],
    // With `ignore` the image has no cgroups, and the processes stay in criu's.
    cg_root: flags.manageCgroupsMode === 'ignore' ? [] : [...restored.cgroups],
  };
}

/** Path of criu's configuration for this container: annotation, else the usual files. '' in the annotation is none. */
export function criuConfigFile(
  annotations: Spec['annotations'],
  exists: (path: string) => boolean,
): string | undefined {
  const named = annotations?.[criuConfig];
  if (named !== undefined) return named || undefined;
  return ['/etc/criu/runt.conf', '/etc/criu/runc.conf'].find(exists);
}
