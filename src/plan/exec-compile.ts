/** `exec`: the plan of one more process in an existing container. Pure, as `compile` is. */

import type { Process, Spec } from '../spec/config-types.js';
import { withVariables } from '../spec/variables.js';
import { RuntError } from '../sys/error.js';
import { CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER } from '../sys/linux.js';
import type { CompileOptions, HostFacts } from './host-facts.js';
import { keepGroupsOps } from './ids/group-compile.js';
import { keyringOps } from './labels/label-compile.js';
import type { Op, PlanOf } from './plan-ops.js';
import { limitOps, oomScoreOps, pipesAlone, processOps } from './process/process-compile.js';
import { rdtOps } from './rdt/rdt-compile.js';
import { affinityOp, initialAffinityOps } from './scheduling/scheduling-compile.js';
import { filterOps, hasFilter } from './seccomp/seccomp-compile.js';
import { consoleOps, terminalOps } from './terminal/terminal-compile.js';
import { refuseUnsupported } from './unsupported-values.js';

/** Command line of exec, applied to a base: the container's own process, or that of `--process`. */
export interface ExecRequest {
  /** The validated process of `--process`; if absent, the container's process is the base. */
  readonly process?: Process;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** NAME=VALUE each; they replace entries of the base with the same name. */
  readonly env: readonly string[];
  /** `UID[:GID]` or `name[:group]`; digits are always a number. */
  readonly user?: string;
  readonly additionalGids: readonly string[];
  readonly capabilities: readonly string[];
  readonly noNewPrivileges?: boolean;
  readonly apparmor?: string;
  readonly processLabel?: string;
  readonly terminal: boolean;
}

/** Names that only the container's own files can resolve to numbers. */
interface NamedUser {
  readonly user: string;
  /** Absent: the user's passwd line has the group. */
  readonly group?: string;
}

/** The process to execute and, if requested by name, its user. */
interface ExecProcess {
  readonly process: Process;
  readonly named?: NamedUser;
}

/** A cgroup that the process enters: on v1 by its file `tasks`, on v2 as a process cloned into it. */
export interface CgroupEntry {
  readonly directory: string;
  readonly version: 1 | 2;
}

/** State of the running container, as the runtime has just read it. */
export interface ExecTarget {
  readonly pid: number;
  readonly startTime: string;
  /** CLONE_NEW* flags of the namespaces to join: each that differs from the runtime's, and maybe others. */
  readonly namespaces: number;
  readonly entries: readonly CgroupEntry[];
  /**
   * Move the final process into the cgroups, and none of its helpers. The kernel charges a fork to pids.max, but not a
   * move: if only one process fits, the helper that forks would take its slot.
   */
  readonly moveLast?: boolean;
  readonly noNewKeyring: boolean;
  /** Whether setgroups(2) is denied in its user namespace (/proc/PID/setgroups), even to root. */
  readonly setGroupsDenied: boolean;
}

const rootUser = { uid: 0, gid: 0 };

/** 2^32-1 is "no change" to setresuid(2). */
const maxId = 0xfffffffe;

/**
 * Merges base and request as runc does. The process of `--process` takes from the container only what it leaves out as
 * a whole (capabilities, limits, umask); flags override the container's own process.
 * @throws RuntError ERR_USAGE for invalid values of flags, ERR_SPEC_INVALID when there is no base
 */
export function execProcess(spec: Spec, r: ExecRequest): ExecProcess {
  const own = spec.process;
  if (r.process) {
    const { user } = r.process;
    const umask = user?.umask ?? own?.user?.umask;
    return {
      process: {
        ...r.process,
        ...(user && umask !== undefined && { user: { ...user, umask } }),
        ...(!r.process.capabilities && own?.capabilities && { capabilities: own.capabilities }),
        ...(!r.process.rlimits?.length && own?.rlimits && { rlimits: own.rlimits }),
        ...(r.process.oomScoreAdj === undefined && own?.oomScoreAdj !== undefined && { oomScoreAdj: own.oomScoreAdj }),
        ...(!r.process.apparmorProfile && own?.apparmorProfile && { apparmorProfile: own.apparmorProfile }),
        ...(!r.process.selinuxLabel && own?.selinuxLabel && { selinuxLabel: own.selinuxLabel }),
        ...(!r.process.scheduler && own?.scheduler && { scheduler: own.scheduler }),
        ...(!r.process.ioPriority && own?.ioPriority && { ioPriority: own.ioPriority }),
        ...(!r.process.execCPUAffinity && own?.execCPUAffinity && { execCPUAffinity: own.execCPUAffinity }),
      },
    };
  }
  if (!own)
    throw new RuntError({ code: 'ERR_SPEC_INVALID', message: 'the config has no process', pointer: '/process' });
  const process: Process = {
    ...own,
    terminal: r.terminal,
    args: [...r.args],
    env: mergeEnv(own.env ?? [], r.env),
    ...(r.cwd !== undefined && { cwd: r.cwd }),
    ...(r.noNewPrivileges !== undefined && { noNewPrivileges: r.noNewPrivileges }),
    ...(r.apparmor !== undefined && { apparmorProfile: r.apparmor }),
    ...(r.processLabel !== undefined && { selinuxLabel: r.processLabel }),
  };
  if (r.capabilities.length > 0) process.capabilities = addCapabilities(own, r.capabilities);
  const gids = r.additionalGids.map((gid) => parseId('--additional-gids', gid));
  process.user = { ...(own.user ?? { uid: 0, gid: 0 }) };
  if (gids.length > 0) process.user.additionalGids = [...(process.user.additionalGids ?? []), ...gids];
  const named = r.user === undefined ? undefined : setUser(process.user, r.user);
  return { process, ...(named && { named }) };
}

/** The last entry of a name counts, and only it is passed on: getenv(3) would find the first. */
function mergeEnv(base: readonly string[], more: readonly string[]): string[] {
  for (const entry of more) {
    if (entry.indexOf('=') < 1) throw usageError(`--env "${entry}" is not NAME=VALUE`);
  }
  return withVariables(base, more);
}

/** Never raises inheritable (CVE-2022-29162); so raises ambient only if the config has an inheritable set (runc). */
function addCapabilities(own: Process, names: readonly string[]): NonNullable<Process['capabilities']> {
  const sets = own.capabilities ?? {};
  const add = (set: readonly string[] | undefined) => [...(set ?? []), ...names];
  return {
    ...sets,
    bounding: add(sets.bounding),
    effective: add(sets.effective),
    permitted: add(sets.permitted),
    ...(sets.inheritable && { ambient: add(sets.ambient) }),
  };
}

/** Writes numbers into `user`, and returns names. */
function setUser(user: NonNullable<Process['user']>, text: string): NamedUser | undefined {
  const colon = text.indexOf(':');
  const [name, group] = colon < 0 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)];
  if (name === '' || group === '') throw usageError(`--user "${text}" is not UID[:GID] or NAME[:GROUP]`);
  const uid = isNumber(name) ? parseId('--user', name) : undefined;
  const gid = group !== undefined && isNumber(group) ? parseId('--user', group) : undefined;
  if (uid !== undefined) user.uid = uid;
  if (gid !== undefined) user.gid = gid;
  if (uid !== undefined && (group === undefined || gid !== undefined)) return undefined;
  // A name implies the group of its passwd line, unless another is requested.
  return { user: name, ...(group !== undefined && { group }) };
}

const isNumber = (text: string): boolean => /^[0-9]+$/.test(text);

/** An id: digits in the range of the kernel's ids, nothing else (CVE-2026-30892, CVE-2024-40635). */
function parseId(flag: string, text: string): number {
  const value = Number(text);
  if (!isNumber(text) || value > maxId)
    throw usageError(`${flag} "${text}" is not an id: it must be a number from 0 to ${maxId}`);
  return value;
}

const usageError = (message: string): RuntError => new RuntError({ code: 'ERR_USAGE', message: `exec: ${message}` });

/**
 * The plan of an exec. `container` is the container's spec, `e` the process to execute.
 * @throws RuntError ERR_UNSUPPORTED for a value that this version does not apply to a process
 */
export function compileExec(
  container: Spec,
  e: ExecProcess,
  target: ExecTarget,
  facts: HostFacts,
  options: CompileOptions,
): PlanOf<readonly Op[]> {
  // Hooks run for the container, not for each process in it.
  const spec: Spec = { ...container, process: e.process, hooks: {} };
  refuseUnsupported(spec);
  const userNamespace = (target.namespaces & CLONE_NEWUSER) !== 0;
  const at = '/linux/cgroupsPath';
  let slot = 1;
  const entries = target.entries.map(({ directory, version }) => {
    const isCloned = version === 2 && !target.moveLast;
    const file = version === 1 ? 'tasks' : 'cgroup.procs';
    const path = isCloned ? directory : `${directory}/${file}`;
    // Before it joins the container's namespaces, runt-init opens the file itself.
    return { isCloned, path, slot: isCloned || target.moveLast ? slot++ : undefined };
  });
  const filterSlot = slot;
  if (hasFilter(spec)) slot++;
  const consoleSlot = slot;
  if (e.process.terminal) slot++;
  // A container in the runtime's own mount namespace has another root than that namespace.
  const rootSlot = target.namespaces & CLONE_NEWNS ? undefined : slot++;
  const oom = oomScoreOps(spec);
  const keep = keepGroupsOps(spec);
  // In the container's user namespace runt-init cannot raise a limit by itself (compile does the same).
  const limits = limitOps(spec).map((op) => ({ ...op, op: userNamespace ? 'prlimit' : 'rlimit' }) as Op);
  const { pid, startTime, namespaces } = target;
  const enter = [
    ...entries.map(
      ({ isCloned, path, slot }): Op =>
        isCloned ? { op: 'cgroupFork', at, path, slot: slot! } : { op: 'cgroupEnter', at, path, slot },
    ),
    affinityOp(e.process.execCPUAffinity?.final),
  ];
  return {
    version: 1,
    ops: [
      { op: 'initProcess', at: '', pid, startTime, slot: 0 },
      ...(rootSlot === undefined ? [] : [{ op: 'processRoot', at: '', slot: rootSlot } as const]),
      ...entries.flatMap(({ isCloned, path, slot }): Op[] =>
        slot === undefined ? [] : [{ op: isCloned ? 'cgroupDirectory' : 'cgroupOpen', at, path, slot }],
      ),
      ...filterOps(spec, filterSlot),
      ...consoleOps(e.process, options, consoleSlot),
      { op: 'clone', at: '', flags: 0 },
      ...(rdtOps(spec, facts, options.id)?.assign ?? []),
      ...oom,
      { op: 'keepFds', at: '', count: options.preserveFds },
      { op: 'procfs', at: '' },
      ...keep,
      // The score is in a file of this process, which only root could write once the process is not dumpable.
      ...(oom.length > 0 ? [{ op: 'sync', at: '' } as const] : []),
      ...initialAffinityOps(e.process),
      ...(target.moveLast ? [] : enter),
      { op: 'undumpable', at: '' },
      { op: 'join', at: '/linux/namespaces', flags: namespaces, slot: 0 },
      ...(rootSlot === undefined ? [] : [{ op: 'changeRoot', at: '/root/path', slot: rootSlot } as const]),
      // Keyring names belong to the user namespace, and this keyring to its maker: before becomeRoot.
      ...(target.noNewKeyring ? [] : keyringOps(e.process, options.id)),
      ...(userNamespace
        ? ([
            { op: 'becomeRoot', at: '/linux/uidMappings' },
            // A change of user can reset it (fs.suid_dumpable).
            { op: 'undumpable', at: '' },
          ] as const)
        : []),
      ...(namespaces & CLONE_NEWPID ? [{ op: 'fork', at: '/linux/namespaces' } as const] : []),
      ...(target.moveLast ? enter : []),
      { op: 'session', at: '' },
      // The user's name is resolved later: the terminal is root's until then.
      ...terminalOps(e.named ? { ...e.process, user: rootUser } : e.process, consoleSlot, false),
      ...limits,
      ...withNamedUser(
        processOps(spec, facts, options, filterSlot).map(
          (op): Op =>
            op.op === 'user'
              ? { ...op, setGroups: !target.setGroupsDenied && keep.length === 0, groupsOptional: false }
              : op,
        ),
        e,
        pipesAlone(facts, options),
      ),
    ],
  };
}

/** The operations of a process whose user is a name, which is resolved inside the container. */
function withNamedUser(ops: readonly Op[], { named: user }: ExecProcess, pipes: boolean): Op[] {
  if (!user) return [...ops];
  return ops.flatMap((op): Op[] => {
    if (op.op === 'user') {
      const { gid, groups, setGroups, groupsOptional, umask, at } = op;
      return [{ op: 'namedUser', at, ...user, gid, groups, setGroups, groupsOptional, umask, pipes }];
    }
    if (op.op === 'stdioOwner') return [];
    if (op.op === 'exec' && op.homeOf !== undefined) return [{ ...op, homeOf: undefined, homeOfNamed: true }];
    return [op];
  });
}
