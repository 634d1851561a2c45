/** Order of joins and unshares for a container whose namespaces are not all new (setns(2), user_namespaces(7)). */
import type { Spec } from '../../spec/config-types.js';
import { append } from '../../sys/append.js';
import { CLONE_NEWCGROUP, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, namespaceFlags } from '../../sys/linux.js';
import type { HostFacts } from '../host-facts.js';
import { idMapOps } from '../ids/id-map-compile.js';
import { mapLines } from '../ids/id-map-lines.js';
import type { OpEntry } from '../op-list.js';
import type { Op } from '../plan-ops.js';
import { newNamespaces, timeOps } from './namespace-compile.js';

/** A namespace that the config joins by path. */
export interface Join {
  readonly at: string;
  readonly path: string;
  readonly type: string;
  readonly flag: number;
  readonly slot: number;
}

/** The namespaces to join. The mount namespace is last: after it, paths are those of its tree. */
export function joins(spec: Spec, slot: number): Join[] {
  const all: Join[] = [];
  spec.linux?.namespaces?.forEach(({ type, path }, i) => {
    if (path) all.push({ at: `/linux/namespaces/${i}`, path, type, flag: namespaceFlags[type] ?? 0, slot: slot++ });
  });
  return all.sort((a, b) => Number(a.flag === CLONE_NEWNS) - Number(b.flag === CLONE_NEWNS));
}

export const openJoins = (all: readonly Join[]): Op[] =>
  all.map(({ at, path, type, slot }): Op => ({ op: 'namespaceOpen', at: `${at}/path`, path, type, slot }));

/** New namespaces that the clone has not made. */
const unclonedFlags = (spec: Spec, cloned: number): number => newNamespaces(spec) & ~cloned;

const joinedFlags = (all: readonly Join[]): number => all.reduce((flags, { flag }) => flags | flag, 0);

/** Whether the joining process must fork: a pid namespace that is joined or unshared only applies to its child. */
export const mustFork = (spec: Spec, all: readonly Join[], cloned: number): boolean =>
  all.length > 0 && ((unclonedFlags(spec, cloned) | joinedFlags(all)) & CLONE_NEWPID) !== 0;

/**
 * Whether that child can be cloned into the container's v2 cgroup. The kernel checks the process's rights at that time
 * (in a user namespace), and the cgroups it can see (in a joined cgroup namespace).
 */
export const canCloneIntoCgroup = (spec: Spec, all: readonly Join[]): boolean =>
  ((newNamespaces(spec) | joinedFlags(all)) & CLONE_NEWUSER) === 0 && (joinedFlags(all) & CLONE_NEWCGROUP) === 0;

/** Mappings beside the path of a user namespace, which some engines write, must equal the namespace's. */
function verifyOps(spec: Spec): Op[] {
  const ops: Op[] = [];
  for (const [kind, key] of [
    ['uid', 'uidMappings'],
    ['gid', 'gidMappings'],
  ] as const) {
    const mappings = spec.linux?.[key];
    if (mappings?.length) ops.push({ op: 'idMapVerify', at: `/linux/${key}`, kind, lines: mapLines(mappings) });
  }
  return ops.length > 0 ? [...ops, { op: 'await', at: '', what: 'id maps' }] : [];
}

/**
 * The operations from the runtime's namespaces (except those of the clone: `cloned`) to those of the config.
 * A new user namespace is made after the joins: joined namespaces belong to an owner outside it. A joined user
 * namespace is joined in the middle: namespaces that belong to it need the rights in it, the host's need those before
 * it. All other new namespaces are made inside the user namespace, so that it owns them. A pid namespace only applies
 * to the next child, so a second clone is last, with the caller as the parent.
 * @param entering how the final process enters its cgroups; a new cgroup namespace comes after that
 * @param asCaller operations in the new mount namespace, while the process still has the caller's ids
 */
export function joinOps(
  spec: Spec,
  facts: HostFacts,
  all: readonly Join[],
  cloned: number,
  inUserNamespace: readonly Op[],
  entering: readonly Op[],
  asCaller: readonly OpEntry[],
): OpEntry[] {
  const enter = (optional: boolean, chosen: readonly Join[]): Op[] =>
    chosen.map(({ at, path, flag, slot }): Op => ({ op: 'setns', at, path, flag, slot, optional }));
  const at = '/linux/namespaces';
  const uncloned = unclonedFlags(spec, cloned);
  const user = all.filter(({ flag }) => flag === CLONE_NEWUSER);
  const others = all.filter(({ flag }) => flag !== CLONE_NEWUSER);
  const undumpable: Op = { op: 'undumpable', at: '' };
  const early = asCaller.length > 0 ? CLONE_NEWNS : 0;
  const root: OpEntry[] = [
    ...inUserNamespace,
    ...(early ? [{ op: 'unshare', at, flags: early } as const, ...asCaller] : []),
    { op: 'becomeRoot', at: '/linux/uidMappings' },
    undumpable,
  ];
  const ops: OpEntry[] = [];
  if (user.length > 0) {
    append(ops, [
      undumpable,
      ...enter(true, others),
      ...enter(false, user),
      ...verifyOps(spec),
      ...enter(false, others),
      ...root,
    ]);
  } else if (uncloned & CLONE_NEWUSER) {
    append(ops, [...enter(false, others), { op: 'unshare', at, flags: CLONE_NEWUSER }]);
    append(ops, [...idMapOps(spec, facts), { op: 'await', at: '', what: 'id maps' }, ...root]);
  } else {
    append(ops, [...inUserNamespace, undumpable, ...enter(false, others)]);
  }
  const late = mustFork(spec, all, cloned) ? CLONE_NEWCGROUP : 0;
  const rest = uncloned & ~(CLONE_NEWUSER | early | late);
  if (rest) append(ops, [{ op: 'unshare', at, flags: rest }, ...timeOps(spec)]);
  if (!late) return ops;
  if (!entering.some(({ op }) => op === 'cgroupFork')) ops.push({ op: 'fork', at });
  append(ops, entering);
  if (uncloned & late) ops.push({ op: 'unshare', at, flags: uncloned & late });
  return ops;
}
