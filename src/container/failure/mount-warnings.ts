/** Warnings about mounts that differ from the config: runt-init's reports `kept` and `bound`. */
import { attributes } from '../../plan/explain/flag-names.js';
import { newNamespaces } from '../../plan/namespaces/namespace-compile.js';
import type { Op } from '../../plan/plan-ops.js';
import type { Mount, Spec } from '../../spec/config-types.js';
import { valueAt } from '../../spec/json/json-pointer.js';
import { CLONE_NEWUSER, MOUNT_ATTR_NOEXEC } from '../../sys/linux.js';

/**
 * The warning about options without effect; undefined if only the noexec stays that no option asks to clear.
 * @param report MOUNT_ATTR_* that could not be cleared; those of `recursive` also on all mounts below
 */
export function lockedFlags(
  op: Op,
  report: { readonly kept: number; readonly recursive: number },
  spec: Spec,
): string | undefined {
  const asked = (valueAt(spec, op.at) as Mount | undefined)?.options?.includes('exec') ?? false;
  const kept = asked ? report.kept : report.kept & ~MOUNT_ATTR_NOEXEC;
  const names = [attributes(0, kept), attributes(0, report.recursive, 'r')].filter((n) => n !== '').join(',');
  if (names === '') return undefined;
  const target = 'target' in op ? op.target : '';
  return `${op.at}: ${names} has no effect on the mount on ${target}: the host has set flags on it that are locked in this user namespace, and they stay (mount_namespaces(7))`;
}

/** The warning about a bind mount instead of sysfs; none with a user namespace (spec/rules/mount-rules.ts has it). */
export function boundSysfs(op: Op, spec: Spec): string | undefined {
  if (newNamespaces(spec) & CLONE_NEWUSER) return undefined;
  const target = 'target' in op ? op.target : '';
  return `${op.at}: the /sys of the host is bound on ${target}, read-only with all mounts below it: sysfs can be mounted only by the user namespace that owns the network namespace (user_namespaces(7))`;
}
