/** Device filters as BPF, run by a small interpreter in this file without a kernel, with every kind of access. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { filterProgram } from '../../../src/cgroup/devices/device-filter.js';
import { filterRule, orderedRule } from './filter-rule.js';

interface Request {
  type: 'b' | 'c';
  major: number;
  minor: number;
  access: string;
}

/** Runs a program; throws for an unknown instruction, a jump out of the program, or an unset register. */
function run(program: Uint8Array, request: Request): boolean {
  const view = new DataView(program.buffer, program.byteOffset, program.length);
  const bits = [...request.access].reduce((sum, l) => sum | { m: 1, r: 2, w: 4 }[l]!, 0);
  const context: Record<number, number> = {
    0: ((bits << 16) | (request.type === 'b' ? 1 : 2)) >>> 0,
    4: request.major,
    8: request.minor,
  };
  const registers: (number | undefined)[] = [undefined, -1];
  const get = (n: number): number => {
    const value = registers[n];
    assert.is.not(value, undefined, `register ${n} is read before it is set`);
    return value!;
  };
  for (let pc = 0, steps = 0; ; pc++) {
    assert.ok(pc * 8 + 8 <= program.length && ++steps < 10000, 'the program does not end');
    const code = view.getUint8(pc * 8);
    const destination = view.getUint8(pc * 8 + 1) & 15;
    const source = view.getUint8(pc * 8 + 1) >> 4;
    const offset = view.getInt16(pc * 8 + 2, true);
    const number = view.getUint32(pc * 8 + 4, true);
    switch (code) {
      case 0x61:
        assert.is(get(source), -1, 'only the context is loaded');
        registers[destination] = context[offset];
        break;
      case 0xbc:
        registers[destination] = get(source);
        break;
      case 0xb4:
        registers[destination] = number;
        break;
      case 0x54:
        registers[destination] = (get(destination) & number) >>> 0;
        break;
      case 0x74:
        registers[destination] = get(destination) >>> number;
        break;
      case 0x16:
        if (get(destination) === number) pc += offset;
        break;
      case 0x56:
        if (get(destination) !== number) pc += offset;
        break;
      case 0x95:
        assert.ok(registers[0] === 0 || registers[0] === 1, 'the verifier accepts only 0 and 1');
        return registers[0] === 1;
      default:
        throw new Error(`instruction 0x${code.toString(16)}`);
    }
  }
}

/** The expected decision: what an exception of the list means for a request. */
function meant(allow: boolean, lines: readonly string[], q: Request): boolean {
  const matches = lines.some((line) => {
    const [type, numbers, access] = line.split(' ') as [string, string, string];
    const [major, minor] = numbers.split(':') as [string, string];
    const within = (text: string, n: number) => text === '*' || Number(text) === n;
    const asked = [...q.access];
    const held = allow ? asked.some((l) => access.includes(l)) : asked.every((l) => access.includes(l));
    return type === q.type && within(major, q.major) && within(minor, q.minor) && held;
  });
  return matches ? !allow : allow;
}

const lists = [
  [],
  ['c 1:3 rwm'],
  ['c *:* m', 'b *:* m', 'c 1:3 rwm', 'c 136:* rwm', 'c *:5 r'],
  ['b 8:0 r', 'b 8:0 w', 'c 4294967295:2147483648 rw', 'b 8:* m'],
  ['c *:* rwm'],
];
const numbers = [0, 1, 3, 5, 8, 136, 2147483648, 4294967295];
const accesses = ['m', 'r', 'w', 'rw', 'rwm'];

for (const allow of [false, true]) {
  for (const lines of lists) {
    test(`${allow ? 'allow' : 'deny'} all but [${lines.join(', ')}]`, () => {
      const program = filterProgram({ allow, exceptions: lines.map(filterRule) });
      for (const type of ['b', 'c'] as const) {
        for (const major of numbers) {
          for (const minor of numbers) {
            for (const access of accesses) {
              const q = { type, major, minor, access };
              assert.is(run(program, q), meant(allow, lines, q), JSON.stringify(q));
            }
          }
        }
      }
    });
  }
}

const orders = [
  ['allow c 4:* rwm', 'deny c 4:64 w'],
  ['deny c *:* w', 'allow c 1:3 rwm'],
  ['allow c *:5 r', 'deny c 136:* rw', 'allow c 136:5 w', 'deny b *:* m'],
  ['allow c 1:* r', 'allow c *:3 w', 'allow c 1:3 m', 'deny c 4294967295:2147483648 r'],
  ['deny c *:* rwm', 'allow b *:* rwm', 'deny b 8:0 m'],
];
const more = [...numbers, 4, 64];

for (const allow of [false, true]) {
  for (const lines of orders) {
    test(`${allow ? 'allow' : 'deny'} all, then ${lines.join(', then ')}: the last match decides`, () => {
      const program = filterProgram({ allow, ordered: lines.map(orderedRule) });
      for (const type of ['b', 'c'] as const)
        for (const major of more)
          for (const minor of more)
            for (const access of accesses) {
              const q = { type, major, minor, access };
              // One kind of access alone, which a rule either holds or does not.
              const each = [...access].every((letter) => {
                const line = [...lines]
                  .reverse()
                  .find((l) => !meant(true, [l.replace(/^\w+ /, '')], { ...q, access: letter }));
                return line === undefined ? allow : line.startsWith('allow');
              });
              assert.is(run(program, q), each, JSON.stringify(q));
            }
    });
  }
}

test.run();
