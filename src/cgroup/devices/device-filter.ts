/** The BPF program that stands in for the device list on cgroup v2 (kernel: admin-guide/cgroup-v2, "Device controller"). */
import { append } from '../../sys/append.js';

// linux/bpf.h: instruction codes
const LOAD_WORD = 0x61; // BPF_LDX | BPF_MEM | BPF_W
const MOVE = 0xbc; // BPF_ALU | BPF_MOV | BPF_X: 32 bits
const MOVE_NUMBER = 0xb4; // BPF_ALU | BPF_MOV | BPF_K
const AND_NUMBER = 0x54; // BPF_ALU | BPF_AND | BPF_K
const SHIFT_RIGHT = 0x74; // BPF_ALU | BPF_RSH | BPF_K
const JUMP_EQUAL = 0x16; // BPF_JMP32 | BPF_JEQ | BPF_K: 64-bit jumps would sign-extend a number of 32 bits
const JUMP_UNEQUAL = 0x56; // BPF_JMP32 | BPF_JNE | BPF_K
const EXIT = 0x95; // BPF_JMP | BPF_EXIT

// linux/bpf.h: struct bpf_cgroup_dev_ctx { u32 access_type, major, minor }, access_type = access << 16 | type
const types: Readonly<Record<string, number>> = { b: 1, c: 2 };
const accesses: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const all = 7;

// Registers: 0 result, 1 context (later scratch), then what is read from it.
const [RESULT, CONTEXT, TYPE, ACCESS, MAJOR, MINOR] = [0, 1, 2, 3, 4, 5];

type Instruction = readonly [code: number, destination: number, source: number, jump: number, number: number];

/**
 * The instructions (8 bytes each) of a filter that answers `allow` but for the exceptions: lines such as
 * "c 1:3 rwm" or "b *:* m". An exception that allows must hold all the access that is asked for, one that denies any of
 * it, as in v1. Lines that begin with "allow" or "deny" are rules in order: about each kind of access that is asked for
 * the last one that matches decides, and all kinds must be allowed. (The filters of crun and runc pass a rule over that
 * has not all that is asked for: with them O_RDWR opens a device to which only writing is denied.)
 * Throws TypeError for a line of another form: the plan holds none.
 */
export function deviceFilter(allow: boolean, exceptions: readonly string[]): Uint8Array {
  const program: Instruction[] = [
    [LOAD_WORD, TYPE, CONTEXT, 0, 0],
    [MOVE, ACCESS, TYPE, 0, 0],
    [AND_NUMBER, TYPE, 0, 0, 0xffff],
    [SHIFT_RIGHT, ACCESS, 0, 0, 16],
    [LOAD_WORD, MAJOR, CONTEXT, 4, 0],
    [LOAD_WORD, MINOR, CONTEXT, 8, 0],
  ];
  for (const line of [...exceptions].reverse()) {
    const [, verb, rest = line] = /^(allow|deny) (.*)$/.exec(line) ?? [];
    append(program, verb === undefined ? block(line, allow) : ruleBlock(rest, verb === 'allow'));
  }
  program.push([MOVE_NUMBER, RESULT, 0, 0, allow ? 1 : 0], [EXIT, 0, 0, 0, 0]);

  const view = new DataView(new ArrayBuffer(program.length * 8));
  program.forEach(([code, destination, source, jump, number], i) => {
    view.setUint8(i * 8, code);
    view.setUint8(i * 8 + 1, (source << 4) | destination);
    view.setInt16(i * 8 + 2, jump, true);
    view.setInt32(i * 8 + 4, number | 0, true);
  });
  return new Uint8Array(view.buffer);
}

/** The answer for one exception; what does not match it jumps to its end. */
function block(line: string, allow: boolean): Instruction[] {
  const device = parse(line);
  const tests = testsOf(device);
  if (device.access !== all) {
    const outside = allow ? device.access : ~device.access;
    tests.push([MOVE, CONTEXT, ACCESS, 0, 0], [AND_NUMBER, CONTEXT, 0, 0, outside]);
    tests.push([allow ? JUMP_EQUAL : JUMP_UNEQUAL, CONTEXT, 0, 0, 0]);
  }
  return jumpingToEnd([...tests, ...answer(!allow)]);
}

/** One rule of several, from the last to the first: ACCESS holds what no later rule has decided about. */
function ruleBlock(line: string, allow: boolean): Instruction[] {
  const device = parse(line);
  const tests = testsOf(device);
  const { access } = device;
  if (allow) tests.push([AND_NUMBER, ACCESS, 0, 0, ~access], [JUMP_UNEQUAL, ACCESS, 0, 0, 0]);
  else tests.push([MOVE, CONTEXT, ACCESS, 0, 0], [AND_NUMBER, CONTEXT, 0, 0, access], [JUMP_EQUAL, CONTEXT, 0, 0, 0]);
  return jumpingToEnd([...tests, ...answer(allow)]);
}

/** What jumps away for another device than those of a line. */
function testsOf({ type, major, minor }: Device): Instruction[] {
  const tests: Instruction[] = [[JUMP_UNEQUAL, TYPE, 0, 0, type]];
  if (major !== undefined) tests.push([JUMP_UNEQUAL, MAJOR, 0, 0, major]);
  if (minor !== undefined) tests.push([JUMP_UNEQUAL, MINOR, 0, 0, minor]);
  return tests;
}

const answer = (allow: boolean): Instruction[] => [
  [MOVE_NUMBER, RESULT, 0, 0, allow ? 1 : 0],
  [EXIT, 0, 0, 0, 0],
];

/** The jumps of a block lead to its end. */
function jumpingToEnd(block: readonly Instruction[]): Instruction[] {
  const jumps = (code: number) => code === JUMP_EQUAL || code === JUMP_UNEQUAL;
  return block.map(([code, d, s, jump, n], i) => [code, d, s, jumps(code) ? block.length - i - 1 : jump, n]);
}

/** What a line says; a number that is absent is any. */
interface Device {
  readonly type: number;
  readonly major?: number;
  readonly minor?: number;
  readonly access: number;
}

function parse(line: string): Device {
  const [type = '', numbers = '', letters = '', ...rest] = line.split(' ');
  const [major = '', minor = '', ...more] = numbers.split(':');
  const known = [...letters].every((l) => accesses[l]);
  const access = known ? [...letters].reduce((sum, l) => sum | accesses[l]!, 0) : 0;
  const number = (text: string) => (text === '*' ? undefined : Number(text));
  const parsed = { type: types[type] ?? 0, access, major: number(major), minor: number(minor) };
  const bad = (n: number | undefined) => n !== undefined && !(n >= 0 && n <= 0xffffffff);
  if (
    rest.length + more.length > 0 ||
    !parsed.type ||
    !access ||
    !major ||
    !minor ||
    bad(parsed.major) ||
    bad(parsed.minor)
  ) {
    throw new TypeError(`no device exception: ${line}`);
  }
  const { major: a, minor: b } = parsed;
  return {
    type: parsed.type,
    access,
    ...(a === undefined ? {} : { major: a }),
    ...(b === undefined ? {} : { minor: b }),
  };
}
