/** Operations in words for `explain`: what is done, to what, and how, with every flag by its name. */
import {
  capabilityNames,
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_IDMAP,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
  MS_PRIVATE,
  MS_REC,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
  namespaceFlags,
  RLIM_INFINITY,
  rlimitNames,
} from '../sys/linux.js';
import type { Op, OpName } from './ops.js';
import { word } from './printable.js';

export type Phase =
  | 'prepare'
  | 'namespaces'
  | 'root and mounts'
  | 'devices'
  | 'hide and protect'
  | 'identity'
  | 'limits'
  | 'start';

/** Phases in the order in which explain prints them. */
export const phases: readonly Phase[] = [
  'prepare',
  'namespaces',
  'root and mounts',
  'devices',
  'hide and protect',
  'identity',
  'limits',
  'start',
];

const phaseOf: { readonly [N in OpName]: Phase } = {
  stateDir: 'prepare',
  cgroupCreate: 'prepare',
  startSocket: 'prepare',
  openTree: 'prepare',
  keepFds: 'prepare',
  procfs: 'prepare',
  keyring: 'prepare',
  clone: 'namespaces',
  setGroupsPolicy: 'namespaces',
  idMap: 'namespaces',
  sync: 'namespaces',
  becomeRoot: 'namespaces',
  unshare: 'namespaces',
  loopback: 'namespaces',
  hostname: 'namespaces',
  domainname: 'namespaces',
  sysctl: 'namespaces',
  hostPropagation: 'root and mounts',
  rootfs: 'root and mounts',
  mountFs: 'root and mounts',
  mountBind: 'root and mounts',
  mountAttrs: 'root and mounts',
  mkdir: 'root and mounts',
  pivotRoot: 'root and mounts',
  moveRoot: 'root and mounts',
  rootPropagation: 'root and mounts',
  symlink: 'devices',
  device: 'devices',
  mask: 'hide and protect',
  readonlyPath: 'hide and protect',
  readonlyRoot: 'hide and protect',
  noNewPrivileges: 'identity',
  bounding: 'identity',
  user: 'identity',
  capabilities: 'identity',
  cgroupInherit: 'limits',
  cgroupControllers: 'limits',
  cgroupWrite: 'limits',
  cgroupJoin: 'limits',
  oomScoreAdj: 'limits',
  rlimit: 'limits',
  cwd: 'start',
  findExecutable: 'start',
  wait: 'start',
  exec: 'start',
};

/** The phase under which explain prints an operation. */
export function phase(op: Op): Phase {
  return phaseOf[op.op];
}

/** One line of explain: the verb, what it is done to, how, and the config pointer. */
export type Row = readonly [verb: string, object: string, detail: string, at: string];

/** The lines of an operation. Long lists take several, each with its pointer. */
export function rows(op: Op): Row[] {
  const row = (verb: string, object = '', detail = ''): Row[] => [[verb, object, detail, op.at]];
  switch (op.op) {
    case 'stateDir':
      return row('make directory', word(op.path), 'state of the container');
    case 'cgroupCreate':
      return row('make cgroup', word(op.path));
    case 'cgroupWrite':
      return row('write', word(op.path), word(op.value.trim()));
    case 'startSocket':
      return row('listen', word(op.path), 'for start');
    case 'openTree':
      return row('open tree', word(op.source), list([op.recursive ? 'recursive' : '', `slot ${op.slot}`]));
    case 'clone':
      return wrap('new namespaces', '', namespaces(Number(op.flags)), op.at);
    case 'setGroupsPolicy':
      return row('setgroups', word(op.value));
    case 'idMap':
      return op.lines.map((line, i): Row => {
        const [inside, outside, size] = line.split(' ');
        const by = op.helper === '' ? '' : `by ${word(op.helper)}`;
        return [`map ${op.kind}s`, `${inside} ← ${outside}`, list([`size ${size}`, by]), `${op.at}/${i}`];
      });
    case 'cgroupInherit':
      return row('inherit', word(`${op.path}/${op.file}`), `from the parents, where empty, up to ${word(op.top)}`);
    case 'cgroupControllers':
      return row('controllers', word(op.path), list([op.required.map(word).join(' '), option(op.wanted)]));
    case 'cgroupJoin':
      return row('join cgroup', word(op.path));
    case 'oomScoreAdj':
      return row('oom_score_adj', String(op.value));
    case 'rlimit':
      return row(
        'limit',
        rlimitNames()[Number(op.resource)] ?? `resource ${op.resource}`,
        `soft ${limit(op.soft)}, hard ${limit(op.hard)}`,
      );
    case 'keepFds':
      return row('close descriptors', '', op.count ? `all but stdio and 3…${2 + Number(op.count)}` : 'all but stdio');
    case 'procfs':
      return row('open procfs', '', 'private, for all writes to /proc');
    case 'keyring':
      return row('session keyring', word(op.name), 'new');
    case 'sync':
      return row('await runtime', '', 'id maps and cgroups');
    case 'becomeRoot':
      return row('become root', '', 'of the user namespace');
    case 'unshare':
      return wrap('new namespaces', '', namespaces(Number(op.flags)), op.at, 'once in the cgroups');
    case 'hostPropagation':
      return row('propagation', 'inherited mounts', propagation(op.flags));
    case 'rootfs':
      return row('root', word(op.path), list([op.pivot ? '' : 'without pivot_root', slot(op.slot)]));
    case 'mountFs': {
      const source = op.source === '' || op.source === op.fstype ? '' : `from ${word(op.source)}`;
      const mode = op.inheritMode ? 'mode of the directory below' : '';
      const options = op.options.map(word).join(',');
      return row(
        'mount',
        word(op.target),
        list([word(op.fstype), source, attributes(op.attrs), options, mode, ...op.propagation.map(propagation)]),
      );
    }
    case 'mountBind':
      return row(
        op.recursive ? 'bind tree' : 'bind',
        word(op.target),
        list([
          `from ${word(op.source)}`,
          attributes(op.setAttrs, op.clearAttrs),
          attributes(op.setAttrsRec, op.clearAttrsRec, 'r'),
          ...op.propagation.map(propagation),
          slot(op.slot),
        ]),
      );
    case 'mountAttrs':
      return row('attributes', word(op.target), attributes(op.setAttrs, op.clearAttrs, op.recursive ? 'r' : ''));
    case 'mkdir':
      return row('make directory', word(op.path), octal(op.mode));
    case 'symlink':
      return row('link', word(op.path), `to ${word(op.content)}`);
    case 'device': {
      const node = op.type === 'p' ? 'p' : `${op.type} ${op.major}:${op.minor}`;
      return op.bind
        ? row('bind device', word(op.path), `${node}, from the host`)
        : row('device', word(op.path), `${node}, ${octal(op.mode)}, ${op.uid}:${op.gid}`);
    }
    case 'mask':
      return row('mask', word(op.path));
    case 'readonlyPath':
      return row('read-only', word(op.path));
    case 'pivotRoot':
      return row('pivot_root', '/', 'old root detached');
    case 'moveRoot':
      return row('move root', '/', 'MS_MOVE and chroot');
    case 'rootPropagation':
      return row('propagation', '/', propagation(op.flags));
    case 'readonlyRoot':
      return row('read-only', '/');
    case 'loopback':
      return row('interface up', 'lo');
    case 'sysctl':
      return row('sysctl', word(op.key.replaceAll('/', '.')), word(op.value));
    case 'hostname':
      return row('hostname', word(op.name));
    case 'domainname':
      return row('domainname', word(op.name));
    case 'noNewPrivileges':
      return row('no_new_privs');
    case 'bounding':
      return wrap('capabilities', 'bounding', capabilities(op.mask), op.at);
    case 'user':
      return row(
        'user',
        `${op.uid}:${op.gid}`,
        list([
          op.setGroups ? `groups ${op.groups.join(',') || 'none'}` : 'groups unchanged',
          Number(op.umask) < 0 ? '' : `umask ${octal(op.umask)}`,
        ]),
      );
    case 'capabilities':
      return capabilitySets(op);
    case 'cwd':
      return row('enter directory', word(op.path), op.optional ? 'tried again as the user' : '');
    case 'findExecutable':
      return row('find executable', word(op.name), op.name.includes('/') ? '' : `in ${word(op.path)}`);
    case 'wait':
      return row('wait', '', 'created; until start');
    case 'exec':
      return [
        ...wrap('exec', '', op.args.map(word), op.at, '', ' '),
        // Names only: values may be secrets, and this is printed on screens and in build logs. The JSON form has them.
        ...wrap(
          'environment',
          '',
          op.env.map((e) => word(e.split('=', 1)[0]!)),
          '/process/env',
          '',
          ' ',
        ),
        ...(Number(op.homeOf) < 0
          ? []
          : ([['environment', 'HOME', `of uid ${op.homeOf}, from /etc/passwd`, '']] as Row[])),
      ];
  }
}

/** Equal sets share their lines. */
function capabilitySets(op: Op & { op: 'capabilities' }): Row[] {
  const names = new Map<string, { sets: string[]; mask: bigint }>();
  for (const set of ['effective', 'permitted', 'inheritable', 'ambient'] as const) {
    const mask = BigInt(op[set]);
    const same = names.get(String(mask));
    if (same) same.sets.push(set);
    else names.set(String(mask), { sets: [set], mask });
  }
  return [...names.values()].flatMap(({ sets, mask }) =>
    wrap('capabilities', sets.join(', '), capabilities(mask), op.at),
  );
}

const option = (names: readonly string[]): string =>
  names.length > 0 ? `if possible ${names.map(word).join(' ')}` : '';
const list = (parts: readonly string[]): string => parts.filter((p) => p !== '').join(', ');
const octal = (mode: number | bigint): string => `0${mode.toString(8).padStart(3, '0')}`;
const slot = (n: number | bigint): string => (Number(n) < 0 ? '' : `slot ${n}`);
const limit = (n: number | bigint): string => (BigInt(n) === RLIM_INFINITY ? 'unlimited' : String(n));

/** Breaks a list of words into lines of about 60 characters. */
function wrap(verb: string, object: string, items: readonly string[], at: string, note = '', separator = ', '): Row[] {
  const all = note === '' ? items : [...items, note];
  const result: Row[] = [];
  let line = '';
  for (const [i, item] of all.entries()) {
    const next = line === '' ? item : line + separator + item;
    if (next.length > 60 && line !== '') {
      result.push([result.length === 0 ? verb : '', result.length === 0 ? object : '', line + separator.trimEnd(), at]);
      line = item;
    } else line = next;
    if (i === all.length - 1)
      result.push([result.length === 0 ? verb : '', result.length === 0 ? object : '', line, at]);
  }
  return result.length > 0 ? result : [[verb, object, 'none', at]];
}

/** CLONE_NEW* flags by the spec's names. */
function namespaces(flags: number): string[] {
  const names: string[] = [];
  let rest = flags;
  for (const [name, flag] of Object.entries(namespaceFlags)) {
    if (flags & flag) names.push(name);
    rest &= ~flag;
  }
  if (rest) names.push(`0x${(rest >>> 0).toString(16)}`);
  return names;
}

/** Capability mask by names; bits without a name as `bit N`. */
function capabilities(mask: number | bigint): string[] {
  const known = capabilityNames();
  const names: string[] = [];
  for (let rest = BigInt(mask), bit = 0; rest > 0n; rest >>= 1n, bit++) {
    if (rest & 1n) names.push(known[bit] ?? `bit ${bit}`);
  }
  return names.length === known.length && names.at(-1) === known.at(-1) ? ['all'] : names;
}

/** MS_* propagation flags by the names of mount options; a decimal string in the plan's lists. */
function propagation(flags: number | bigint | string): string {
  const f = Number(flags);
  const r = f & MS_REC ? 'r' : '';
  if (f & MS_SHARED) return `${r}shared`;
  if (f & MS_SLAVE) return `${r}slave`;
  if (f & MS_PRIVATE) return `${r}private`;
  if (f & MS_UNBINDABLE) return `${r}unbindable`;
  return `0x${f.toString(16)}`;
}

const attributeNames: readonly (readonly [flag: number, set: string, clear: string])[] = [
  [MOUNT_ATTR_RDONLY, 'ro', 'rw'],
  [MOUNT_ATTR_NOSUID, 'nosuid', 'suid'],
  [MOUNT_ATTR_NODEV, 'nodev', 'dev'],
  [MOUNT_ATTR_NOEXEC, 'noexec', 'exec'],
  [MOUNT_ATTR_NODIRATIME, 'nodiratime', 'diratime'],
  [MOUNT_ATTR_NOSYMFOLLOW, 'nosymfollow', 'symfollow'],
  [MOUNT_ATTR_IDMAP, 'idmap', ''],
];

/** MOUNT_ATTR_* flags by the names of mount options, each with a prefix (`r` for the recursive ones). */
function attributes(set: number | bigint, clear: number | bigint = 0, prefix = ''): string {
  const [on, off] = [Number(set), Number(clear)];
  const names: string[] = [];
  let rest = on & ~MOUNT_ATTR__ATIME;
  for (const [flag, name, opposite] of attributeNames) {
    rest &= ~flag;
    if (on & flag) names.push(name);
    else if (off & flag && opposite !== '') names.push(opposite);
  }
  // The access time is a field of its own, not a bit: relatime is its zero, said only where something was cleared for it.
  const atime = on & MOUNT_ATTR__ATIME;
  if (atime === MOUNT_ATTR_NOATIME) names.push('noatime');
  else if (atime === MOUNT_ATTR_STRICTATIME) names.push('strictatime');
  else if (off & MOUNT_ATTR__ATIME) names.push('relatime');
  if (rest) names.push(`0x${rest.toString(16)}`);
  return names.map((name) => prefix + name).join(',');
}
