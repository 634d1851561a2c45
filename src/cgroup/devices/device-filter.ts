/** BPF program that replaces the device list on cgroup v2 (kernel: admin-guide/cgroup-v2, "Device controller"). */
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
const typeNumbers = { b: 1, c: 2 } as const;
const accessNumbers: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const allAccess = 7;

// Registers: 0 holds the result, 1 the context (later scratch), the others the fields of the context.
const [RESULT, CONTEXT, TYPE, ACCESS, MAJOR, MINOR] = [0, 1, 2, 3, 4, 5];

type Instruction = readonly [code: number, destination: number, source: number, jump: number, number: number];

/** Devices and the access to them; an absent number means any, as in `linux.resources.devices`. */
export interface FilterRule {
  readonly type: 'b' | 'c';
  readonly major?: number;
  readonly minor?: number;
  /** Some of `rwm`. */
  readonly access: string;
}

/**
 * The default, with exceptions or ordered rules. As in v1, an exception that allows must cover all the requested
 * access; one that denies must cover any of it. Of ordered rules, the last one that matches decides about each kind of
 * requested access, and all kinds must be allowed.
 */
export type DeviceFilter =
  | { readonly allow: boolean; readonly exceptions: readonly FilterRule[] }
  | { readonly allow: boolean; readonly ordered: readonly (FilterRule & { readonly allow: boolean })[] };

/**
 * The instructions (8 bytes each) of a filter. (The filters of crun and runc skip a rule that does not cover all the
 * requested access: with them O_RDWR opens a device to which only writing is denied.)
 */
export function filterProgram(filter: DeviceFilter): Uint8Array {
  const program: Instruction[] = [
    [LOAD_WORD, TYPE, CONTEXT, 0, 0],
    [MOVE, ACCESS, TYPE, 0, 0],
    [AND_NUMBER, TYPE, 0, 0, 0xffff],
    [SHIFT_RIGHT, ACCESS, 0, 0, 16],
    [LOAD_WORD, MAJOR, CONTEXT, 4, 0],
    [LOAD_WORD, MINOR, CONTEXT, 8, 0],
  ];
  const { allow } = filter;
  if ('ordered' in filter)
    for (const rule of [...filter.ordered].reverse()) append(program, ruleBlock(rule, rule.allow));
  else for (const exception of filter.exceptions) append(program, block(exception, allow));
  append(program, returnOf(allow));

  const view = new DataView(new ArrayBuffer(program.length * 8));
  program.forEach(([code, destination, source, jump, number], i) => {
    view.setUint8(i * 8, code);
    view.setUint8(i * 8 + 1, (source << 4) | destination);
    view.setInt16(i * 8 + 2, jump, true);
    view.setInt32(i * 8 + 4, number | 0, true);
  });
  return new Uint8Array(view.buffer);
}

/** The verdict for one exception; a device that does not match jumps to the block's end. */
function block(exception: FilterRule, allow: boolean): Instruction[] {
  const tests = testsOf(exception);
  const access = accessBits(exception);
  if (access !== allAccess) {
    const outside = allow ? access : ~access;
    tests.push([MOVE, CONTEXT, ACCESS, 0, 0], [AND_NUMBER, CONTEXT, 0, 0, outside]);
    tests.push([allow ? JUMP_EQUAL : JUMP_UNEQUAL, CONTEXT, 0, 0, 0]);
  }
  return jumpingToEnd([...tests, ...returnOf(!allow)]);
}

/** One of several rules, from the last to the first: ACCESS holds the bits that no later rule has decided. */
function ruleBlock(rule: FilterRule, allow: boolean): Instruction[] {
  const tests = testsOf(rule);
  const access = accessBits(rule);
  if (allow) tests.push([AND_NUMBER, ACCESS, 0, 0, ~access], [JUMP_UNEQUAL, ACCESS, 0, 0, 0]);
  else tests.push([MOVE, CONTEXT, ACCESS, 0, 0], [AND_NUMBER, CONTEXT, 0, 0, access], [JUMP_EQUAL, CONTEXT, 0, 0, 0]);
  return jumpingToEnd([...tests, ...returnOf(allow)]);
}

/** Jumps out of a rule's block for devices that the rule does not match. */
function testsOf({ type, major, minor }: FilterRule): Instruction[] {
  const tests: Instruction[] = [[JUMP_UNEQUAL, TYPE, 0, 0, typeNumbers[type]]];
  if (major !== undefined) tests.push([JUMP_UNEQUAL, MAJOR, 0, 0, major]);
  if (minor !== undefined) tests.push([JUMP_UNEQUAL, MINOR, 0, 0, minor]);
  return tests;
}

const accessBits = ({ access }: FilterRule): number =>
  [...access].reduce((sum, letter) => sum | accessNumbers[letter]!, 0);

const returnOf = (allow: boolean): Instruction[] => [
  [MOVE_NUMBER, RESULT, 0, 0, allow ? 1 : 0],
  [EXIT, 0, 0, 0, 0],
];

/** Points each jump of a block to the block's end. */
function jumpingToEnd(block: readonly Instruction[]): Instruction[] {
  const jumps = (code: number) => code === JUMP_EQUAL || code === JUMP_UNEQUAL;
  return block.map(([code, d, s, jump, n], i) => [code, d, s, jumps(code) ? block.length - i - 1 : jump, n]);
}
