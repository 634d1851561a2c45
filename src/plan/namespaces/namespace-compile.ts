/** `linux.namespaces` → clone flags, and the entry into a new time namespace. */
import type { Spec } from '../../spec/config-types.js';
import { CLONE_NEWTIME, CLONE_NEWUSER, namespaceFlags } from '../../sys/linux.js';
import type { Op } from '../plan-ops.js';

/** Clone flags of the config's new namespaces. */
export function newNamespaces(spec: Spec): number {
  let flags = 0;
  for (const { type, path } of spec.linux?.namespaces ?? []) if (!path) flags |= namespaceFlags[type] ?? 0;
  return flags;
}

/** Clone flags of the namespaces that the config joins by path. */
export function joinedNamespaces(spec: Spec): number {
  let flags = 0;
  for (const { type, path } of spec.linux?.namespaces ?? []) if (path) flags |= namespaceFlags[type] ?? 0;
  return flags;
}

/** Whether the container has a user namespace, new or joined. */
export function hasUserNamespace(spec: Spec): boolean {
  return ((newNamespaces(spec) | joinedNamespaces(spec)) & CLONE_NEWUSER) !== 0;
}

/** Whether the container has a mount namespace, new or joined. */
export function hasMountNamespace(spec: Spec): boolean {
  return spec.linux?.namespaces?.some(({ type }) => type === 'mount') ?? false;
}

/** After the unshare of a new time namespace: sets its offsets and enters it. */
export function timeOps(spec: Spec): Op[] {
  if (!(newNamespaces(spec) & CLONE_NEWTIME)) return [];
  const { monotonic, boottime } = spec.linux?.timeOffsets ?? {};
  return [
    {
      op: 'timeEnter',
      at: monotonic || boottime ? '/linux/timeOffsets' : namespacePointer(spec, 'time'),
      monotonic: monotonic && (monotonic.secs ?? 0),
      monotonicNanosecs: monotonic?.nanosecs ?? 0,
      boottime: boottime && (boottime.secs ?? 0),
      boottimeNanosecs: boottime?.nanosecs ?? 0,
    },
  ];
}

/** JSON pointer of the namespace of a type; '' if the config has none. */
export function namespacePointer(spec: Spec, type: string): string {
  const at = spec.linux?.namespaces?.findIndex((n) => n.type === type) ?? -1;
  return at < 0 ? '' : `/linux/namespaces/${at}`;
}
