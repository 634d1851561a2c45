/** `process`: its user, privileges and limits, and the program to execute. */

import { annotationValue, keepOriginalGroups } from '../../spec/annotation-names.js';
import type { Spec } from '../../spec/config-types.js';
import { append } from '../../sys/append.js';
import { capabilityNumber, rlimitNumber } from '../../sys/kernel-names.js';
import { CLONE_NEWPID } from '../../sys/linux.js';
import { startHookOps } from '../hooks/hook-compile.js';
import type { CompileOptions, HostFacts } from '../host-facts.js';
import { setGroups } from '../ids/id-map-compile.js';
import { labelOps } from '../labels/label-compile.js';
import { hasUserNamespace, newNamespaces } from '../namespaces/namespace-compile.js';
import { opsNamed, type Plan } from '../op-list.js';
import type { Op } from '../plan-ops.js';
import { ownSchedulingOps, schedulingOps } from '../scheduling/scheduling-compile.js';
import { seccompOps } from '../seccomp/seccomp-compile.js';
import { unsupportedError } from '../unsupported-values.js';
import { notifyEntry } from './notify-compile.js';

/** Search path without PATH: empty, so nothing is found, as with execvp(3). */
const noPath = '';

/** CAP_AUDIT_READ: every kernel since Linux 3.16 has the capabilities up to it. */
const lastOfAll = 37;

/** Mask of capability names; skips those that the kernel lacks, as runc and crun do. */
function capabilityMask(names: readonly string[] | undefined, facts: HostFacts): bigint {
  let mask = 0n;
  for (const name of names ?? []) {
    const bit = capabilityNumber(name);
    if (bit !== undefined && (bit <= lastOfAll || bit <= facts.lastCapability)) mask |= 1n << BigInt(bit);
  }
  return mask;
}

/** The score by which the OOM killer chooses: the runtime writes it, from outside. */
export function oomScoreOps(spec: Spec): Op[] {
  const value = spec.process?.oomScoreAdj;
  return value === undefined ? [] : [{ op: 'oomScoreAdj', at: '/process/oomScoreAdj', value }];
}

/**
 * Limits. Raising one requires CAP_SYS_RESOURCE in the initial user namespace: runt-init in another one lacks it, so
 * the runtime sets them from outside.
 */
export function limitOps(spec: Spec): Op[] {
  const op = hasUserNamespace(spec) ? 'prlimit' : 'rlimit';
  return (spec.process?.rlimits ?? []).map(({ type, soft, hard }, i) => ({
    op,
    at: `/process/rlimits/${i}`,
    resource: rlimitNumber(type) ?? -1,
    soft,
    hard,
  }));
}

/**
 * From the finished root to the user's program. The bounding set goes first, while there are capabilities to drop it
 * with. The working directory is entered before the change of user, as runc does: root may enter directories that the
 * user may not. It is entered again as the user if root was refused (a network file system that squashes root). The
 * program of the seccomp filter is at `filterSlot`.
 */
export function processOps(spec: Spec, facts: HostFacts, options: CompileOptions, filterSlot: number): Op[] {
  const { process } = spec;
  // Nothing to prepare: create succeeds and `start` fails, as runtime.md#start requires.
  if (!process) {
    return [
      { op: 'wait', at: '' },
      { op: 'exec', at: '/process', args: [], env: [], homeOfNamed: false },
    ];
  }
  const { user, capabilities: sets, args = [] } = process;
  const keepsGroups = annotationValue(spec, keepOriginalGroups)[0] !== undefined;
  const env = environment(process.env ?? [], options);
  const mask = (names: readonly string[] | undefined) => capabilityMask(names, facts);
  const ops: Op[] = [];
  // In the process that will be executed, and before a filter can forbid it.
  const { listen } = options;
  if (listen) ops.push({ op: 'listenFds', at: '', count: listen.count, names: listen.names || undefined });
  append(ops, ownSchedulingOps(spec));
  append(ops, labelOps(process, facts));
  // Root may open stdio unchanged, but root of a user namespace may not; a new terminal already belongs to the user.
  // Before a filter could forbid it.
  if ((user?.uid || hasUserNamespace(spec)) && !process.terminal) {
    ops.push({ op: 'stdioOwner', at: '/process/user', uid: user?.uid ?? 0, pipes: pipesAlone(facts, options) });
  }
  if (process.noNewPrivileges) ops.push({ op: 'noNewPrivileges', at: '/process/noNewPrivileges' });
  const capsAt = sets ? '/process/capabilities' : '/process';
  ops.push({
    op: 'bounding',
    at: sets?.bounding ? '/process/capabilities/bounding' : capsAt,
    mask: mask(sets?.bounding),
  });
  const enter = (optional: boolean): Op => ({ op: 'cwd', at: '/process/cwd', path: process.cwd, optional });
  ops.push(enter(true));
  append(ops, seccompOps(spec, filterSlot, true));
  ops.push({
    op: 'user',
    at: '/process/user',
    uid: user?.uid ?? 0,
    gid: user?.gid ?? 0,
    groups: keepsGroups ? [] : (user?.additionalGids ?? []),
    ...(keepsGroups ? { setGroups: false, groupsOptional: false } : setGroups(spec, facts)),
    umask: user?.umask ?? 0o022,
  });
  ops.push({
    op: 'capabilities',
    at: capsAt,
    effective: mask(sets?.effective),
    permitted: mask(sets?.permitted),
    inheritable: mask(sets?.inheritable),
    // The kernel only raises capabilities that are permitted and inheritable (capabilities(7)); `runc spec` names more,
    // and runc ignores the rest. Leave them out here, where `explain` shows it, because the kernel would refuse them.
    ambient: mask(sets?.ambient) & mask(sets?.permitted) & mask(sets?.inheritable),
  });
  ops.push(enter(false));
  ops.push({
    op: 'findExecutable',
    at: '/process/args/0',
    name: args[0] ?? '',
    path: variableValue(env, 'PATH') ?? noPath,
  });
  append(ops, seccompOps(spec, filterSlot, false));
  ops.push({ op: 'wait', at: options.startSocket ? '' : '/process' });
  append(ops, schedulingOps(spec));
  if (options.pidfdSocket !== undefined) ops.push({ op: 'pidfdSocket', at: '', path: options.pidfdSocket });
  append(ops, startHookOps(spec, options));
  append(ops, reaperOps(spec, options));
  ops.push({
    op: 'exec',
    at: '/process/args',
    args,
    env,
    homeOf: variableValue(env, 'HOME') === undefined ? (user?.uid ?? 0) : undefined,
    homeOfNamed: false,
  });
  return ops;
}

/**
 * `--init`. The reaper executes nothing, so a label that the program gets at its execve would not be the reaper's.
 * @throws RuntError ERR_UNSUPPORTED
 */
function reaperOps(spec: Spec, { init }: CompileOptions): Op[] {
  if (!init) return [];
  const { apparmorProfile, selinuxLabel } = spec.process ?? {};
  if ((newNamespaces(spec) & CLONE_NEWPID) === 0) {
    throw unsupportedError('/linux/namespaces', undefined, '--init without a new pid namespace');
  }
  if (apparmorProfile) throw unsupportedError('/process/apparmorProfile', apparmorProfile, '--init with a profile');
  if (selinuxLabel) throw unsupportedError('/process/selinuxLabel', selinuxLabel, '--init with a label');
  return [{ op: 'reaper', at: '' }];
}

/**
 * The environment of the config, with the runtime's own variables instead of those with the same name. Of several
 * entries with one name the last counts, and an empty HOME counts as absent, as in runc.
 */
function environment(env: readonly string[], { listen, notify }: CompileOptions): readonly string[] {
  const own = [
    ...(listen ? ['LISTEN_FDS=', 'LISTEN_PID=', 'LISTEN_FDNAMES='] : []),
    ...(notify ? ['NOTIFY_SOCKET='] : []),
  ];
  // The names that occur more than once. A set of all names would take more memory than a config of megabytes.
  const repeated = new Set<string>();
  const sorted = [...env].sort();
  for (let i = 1; i < sorted.length; i++) {
    const name = nameOf(sorted[i] as string);
    if ((sorted[i - 1] as string).startsWith(name)) repeated.add(name);
  }
  const kept: string[] = [];
  const seen = new Set(own);
  for (let i = env.length - 1; i >= 0; i--) {
    const entry = env[i] as string;
    const name = nameOf(entry);
    if (seen.has(name)) continue;
    if (repeated.has(name)) seen.add(name);
    if (entry !== 'HOME=') kept[kept.length] = entry;
  }
  kept.reverse();
  if (notify) kept.push(notifyEntry);
  return kept;
}

/** The name of a variable, with the `=`. */
const nameOf = (entry: string): string => entry.slice(0, entry.indexOf('=') + 1) || entry;

/**
 * Whether to chown only pipes: an ordinary user cannot take back a file or a terminal from its new owner at the end.
 */
export const pipesAlone = (facts: HostFacts, options: CompileOptions): boolean =>
  options.foreground === true && facts.euid !== 0;

/** Whether a plan changes the owner of stdio. */
export const changesStdioOwner = ({ ops }: Plan): boolean =>
  opsNamed(ops, 'stdioOwner').length > 0 || opsNamed(ops, 'namedUser').length > 0;

/** Value of the last NAME=… in an environment; undefined if absent. */
function variableValue(env: readonly string[], name: string): string | undefined {
  const start = `${name}=`;
  for (let i = env.length - 1; i >= 0; i--) {
    const entry = env[i] as string;
    if (entry.startsWith(start)) return entry.slice(start.length);
  }
  return undefined;
}
