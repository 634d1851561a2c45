/** `linux.seccomp`: the profile in the lines that libseccomp's side reads (native/core/seccomp.c), and when it is loaded. */

import { annotation, seccompBpfData } from '../../spec/annotation-names.js';
import type { Seccomp, SeccompRule, Spec } from '../../spec/config-types.js';
import { E } from '../../sys/errno.js';
import {
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_NEW_LISTENER,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
} from '../../sys/linux.js';
import type { Op } from '../plan-ops.js';

const flagBits: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
};

/** The flags that a profile may have. */
export const filterFlagNames = (): string[] => Object.keys(flagBits);

/** The flag, with what it means nothing without, for asking the kernel whether it knows it. */
export function probeFlags(name: string): number {
  const flag = flagBits[name] ?? 0;
  return flag === SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV ? flag | SECCOMP_FILTER_FLAG_NEW_LISTENER : flag;
}

const at = '/linux/seccomp';

/** The profile as lines: all that decides which program comes out, and nothing else. */
export function profileLines(seccomp: Seccomp): string[] {
  return [
    `default ${action(seccomp.defaultAction, seccomp.defaultErrnoRet)}`,
    ...(seccomp.architectures ?? []).map((name) => `arch ${name.slice('SCMP_ARCH_'.length).toLowerCase()}`),
    ...(seccomp.syscalls ?? []).map(ruleLine),
  ];
}

function ruleLine(rule: SeccompRule): string {
  const args = (rule.args ?? []).map(
    ({ index, op, value, valueTwo = 0 }) => ` ${index} ${op.slice('SCMP_CMP_'.length)} ${value} ${valueTwo}`,
  );
  // A space would end a name and a NUL the line; there is no call of such a name, and it is passed over as unknown.
  const names = rule.names.filter((name) => !name.includes(' ') && !name.includes('\0'));
  return `rule ${action(rule.action, rule.errnoRet)}${args.join('')} : ${names.join(' ')}`;
}

function action(name: string, errno: number | undefined): string {
  const takesErrno = name === 'SCMP_ACT_ERRNO' || name === 'SCMP_ACT_TRACE';
  return `${name.slice('SCMP_ACT_'.length)} ${takesErrno ? (errno ?? E.EPERM) : 0}`;
}

const notifies = (seccomp: Seccomp): boolean =>
  seccomp.syscalls?.some((rule) => rule.action === 'SCMP_ACT_NOTIFY') ?? false;

/**
 * The flags of seccomp(2). A listener is made when a rule notifies; the flag that says how its calls wait means nothing
 * without one, and the kernel refuses it then. With a listener SECCOMP_FILTER_FLAG_TSYNC has to report a failure in another way.
 */
export function filterFlags(seccomp: Seccomp): number {
  let flags = 0;
  for (const name of seccomp.flags ?? []) flags |= flagBits[name] ?? 0;
  if (!notifies(seccomp)) return flags & ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
  return (
    flags | SECCOMP_FILTER_FLAG_NEW_LISTENER | (flags & SECCOMP_FILTER_FLAG_TSYNC ? SECCOMP_FILTER_FLAG_TSYNC_ESRCH : 0)
  );
}

/** What the profile does in a few words, for people. */
function summary(seccomp: Seccomp): string {
  const rules = seccomp.syscalls?.length ?? 0;
  const calls = new Set((seccomp.syscalls ?? []).flatMap((rule) => rule.names)).size;
  const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;
  const fallback = seccomp.defaultAction.slice('SCMP_ACT_'.length);
  return `default ${fallback}, ${count(rules, 'rule')} for ${count(calls, 'call')}`;
}

/** Whether a filter is to be loaded. */
export const hasFilter = (spec: Spec): boolean =>
  spec.linux?.seccomp !== undefined || annotation(spec, seccompBpfData)[0] !== undefined;

/** Compiles the program, takes a kept one, or one that is ready-made, before the clone; runt-init finds it at `slot`. */
export function filterOps(spec: Spec, slot: number): Op[] {
  const [data, from] = annotation(spec, seccompBpfData);
  if (data !== undefined) return [{ op: 'seccompData', at: from, data, slot }];
  const seccomp = spec.linux?.seccomp;
  return seccomp ? [{ op: 'seccompProgram', at, profile: profileLines(seccomp), slot }] : [];
}

/**
 * Loads the program. Without noNewPrivileges that takes CAP_SYS_ADMIN: it is done before the user changes and the
 * capabilities go (`late` false), and what comes after it is under the filter. With it, nothing but the execve is.
 */
export function seccompOps(spec: Spec, slot: number, late: boolean): Op[] {
  if (late !== (spec.process?.noNewPrivileges ?? false)) return [];
  const [data, from] = annotation(spec, seccompBpfData);
  if (data !== undefined) {
    return [{ op: 'seccomp', at: from, slot, flags: 0, late, summary: 'a ready-made program' }];
  }
  const seccomp = spec.linux?.seccomp;
  if (!seccomp) return [];
  return [
    {
      op: 'seccomp',
      at,
      slot,
      flags: filterFlags(seccomp),
      late,
      agent: notifies(seccomp) ? seccomp.listenerPath || undefined : undefined,
      metadata: seccomp.listenerMetadata || undefined,
      summary: summary(seccomp),
    },
  ];
}
