/** Random work on arrays that change meanwhile: loops, spreads, patterns, methods and comparisons. */

class List extends Array<unknown> {}

/** What a seed gives, as text. */
export function randomArrays(seed: number): string {
  let state = seed;
  const below = (n: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 4294967296) * n);
  };
  const pick = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const log: unknown[] = [];
  const say = (value: unknown): void => {
    if (log.length < 400) log.push(value);
  };
  const value = (): unknown =>
    pick<unknown>([0, 1, -1, 1.5, true, null, undefined, '', 'x', `x${below(3)}`, 'x'.repeat(below(3)), 'Ω']);
  const values = (n = below(5)): unknown[] => Array.from({ length: n }, value);
  const pool: unknown[][] = [[1, 2, 3], ['x', 'y'], [], values()];
  const one = (): unknown[] => pick(pool);
  const sparse = (): unknown[] => {
    const list = values(4);
    delete list[below(4)];
    return list;
  };
  const made = (): unknown[] =>
    pick([
      () => values(),
      () => sparse(),
      () => new Array(below(4)),
      () => Object.freeze(values()) as unknown[],
      () => Object.assign(values(), { named: 1 }),
      () => List.from(values()),
      () => Object.assign(values(), { [Symbol.iterator]: () => [7, 8].values() }),
      () => [...one()],
      () => [value(), ...one(), ...one(), value()],
      () => one().slice(below(3)),
      () => one().map((item, i) => changed(pick([item, i]))),
      () => one().filter((item, i) => changed(pick([!!item, i % 2 === 0]))),
      () => Array.from(one()),
    ])().slice(0, 8);
  /** Changes an array, which may be the one that is read. Gives its argument. */
  const changed = <T>(result: T): T => {
    const list = one();
    pick<() => unknown>([
      () => 0,
      () => 0,
      () => list.push(value()),
      () => list.pop(),
      () => list.shift(),
      () => (list.length = below(5)),
      () => delete list[below(4)],
      () => (list[below(7)] = value()),
      () => list.splice(below(3), 1, value()),
      () => Object.freeze(list),
      () => Object.assign(list, { later: 1 }),
      () => {
        if (below(8) === 0) throw new RangeError('a change');
      },
    ])();
    return result;
  };
  function* each(list: unknown[]): Generator<unknown, string> {
    try {
      for (const item of list) yield item;
      yield* list;
      return 'whole';
    } finally {
      say('end');
    }
  }
  const loop = (items: Iterable<unknown>, deep: number): string => {
    let n = 0;
    for (const item of items) {
      say(changed(item));
      if (++n > 8) break;
      if (below(9) === 0) return 'early';
      if (deep > 0 && below(3) === 0) say(loop(one(), deep - 1));
    }
    return 'through';
  };
  const step = (): unknown =>
    pick<() => unknown>([
      () => pool.splice(below(pool.length), 1, made()),
      () => say(loop(one(), 2)),
      () => say(loop(each(one()), 1)),
      () => say(loop(one().entries(), 0)),
      () => {
        const [a, , b = 'default', ...rest] = one();
        say([a, b, rest]);
      },
      () => {
        const list = one();
        [list[0], list[1]] = one();
      },
      () => say(((...all: unknown[]) => all.length)(...one(), ...one())),
      () => say(one().every((item) => changed(item !== 'x'))),
      () => say(one().some((item) => changed(item === 'x'))),
      () => say(one().find((item) => changed(typeof item === 'string'))),
      () => say([one().indexOf('x'), one().includes(undefined), one().join('-').slice(0, 40)]),
      () => say(one()[0] === one()[1] || `${one()[1]}` !== one()[1] || String(one()[2]) === 'undefined'),
      () => {
        one().forEach((item, i) => {
          say(changed([item, i]));
        });
      },
    ])();
  for (let i = 0; i < 12; i++) {
    try {
      step();
    } catch (error) {
      say((error as Error).name);
    }
  }
  for (const list of pool) say([list.length, Object.keys(list), list instanceof List]);
  return JSON.stringify(log, (_, v) => (v === undefined ? 'undefined' : v));
}
