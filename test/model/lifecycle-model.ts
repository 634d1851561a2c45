/** A model of the lifecycle of one container: its states, and the steps of each command (runtime.md#lifecycle). */

/** The part of a container that commands see, or wait for. Equal states have equal JSON. */
export interface State {
  /**
   * `claimed`: the id is in use, without a record, or its removal has begun. `wreck`: the same after a kill of the
   * command. `orphan`: the command that creates it was killed.
   */
  readonly at: 'none' | 'claimed' | 'creating' | 'orphan' | 'created' | 'running' | 'stopped' | 'wreck';
  readonly frozen: boolean;
  /** Exit statuses with which the process may end from now on; ANY stands for each. */
  readonly ends: readonly number[];
  /** SIGKILL was sent, or the process has begun to exit: it ends, even frozen. */
  readonly doomed: boolean;
  /** Whether `wait` finds a supervisor. */
  readonly supervised: boolean;
  /** A supervisor was killed: the exit status may be lost. */
  readonly lossy: boolean;
  /** A start was killed: another may find that it was started. */
  readonly spoiled: boolean;
  /** The command that holds the container's lock, or creates it; -1 for none. */
  readonly holder: number;
  /** The `run` that waits for the execve, without the lock; -1 for none. */
  readonly runner: number;
}

export const absent: State = {
  at: 'none',
  frozen: false,
  ends: [],
  doomed: false,
  supervised: false,
  lossy: false,
  spoiled: false,
  holder: -1,
  runner: -1,
};

/** Each exit status. */
const ANY = -1;
/** Exit status of a process that SIGKILL ended, of one that handles SIGTERM (clients.ts), and of one not started. */
export const KILLED = 137;
export const TERMINATED = 3;
const UNSTARTED = 143;
/** Exit status of each command that `exec` runs (clients.ts). */
export const EXECUTED = 7;

export const verbs = [
  'create',
  'create --supervise',
  'run --detach',
  'start',
  'exec',
  'exec --detach',
  'kill TERM',
  'kill KILL',
  'pause',
  'resume',
  'update',
  'state',
  'list',
  'ps',
  'wait',
  'delete',
  'delete --force',
  'kill-supervisor',
] as const;
export type Verb = (typeof verbs)[number];

/** `ok`, `exit N` of a process, `is STATUS` of state and list, `killed` by the client, or a code without ERR_. */
export type Answer = string;

/** A command that has not ended: the step that it is at, or its answer. */
export type Progress = { readonly step: string } | { readonly answer: Answer };

/** A state and a command in it, after a step of the command. */
type Next = readonly [State, Progress];

const done = (s: State, ...answers: Answer[]): Next[] => answers.map((answer) => [s, { answer }]);
const at = (s: State, step: string): Next => [s, { step }];

/** What each command that needs no lock sees of the container. */
const statuses = (s: State): readonly Answer[] => {
  if (s.at === 'none' || s.at === 'claimed') return ['NO_CONTAINER'];
  // A command that has its lock may be a delete.
  if (s.at === 'wreck') return ['STATE_CORRUPT', 'NO_CONTAINER'];
  if (s.at === 'creating' || s.at === 'orphan') return ['is creating'];
  if (s.frozen && s.at !== 'stopped') return ['is paused'];
  return [`is ${s.at}`];
};

const lives = (s: State): boolean => s.at === 'created' || s.at === 'running';

const stopped = (s: State, status: number): State => ({
  ...s,
  at: 'stopped',
  frozen: false,
  doomed: false,
  ends: [status],
});

/** What happens without a command: processes end. */
export function events(s: State): State[] {
  if (s.at === 'orphan') return [stopped(s, ANY)];
  // A process that has begun to exit is not frozen.
  if (!lives(s) || (s.frozen && !s.doomed)) return [];
  const exits = s.doomed ? [] : s.ends.map((status): State => ({ ...s, doomed: true, ends: [status] }));
  return [...exits, ...s.ends.map((status) => stopped(s, status))];
}

const endsWith = (s: State, statuses: readonly number[]): State => ({
  ...s,
  ends: [...new Set([...s.ends, ...statuses])].sort(),
});

/** A kill: the process may be frozen until the thaw, which is another step. */
const killed = (s: State): State => ({ ...endsWith(s, [KILLED]), doomed: true });

/** SIGTERM: runt-init handles it until its execve, in the last part of a start. A process that exits ignores it. */
function terminated(s: State): State {
  if (s.doomed) return s;
  if (s.at === 'created') return endsWith(s, [UNSTARTED]);
  return endsWith(s, s.holder >= 0 || s.runner >= 0 ? [TERMINATED, UNSTARTED] : [TERMINATED]);
}

/** The start of the process; it may end by the signals that come later. */
const started = (s: State): State => ({ ...s, at: 'running' });

function create(s: State, step: string, me: number, verb: Verb): Next[] {
  if (step === '') {
    if (s.at !== 'none') return done(s, 'CONTAINER_EXISTS');
    return [at({ ...absent, at: 'claimed', holder: me }, 'claimed')];
  }
  // Others removed it.
  if (s.holder !== me && s.runner !== me) return done(s, 'failed');
  if (step === 'undo') return done(absent, 'failed');
  if (step === 'running') {
    const undone = at({ ...s, at: 'claimed', holder: me }, 'undo');
    return [...done({ ...s, runner: -1 }, 'ok'), ...(s.doomed || s.at === 'stopped' ? [undone] : [])];
  }
  if (step === 'claimed') {
    const next: State = { ...s, at: 'creating' };
    return [
      at(next, 'creating'),
      ...(verb === 'create --supervise' ? [at({ ...next, supervised: true }, 'creating')] : []),
    ];
  }
  const undone: Next[] = s.doomed ? [at({ ...s, at: 'claimed' }, 'undo')] : [];
  if (verb === 'run --detach') return [at({ ...started(s), holder: -1, runner: me }, 'running'), ...undone];
  const supervised = verb === 'create --supervise';
  return [...done({ ...s, at: 'created', supervised, holder: -1 }, 'ok'), ...undone];
}

/** A command's steps below the container's lock. */
type Locked = (s: State, step: string, unlocked: State) => Next[];

/** Waits for the lock. `body` returns answers in which the lock is released. */
function locked(s: State, step: string, me: number, body: Locked): Next[] {
  if (step === '') {
    if (s.at === 'none' || s.at === 'claimed') {
      // Who finds the directory before its record takes it for the rest of a killed command.
      return done(s, 'NO_CONTAINER');
    }
    if (s.holder >= 0 && s.at !== 'creating') return [];
    if (s.at === 'wreck') return body(s, step, s);
    return body({ ...s, holder: s.at === 'creating' ? s.holder : me }, 'locked', s);
  }
  return body(s, step, s.holder === me ? { ...s, holder: -1 } : s);
}

function start(s: State, step: string, me: number): Next[] {
  return locked(s, step, me, (held, _, free) => {
    if (s.at === 'wreck') return done(free, ...statuses(s));
    if (step === 'started') return done(free, 'ok');
    if (s.at === 'stopped') return done(free, 'CONTAINER_STATUS', ...(step === '' ? [] : ['failed']));
    if (s.at !== 'created' || s.frozen) return done(free, 'CONTAINER_STATUS', ...(s.frozen ? ['failed'] : []));
    const refused = s.spoiled ? done(free, 'CONTAINER_STATUS', 'failed') : [];
    const failed = s.doomed ? done(free, 'failed') : [];
    return [at(started(held), 'started'), ...refused, ...failed];
  });
}

function pause(s: State, step: string, me: number): Next[] {
  return locked(s, step, me, (held, _, free) => {
    if (s.at === 'wreck') return done(free, ...statuses(s));
    if (step === 'frozen') return done(free, 'ok');
    if (!lives(s) || s.frozen) return done(free, 'CONTAINER_STATUS');
    return [at({ ...held, frozen: true }, 'frozen')];
  });
}

function resume(s: State, step: string, me: number): Next[] {
  return locked(s, step, me, (held, _, free) => {
    if (s.at === 'wreck') return done(free, ...statuses(s));
    if (step === 'thawed') return done(free, 'ok');
    if (!lives(s) || !s.frozen) return done(free, 'CONTAINER_STATUS');
    return [at({ ...held, frozen: false }, 'thawed')];
  });
}

function update(s: State, step: string, me: number): Next[] {
  return locked(s, step, me, (_held, _, free) => {
    if (s.at === 'wreck') return done(free, ...statuses(s));
    return done(free, lives(s) ? 'ok' : 'CONTAINER_STATUS');
  });
}

function remove(s: State, step: string, me: number, force: boolean): Next[] {
  const next = locked(s, step, me, (held, now, free) => {
    if (s.at === 'wreck')
      return force ? [at({ ...s, at: 'claimed', holder: me }, 'removing')] : done(free, ...statuses(s));
    if (now === 'removing') return done(absent, 'ok');
    if (s.at === 'none' || s.at === 'claimed') return done(s, 'NO_CONTAINER');
    if (s.at === 'stopped') return [at({ ...held, at: 'claimed', holder: me }, 'removing')];
    if (now === 'ending') return s.frozen ? [at({ ...held, frozen: false }, 'ending')] : [];
    const ends = force || s.at === 'created' || s.doomed || s.ends.length > 0;
    const refuses = !force && (s.at !== 'created' || s.frozen) && !(s.doomed && !s.frozen);
    return [
      ...(refuses ? done(free, 'CONTAINER_STATUS') : []),
      // A doomed one is waited for; the others are killed.
      ...(ends && !(refuses && s.frozen)
        ? [
            at(
              s.at === 'creating' ? { ...absent, at: 'claimed', holder: me } : killed(held),
              s.at === 'creating' ? 'removing' : 'ending',
            ),
          ]
        : []),
    ];
  });
  return force
    ? next.map(([state, p]) => [state, 'answer' in p && p.answer === 'NO_CONTAINER' ? { answer: 'ok' } : p])
    : next;
}

function kill(s: State, step: string, lethal: boolean): Next[] {
  if (step === 'signalled') return done(lives(s) ? { ...s, frozen: false } : s, 'ok');
  if (lives(s)) {
    return lethal ? [at(killed(s), 'signalled')] : done(terminated(s), 'ok');
  }
  // It has a process for the last part of the create.
  if (s.at === 'creating' || s.at === 'orphan')
    return [...done(s, 'CONTAINER_STATUS', 'ok'), ...(lethal ? done(killed(s), 'ok') : [])];
  return done(s, ...(s.at === 'stopped' ? ['CONTAINER_STATUS'] : statuses(s)));
}

function exec(s: State, step: string, detached: boolean): Next[] {
  const success = detached ? 'ok' : `exit ${EXECUTED}`;
  const gone = ['CONTAINER_STATUS', 'NO_CONTAINER', ...(detached ? [] : [`exit ${KILLED}`])];
  if (step === 'inside') {
    if (!lives(s)) return done(s, success, ...gone);
    // A pause between the checks and the move to the cgroup.
    if (s.frozen) return done(s, 'CONTAINER_STATUS', ...(detached ? [success] : []));
    return done(s, success, ...(s.ends.length > 0 ? gone : []));
  }
  if (lives(s)) return s.frozen ? done(s, 'CONTAINER_STATUS') : [at(s, 'inside')];
  if (s.at === 'stopped' || s.at === 'creating' || s.at === 'orphan') return done(s, 'CONTAINER_STATUS');
  return done(s, ...statuses(s));
}

function wait(s: State, step: string): Next[] {
  if (step === '') {
    if (s.at === 'none' || s.at === 'claimed' || s.at === 'wreck') return done(s, ...statuses(s));
    return s.supervised ? [at(s, 'waiting')] : done(s, 'NOT_SUPERVISED');
  }
  if (s.at === 'creating' || s.at === 'created' || s.at === 'running') return [];
  // Its record goes with the container.
  if (s.at !== 'stopped') return done(s, 'STATUS_LOST', 'CANCELLED', `exit ${KILLED}`, `exit ${TERMINATED}`);
  const exits = s.ends.flatMap((status) => (status === ANY ? [KILLED, TERMINATED] : [status])).map((n) => `exit ${n}`);
  return done(s, ...exits, ...(s.lossy || s.ends.includes(ANY) ? ['STATUS_LOST'] : []));
}

/** The steps that a command can make next; none if it waits. `me` is its number in the history. */
export function steps(s: State, verb: Verb, step: string, me: number): Next[] {
  switch (verb) {
    case 'create':
    case 'create --supervise':
    case 'run --detach':
      return create(s, step, me, verb);
    case 'start':
      return start(s, step, me);
    case 'exec':
    case 'exec --detach':
      return exec(s, step, verb === 'exec --detach');
    case 'kill TERM':
    case 'kill KILL':
      return kill(s, step, verb === 'kill KILL');
    case 'pause':
      return pause(s, step, me);
    case 'resume':
      return resume(s, step, me);
    case 'update':
      return update(s, step, me);
    case 'state':
      return done(s, ...statuses(s));
    case 'list':
      return done(s, ...statuses(s).map((answer) => (answer.startsWith('is ') ? answer : 'NO_CONTAINER')));
    case 'ps':
      return done(s, ...(statuses(s)[0]?.startsWith('is ') ? ['ok'] : statuses(s)));
    case 'wait':
      return wait(s, step);
    case 'delete':
    case 'delete --force':
      return remove(s, step, me, verb === 'delete --force');
    case 'kill-supervisor':
      return [...done({ ...s, lossy: true }, 'ok'), ...done(s, 'ok')];
  }
}

/** The states after a kill of a command. */
export function crashed(s: State, verb: Verb, me: number): State[] {
  const freed: State = { ...s, holder: s.holder === me ? -1 : s.holder, runner: s.runner === me ? -1 : s.runner };
  if (s.runner === me && s.at !== 'claimed') return [freed, { ...freed, ends: [ANY] }];
  if (s.holder !== me) return [freed];
  if (s.at === 'claimed') return [{ ...freed, at: 'wreck' }, ...(verb.startsWith('delete') ? [absent] : [])];
  if (s.at === 'creating') return [{ ...freed, at: 'orphan' }];
  if (verb === 'start') return [freed, { ...freed, spoiled: true, ends: [...freed.ends, ANY] }];
  return [freed];
}
