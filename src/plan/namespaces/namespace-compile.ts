/** `linux.namespaces`, `linux.uidMappings`, `linux.gidMappings` → clone flags and id maps. */

import type { IdMapping, Spec } from '../../spec/config-types.js';
import { segment } from '../../spec/json/json-pointer.js';
import { CLONE_NEWTIME, CLONE_NEWUSER, namespaceFlags } from '../../sys/linux.js';
import type { HostFacts } from '../host-facts.js';
import type { Op } from '../plan-ops.js';

/** Clone flags of all namespaces that the config asks to make new. */
export function newNamespaces(spec: Spec): number {
  let flags = 0;
  for (const { type, path } of spec.linux?.namespaces ?? []) if (!path) flags |= namespaceFlags[type] ?? 0;
  return flags;
}

/** Clone flags of all namespaces that the config joins by path. */
export function joinedNamespaces(spec: Spec): number {
  let flags = 0;
  for (const { type, path } of spec.linux?.namespaces ?? []) if (path) flags |= namespaceFlags[type] ?? 0;
  return flags;
}

/** Whether the container has a user namespace, new or joined. */
export function hasUserNamespace(spec: Spec): boolean {
  return ((newNamespaces(spec) | joinedNamespaces(spec)) & CLONE_NEWUSER) !== 0;
}

/** The network interfaces that come from the host; runt-init awaits them, as a sysctl may be about one of them. */
export function netDeviceOps(spec: Spec): Op[] {
  const ops = Object.entries(spec.linux?.netDevices ?? {}).map(([name, { name: target }]): Op => {
    return { op: 'netDevice', at: `/linux/netDevices/${segment(name)}`, name, target: target || name };
  });
  return ops.length > 0 ? [...ops, { op: 'await', at: '', what: 'network devices' }] : [];
}

/** Whether the container has a mount namespace, new or joined. */
export function hasMountNamespace(spec: Spec): boolean {
  return spec.linux?.namespaces?.some(({ type }) => type === 'mount') ?? false;
}

/** After the unshare of a new time namespace: its offsets, and the way into it. */
export function timeOps(spec: Spec): Op[] {
  const offsets = Object.entries(spec.linux?.timeOffsets ?? {}).map(
    ([clock, { secs = 0, nanosecs = 0 }]) => `${clock} ${secs} ${nanosecs}`,
  );
  if (!(newNamespaces(spec) & CLONE_NEWTIME)) return [];
  return [{ op: 'timeEnter', at: offsets.length > 0 ? '/linux/timeOffsets' : namespacePointer(spec, 'time'), offsets }];
}

/** JSON pointer of the namespace of a type, '' when the config has none. */
export function namespacePointer(spec: Spec, type: string): string {
  const at = spec.linux?.namespaces?.findIndex((n) => n.type === type) ?? -1;
  return at < 0 ? '' : `/linux/namespaces/${at}`;
}

/**
 * The operations that write the id maps of a new user namespace, after the clone.
 * An ordinary user may write one line that maps his own id; all else needs newuidmap and newgidmap, which check
 * /etc/subuid and /etc/subgid (user_namespaces(7)). Root of a user namespace writes all that is mapped in it, as rootless podman does.
 */
export function idMapOps(spec: Spec, facts: HostFacts): Op[] {
  const ops: Op[] = [];
  if (!(newNamespaces(spec) & CLONE_NEWUSER)) return ops;
  const { uidMappings = [], gidMappings = [] } = spec.linux ?? {};
  if (setGroupsDenied(spec, facts)) ops.push({ op: 'setGroupsPolicy', at: '/linux/gidMappings', value: 'deny' });
  const map = (kind: 'gid' | 'uid', mappings: IdMapping[], own: number, helper: string): Op => ({
    op: 'idMap',
    at: `/linux/${kind}Mappings`,
    kind,
    lines: mappings.map((m) => `${m.containerID} ${m.hostID} ${m.size}`),
    helper: needsHelper(mappings, own, facts) ? helper || `new${kind}map` : '',
  });
  ops.push(map('gid', gidMappings, facts.egid, facts.newgidmap));
  ops.push(map('uid', uidMappings, facts.euid, facts.newuidmap));
  return ops;
}

/**
 * `setGroups` of the operation `user`. In a user namespace that is joined, or where the runtime is root of one, setgroups(2) may be
 * off; only the kernel knows.
 */
export function setGroups(spec: Spec, facts: HostFacts): number {
  if (joinedNamespaces(spec) & CLONE_NEWUSER || (facts.rootless && facts.euid === 0)) return 2;
  return setGroupsDenied(spec, facts) ? 0 : 1;
}

/** Whether setgroups(2) is off in the new user namespace: gid_map is written by an unprivileged process itself. */
function setGroupsDenied(spec: Spec, facts: HostFacts): boolean {
  return (
    facts.rootless &&
    facts.euid !== 0 &&
    (newNamespaces(spec) & CLONE_NEWUSER) !== 0 &&
    !needsHelper(spec.linux?.gidMappings ?? [], facts.egid, facts)
  );
}

function needsHelper(mappings: IdMapping[], own: number, facts: HostFacts): boolean {
  const [only] = mappings;
  return facts.rootless && facts.euid !== 0 && !(mappings.length === 1 && only?.hostID === own && only.size === 1);
}
