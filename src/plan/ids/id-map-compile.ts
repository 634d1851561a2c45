/** `linux.uidMappings`, `linux.gidMappings` → id maps of the user namespace, and whether setgroups(2) works in it. */
import type { IdMapping, Spec } from '../../spec/config-types.js';
import { CLONE_NEWUSER } from '../../sys/linux.js';
import type { HostFacts } from '../host-facts.js';
import { joinedNamespaces, newNamespaces } from '../namespaces/namespace-compile.js';
import type { Op, OpOf } from '../plan-ops.js';

/**
 * The operations that write the id maps of a new user namespace, after the clone.
 * An ordinary user may write one line that maps the caller's own id; any other map needs newuidmap and newgidmap, which
 * check /etc/subuid and /etc/subgid (user_namespaces(7)). Root of a user namespace may write all ids mapped in it, as
 * rootless podman does.
 */
export function idMapOps(spec: Spec, facts: HostFacts): Op[] {
  const ops: Op[] = [];
  if (!(newNamespaces(spec) & CLONE_NEWUSER)) return ops;
  const { uidMappings = [], gidMappings = [] } = spec.linux ?? {};
  if (deniesSetGroups(spec, facts)) ops.push({ op: 'setGroupsPolicy', at: '/linux/gidMappings', value: 'deny' });
  const map = (kind: 'gid' | 'uid', mappings: IdMapping[], own: number, helper: string): Op => ({
    op: 'idMap',
    at: `/linux/${kind}Mappings`,
    kind,
    lines: mappings.map((m) => `${m.containerID} ${m.hostID} ${m.size}`),
    helper: needsHelper(mappings, own, facts) ? helper || `new${kind}map` : undefined,
  });
  ops.push(map('gid', gidMappings, facts.egid, facts.newgidmap));
  ops.push(map('uid', uidMappings, facts.euid, facts.newuidmap));
  return ops;
}

/**
 * How the operation `user` sets the groups. In a joined user namespace, or if runt is root of one, setgroups(2) may be
 * denied; only the kernel can answer that.
 */
export function setGroups(spec: Spec, facts: HostFacts): Pick<OpOf<'user'>, 'setGroups' | 'groupsOptional'> {
  const groupsOptional = (joinedNamespaces(spec) & CLONE_NEWUSER) !== 0 || (facts.rootless && facts.euid === 0);
  return { setGroups: groupsOptional || !deniesSetGroups(spec, facts), groupsOptional };
}

/** Whether setgroups(2) is denied in the new user namespace: an unprivileged process must deny it to write gid_map. */
function deniesSetGroups(spec: Spec, facts: HostFacts): boolean {
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
