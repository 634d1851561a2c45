/** Operations in words for `explain`: what is done, to what, and how, with every flag by its name. */
import {
  ioPriorityClasses,
  MS_PRIVATE,
  memoryPolicyFlags,
  memoryPolicyModes,
  RLIM_INFINITY,
  rlimitNames,
  schedulerFlags,
  schedulerPolicies,
} from '../../sys/linux.js';
import type { Op } from '../plan-ops.js';
import { word } from '../printable-text.js';
import { attributes, capabilities, namespaces, propagation, seccompFlags, superblockFlags } from './flag-names.js';

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
    case 'supervise':
      return row('supervisor', word(op.path), 'parent of all processes; records how they end');
    case 'openTree':
    case 'cloneSource':
      return row(
        'open tree',
        word(op.source),
        list([
          op.recursive ? 'recursive' : '',
          op.nofollow ? 'not through a link' : '',
          op.op === 'cloneSource' && op.optional ? 'or at its turn' : '',
          `slot ${op.slot}`,
        ]),
      );
    case 'idMapNamespace':
      if (op.path) return row('open id maps', word(op.path), slot(op.slot));
      return (
        [
          ['uids', op.uids],
          ['gids', op.gids],
        ] as const
      ).flatMap(([kind, lines]) =>
        lines.map((line): Row => {
          const [inside, outside, size] = line.split(' ');
          return [`map ${kind} of a mount`, `${inside} → ${outside}`, list([`size ${size}`, slot(op.slot)]), op.at];
        }),
      );
    case 'idMapTree':
      return row(
        'map ids',
        word(op.source),
        list([op.recursive ? 'recursive' : '', `by the namespace in slot ${op.slot}`, `slot ${op.tree}`]),
      );
    case 'clone':
      return [
        ...wrap('new namespaces', '', namespaces(Number(op.flags)), op.at),
        ...(op.cgroup ? row('born in cgroup', word(op.cgroup)) : []),
      ];
    case 'scheduler': {
      const times = (
        [
          ['runtime', op.runtime],
          ['deadline', op.deadline],
          ['period', op.period],
        ] as const
      )
        .filter(([, n]) => Number(n) !== 0)
        .map(([name, n]) => `${name} ${n} ns`);
      const nice = Number(op.nice) !== 0 ? [`nice ${op.nice}`] : [];
      const priority = Number(op.priority) !== 0 ? [`priority ${op.priority}`] : [];
      const flags = schedulerFlags().filter((_, bit) => (Number(op.flags) >> bit) & 1);
      const policy = schedulerPolicies()[Number(op.policy)] ?? `policy ${op.policy}`;
      return row('scheduler', policy, list([...nice, ...priority, ...times, ...flags]));
    }
    case 'ioPriority':
      return row('I/O priority', ioPriorityClasses()[Number(op.class)] ?? `class ${op.class}`, String(op.priority));
    case 'keepGroups':
      return row('keep groups', '', "the caller's");
    case 'hookFile':
      return row('open', word(op.path), list(['appended to by hooks', slot(op.slot)]));
    case 'hookOutput':
      return row(
        'output of hooks',
        '',
        list([Number(op.out) < 0 ? '' : `stdout ${slot(op.out)}`, Number(op.err) < 0 ? '' : `stderr ${slot(op.err)}`]),
      );
    case 'seccompData':
      return row('decode program', 'seccomp', slot(op.slot));
    case 'rdtGroup': {
      const make = { new: 'new', there: 'must be there', either: 'new, or with this schema' }[op.make] ?? op.make;
      return row('resctrl group', word(op.path), list([make, ...op.schemata.map(word)]));
    }
    case 'rdtMonitor':
      return row('resctrl monitoring', word(op.path), 'new');
    case 'rdtAssign':
      return op.paths.flatMap((path) => row('enter resctrl group', word(path)));
    case 'securityLabel':
      return row(
        { exec: 'SELinux label', keycreate: 'SELinux label of keys', 'apparmor/exec': 'AppArmor profile' }[op.file] ??
          op.file,
        op.label === '' ? 'back' : word(op.label),
        op.file === 'keycreate' ? '' : 'from the execve on',
      );
    case 'cpuAffinity':
      return row('CPU affinity', op.cpus.join(',') || 'all that its cgroup has');
    case 'memoryPolicy': {
      const mode = memoryPolicyModes()[Number(op.mode) & 0xff] ?? `mode ${op.mode}`;
      const flags = memoryPolicyFlags().filter((_, bit) => (Number(op.mode) >> (13 + bit)) & 1);
      return row('memory policy', mode, list([op.nodes.length > 0 ? `nodes ${op.nodes.join(',')}` : '', ...flags]));
    }
    case 'personality':
      return row('personality', op.domain ? 'LINUX32' : 'LINUX');
    case 'notifyDirectory':
      return row('make directory', word(op.path), list(['for sd_notify', op.bind ? 'with its socket' : '']));
    case 'pidfdSocket':
      return row('connect', word(op.path), 'gets a pidfd of the process');
    case 'listenFds': {
      const names = op.names === '' ? '' : ` LISTEN_FDNAMES=${word(op.names)}`;
      return row('environment', `LISTEN_FDS=${op.count}${names}`, 'LISTEN_PID is the pid in the container');
    }
    case 'setGroupsPolicy':
      return row('setgroups', word(op.value));
    case 'idMap':
      return op.lines.map((line, i): Row => {
        const [inside, outside, size] = line.split(' ');
        const by = op.helper === '' ? '' : `by ${word(op.helper)}`;
        return [`map ${op.kind}s`, `${inside} ← ${outside}`, list([`size ${size}`, by]), `${op.at}/${i}`];
      });
    case 'cgroupWriteFirst':
      return op.paths.flatMap((path, i) => {
        const others = op.paths.length > 1 ? (i === 0 ? 'the first that is there' : 'or') : '';
        return row('write', word(path), list([word(op.values[i] ?? ''), op.required ? others : 'where it is there']));
      });
    case 'cgroupRealtime':
      return row('write', word(`${op.path}/${op.file}`), list([word(op.value), 'new parents first']));
    case 'cgroupInherit':
      return row('inherit', word(`${op.path}/${op.file}`), `from the parents, where empty, up to ${word(op.top)}`);
    case 'cgroupControllers':
      return row('controllers', word(op.path), list([op.required.map(word).join(' '), option(op.wanted)]));
    case 'cgroupDevices':
      return row(
        'device filter',
        word(op.path),
        /^(?:allow|deny) /.test(op.exceptions[0] ?? '')
          ? [`${op.allow ? 'allow' : 'deny'} all`, ...op.exceptions].join(', then ')
          : `${op.allow ? 'allow' : 'deny'} all but ${op.exceptions.join(', ') || 'none'}`,
      );
    case 'cgroupOwner':
      return row('owner', word(op.path), `uid ${op.uid}`);
    case 'systemdScope':
      return [
        ...row('start unit', word(op.unit), `its cgroup is ${word(op.path)}`),
        ...op.properties.flatMap((p) => row('property', word(p))),
      ];
    case 'cgroupOpen':
      return row('open', word(op.path));
    case 'cgroupEnter':
      return row('enter cgroup', word(op.path.slice(0, op.path.lastIndexOf('/'))));
    case 'cgroupDirectory':
      return row('open', word(op.path));
    case 'cgroupFork':
      return row('fork', '', `into the pid namespace, born in the cgroup ${word(op.path.replace(/\/$/, ''))}`);
    case 'initProcess':
      return row('open process', String(op.pid), `verified by its start time ${op.startTime}`);
    case 'processRoot':
      return row('open root', 'of the process', slot(op.slot));
    case 'join':
      return wrap('join namespaces', '', namespaces(Number(op.flags)), op.at);
    case 'namespaceOpen':
      return row('open namespace', word(op.path), list([`verified: ${op.type}`, slot(op.slot)]));
    case 'setns':
      return row(
        'join namespace',
        word(op.path),
        list([
          namespaces(Number(op.flag)).join(', '),
          slot(op.slot),
          op.optional ? 'or later, with the rights in the user namespace' : '',
        ]),
      );
    case 'netDevice':
      return row(
        'network device',
        word(op.name),
        list([op.target === op.name ? '' : `as ${word(op.target)}`, 'with its permanent global addresses', 'up']),
      );
    case 'idMapVerify':
      return op.lines.map((line, i): Row => {
        const [inside, outside, size] = line.split(' ');
        return [`verify ${op.kind}s`, `${inside} ← ${outside}`, `size ${size}`, `${op.at}/${i}`];
      });
    case 'timeOpen':
      return row('open', 'timens_offsets', 'of the time namespace');
    case 'timeEnter':
      return row('time namespace', '', list(['enter', ...op.offsets.map(offset)]));
    case 'await':
      return row('await runtime', '', op.what);
    case 'fork':
      return row('fork', '', 'into the pid namespace');
    case 'namedUser':
      return row(
        'user',
        word(op.user) + (op.group && `:${word(op.group)}`),
        list([
          'from /etc/passwd and /etc/group of the container',
          op.group ? '' : `gid ${op.gid} unless they say otherwise`,
          op.setGroups ? `groups ${op.groups.join(',') || 'none'} and where it is a member` : 'groups unchanged',
          Number(op.umask) < 0 ? '' : `umask ${octal(op.umask)}`,
        ]),
      );
    case 'session':
      return row('new session');
    case 'undumpable':
      return row('undumpable', 'no process of the container can trace this one');
    case 'oomScoreAdj':
      return row('oom_score_adj', String(op.value));
    case 'prlimit':
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
      return wrap('new namespaces', '', namespaces(Number(op.flags)), op.at, 'from inside');
    case 'hostPropagation':
      return row('propagation', 'inherited mounts', propagation(op.flags));
    case 'isolate':
      return row('propagation', `the mount of ${word(op.path)}`, propagation(MS_PRIVATE));
    case 'rootfs':
      return row('root', word(op.path), slot(op.slot));
    case 'mountFs': {
      const options = op.options.length > 0 ? `(${op.options.map(word).join(',')})` : '';
      const source = op.source === '' || op.source === op.fstype ? '' : `from ${word(op.source)}`;
      const mode = op.inheritMode ? 'mode of the directory there' : '';
      const how = [
        word(op.fstype) + options,
        source,
        attributes(op.attrs),
        superblockFlags(op.flags),
        mode,
        op.copyUp ? 'begins with a copy of what is there' : '',
        ...op.propagation.map(propagation),
        Number(op.idmap) < 0 ? '' : `ids mapped by the namespace in slot ${op.idmap}`,
        Number(op.instead) < 0 ? '' : `or else the /sys of the host, read-only throughout, slot ${op.instead}`,
      ];
      return row('mount', word(op.target), list(how));
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
          op.sourceNofollow ? 'not through a link at the source' : '',
          op.targetNofollow ? 'not through a link at the target' : '',
          op.copySymlink ? 'a link is made anew' : '',
        ]),
      );
    case 'reconfigure':
      return row('reconfigure', word(op.target), op.options.map(word).join(','));
    case 'labelMount':
      return row('SELinux label', word(op.target), word(op.label));
    case 'propagate':
      return row('propagation', word(op.target), list(op.propagation.map(propagation)));
    case 'consoleConnect':
      return row('connect', word(op.path), list(['gets the terminal', slot(op.slot)]));
    case 'consolePair':
      return row('socket pair', '', list(['for the terminal', slot(op.slot)]));
    case 'terminal':
      return row(
        'terminal',
        op.console ? '/dev/console' : '',
        list([
          `of uid ${op.uid}`,
          op.width || op.height ? `${op.width} columns, ${op.height} rows` : '',
          'stdio',
          slot(op.slot),
        ]),
      );
    case 'mountAttrs':
      return row('attributes', word(op.target), attributes(op.setAttrs, op.clearAttrs, op.recursive ? 'r' : ''));
    case 'verifyMounts':
      return row('verify mounts', '', 'each is where it was put');
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
      return row('mask', word(op.path), op.label && `directories labelled ${word(op.label)}`);
    case 'readonlyPath':
      return row('read-only', word(op.path));
    case 'leaveChroot':
      return row('root', 'of the namespace', 'where runt is in a chroot');
    case 'pivotRoot':
      return row('pivot_root', '/', 'old root detached');
    case 'detachedRoot':
      return row('root', word(op.path), 'attached nowhere');
    case 'changeRoot':
      return row('chroot', '/', slot(op.slot));
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
    case 'seccompProgram':
      return row('compile profile', 'seccomp', slot(op.slot));
    case 'seccomp':
      return [
        ...row('seccomp', op.summary, op.late ? 'right before the exec' : 'from here on'),
        ...(op.flags ? row('', '', seccompFlags(op.flags)) : []),
        ...(op.agent ? row('seccomp agent', word(op.agent), op.metadata === '' ? '' : word(op.metadata)) : []),
      ];
    case 'bounding':
      return wrap('capabilities', 'bounding', capabilities(op.mask), op.at);
    case 'stdioOwner':
      return row('give stdio', `uid ${op.uid}`, op.pipes ? 'pipes' : 'pipes, files open for writing, terminals');
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
      return op.optional ? row('enter directory', word(op.path), 'else as the user') : [];
    case 'findExecutable':
      return row('find executable', word(op.name), op.name.includes('/') ? '' : `in ${word(op.path)}`);
    case 'showRoot':
      return row('move root', word(op.path), 'where hooks look for it');
    case 'awaitHooks':
      return row('await runtime', '', 'prestart and createRuntime hooks');
    case 'hook':
      return row(
        'hook',
        word(op.path),
        list([op.args.slice(1).map(word).join(' '), Number(op.timeout) ? `${op.timeout} s at most` : '']),
      );
    case 'hostHook':
      return row(
        'hook on the host',
        word(op.path),
        list([op.args.slice(1).map(word).join(' '), Number(op.timeout) ? `${op.timeout} s at most` : '']),
      );
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
        ...(Number(op.homeOf) === -1
          ? []
          : ([
              [
                'environment',
                'HOME',
                `of ${Number(op.homeOf) === -2 ? 'the user' : `uid ${op.homeOf}`}, from /etc/passwd`,
                '',
              ],
            ] as Row[])),
      ];
  }
}

/** "monotonic 86400 5" → "monotonic + 86400 s 5 ns" */
function offset(line: string): string {
  const [clock, secs, nanosecs] = line.split(' ');
  return `${clock} ${secs?.startsWith('-') ? '- ' : '+ '}${secs?.replace('-', '')} s${nanosecs === '0' ? '' : ` + ${nanosecs} ns`}`;
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
