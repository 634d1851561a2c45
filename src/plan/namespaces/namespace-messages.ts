/** Messages and explain rows for operations of namespaces and their kernel settings. */
import { namespaces } from '../explain/flag-names.js';
import { list, type Messages, row, slot, wrap } from '../explain/row-parts.js';
import type { OpOf } from '../plan-ops.js';
import { word } from '../printable-text.js';
import type { namespaceTable } from './namespace-ops.js';

export const namespaceMessages: Messages<keyof typeof namespaceTable> = {
  clone: {
    sentence: () => 'start runt-init in new namespaces',
    rows: (op) => [
      ...wrap('new namespaces', '', namespaces(Number(op.flags)), op.at),
      ...(op.cgroup ? row(op, 'born in cgroup', word(op.cgroup)) : []),
    ],
  },
  unshare: {
    sentence: () => 'make the other namespaces of the container',
    rows: (op) => wrap('new namespaces', '', namespaces(Number(op.flags)), op.at, 'from inside'),
  },
  mountTemplate: {
    sentence: () => 'open a mount namespace with one mount',
    rows: (op) => row(op, 'open namespace', 'of kdevtmpfs', list(['verified: mount', slot(op.slot)])),
  },
  unshareMounts: {
    sentence: () => 'make the mount namespace of the container',
    rows: (op) => row(op, 'new namespaces', 'mount', list(['as a copy of that of kdevtmpfs', slot(op.slot)])),
  },
  namespaceOpen: {
    sentence: (op) => `open the ${op.type} namespace ${op.path}`,
    rows: (op) => row(op, 'open namespace', word(op.path), list([`verified: ${op.type}`, slot(op.slot)])),
  },
  setns: {
    sentence: (op) => `join the namespace ${op.path}`,
    rows: (op) =>
      row(
        op,
        'join namespace',
        word(op.path),
        list([
          namespaces(Number(op.flag)).join(', '),
          slot(op.slot),
          op.optional ? 'or later, with the rights in the user namespace' : '',
        ]),
      ),
  },
  join: {
    sentence: () => 'join the namespaces of the container',
    rows: (op) => wrap('join namespaces', '', namespaces(Number(op.flags)), op.at),
  },
  fork: {
    sentence: () => 'start a process in the pid namespace of the container',
    rows: (op) => row(op, 'fork', '', 'into the pid namespace'),
  },
  await: {
    sentence: () => 'wait for the runtime',
    rows: (op) => row(op, 'await runtime', '', op.what),
  },
  timeOpen: {
    sentence: () => 'open the offsets of the time namespace',
    rows: (op) => row(op, 'open', 'timens_offsets', 'of the time namespace'),
  },
  timeEnter: {
    sentence: (op) => {
      const texts = offsets(op).map((parts) => parts.join(' '));
      return `enter the time namespace${texts.length > 0 ? ` with ${texts.join(', ')}` : ''}`;
    },
    rows: (op) => row(op, 'time namespace', '', list(['enter', ...offsets(op).map(offset)])),
  },
  hostname: {
    sentence: (op) => `set the hostname ${op.name}`,
    rows: (op) => row(op, 'hostname', word(op.name)),
  },
  domainname: {
    sentence: (op) => `set the domainname ${op.name}`,
    rows: (op) => row(op, 'domainname', word(op.name)),
  },
  sysctl: {
    sentence: (op) => `write ${JSON.stringify(op.value)} to sysctl ${op.key.replaceAll('/', '.')}`,
    rows: (op) => row(op, 'sysctl', word(op.key.replaceAll('/', '.')), word(op.value)),
  },
};

type Offset = readonly [clock: string, secs: number | bigint, nanosecs: number | bigint];

/** The offsets that are set. */
const offsets = (op: OpOf<'timeEnter'>): Offset[] => [
  ...(op.monotonic === undefined ? [] : [['monotonic', op.monotonic, op.monotonicNanosecs] as const]),
  ...(op.boottime === undefined ? [] : [['boottime', op.boottime, op.boottimeNanosecs] as const]),
];

/** "monotonic + 86400 s + 5 ns" */
function offset([clock, secs, nanosecs]: Offset): string {
  const size = String(secs).replace('-', '');
  return `${clock} ${secs < 0 ? '-' : '+'} ${size} s${Number(nanosecs) === 0 ? '' : ` + ${nanosecs} ns`}`;
}
