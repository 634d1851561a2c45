/** `linux.seccomp`: the profile in libseccomp's numbers, and its place in the plan. */

import { annotationValue, seccompBpfData } from '../../spec/annotation-names.js';
import type { Seccomp, Spec } from '../../spec/config-types.js';
import type { Int } from '../../spec/integer.js';
import { E } from '../../sys/errno.js';
import {
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
} from '../../sys/linux.js';
import { Protocol } from '../../sys/protocol.js';
import type { SeccompProfile } from '../../sys/seccomp/seccomp-profile.js';
import type { Op } from '../plan-ops.js';
import { unsupportedError } from '../unsupported-values.js';

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

/** Comparisons that name a side of the value. */
const sides = new Set(['SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_GE', 'SCMP_CMP_GT']);
const isBelow = (op: string): boolean => op === 'SCMP_CMP_LT' || op === 'SCMP_CMP_LE';

const below: number = Protocol.SECCOMP_BELOW;

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
  const twoSided = twoSidedArguments(syscalls);
  return {
    defaultAction: action(defaultAction, defaultErrnoRet, `${at}/defaultAction`),
    architectures: architectures.map((name) => name.slice('SCMP_ARCH_'.length).toLowerCase()),
    syscalls: syscalls.map((rule, i) => ({
      names: rule.names,
      action: action(rule.action, rule.errnoRet, `${at}/syscalls/${i}/action`),
      args: (rule.args ?? []).map(({ index, op, value, valueTwo = 0 }, j) =>
        isBelow(op) && rule.names.some((name) => twoSided.has(`${name} ${index}`))
          ? belowByMasks(index, op === 'SCMP_CMP_LE' ? BigInt(value) + 1n : value)
          : { index, op: known(operators[op], op, `${at}/syscalls/${i}/args/${j}/op`), value, valueTwo },
      ),
    })),
  };
}

/** Below the value; anything is below 2^64. */
const belowByMasks = (index: number, value: Int): SeccompProfile['syscalls'][number]['args'][number] =>
  BigInt(value) > 0xffff_ffff_ffff_ffffn
    ? { index, op: operators.SCMP_CMP_GE!, value: 0, valueTwo: 0 }
    : { index, op: below, value, valueTwo: 0 };

/**
 * Arguments of calls (`NAME INDEX`) with an LT or LE and another comparison with a side of its value: in these,
 * libseccomp 2.5.4 takes calls that match neither for some that match.
 */
function twoSidedArguments(syscalls: NonNullable<Seccomp['syscalls']>): ReadonlySet<string> {
  const found = new Set<string>();
  if (!syscalls.some((rule) => rule.args?.some(({ op }) => isBelow(op)))) return found;
  const seen = new Set<string>();
  for (const { names, args = [] } of syscalls) {
    for (const { index } of args.filter(({ op }) => sides.has(op))) {
      for (const name of names) (seen.has(`${name} ${index}`) ? found : seen).add(`${name} ${index}`);
    }
  }
  return found;
}

function action(name: string, errno: number | undefined, pointer: string): number {
  const value = known(actions[name], name, pointer);
  return value === SECCOMP_RET_ERRNO || value === SECCOMP_RET_TRACE ? value | (errno ?? E.EPERM) : value;
}

function known(value: number | undefined, name: string, pointer: string): number {
  if (value === undefined) throw unsupportedError(pointer, name, name);
  return value;
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
  const calls = new Set((seccomp.syscalls ?? []).flatMap((rule) => rule.names)).size;
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
