/** The warning about mount flags that stay, because the host has locked them. */
import { attributes } from '../plan/flag-names.js';
import type { Op } from '../plan/ops.js';

/** @param given MOUNT_ATTR_* that the operation should have cleared; those of `recursive` on all mounts below, too */
export function keptFlags(op: Op, given: { readonly kept: number; readonly recursive: number }): string {
  const names = [attributes(0, given.kept), attributes(0, given.recursive, 'r')].filter((n) => n !== '').join(',');
  const target = 'target' in op ? op.target : '';
  return `${op.at}: ${names} has no effect on the mount on ${target}: the host has set flags on it that are locked in this user namespace, and they stay (mount_namespaces(7))`;
}
