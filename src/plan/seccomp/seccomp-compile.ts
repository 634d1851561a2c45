/** `linux.seccomp`: the profile in libseccomp's numbers, and its place in the plan. */

import { annotationValue, seccompBpfData } from '../../spec/annotation-names.js';
import type { Seccomp, Spec } from '../../spec/config-types.js';
import type { SeccompArg } from '../../spec/linux-types.js';
import { E } from '../../sys/errno.js';
import {
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from '../../sys/linux.js';
import type { ProfileRule, SeccompProfile } from '../../sys/seccomp/seccomp-profile.js';
import type { Op } from '../plan-ops.js';
import { unsupportedError } from '../unsupported-values.js';

type Rule = NonNullable<Seccomp['syscalls']>[number];

const actions: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_THREAD: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: SECCOMP_RET_KILL_PROCESS,
  SCMP_ACT_TRAP: SECCOMP_RET_TRAP,
  SCMP_ACT_ERRNO: SECCOMP_RET_ERRNO,
  SCMP_ACT_TRACE: SECCOMP_RET_TRACE,
  SCMP_ACT_ALLOW: SECCOMP_RET_ALLOW,
  SCMP_ACT_LOG: SECCOMP_RET_LOG,
  SCMP_ACT_NOTIFY: SECCOMP_RET_USER_NOTIF,
};

/** `enum scmp_compare` of libseccomp. */
const operators: Readonly<Record<string, number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
};

/** The comparisons that libseccomp is trusted with. */
const isExact = (rule: Rule): boolean =>
  rule.args?.every(({ op }) => op === 'SCMP_CMP_EQ' || op === 'SCMP_CMP_MASKED_EQ') ?? true;

/** Actions from the most to the least restrictive, as seccomp(2) takes them when several filters match. */
const strictness = [
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_USER_NOTIF,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_LOG,
  SECCOMP_RET_ALLOW,
];

const flagBits: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
};

/** The flags that a profile may have. */
export const filterFlagNames = (): string[] => Object.keys(flagBits);

/** The flag to probe the kernel with, together with a flag that it requires. */
export function probeFlags(name: string): number {
  const flag = flagBits[name] ?? 0;
  return flag === SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV ? flag | SECCOMP_FILTER_FLAG_NEW_LISTENER : flag;
}

const at = '/linux/seccomp';

/**
 * The profile in libseccomp's numbers.
 * @throws RuntError ERR_UNSUPPORTED for an action or operator of the schema that runt does not implement
 */
export function seccompProfile({
  defaultAction,
  defaultErrnoRet,
  architectures = [],
  syscalls = [],
}: Seccomp): SeccompProfile {
  const fallback = actions[defaultAction] ?? unknown(defaultAction, `${at}/defaultAction`);
  const rules: ProfileRule[] = [];
  // Loops, and pointers only for errors: a profile may have thousands of rules.
  for (let i = 0; i < syscalls.length; i++) {
    const { names, action: name, errnoRet, args } = syscalls[i] as Rule;
    const action = actions[name] ?? unknown(name, `${at}/syscalls/${i}/action`);
    const conditions: ProfileRule['args'][number][] = [];
    for (let j = 0; args && j < args.length; j++) {
      const { index, op: operator, value, valueTwo = 0 } = args[j] as SeccompArg;
      const op = operators[operator] ?? unknown(operator, `${at}/syscalls/${i}/args/${j}/op`);
      conditions[j] = { index, op, value, valueTwo };
    }
    rules[i] = { names, action: withErrno(action, errnoRet), args: conditions };
  }
  const profile = {
    defaultAction: withErrno(fallback, defaultErrnoRet),
    architectures: architectures.map((name) => name.slice('SCMP_ARCH_'.length).toLowerCase()),
    syscalls: rules,
  };
  return syscalls.every(isExact) ? profile : withOrdered(profile, syscalls);
}

/**
 * The profile with the conditional rules of some calls as ordered rules: of the calls with another comparison than EQ
 * and MASKED_EQ, on which libseccomp errs. Exact rules are tried first, as by libseccomp, then the most restrictive
 * ones. A rule without conditions has precedence over the others of its call (libseccomp).
 */
function withOrdered(profile: SeccompProfile, syscalls: readonly Rule[]): SeccompProfile {
  const own = new Set(syscalls.filter((rule) => !isExact(rule)).flatMap((rule) => rule.names));
  const isPlain = (rule: ProfileRule): boolean => rule.args.length === 0 && rule.action !== profile.defaultAction;
  const plain = new Set(profile.syscalls.filter(isPlain).flatMap((rule) => rule.names));
  const isOwn = (rule: ProfileRule, name: string): boolean => rule.args.length > 0 && own.has(name);
  const rank = (i: number): number =>
    (isExact(syscalls[i]!) ? 0 : strictness.length) +
    strictness.indexOf((profile.syscalls[i]!.action & SECCOMP_RET_ACTION_FULL) >>> 0);
  const ordered = profile.syscalls
    .map((rule, i) => ({ ...rule, names: rule.names.filter((name) => isOwn(rule, name) && !plain.has(name)), i }))
    .filter(({ names }) => names.length > 0)
    .sort((a, b) => rank(a.i) - rank(b.i))
    .map(({ names, action, args }) => ({ names, action, args }));
  // Empty names, which libseccomp does not know, keep the places of the others.
  const rest = profile.syscalls.map((rule) => ({
    ...rule,
    names: rule.names.map((name) => (isOwn(rule, name) ? '' : name)),
  }));
  return { ...profile, syscalls: rest, ordered };
}

const withErrno = (action: number, errno: number | undefined): number =>
  action === SECCOMP_RET_ERRNO || action === SECCOMP_RET_TRACE ? action | (errno ?? E.EPERM) : action;

function unknown(name: string, pointer: string): never {
  throw unsupportedError(pointer, name, name);
}

/** Whether a rule asks the agent. */
export const notifies = (seccomp: Seccomp): boolean =>
  seccomp.syscalls?.some((rule) => rule.action === 'SCMP_ACT_NOTIFY') ?? false;

/**
 * The flags of seccomp(2). A rule that notifies needs a listener. The kernel refuses WAIT_KILLABLE_RECV, which says how
 * its calls wait, without one. With a listener, SECCOMP_FILTER_FLAG_TSYNC must report a failure in another way.
 */
export function filterFlags(seccomp: Seccomp): number {
  let flags = 0;
  for (const name of seccomp.flags ?? []) flags |= flagBits[name] ?? 0;
  if (!notifies(seccomp)) return flags & ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  return (
    flags | SECCOMP_FILTER_FLAG_NEW_LISTENER | (flags & SECCOMP_FILTER_FLAG_TSYNC ? SECCOMP_FILTER_FLAG_TSYNC_ESRCH : 0)
  );
}

/** A short summary of the profile, for people. */
function summary(seccomp: Seccomp): string {
  const rules = seccomp.syscalls?.length ?? 0;
  const all = new Set<string>();
  for (const { names } of seccomp.syscalls ?? []) for (let i = 0; i < names.length; i++) all.add(names[i] as string);
  const calls = all.size;
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
  const fallback = seccomp.defaultAction.slice('SCMP_ACT_'.length);
  return `default ${fallback}, ${count(rules, 'rule')} for ${count(calls, 'call')}`;
}

/** Whether the config has a filter. */
export const hasFilter = (spec: Spec): boolean =>
  spec.linux?.seccomp !== undefined || annotationValue(spec, seccompBpfData)[0] !== undefined;

/** Before the clone, compiles the program, or takes a cached or a ready-made one; runt-init finds it at `slot`. */
export function filterOps(spec: Spec, slot: number): Op[] {
  const [data, from] = annotationValue(spec, seccompBpfData);
  if (data !== undefined) return [{ op: 'seccompData', at: from, data, slot }];
  const seccomp = spec.linux?.seccomp;
  return seccomp ? [{ op: 'seccompProgram', at, profile: seccompProfile(seccomp), slot }] : [];
}

/**
 * Loads the program. Without noNewPrivileges that requires CAP_SYS_ADMIN: so it precedes the change of user and
 * capabilities (`privileged`), and the filter covers later operations. With it, the filter covers only the execve,
 * unless it notifies: then it is loaded before `wait`, so that a missing agent fails `create`.
 */
export function seccompOps(spec: Spec, slot: number, privileged: boolean): Op[] {
  if (privileged === (spec.process?.noNewPrivileges ?? false)) return [];
  const [data, from] = annotationValue(spec, seccompBpfData);
  if (data !== undefined) {
    return [{ op: 'seccomp', at: from, slot, flags: 0, late: !privileged, summary: 'a ready-made program' }];
  }
  const seccomp = spec.linux?.seccomp;
  if (!seccomp) return [];
  const agent = notifies(seccomp) ? seccomp.listenerPath || undefined : undefined;
  return [
    {
      op: 'seccomp',
      at,
      slot,
      flags: filterFlags(seccomp),
      late: !privileged && agent === undefined,
      agent,
      metadata: seccomp.listenerMetadata || undefined,
      summary: summary(seccomp),
    },
  ];
}
