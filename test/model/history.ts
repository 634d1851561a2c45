/** A history of concurrent commands on one container, and whether the model allows it. */
import {
  type Answer,
  absent,
  crashed,
  events,
  type Progress,
  type State,
  steps,
  type Verb,
} from './lifecycle-model.js';

/** The begin of a command, SIGKILL for it, or its end with an answer and its error's text; commands have numbers. */
export type Event =
  | { readonly call: number; readonly verb: Verb }
  | { readonly kill: number }
  | { readonly end: number; readonly answer: Answer; readonly text?: string };

/** A command that runs, and whether SIGKILL was sent to it: it may end at any time from then on. */
interface Pending {
  readonly verb: Verb;
  readonly progress: Progress;
  readonly isKilled: boolean;
}

/** A state that the container may be in, with the commands that run, by number. */
interface Possible {
  readonly state: State;
  readonly pending: ReadonlyMap<number, Pending>;
}

const keyOf = ({ state, pending }: Possible): string => JSON.stringify([state, [...pending]]);

/** All that is possible after any number of steps of the commands that run. */
function closure(from: readonly Possible[]): Possible[] {
  const known = new Map(from.map((p) => [keyOf(p), p]));
  const queue = [...known.values()];
  for (let p = queue.pop(); p; p = queue.pop()) {
    const { state, pending } = p;
    const next: Possible[] = events(state).map((after) => ({ state: after, pending }));
    for (const [number, command] of pending) {
      const { verb, progress, isKilled } = command;
      if ('answer' in progress) continue;
      const add = (after: State, done: Progress): void => {
        next.push({ state: after, pending: new Map(pending).set(number, { ...command, progress: done }) });
      };
      for (const [after, done] of steps(state, verb, progress.step, number)) add(after, done);
      if (isKilled) for (const after of crashed(state, verb, number)) add(after, { answer: 'killed' });
    }
    for (const one of next) {
      const key = keyOf(one);
      if (known.has(key)) continue;
      known.set(key, one);
      queue.push(one);
    }
  }
  return [...known.values()];
}

const without = (pending: Possible['pending'], number: number): Possible['pending'] => {
  const rest = new Map(pending);
  rest.delete(number);
  return rest;
};

/** What is possible after the end of a command with that answer. `killed`: or it had just ended with another. */
const after = (possible: readonly Possible[], number: number, answer: Answer): Possible[] =>
  possible.flatMap(({ state, pending }) => {
    const { progress, isKilled } = pending.get(number)!;
    const isAnswer = 'answer' in progress && (progress.answer === answer || (answer === 'killed' && isKilled));
    return isAnswer ? [{ state, pending: without(pending, number) }] : [];
  });

/** The answers that the model allows a command to end with. */
const allowed = (possible: readonly Possible[], number: number): string[] => [
  ...new Set(
    possible.flatMap(({ pending }) => {
      const { progress } = pending.get(number)!;
      return 'answer' in progress ? [progress.answer] : [];
    }),
  ),
];

/** A history as text, a line for each event. */
export function textOf(history: readonly Event[]): string {
  const verbs = new Map(history.flatMap((event) => ('call' in event ? [[event.call, event.verb]] : [])));
  const line = (e: Event): string => {
    if ('call' in e) return `${e.call}: ${e.verb}`;
    if ('kill' in e) return `${e.kill}: SIGKILL`;
    return `${e.end}: ${verbs.get(e.end)} → ${e.answer}${e.text ? ` (${e.text})` : ''}`;
  };
  return history.map(line).join('\n');
}

/** What the model says against a history; undefined if it allows it. */
export function contradiction(history: readonly Event[]): string | undefined {
  let possible: Possible[] = [{ state: absent, pending: new Map() }];
  for (const [i, event] of history.entries()) {
    if (!('end' in event)) {
      const number = 'call' in event ? event.call : event.kill;
      possible = possible.map(({ state, pending }) => {
        const begun = { progress: { step: '' }, isKilled: false };
        const command = 'call' in event ? { ...begun, verb: event.verb } : { ...pending.get(number)!, isKilled: true };
        return { state, pending: new Map(pending).set(number, command) };
      });
      continue;
    }
    const reached = closure(possible);
    possible = after(reached, event.end, event.answer);
    if (possible.length > 0) continue;
    const states = [...new Set(reached.map(({ state }) => state.at + (state.frozen ? ' and frozen' : '')))];
    return `${textOf(history.slice(0, i + 1))}\nallowed: ${allowed(reached, event.end).join(', ')}; the container is ${states.join(' or ')}`;
  }
  return undefined;
}
