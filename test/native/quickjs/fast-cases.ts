/** What QuickJS has shorter ways for (hack/quickjs-fast.mjs), and cases that it leaves to the general way. */
import { randomArrays } from './random-arrays.js';

const thrown = (f: () => unknown): string => {
  try {
    return `no error: ${JSON.stringify(f())}`;
  } catch (error) {
    return (error as Error).name;
  }
};
const described = (object: object): [string, PropertyDescriptor | undefined][] =>
  Reflect.ownKeys(object).map((key) => [String(key), Object.getOwnPropertyDescriptor(object, key)]);
const repeated = (text: string, times: number): string => {
  let all = '';
  for (let i = 0; i < times; i++) all += text;
  return all;
};

function literals(): unknown[] {
  const key = 'computed';
  const again: string = 'a';
  const grown: Record<string, number> = {};
  for (let i = 0; i < 40; i++) grown[`field${i}`] = i;
  const frozen = Object.freeze([1, 2]);
  const fixed: number[] = [];
  Object.defineProperty(fixed, 'length', { writable: false });
  return [
    described({ a: 1, b: 2, c: 3, d: 4, e: 5, f: 6, g: 7 }),
    described({ z: 1, 2: 'two', a: 2, 1: 'one', [key]: 3, [Symbol('s')]: 4 }),
    described({ a: 1, b: 2, [again]: 3 }),
    described({
      get a() {
        return 1;
      },
      set b(_: number) {},
      c() {},
    }),
    Object.getPrototypeOf({ __proto__: null, a: 1 }),
    described(JSON.parse('{"__proto__":1,"a":2}')),
    Object.entries(grown),
    [1, 'two', [3], { four: 4 }, 5, 6, 7, 8, 9],
    described(Object.assign([1], { 2: 3 })),
    thrown(() => (frozen as number[]).push(3)),
    thrown(() => fixed.push(1)),
    [...frozen, 3, ...'äb', ...new Set([1]), ...[]],
    Array.from({ length: 9 }, (_, i) => i * i),
    withSetters(),
    shrunk(),
  ];
}

/** Fields and elements of literals are defined, whatever setters their prototypes have. */
function withSetters(): unknown {
  const seen: string[] = [];
  const setter = (name: string) => ({ set: () => seen.push(name), configurable: true });
  Object.defineProperty(Object.prototype, 'field', setter('field'));
  Object.defineProperty(Array.prototype, 1, setter('element'));
  try {
    const object = { ...{ field: 1 }, other: 2 };
    const array = [0, 1, ...[2, 3]];
    return [described(object), described(array), seen];
  } finally {
    delete (Object.prototype as { field?: unknown }).field;
    delete (Array.prototype as unknown[])[1];
  }
}

/** Arrays that shrink, or stop to be dense, while an iterator reads them. */
function shrunk(): unknown[] {
  const list = [1, 2, 3, 4, 5, 6];
  const read = [];
  for (const item of list) {
    read.push(item);
    list.length -= 1;
  }
  const sparse = [1, 2, 3];
  delete sparse[1];
  sparse[9] = 9;
  const failing = {
    *[Symbol.iterator]() {
      yield 1;
      throw new RangeError('in the middle');
    },
  };
  return [read, list, [...sparse].length, described([...sparse, 1]).length, thrown(() => [0, ...failing, 2])];
}

/** Loops over arrays, which may change meanwhile, and what else can be iterated. */
function loops(): unknown[] {
  const read = (list: Iterable<unknown>, during: (item: unknown) => void = () => {}): unknown[] => {
    const seen = [];
    for (const item of list) {
      seen.push(item);
      if (seen.length > 20) break;
      during(item);
    }
    return seen;
  };
  const grows = [1, 2];
  const empties = [1, 2, 3];
  const sparse = [1, 2, 3];
  const thins = [1, 2, 3, 4];
  const named = Object.assign([1, 2], { name: 'list' });
  class List extends Array<number> {}
  class Doubled extends Array<number> {
    override *[Symbol.iterator](): ArrayIterator<number> {
      for (let i = 0; i < this.length; i++) yield (this[i] as number) * 2;
    }
  }
  const own = Object.assign([1, 2], { [Symbol.iterator]: () => ['own'].values() });
  const bare = Object.setPrototypeOf([1, 2], null);
  const noMethod = { [Symbol.iterator]: () => ({ next: 5 }) } as unknown as Iterable<unknown>;
  const throwing = Object.defineProperty([1, 2, 3], 1, {
    get() {
      throw new RangeError('in the middle');
    },
  });
  delete sparse[1];
  sparse.length = 5;
  return [
    read([]),
    read(['a', 1, undefined, null]),
    read(grows, (item) => grows.push((item as number) + 2)),
    read(empties, () => {
      empties.length = 0;
    }),
    read(sparse),
    read(new Array(3)),
    read(thins, () => {
      delete thins[2];
      thins[7] = 8;
    }),
    read(Object.freeze([1, 2])),
    read(named),
    read(List.from([1, 2])),
    read(Doubled.from([1, 2])),
    read(own),
    thrown(() => read(bare)),
    thrown(() => read(noMethod)),
    thrown(() => read(throwing)),
    thrown(() => read(5 as unknown as Iterable<unknown>)),
    read('a\u{1f600}'),
    read(new Set([1, 2])),
    read(new Uint8Array([1, 2])),
    leaving(),
    generators(),
    patterns(),
    methods(),
  ];
}

/** Loops that end early. */
function leaving(): unknown[] {
  const first = (lists: number[][]): number => {
    for (const list of lists) for (const item of list) if (item > 2) return item;
    return -1;
  };
  const seen: unknown[] = [];
  outer: for (const a of [1, 2, 3]) {
    for (const b of [10, 20]) {
      if (a === 2) continue outer;
      if (a === 3) break outer;
      seen.push(a + b);
    }
  }
  const failed = thrown(() => {
    for (const item of [1, 2]) if (item === 2) throw new RangeError(`${item}`);
  });
  const finished = () => {
    for (const item of [1, 2, 3]) {
      try {
        if (item === 2) return seen;
      } finally {
        seen.push(`after ${item}`);
      }
    }
    return [];
  };
  return [first([[1, 2], [], [2, 3, 4]]), first([]), failed, finished()];
}

function generators(): unknown[] {
  function* each(list: number[]): Generator<number, unknown> {
    for (const item of list) yield item;
    const result: unknown = yield* list;
    yield* [...list, 9];
    return result;
  }
  const list = [1, 2, 3];
  const begun = each(list);
  const early = [begun.next(), begun.return(7), begun.next()];
  const stopped = each(list);
  stopped.next();
  const changed = each(list);
  const read = [changed.next(), list.pop(), ...changed];
  return [[...each(list)], early, thrown(() => stopped.throw(new RangeError('from outside'))), read];
}

/** Patterns of arrays, and spread arrays. */
function patterns(): unknown[] {
  const [a, , b = 5, ...rest] = [1, 2, undefined, 4, 5] as (number | undefined)[];
  const [c, d] = [] as unknown[];
  const [[e], [f] = ['default']] = [['nested']] as [string[], string[]?];
  let [g, h] = [1, 2];
  [g, h] = [h as number, g as number];
  const sum = ([x, y]: [number, number]) => x + y;
  const sparse: unknown[] = [1];
  sparse.length = 3;
  const max = (...all: number[]) => Math.max(...all, ...[7, ...[8]]);
  return [
    [a, b, rest, c, d, e, f, g, h],
    sum([1, 2]),
    thrown(() => sum(undefined as unknown as [number, number])),
    described([...sparse, ...sparse]),
    // biome-ignore lint/suspicious/noSparseArray: the hole is the case
    described([, ...[1, 2], ...[], 3] as unknown[]),
    described([...'ab', ...[1], ...new Set([2]), ...Object.freeze([3])]),
    max(1, 2),
    Object.fromEntries([['a', 1]].map(([key, value]) => [key, value])),
  ];
}

/** Methods of arrays that call a function, with holes and changes. */
function methods(): unknown[] {
  class List extends Array<number> {
    get total(): number {
      return this.reduce((sum, item) => sum + item, 0);
    }
  }
  const list = List.from([1, 2, 3]);
  const doubled = list.map((item) => item * 2) as List;
  const own = Object.assign([1, 2], { constructor: undefined });
  const holes = [1, 2, 3];
  delete holes[1];
  const visited = (run: (visit: (item: unknown, index: number) => void, array: number[]) => void): unknown[] => {
    const seen: unknown[] = [];
    const array = [1, 2, 3];
    run((item, index) => {
      seen.push([item, index]);
      array.length = 2;
    }, array);
    return seen;
  };
  return [
    [doubled instanceof List, doubled.total, (list.filter((item) => item > 1) as List).total],
    [list.slice(1) instanceof List, list.concat([4]) instanceof List, [1].concat(list).length],
    described(own.map((item) => item + 1)),
    described([1, 2, 3].map((item) => item * 2)),
    described(new Array(2).map(() => 1)),
    described(holes.map((item) => item)),
    described(holes.filter(() => true)),
    described([1, 2, 3, 4].slice(1, 3)),
    described([1, 2, 3, 4].splice(1, 2)),
    described([].map(() => 1)),
    [holes.every((item) => item > 0), holes.some((item) => item === undefined), holes.includes(undefined as never)],
    [holes.indexOf(3), holes.find((item) => item === undefined), holes.reduce((sum, item) => sum + item)],
    visited((visit, array) => array.forEach(visit)),
    visited((visit, array) => array.map(visit)),
    [3, 1, 2].sort(),
    [1, [2, [3]]].flat(),
    [1, 2].flatMap((item) => [item, item]),
  ];
}

function spreads(): unknown[] {
  class Base {
    own = 1;
    get inherited() {
      return 2;
    }
  }
  const source: Record<string, unknown> = { a: 1, b: { deep: 2 }, c: 'three' };
  const copy = { ...source };
  copy.a = 9;
  copy.d = 4;
  const deleted: Record<string, number> = { a: 1, b: 2, c: 3 };
  delete deleted.b;
  const hidden = Object.defineProperty({ a: 1 }, 'b', { value: 2, enumerable: false });
  const readOnly = { ...Object.freeze({ a: Number('1') }) };
  readOnly.a += 1;
  const bare = Object.assign(Object.create(null), { a: 1 });
  const more = { ...{ a: 1, b: 2 }, b: 3, ...{ c: 4, a: 5 } };
  const { a: _, ...rest } = { a: 1, b: 2, c: 3 };
  // The copy and its source share a shape until one of them changes.
  const kept: Record<string, unknown> = { a: 1, b: 2, c: 3, d: 4, e: 5 };
  const afterDelete = { ...kept };
  delete afterDelete.a;
  Object.defineProperty(kept, 'e', { get: () => 6, enumerable: true, configurable: true });
  afterDelete.a = 'last';
  const moved = Object.setPrototypeOf({ ...source }, null);
  const wrapped = {
    ...kept,
    get c() {
      return 8;
    },
  };
  return [
    described(copy),
    described(source),
    described({ ...deleted }),
    described({ ...hidden }),
    described(readOnly),
    [Object.getPrototypeOf({ ...bare }) === Object.prototype, described({ ...bare })],
    described({ ...new Base() }),
    [{ ...new Base() } instanceof Base],
    described({ ...{ b: 1, 2: 2, a: 3, 1: 4, 3000000000: 5 } }),
    described({ ...{ [Symbol('s')]: 1, a: 2 } }),
    described({
      ...{
        get a() {
          return 7;
        },
      },
    }),
    described({
      ...[1, 2],
      ...(null as unknown as object),
      ...(5 as unknown as object),
    }),
    described({ ...JSON.parse('{"__proto__":{"x":1},"a":2}') }),
    described(more),
    described(rest),
    described({ ...{ ...{ ...{} } } }),
    described({ ...Object.preventExtensions({ a: 1, b: 2 }) }),
    Object.isExtensible({ ...Object.seal({ a: 1 }) }),
    described(afterDelete),
    described(kept),
    [Object.getPrototypeOf(moved) === null, Object.getPrototypeOf({ ...source }) === Object.prototype],
    described({ ...wrapped }),
  ];
}

function strings(): unknown[] {
  const [narrow, wide, empty] = ['narrow', 'wide Ω', ''];
  const long = repeated('0123456789', 900);
  const rope = `${long}${long}${long}`;
  const same = repeated('0123456789', 2700);
  return [
    `${narrow}`,
    `<${narrow}-${narrow}>`,
    [-2147483648, -7, 0, 10, 2147483647, 2147483648].map((n) => `${n}/${narrow}${n}`),
    String.prototype.concat.call(5 as unknown as string, 'a', -6 as unknown as string),
    thrown(() => String.prototype.concat.call(undefined as unknown as string, 'a')),
    `${wide}/${narrow}/é`,
    `${empty}${empty}`,
    `${1}${-0}${1.5}${undefined}${null}${true}${12n}${[1, 2]}${{ toString: () => 'object' }}`,
    thrown(() => `${Symbol('s') as unknown as string}`),
    [rope.length, rope === same, rope === `${same}!`.slice(0, -1), rope < `${same}!`],
    ['a'.concat('b', 1 as unknown as string, wide), 'a'.concat()],
    [Symbol('narrow').description === narrow, Symbol.for('x').description === 'x', Symbol('').description === empty],
    [Symbol.iterator.description === 'Symbol.iterator', Symbol('x').description !== Symbol.for('x').description],
    ['abc' === narrow.slice(0, 3), narrow === 'narrow', narrow === `na${'rrow'}`, wide === `wide ${'Ω'}`],
    [`${'é'}` === String('e'), 'Ω'.slice(0, 0) === empty, ['abc', 'abd'].indexOf('abd'), new Set(['a', `${'a'}`]).size],
    ...['', 'n', 'w', 'row', 'rrow', 'x', 'narrow', 'narrower', 'Ω'].map((part) => [
      narrow.includes(part),
      wide.includes(part),
      narrow.includes(part, 2),
      narrow.startsWith(part),
      narrow.endsWith(part),
      narrow.startsWith(part, 2),
      narrow.endsWith(part, 5),
    ]),
    ['aab'.includes('ab'), 'aaab'.includes('aab'), 'abab'.includes('abc'), 'a'.includes('a', 1), 'a'.includes('', 9)],
    thrown(() => 'a'.includes(/a/ as unknown as string)),
    [
      wide.includes('wide'),
      `${wide}n`.includes('Ωn'),
      `${narrow}Ω`.slice(0, 6) === narrow,
      `${wide}`.slice(0, 4) === 'wide',
    ],
    thrown(
      () =>
        `${narrow}${{
          toString: () => {
            throw new RangeError('in the middle');
          },
        }}${wide}`,
    ),
    [rope, `${long}${narrow}`, `${narrow}${long}`, `${rope}${rope}`].map((text) => [text.length, text.slice(-7)]),
    ...[rope, wide, 'é'].map((text) => ['Ω', 'é', '90', '901', '\u{1f600}', '0Ω'].map((part) => text.includes(part))),
    ['wide Ω'.slice(0, 4).includes('e'), 'e Ω'.slice(0, 1).includes('wide Ω'.slice(3, 4)), 'aXb'.includes('X', -1)],
    joined(),
    parsed(),
  ];
}

/** Lists of strings, and what else a list can hold. */
function joined(): unknown[] {
  const long = repeated('0123456789', 900);
  const withHole = ['a', 'b'];
  withHole.length = 4;
  const sparse = ['a', 'b', 'c'];
  delete sparse[1];
  class List extends Array<string> {
    override join(): string {
      return 'own';
    }
  }
  return [
    [[], [''], ['a'], ['', ''], ['a', '', 'b']].map((list) => [
      list.join(),
      list.join(''),
      list.join('\0'),
      list.join(', '),
    ]),
    [['a', 'Ω', 'é'].join('-'), ['a', 'é'].join('Ω'), ['é', 'a'].join('é')],
    [['a', 1, null, undefined, true, ['b', 'c'], 2n].join('/'), ['a', `${long}b${long}`].join('').length],
    [withHole.join('-'), sparse.join('-'), new Array(3).join('x'), List.from(['a', 'b']).join()],
    [['a', 'b'].join(undefined), ['a', 'b'].join(5 as unknown as string), ['a', 'b'].join(null as unknown as string)],
    Array.prototype.join.call({ length: 2, 0: 'a', 1: 'b' }, '+'),
    thrown(() => ['a', Symbol('s') as unknown as string].join()),
    [long, long].join('').length,
  ];
}

/** Strings of JSON, with escapes and without. */
function parsed(): unknown[] {
  const texts = [
    '""',
    '"a"',
    '"é"',
    '"Ω"',
    '"a$b`c"',
    '"\\"\\\\\\u00e9\\n"',
    '"a\\tb"',
    `"${repeated('x', 300)}"`,
    '"\x7f"',
  ];
  const bad = ['"', '"a', '"a\nb"', '"\x1f"', "'a'", '"a"b', '"\\u12"', '"\\'];
  return [
    texts.map((text) => JSON.parse(text)),
    texts.map((text) => JSON.parse(`{${text}:[${text},${text}]}`)),
    described(JSON.parse('{"a":1,"2":2,"length":3,"a":4}')),
    bad.map((text) => thrown(() => JSON.parse(text))),
    shared(),
  ];
}

/** Texts with equal strings, which JSON.parse shares: as values, as keys, and as both. */
function shared(): unknown[] {
  const words = ['a', 'ro', 'or', 'bind', '1', '01', 'true', '__proto__', 'x'.repeat(24), 'x'.repeat(25)];
  const items = Array.from({ length: 600 }, (_, i) => JSON.stringify(`${words[i % words.length]}${i % 7}`));
  const list = JSON.parse(`[${items.join()}]`) as string[];
  // A string that others refer to is not changed in place.
  const extended = JSON.parse('["tail","tail"]') as string[];
  extended[0] += '!';
  const objects = words.map((word) => JSON.parse(`[{"${word}":"${word}"},{"${word}":["${word}","${word}"]}]`));
  const again = `{${words.map((word, i) => `"${word}":${i},"k${i}":"${word}"`).join()}}`;
  return [
    list,
    extended,
    objects.flat().map(described),
    described(JSON.parse(again)),
    described(JSON.parse(`{"twice":"twice","twice":"${'twice'}","é":"é"}`)),
    [1, 2, 3].map(() => thrown(() => JSON.parse('{"a":"a","b":["a","b","a"],"a":tru}'))),
  ];
}

/** Properties of all kinds, read by name. */
function properties(): unknown[] {
  class Base {
    own = 1;
    get inherited() {
      return [this.own];
    }
    method() {
      return this.own;
    }
  }
  class Derived extends Base {
    override get inherited() {
      return [...super.inherited, 2];
    }
    override method() {
      return super.method() + 1;
    }
  }
  const derived = new Derived();
  const list = Object.assign([1, 2], { extra: 'x' });
  const text = Object.assign(String.prototype, { added: 'to all' });
  const bare = Object.create(null);
  const later = Object.create([1, 2]);
  const args = (function (this: unknown, ..._: number[]) {
    // biome-ignore lint/complexity/noArguments: they are an object of their own kind
    return [arguments.length, arguments[1]];
  })(7, 8);
  const seen = [
    [derived.own, derived.inherited, derived.method(), (derived as unknown as { none?: 1 }).none],
    [list.length, list.extra, list.at(-1), (list as unknown as { none?: 1 }).none],
    ['abc'.length, 'abc'.at(1), ('abc' as unknown as { added: string }).added, (text as { added?: string }).added],
    [
      'Ωb'.length,
      'Ωb'.charAt(0),
      ('' as unknown as { none?: 1 }).none,
      new String('ab').length,
      `${repeated('a', 600)}b`.length,
    ],
    [bare.constructor, bare.a, later.length, later[1], later.none],
    [new Uint8Array(3).length, (new Uint8Array(3) as unknown as { x?: 1 }).x, args],
    [(5).toFixed(1), true.toString(), 7n.toString(), Symbol('s').description],
    thrown(() => (undefined as unknown as { a: 1 }).a),
    thrown(() => (null as unknown as { a: () => 1 }).a()),
  ];
  delete (String.prototype as { added?: string }).added;
  let last = 2147483646;
  const counted = [last++, last++, last];
  let text2: unknown = '5';
  const numbers = [(text2 as number)++, text2];
  let half = 0.5;
  const halves = [half++, half, half--, half];
  let negative = -1;
  text2 = [negative--, negative, negative++, negative++, negative];
  return [seen, counted, numbers, halves, text2, names(), words()];
}

/** `Object.keys` of objects with one shape each, and of others. */
function names(): unknown[] {
  const removed: Record<string, number> = { a: 1, b: 2, c: 3 };
  delete removed.b;
  const mixed = { z: 1, 2: 1, y: 1, '1': 1, '-1': 1, '01': 1, 4294967295: 1, [Symbol('s')]: 1 };
  const hidden = Object.defineProperty({ a: 1, b: 2 }, 'a', { enumerable: false });
  const bare = Object.assign(Object.create(null), { __proto__x: 1, a: 2 });
  const many: Record<string, number> = {};
  for (let i = 0; i < 40; i++) many[`name ${i}`] = i;
  const list = Object.keys({ a: 1, b: 2 });
  list.push('c');
  class Child extends Object {
    own = 1;
    get got() {
      return 1;
    }
  }
  const objects = [{}, { a: 1 }, removed, mixed, hidden, bare, many, [5, 6], 'text', 7, () => 1, new Child()];
  return [...objects.map((object) => Object.keys(object)), list, list.length, thrown(() => Object.keys(null as never))];
}

/** Words of JSON that a text repeats, more than there are places for. */
function words(): unknown[] {
  const all = Array.from({ length: 600 }, (_, i) => ['bind', 'ro', `w${i}`, 'nosuid', `w${i % 7}`, 'rw', 'bind']);
  return [JSON.parse(JSON.stringify(all)), JSON.parse('[{"bind":"ro","ro":"bind"},{"ro":"bind","bind":"ro"}]')];
}

function functions(): unknown[] {
  const make = (n: number) => (a: number, b: number) => a + b + n;
  const first = make(1);
  Object.setPrototypeOf(first, { odd: true });
  const second = make(2);
  Object.defineProperty(second, 'name', { value: 'renamed' });
  const third = Object.assign(make(3), { extra: 1 });
  const fourth = make(4) as ((a: number, b: number) => number) & { name?: string };
  delete (fourth as { name?: string }).name;
  const last = make(5);
  async function later(_: number) {}
  function* counted(_a: number, _b: number) {
    yield 1;
  }
  function Plain(this: { x: number }, x: number) {
    this.x = x;
  }
  return [
    [first(1, 1), second(1, 1), third(1, 1), fourth(1, 1), last(1, 1)],
    [first, second, third, fourth, last].map((f) => described(f).length),
    [second.name, typeof last.name, last.length, later.length, counted.length],
    [Object.getPrototypeOf(last) === Function.prototype, last instanceof Function, 'odd' in first, 'odd' in last],
    described(last).map(([name]) => name),
    Object.getOwnPropertyDescriptor(last, 'length'),
    { ...Object.getOwnPropertyDescriptor(last, 'name'), value: '' },
    [
      new (Plain as unknown as new (x: number) => { x: number })(3).x,
      (Plain.prototype as object).constructor === Plain,
    ],
    [...counted(1, 2)],
    [((x = 1, ...rest: number[]) => [x, rest]).length],
  ];
}

/** As many as the memory of a snapshot has room for. */
const random = (): string[] => Array.from({ length: 400 }, (_, seed) => randomArrays(seed + 1));

/** What all of it gives, as JSON with the values that JSON lacks. */
export const results = (): string =>
  JSON.stringify([literals(), spreads(), strings(), functions(), properties(), loops(), random()], (_, value) =>
    typeof value === 'bigint' || typeof value === 'function' || typeof value === 'undefined' || Object.is(value, -0)
      ? `${typeof value} ${typeof value === 'function' ? value.length : value}`
      : value,
  );
