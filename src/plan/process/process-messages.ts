/** Messages and explain rows for operations of the process: state, descriptors, privileges, limits and execution. */
import { rlimitNames } from '../../sys/kernel-names.js';
import { capabilities } from '../explain/flag-names.js';
import { limit, list, type Messages, type Row, row, slot, wrap } from '../explain/row-parts.js';
import type { OpOf } from '../plan-ops.js';
import { word } from '../printable-text.js';
import type { processTable } from './process-ops.js';

const limitName = (resource: number | bigint): string => rlimitNames()[Number(resource)] ?? `resource ${resource}`;

/** runt-init sets the limit, or the runtime from outside. */
const limitMessages = {
  sentence: ({ resource }: OpOf<'rlimit' | 'prlimit'>) => `set the limit ${limitName(resource)}`,
  rows: (op: OpOf<'rlimit' | 'prlimit'>) =>
    row(op, 'limit', limitName(op.resource), `soft ${limit(op.soft)}, hard ${limit(op.hard)}`),
};

export const processMessages: Messages<keyof typeof processTable> = {
  stateDir: {
    sentence: (op) => `make the state directory ${op.path}`,
    rows: (op) => row(op, 'make directory', word(op.path), 'state of the container'),
  },
  startSocket: {
    sentence: (op) => `bind the start socket ${op.path}`,
    rows: (op) => row(op, 'listen', word(op.path), 'for start'),
  },
  supervise: {
    sentence: () => 'start the supervisor',
    rows: (op) => row(op, 'supervisor', word(op.path), 'parent of all processes; records how they end'),
  },
  keepFds: {
    sentence: () => 'close inherited descriptors',
    rows: (op) =>
      row(op, 'close descriptors', '', op.count ? `all but stdio and 3…${2 + Number(op.count)}` : 'all but stdio'),
  },
  procfs: {
    sentence: () => 'open a private procfs',
    rows: (op) => row(op, 'open procfs', '', 'private, for all writes to /proc'),
  },
  listenFds: {
    sentence: () => 'pass on the activated sockets (LISTEN_FDS)',
    rows: (op) => {
      const names = op.names === undefined ? '' : ` LISTEN_FDNAMES=${word(op.names)}`;
      return row(op, 'environment', `LISTEN_FDS=${op.count}${names}`, 'LISTEN_PID is the pid in the container');
    },
  },
  session: {
    sentence: () => 'start a new session',
    rows: (op) => row(op, 'new session'),
  },
  undumpable: {
    sentence: () => 'become non-dumpable',
    rows: (op) => row(op, 'undumpable', 'no process of the container can trace this one'),
  },
  cwd: {
    sentence: (op) => `enter the working directory ${op.path}`,
    rows: (op) => (op.optional ? row(op, 'enter directory', word(op.path), 'else as the user') : []),
  },
  findExecutable: {
    sentence: (op) => `exec ${JSON.stringify(op.name)}`,
    rows: (op) => row(op, 'find executable', word(op.name), op.name.includes('/') ? '' : `in ${word(op.path)}`),
  },
  wait: {
    sentence: () => 'wait for start',
    rows: (op) => row(op, 'wait', '', 'created; until start'),
  },
  reaper: {
    sentence: () => 'start the process that reaps orphans (--init)',
    rows: (op) => row(op, 'reaper', '', 'forwards signals to the program, its child; reaps orphans'),
  },
  exec: {
    sentence: (op) => `exec ${JSON.stringify(op.args[0] ?? '')}`,
    rows: (op) => [
      ...wrap('exec', '', op.args.map(word), op.at, '', ' '),
      // Names only: values may be secrets, and this appears on screens and in build logs. The JSON form has the values.
      ...wrap(
        'environment',
        '',
        op.env.map((e) => word(e.split('=', 1)[0]!)),
        '/process/env',
        '',
        ' ',
      ),
      ...(op.homeOf === undefined && !op.homeOfNamed
        ? []
        : ([
            ['environment', 'HOME', `of ${op.homeOfNamed ? 'the user' : `uid ${op.homeOf}`}, from /etc/passwd`, ''],
          ] as Row[])),
    ],
  },
  noNewPrivileges: {
    sentence: () => 'set no_new_privs',
    rows: (op) => row(op, 'no_new_privs'),
  },
  bounding: {
    sentence: () => 'drop capabilities from the bounding set',
    rows: (op) => wrap('capabilities', 'bounding', capabilities(op.mask), op.at),
  },
  capabilities: {
    sentence: () => 'set the capabilities',
    rows: (op) => capabilitySets(op),
  },
  rlimit: limitMessages,
  prlimit: limitMessages,
  oomScoreAdj: {
    sentence: (op) => `set oom_score_adj to ${op.value}`,
    rows: (op) => row(op, 'oom_score_adj', String(op.value)),
  },
  stdioOwner: {
    sentence: (op) => `give stdio to user ${op.uid}`,
    rows: (op) =>
      row(op, 'give stdio', `uid ${op.uid}`, op.pipes ? 'pipes' : 'pipes, files open for writing, terminals'),
  },
  initProcess: {
    sentence: (op) => `open the container's process ${op.pid}`,
    rows: (op) => row(op, 'open process', String(op.pid), `verified by its start time ${op.startTime}`),
  },
  processRoot: {
    sentence: () => "open the root of the container's process",
    rows: (op) => row(op, 'open root', 'of the process', slot(op.slot)),
  },
  notifyDirectory: {
    sentence: (op) => `make the socket for sd_notify in ${op.path}`,
    rows: (op) => row(op, 'make directory', word(op.path), list(['for sd_notify', op.bind ? 'with its socket' : ''])),
  },
  pidfdSocket: {
    sentence: (op) => `send a pidfd to the socket (--pidfd-socket) ${op.path}`,
    rows: (op) => row(op, 'connect', word(op.path), 'gets a pidfd of the process'),
  },
};

/** Equal capability sets share their lines. */
function capabilitySets(op: OpOf<'capabilities'>): Row[] {
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
