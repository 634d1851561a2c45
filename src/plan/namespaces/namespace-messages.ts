/** Operations of namespaces, and of what the kernel shows in them, in words. */
import { namespaces } from '../explain/flag-names.js';
import { list, type Messages, row, slot, wrap } from '../explain/row-parts.js';
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
    sentence: () => 'make the namespaces that are made from inside',
    rows: (op) => wrap('new namespaces', '', namespaces(Number(op.flags)), op.at, 'from inside'),
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
    sentence: () => 'begin a process in the pid namespace of the container',
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
    sentence: (op) => `enter the time namespace${op.offsets.length > 0 ? ` with ${op.offsets.join(', ')}` : ''}`,
    rows: (op) => row(op, 'time namespace', '', list(['enter', ...op.offsets.map(offset)])),
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

/** "monotonic 86400 5" → "monotonic + 86400 s 5 ns" */
function offset(line: string): string {
  const [clock, secs, nanosecs] = line.split(' ');
  return `${clock} ${secs?.startsWith('-') ? '- ' : '+ '}${secs?.replace('-', '')} s${nanosecs === '0' ? '' : ` + ${nanosecs} ns`}`;
}
