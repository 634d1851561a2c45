/** An interpreter of device filters, and what their rules mean for a request. */
import * as assert from 'uvu/assert';

export interface Request {
  type: 'b' | 'c';
  major: number;
  minor: number;
  access: string;
}

/** Runs a program; throws for an unknown instruction, a jump out of the program, or an unset register. */
export function run(program: Uint8Array, request: Request): boolean {
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
export function meant(allow: boolean, lines: readonly string[], q: Request): boolean {
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

/** The same for ordered rules, as `deny c 4:64 w`: the last one that matches decides about each kind of access. */
export const allowedInOrder = (allow: boolean, lines: readonly string[], q: Request): boolean =>
  [...q.access].every((letter) => {
    // One kind of access alone, which a rule either holds or does not.
    const line = [...lines].reverse().find((l) => !meant(true, [l.replace(/^\w+ /, '')], { ...q, access: letter }));
    return line === undefined ? allow : line.startsWith('allow');
  });
