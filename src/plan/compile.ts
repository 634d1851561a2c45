/** Spec × host facts × options → Plan. Pure: no I/O. */

import { type CgroupPaths, cgroupPaths, ownCgroups } from '../cgroup/cgroup-paths.js';
import type { Spec } from '../spec/config-types.js';
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from '../sys/linux.js';
import { type CgroupOps, cgroupOps } from './cgroup/cgroup-compile.js';
import { cgroupOwnerOps } from './cgroup/cgroup-owner.js';
import { delegate } from './cgroup/delegated-cgroup.js';
import { writableCgroup } from './cgroup/writable-cgroup.js';
import { deviceOps } from './devices/device-compile.js';
import { createHookOps, hostHookOps } from './hooks/hook-compile.js';
import { hookFileOps } from './hooks/hook-files.js';
import type { CompileOptions, HostFacts, SystemdScope } from './host-facts.js';
import { keepGroupsOps } from './ids/group-compile.js';
import { idMapOps } from './ids/id-map-compile.js';
import { keyringOps } from './labels/label-compile.js';
import { maskOps } from './masks/mask-compile.js';
import { mountOps } from './mounts/mount-compile.js';
import { clonesMounts, opensAsCaller, sourceMaker, treeOps } from './mounts/mount-sources.js';
import { usesMountTemplate } from './mounts/mount-template.js';
import { layerOps } from './mounts/overlay-layers.js';
import { deferReadOnly } from './mounts/readonly-mounts.js';
import { canCloneIntoCgroup, type Join, joinOps, joins, mustFork, openJoins } from './namespaces/joined-namespaces.js';
import { kernelOps } from './namespaces/kernel-compile.js';
import {
  hasMountNamespace,
  hasUserNamespace,
  joinedNamespaces,
  namespacePointer,
  newNamespaces,
  timeOps,
} from './namespaces/namespace-compile.js';
import { netDeviceOps } from './network/network-compile.js';
import { type OpEntry, OpMakers, type Plan } from './op-list.js';
import type { Op } from './plan-ops.js';
import { notifyOps } from './process/notify-compile.js';
import { limitOps, oomScoreOps, processOps } from './process/process-compile.js';
import { rdtOps } from './rdt/rdt-compile.js';
import { enterRoot, rootfsPath, switchRoot, unbindableRoot } from './root/root-compile.js';
import { affinityOp } from './scheduling/scheduling-compile.js';
import { filterOps, hasFilter } from './seccomp/seccomp-compile.js';
import { consoleOps, terminalOps } from './terminal/terminal-compile.js';
import { refuseUnsupported } from './unsupported-values.js';

interface CompileResult {
  readonly plan: Plan;
  /** The container's cgroups. */
  readonly cgroups: CgroupPaths;
  /** The container's resctrl groups, which delete removes. */
  readonly rdt?: readonly string[];
}

/**
 * Compiles a validated spec.
 * @throws RuntError ERR_UNSUPPORTED for a value that this version does not apply; ERR_CGROUP_* if the host cannot apply
 * `linux.resources`
 */
export function compile(given: Spec, facts: HostFacts, options: CompileOptions): CompileResult {
  refuseUnsupported(given);
  const writable = writableCgroup(given, facts, options.cgroupWritable === true);
  const spec = writable?.spec ?? given;
  const flags = newNamespaces(spec);
  const cgroups = options.noCgroup
    ? ownCgroups(facts.cgroup)
    : (options.systemd?.scopePaths(spec, facts, options.id) ??
      cgroupPaths(facts.cgroup, spec.linux?.cgroupsPath, options.id, {
        rootless: facts.rootless,
        isWritable: facts.isCgroupWritable,
        defaultParent: facts.cgroupParent,
      }));
  const { rootless } = facts;
  const makers = new OpMakers();
  const cgroupOptions = {
    rootless: rootless || options.noCgroup === true,
    named: spec.linux?.cgroupsPath !== undefined && spec.linux.cgroupsPath !== '' && !options.systemd,
    noCgroup: options.noCgroup === true,
    devices: spec.linux?.devices ?? [],
  };
  const inCgroups = options.systemd
    ? scopedOps(spec, facts, options, options.systemd, cgroups, cgroupOptions)
    : cgroupOps(facts.cgroup, cgroups, spec.linux?.resources, cgroupOptions, makers);
  const delegated = delegate(spec, facts, cgroups, inCgroups.cloneCgroup, writable?.delegation);
  const rootfs = rootfsPath(spec, options.bundle);
  const template = usesMountTemplate(spec, facts, options, rootfs);
  const trees = treeOps(spec, facts, options, rootfs, template);

  // runt-init enters the v1 cgroups by itself, through files opened here: a task that moves itself does not need the
  // lock for whole processes, which costs an RCU grace period (milliseconds). On v2 it is cloned into its cgroup.
  // With the runtime's rights and paths it opens them itself, after the runtime has made the cgroups.
  let slot = trees.count;
  const userNamespace = hasUserNamespace(spec);
  const isConcurrent = !userNamespace && joinedNamespaces(spec) === 0;
  const entries = inCgroups.tasks.map((path) => ({ path, slot: isConcurrent ? undefined : slot++ }));
  const filterSlot = slot;
  if (hasFilter(spec)) slot++;
  const consoleSlot = slot;
  if (spec.process?.terminal) slot++;
  const notify = options.notify ? notifyOps(options, clonesMounts(facts) ? slot++ : undefined) : undefined;
  const hookFiles = hookFileOps(spec, () => slot++);
  const joined = joins(spec, slot);
  slot += joined.length;
  // The root of a cgroup namespace is the cgroup of its maker. The ipc namespace's mqueue belongs to its maker, which
  // should be the container's root. A time namespace's offsets must be set before a process enters it.
  const unshared = flags & (CLONE_NEWCGROUP | CLONE_NEWTIME | (userNamespace ? CLONE_NEWIPC : 0));
  // With a user namespace and joins, make all from inside: the new namespaces must belong to that user namespace.
  // Without either, runt-init makes what it can from inside, while the runtime makes the cgroups: a network namespace
  // takes half a millisecond, or several while the kernel tears down others.
  const mountNamespace = template ? 0 : CLONE_NEWNS;
  const inside = isConcurrent ? flags & (CLONE_NEWNET | mountNamespace | CLONE_NEWIPC | CLONE_NEWUTS) : 0;
  const cloned = joined.length > 0 && userNamespace ? 0 : flags & ~unshared & ~inside & (template ? ~CLONE_NEWNS : ~0);
  // A process that continues as its child enters the cgroups as that child: pids.limit counts no helper. If only the
  // manager of a user's session may move processes, it moves the first process.
  const forks = mustFork(spec, joined, cloned) && !options.systemd?.bus;
  const lateEntry =
    forks && delegated.cloneCgroup ? lateCgroupEntry(spec, joined, delegated.cloneCgroup, options, slot++) : undefined;
  const sourcesMade = sourceMaker(spec.mounts ?? [], trees);
  const firstSource = makers.add(sourcesMade, trees.sources.length);
  const sources: OpEntry[] = [];
  for (let n = 0; n < trees.sources.length; n++) {
    trees.binds[trees.sources[n] as number] = slot++;
    sources[n] = firstSource === undefined ? sourcesMade.op(n) : firstSource + n;
  }
  const at = '/linux/cgroupsPath';
  // In a new user namespace, a joined cgroup namespace belongs to another user and allows no mount.
  const shown = flags & CLONE_NEWUSER ? flags : flags | joinedNamespaces(spec);
  const joinedCgroup = spec.linux?.namespaces?.find(({ type, path }) => type === 'cgroup' && path)?.path;
  // A joined cgroup namespace can be the host's.
  const cgroupNamespace =
    (shown & CLONE_NEWCGROUP) !== 0 && !(joinedCgroup !== undefined && facts.ownCgroupNamespace(joinedCgroup));
  const keyring: Op[] = options.noNewKeyring ? [] : keyringOps(spec.process, options.id);
  const rdt = rdtOps(spec, facts, options.id);
  const oom = oomScoreOps(spec);
  const session: Op = { op: 'session', at: '' };
  const entering: Op[] = [
    ...(lateEntry ? [lateEntry] : []),
    ...entries.map((e): Op => ({ op: 'cgroupEnter', at, ...e })),
    affinityOp(),
  ];
  const allInCgroups: OpEntry[] = [
    ...inCgroups.before,
    ...delegated.ops,
    ...(options.noCgroup ? [] : cgroupOwnerOps(spec, facts, delegated.paths, (flags & CLONE_NEWCGROUP) !== 0)),
  ];
  // While runt-init makes its namespaces. With a template, the runtime opens cgroups for the container's mounts first.
  const [cgroupsBefore, cgroupsAfter] =
    isConcurrent && !template && !options.systemd && delegated.ops.length === 0
      ? splitAtClone(allInCgroups, delegated.cloneCgroup)
      : [allInCgroups, []];
  const view = { cgroupNamespace, userNamespace, paths: delegated.paths };
  const contents: OpEntry[] = [
    ...mountOps(spec, facts, options, trees, view, makers),
    ...(notify?.mount ?? []),
    ...deviceOps(spec, facts, trees.cleaned, makers),
    ...(spec.process && spec.process.cwd !== '/'
      ? [{ op: 'mkdir', at: '/process/cwd', path: spec.process.cwd, mode: 0o755 } as const]
      : []),
  ];
  const readOnlyLast = deferReadOnly(contents, makers);
  // Also clone what the plan binds by itself (cgroups, an ordinary user's notify directory). Once mounts are made, a
  // mount in the clone of a shared tree, such as /sys/fs/cgroup in a clone of /sys, also appears in the original.
  const inMountNamespace = hasMountNamespace(spec);
  const opened: Op[] = [];
  const isPlain = makers.isEmpty;
  for (let i = 0; i < contents.length; i++) {
    const entry = contents[i] as OpEntry;
    // Those of the config have a slot, but for sysfs.
    if (!isPlain && typeof entry === 'number') continue;
    const op = entry as Op;
    if (op.op === 'mountBind' && op.slot === undefined && op.inside === undefined && inMountNamespace) {
      const { at, source, recursive } = op;
      const open = { at, nofollow: false, source, recursive, optional: false, slot };
      if (template) opened.push({ op: 'openTree', ...open });
      else sources.push({ op: 'cloneSource', ...open });
      contents[i] = { ...op, slot: slot++ };
    } else if (op.op === 'mountFs' && op.fstype === 'sysfs' && needsHostSysfs(spec)) {
      const { at } = op;
      sources.push({ op: 'cloneSource', at, nofollow: false, source: '/sys', recursive: true, optional: true, slot });
      contents[i] = { ...op, instead: slot++ };
    }
  }
  const root = enterRoot(spec, options, trees.rootSlot, sources);
  if (template) {
    opened.push({ op: 'mountTemplate', at: namespacePointer(spec, 'mount'), slot });
    root.unshift({ op: 'unshareMounts', at: namespacePointer(spec, 'mount'), slot: slot++ });
  }
  const asCaller = opensAsCaller(spec, facts, trees) ? root : [];

  const loopback: Op[] =
    flags & CLONE_NEWNET ? [{ op: 'loopback', at: namespacePointer(spec, 'network') } as const] : [];

  const ops: OpEntry[] = [
    { op: 'stateDir', at: '', path: options.stateDir },
    ...layerOps(spec, options),
    // Before the cgroups: it removes them if this runtime is killed (--die-with-parent).
    ...(options.supervise ? [{ op: 'supervise', at: '', path: `${options.stateDir}/supervisor.sock` } as const] : []),
    ...cgroupsBefore,
    ...(options.startSocket ? [{ op: 'startSocket', at: '', path: `${options.stateDir}/start.sock` } as const] : []),
    ...trees.ops,
    ...opened,
    ...entries.flatMap(({ path, slot }): Op[] => (slot === undefined ? [] : [{ op: 'cgroupOpen', at, path, slot }])),
    ...(lateEntry
      ? [{ ...lateEntry, op: lateEntry.op === 'cgroupFork' ? 'cgroupDirectory' : 'cgroupOpen' } as const]
      : []),
    ...filterOps(spec, filterSlot),
    ...consoleOps(spec.process, options, consoleSlot),
    ...(notify?.before ?? []),
    ...openJoins(joined),
    ...hookFiles.open,
    ...(rdt?.groups ?? []),
    {
      op: 'clone',
      at: '/linux/namespaces',
      flags: cloned,
      cgroup: lateEntry ? undefined : delegated.cloneCgroup || undefined,
    },
    ...cgroupsAfter,
    ...(rdt?.assign ?? []),
    ...(joined.length > 0 ? [] : idMapOps(spec, facts)),
    ...oom,
    { op: 'keepFds', at: '', count: options.preserveFds },
    ...(inside ? [{ op: 'unshare', at: '/linux/namespaces', flags: inside } as const] : []),
    ...(inside & CLONE_NEWNET ? loopback : []),
    ...(joined.length > 0 ? [] : [session]),
    { op: 'procfs', at: '' },
    ...keepGroupsOps(spec),
    ...hookFiles.take,
    ...(joined.length > 0 ? [] : keyring),
    ...(cgroupsAfter.length > 0 ? [{ op: 'sync', at: '' } as const] : []),
    ...(forks ? [] : entering),
    ...(flags & CLONE_NEWTIME && spec.linux?.timeOffsets
      ? [{ op: 'timeOpen', at: '/linux/timeOffsets' } as const]
      : []),
    // The score is written to this process: before another one replaces it or it is not dumpable.
    ...(joined.length > 0 && oom.length > 0 ? [{ op: 'sync', at: '' } as const] : []),
    ...(joined.length > 0
      ? [...joinOps(spec, facts, joined, cloned, keyring, forks ? entering : [], asCaller), session]
      : [
          ...(userNamespace
            ? ([{ op: 'sync', at: '' }, ...asCaller, { op: 'becomeRoot', at: '/linux/uidMappings' }] as const)
            : []),
          { op: 'undumpable', at: '' } as const,
          ...(unshared ? [{ op: 'unshare', at: '/linux/namespaces', flags: unshared } as const] : []),
          ...timeOps(spec),
        ]),
    ...(inside & CLONE_NEWNET ? [] : loopback),
    ...netDeviceOps(spec),
    ...(asCaller.length > 0 ? [] : root),
    ...contents,
    ...terminalOps(spec.process, consoleSlot, true),
    ...createHookOps(spec, options),
    ...switchRoot(spec, facts, options, trees.roots),
    ...kernelOps(spec, makers),
    ...readOnlyLast,
    ...(spec.root?.readonly ? [{ op: 'readonlyRoot', at: '/root/readonly' } as const] : []),
    ...maskOps(spec, makers),
    ...unbindableRoot(spec, trees.roots),
    { op: 'verifyMounts', at: '', last: true },
    ...limitOps(spec),
    ...processOps(spec, facts, options, filterSlot),
    ...hostHookOps(spec, 'poststart'),
    ...hostHookOps(spec, 'poststop'),
  ];
  return { plan: { version: 1, ops: makers.list(ops) }, cgroups, ...(rdt && { rdt: rdt.directories }) };
}

/** The operations for `linux.resources` in the cgroups of a systemd unit, and those that make it. */
function scopedOps(
  spec: Spec,
  facts: HostFacts,
  options: CompileOptions,
  systemd: SystemdScope,
  cgroups: CgroupPaths,
  cgroupOptions: Parameters<typeof cgroupOps>[3],
): CgroupOps<OpEntry> {
  const own = cgroupOps(facts.cgroup, cgroups, spec.linux?.resources, cgroupOptions);
  return { ...own, before: systemd.scopeOps(own.before, spec, options) };
}

/**
 * The operations of `before` that the clone into the v2 cgroup `cloneCgroup` needs, and those that can follow it. The
 * process waits for them before it makes anything that a limit counts.
 */
function splitAtClone(before: readonly OpEntry[], cloneCgroup: string): [needed: OpEntry[], later: OpEntry[]] {
  const [needed, later]: [OpEntry[], OpEntry[]] = [[], []];
  for (const op of before) {
    // A controller that is enabled later moves the process once more, which costs an RCU grace period.
    const isNeeded =
      typeof op !== 'number' && (op.op === 'cgroupCreate' || op.op === 'cgroupControllers') && op.path === cloneCgroup;
    (isNeeded ? needed : later).push(op);
  }
  return [needed, later];
}

/**
 * Whether the kernel may refuse a sysfs: it shows a network namespace, and only the owning user namespace may mount it.
 * A network namespace that is not new never belongs to a new user namespace, and perhaps to a joined one.
 */
const needsHostSysfs = (spec: Spec): boolean =>
  hasUserNamespace(spec) && !(newNamespaces(spec) & CLONE_NEWNET) && (newNamespaces(spec) & CLONE_NEWNS) !== 0;

/**
 * How the process that continues enters its v2 cgroup. It is cloned there, unless a namespace prevents that or a
 * runtime process keeps the systemd unit alive, which takes a pid. Then it moves: the kernel does not charge a move to
 * pids.max, but it costs milliseconds.
 */
function lateCgroupEntry(spec: Spec, joined: readonly Join[], path: string, { systemd }: CompileOptions, slot: number) {
  const at = '/linux/cgroupsPath';
  return !systemd && canCloneIntoCgroup(spec, joined)
    ? ({ op: 'cgroupFork', at, path, slot } as const)
    : ({ op: 'cgroupEnter', at, path: `${path}/cgroup.procs`, slot } as const);
}
