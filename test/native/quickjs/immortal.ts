/**
 * A program whose module makes objects at build time, so that they are in its snapshot. When it runs it changes them
 * while the collector works, and exits with 0 when all of them hold what was written. Runs in QuickJS.
 */
import type { Native } from '../../../src/sys/abi.js';

interface ProvidedHost {
  readonly native: Native;
  readonly args: readonly string[];
  decode(bytes: Uint8Array, length: number): string;
  encode(text: string): Uint8Array;
  longLived(): void;
  tidy(): void;
  exit(code: number): never;
}

const host = (globalThis as unknown as { runtHost: ProvidedHost }).runtHost;
const AT_FDCWD = -100;
const ROUNDS = 60;

// The objects of the snapshot.
interface Node {
  name: string;
  other?: unknown;
}
const list: Node[] = [];
const record: Record<string, Node> = {};
const map = new Map<string, Node>();
const weak = new WeakMap<object, Node>();
const key = {};
let captured: Node = { name: 'old' };
const single = { onlyHere: 1 };
const grown = { first: 1 } as Record<string, number>;
/** With 1 to 40 properties, so that they give up blocks of all sizes when they get more. */
const growing = Array.from({ length: 400 }, (_, i) =>
  Object.fromEntries(Array.from({ length: 1 + (i % 40) }, (_, n) => [`own${n}`, n])),
);
const texts = [['ab', 'c'].join('')];
class Counter {
  #count = 0;
  add(): number {
    return ++this.#count;
  }
}
const counter = new Counter();
let release: (node: Node) => void = () => {};
const gate = new Promise<Node>((resolve) => {
  release = resolve;
});
const suspended = (async () => {
  const own = { name: 'own' };
  const given = await gate;
  return `${own.name} ${given.name}`;
})();

function expect(is: boolean, what: string): void {
  if (is) return;
  host.native.write(2, host.encode(`${what}\n`));
  host.exit(1);
}

/** A cycle that also refers to objects of the snapshot. */
function cycle(name: string): Node {
  const a: Node = { name };
  a.other = { name: [name], other: [a, list, record, single, (): Node => captured] };
  return a;
}

const nameIn = (node: Node): string => (node.other as { name: string[] }).name[0]!;

/** The resident memory in KB. */
function resident(): number {
  const bytes = new Uint8Array(256);
  const length = host.native.readFile(AT_FDCWD, '/proc/self/statm', bytes);
  return Number(host.decode(bytes, length).split(' ')[1]) * 4;
}

function change(round: number): void {
  const name = `n${round}`;
  list.push(cycle(name));
  if (list.length > 5) list.shift();
  record[name] = cycle(name);
  delete record[`n${round - 3}`];
  map.set(name, cycle(name));
  map.delete(`n${round - 4}`);
  weak.set(key, cycle(name));
  weak.set(record[name], cycle(name));
  captured = cycle(name);
  grown[name] = round;
  expect(counter.add() === round, 'a private field');
}

function check(round: number): void {
  const name = `n${round}`;
  for (const node of [list.at(-1)!, record[name]!, map.get(name)!, weak.get(key)!, weak.get(record[name]!)!, captured])
    expect(node.name === name && nameIn(node) === name, `${name} is ${node.name}`);
  expect(
    list.every((node) => node.name === nameIn(node)),
    'the list',
  );
  expect(Object.keys(record).length === Math.min(round, 3), 'the keys of the record');
  expect(map.size === Math.min(round, 4), 'the size of the map');
  expect(
    grown[`n${Math.ceil(round / 2)}`] === Math.ceil(round / 2) && Object.keys(grown).length === round + 1,
    'grown',
  );
}

/** What shares the shape or the text of an object of the snapshot must not change that. */
function share(round: number): void {
  const twin = { onlyHere: 2 } as Record<string, number>;
  twin[`more${round}`] = 3;
  expect(Object.keys(single).join() === 'onlyHere' && single.onlyHere === 1, 'an object of the same shape');
  let text = texts[0]!;
  text += 'd';
  text += round;
  expect(texts[0] === 'abc' && text === `abcd${round}`, `a text that was extended: ${texts[0]}`);
}

/** Objects of the snapshot give up blocks: what is made in these must not be taken for immortal. */
function reuse(): void {
  for (const object of growing) for (let n = 0; n < 50; n++) object[`more${n}`] = n;
  for (let i = 0; i < 500; i++) {
    const make = (): Record<string, unknown> => {
      const object: Record<string, unknown> = {};
      for (let n = 0; n <= i % 8; n++) object[`p${i}-${n}`] = n;
      object.last = [i];
      return object;
    };
    const [one, two] = [make(), make()];
    Object.defineProperty(one, 'last', { get: () => 'changed' });
    const { last } = two;
    expect(one.last === 'changed' && Array.isArray(last) && last[0] === i, `an object that shares a shape: ${i}`);
  }
}

async function main(): Promise<void> {
  reuse();
  host.longLived();
  let early = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    change(round);
    share(round);
    // Garbage: more than what makes the collector work.
    for (let i = 0; i < 2000; i++) cycle(`garbage ${i}`);
    host.tidy();
    check(round);
    if (round === ROUNDS / 3) early = resident();
    await Promise.resolve();
  }
  const late = resident();
  expect(late < early + 1024, `garbage stays: ${early} KB, then ${late} KB`);
  release(cycle('new'));
  expect((await suspended) === 'own new', 'a function that waited at build time');
  host.native.write(1, host.encode('all is there\n'));
}

Object.assign(globalThis, {
  runtMain() {
    main().then(() => host.exit(0));
  },
  runtTurn: () => false,
});
