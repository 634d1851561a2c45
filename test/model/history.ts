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

/** The begin of a command, or its end with an answer and the text of its error; commands have numbers. */
export type Event =
  | { readonly call: number; readonly verb: Verb }
  | { readonly end: number; readonly answer: Answer; readonly text?: string };

/** A state that the container may be in, with the commands that run, by number. */
interface Possible {
  readonly state: State;
  readonly pending: ReadonlyMap<number, readonly [Verb, Progress]>;
}

const keyOf = ({ state, pending }: Possible): string => JSON.stringify([state, [...pending]]);

/** All that is possible after any number of steps of the commands that run. */
function closure(from: readonly Possible[]): Possible[] {
  const known = new Map(from.map((p) => [keyOf(p), p]));
  const queue = [...known.values()];
  for (let p = queue.pop(); p; p = queue.pop()) {
    const { state, pending } = p;
    const next: Possible[] = events(state).map((after) => ({ state: after, pending }));
    for (const [number, [verb, progress]] of pending) {
      if ('answer' in progress) continue;
      for (const [after, done] of steps(state, verb, progress.step, number))
        next.push({ state: after, pending: new Map(pending).set(number, [verb, done]) });
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

/** What is possible after the end of a command with that answer. `killed`: it ended at any step, or had just ended. */
function after(possible: readonly Possible[], number: number, answer: Answer): Possible[] {
  return possible.flatMap(({ state, pending }) => {
    const [verb, progress] = pending.get(number)!;
    const rest = without(pending, number);
    if (answer === 'killed') {
      const step = 'step' in progress ? progress.step : '';
      const states = 'answer' in progress ? [state] : crashed(state, verb, step, number);
      return states.map((next) => ({ state: next, pending: rest }));
    }
    return 'answer' in progress && progress.answer === answer ? [{ state, pending: rest }] : [];
  });
}

/** The answers that the model allows a command to end with. */
const allowed = (possible: readonly Possible[], number: number): string[] => [
  ...new Set(
    possible.flatMap(({ pending }) => {
      const [, progress] = pending.get(number)!;
      return 'answer' in progress ? [progress.answer] : [];
    }),
  ),
];

/** A history as text, a line for each event. */
export function textOf(history: readonly Event[]): string {
  const verbs = new Map(history.flatMap((event) => ('call' in event ? [[event.call, event.verb]] : [])));
  const line = (e: Event): string =>
    'call' in e ? `${e.call}: ${e.verb}` : `${e.end}: ${verbs.get(e.end)} → ${e.answer}${e.text ? ` (${e.text})` : ''}`;
  return history.map(line).join('\n');
}

/** What the model says against a history; undefined if it allows it. */
export function contradiction(history: readonly Event[]): string | undefined {
  let possible: Possible[] = [{ state: absent, pending: new Map() }];
  for (const [i, event] of history.entries()) {
    if ('call' in event) {
      possible = possible.map(({ state, pending }) => ({
        state,
        pending: new Map(pending).set(event.call, [event.verb, { step: '' }]),
      }));
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
