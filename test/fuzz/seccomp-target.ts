/**
 * Seccomp profiles: the compiled program, run by an interpreter, decides each call as a plain reading of the rules
 * does. libseccomp's own simulator, where hack/fuzz could build it, says the same of the program.
 */
import * as assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { seccompProfile } from '../../src/plan/seccomp/seccomp-compile.js';
import type { Seccomp } from '../../src/spec/config-types.js';
import { native } from '../../src/sys/host.js';
import { useNodeHost } from '../../src/sys/node-host.js';
import { packProfile } from '../../src/sys/seccomp/seccomp-profile.js';
import { I386, verdict, X32_BIT, X86_64 } from '../native/core/filter-interpreter.js';
import type { Target } from './target.js';

const simulator = 'build/fuzz/scmp_bpf_sim';

/** Numbers on x86_64, and on i386 of calls that have no other way there (socketcall(2), ipc(2)). */
const numbers: Readonly<Record<string, readonly [number, number]>> = {
  read: [0, 3],
  write: [1, 4],
  close: [3, 6],
  clone: [56, 120],
  personality: [135, 136],
  prctl: [157, 172],
  unshare: [272, 310],
  openat2: [437, 437],
  no_such_call: [-1, -1],
};
const names = Object.keys(numbers);

type Condition = { index: number; op: string; value: bigint; valueTwo: bigint };
type Outcome = readonly [action: string, errnoRet: number | undefined, value: number];

/** What seccomp(2) returns for each action. */
const outcomes: readonly Outcome[] = [
  ['SCMP_ACT_ALLOW', undefined, 0x7fff_0000],
  ['SCMP_ACT_ERRNO', undefined, 0x0005_0001],
  ['SCMP_ACT_ERRNO', 38, 0x0005_0026],
  ['SCMP_ACT_ERRNO', 4094, 0x0005_0ffe],
  ['SCMP_ACT_KILL', undefined, 0],
  ['SCMP_ACT_KILL_PROCESS', undefined, 0x8000_0000],
  ['SCMP_ACT_TRAP', undefined, 0x0003_0000],
  ['SCMP_ACT_TRACE', 7, 0x7ff0_0007],
  ['SCMP_ACT_LOG', undefined, 0x7ffc_0000],
];
const ENOSYS = 0x0005_0026;

const compare: Readonly<Record<string, (arg: bigint, a: bigint, b: bigint) => boolean>> = {
  SCMP_CMP_NE: (arg, a) => arg !== a,
  SCMP_CMP_LT: (arg, a) => arg < a,
  SCMP_CMP_LE: (arg, a) => arg <= a,
  SCMP_CMP_EQ: (arg, a) => arg === a,
  SCMP_CMP_GE: (arg, a) => arg >= a,
  SCMP_CMP_GT: (arg, a) => arg > a,
  SCMP_CMP_MASKED_EQ: (arg, a, b) => (arg & a) === b,
};

const value = fc.oneof(
  fc.constantFrom(0n, 1n, 2n, 0xffff_ffffn, 0x1_0000_0000n, 0x1_0000_0001n, 2n ** 63n, 2n ** 64n - 1n),
  fc.bigInt({ min: 0n, max: 5n }),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const condition: fc.Arbitrary<Condition> = fc
  // Mostly on few arguments with few values: rules that share them are where libseccomp errs.
  .record({
    index: fc.oneof(fc.nat(1), fc.nat(5)),
    op: fc.constantFrom(...Object.keys(compare)),
    value,
    valueTwo: value,
  })
  // libseccomp takes the value of a mask below the mask alone.
  .map((c) => (c.op === 'SCMP_CMP_MASKED_EQ' ? { ...c, valueTwo: c.valueTwo & c.value } : { ...c, valueTwo: 0n }));
const rule = fc.record({
  names: fc.uniqueArray(fc.constantFrom(...names), { minLength: 1, maxLength: 3 }),
  args: fc.oneof(fc.constant<Condition[]>([]), fc.array(condition, { maxLength: 3 })),
});
/** One action for each call: what libseccomp does with several on one call is not a question of a filter's code. */
const actionOf = fc.tuple(...names.map(() => fc.constantFrom(...outcomes)));

interface Input {
  readonly fallback: Outcome;
  readonly actions: readonly Outcome[];
  readonly rules: readonly { names: string[]; args: Condition[] }[];
  readonly others: readonly string[];
  readonly args: readonly bigint[];
  readonly number: number;
}

/** `bits` of the arguments and values count. */
const holds = (list: readonly Condition[], args: readonly bigint[], bits: number): boolean => {
  const word = (v: bigint): bigint => BigInt.asUintN(bits, v);
  const met = list.map(({ index, op, value, valueTwo }) =>
    compare[op]!(word(args[index]!), word(value), word(valueTwo)),
  );
  // Two conditions on one argument are alternatives (config-linux.md does not say; as in runc).
  const isAny = new Set(list.map(({ index }) => index)).size < list.length;
  return isAny ? met.includes(true) : !met.includes(false);
};

/** What the rules say of a call. `which`: 0 for the numbers of x86_64, 1 for those of i386. `bits` of each argument. */
function meant(
  { fallback, actions, rules }: Input,
  nr: number,
  which: 0 | 1,
  args: readonly bigint[],
  bits = which ? 32 : 64,
): number {
  const named = rules.flatMap((one) => one.names.map((name) => numbers[name]![which]));
  const isHidden = !['SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_TRACE'].includes(fallback[0]);
  const last = Math.max(-1, ...named);
  if (isHidden && last >= 0 && nr > last) return ENOSYS;
  const found = names.find((name) => numbers[name]![which] === nr);
  const isMet = found && rules.some((one) => one.names.includes(found) && holds(one.args, args, bits));
  return isMet ? actions[names.indexOf(found)]![2] : fallback[2];
}

/** The profile, each rule as one for each action. */
function profileOf({ fallback, actions, rules, others }: Input): Seccomp {
  return {
    defaultAction: fallback[0],
    ...(fallback[1] !== undefined && { defaultErrnoRet: fallback[1] }),
    architectures: ['SCMP_ARCH_X86_64', ...others],
    syscalls: rules.flatMap((one) =>
      one.names.map((name) => {
        const [action, errnoRet] = actions[names.indexOf(name)]!;
        return { names: [name], action, ...(errnoRet !== undefined && { errnoRet }), args: one.args };
      }),
    ),
  } as Seccomp;
}

/** What the simulator prints for a value of seccomp(2). */
function simulated(value: number): string {
  const data = value & 0xffff;
  const known = new Map([
    [0x7fff_0000, 'ALLOW'],
    [0, 'KILL'],
    [0x8000_0000, 'KILL_PROCESS'],
    [0x0003_0000, 'TRAP'],
    [0x7ffc_0000, 'LOG'],
    [0x7ff0_0000 + data, `TRACE(${data})`],
  ]);
  return known.get(value) ?? `ERRNO(${data})`;
}

let directory: string | undefined;
function simulate(program: Uint8Array, nr: number, args: readonly bigint[]): string {
  if (directory === undefined) {
    const made = mkdtempSync(join(tmpdir(), 'runt-seccomp-'));
    process.on('exit', () => rmSync(made, { recursive: true, force: true }));
    directory = made;
  }
  const path = join(directory, 'program');
  writeFileSync(path, program);
  const given = args.flatMap((arg, i) => [`-${i}`, String(arg)]);
  const command = ['-f', path, '-a', 'x86_64', '-s', String(nr), ...given];
  return execFileSync(simulator, command, { encoding: 'utf8' }).trim();
}

let asked = 0;

export const seccompProfiles: Target<Input> = {
  inputs: fc.record({
    fallback: fc.constantFrom(...outcomes),
    actions: actionOf,
    rules: fc.array(rule, { maxLength: 4 }),
    others: fc.subarray(['SCMP_ARCH_X86', 'SCMP_ARCH_X32']),
    args: fc.array(value, { minLength: 6, maxLength: 6 }),
    number: fc.nat(600),
  }),
  codes: /^never$/,
  read(input) {
    useNodeHost([]);
    const out = new Uint8Array(4096 * 8);
    const n = native.compileSeccomp(packProfile(seccompProfile(profileOf(input))), out);
    assert.ok(n > 0 && n % 8 === 0, `compiles: ${n}`);
    const program = out.slice(0, n);
    const { args, others, rules } = input;
    // The values of the conditions are where programs err.
    const near = rules.flatMap((one) => one.args).flatMap(({ value }) => [value - 1n, value, value + 1n]);
    const lists = [args, ...near.map((v) => Array<bigint>(6).fill(BigInt.asUintN(64, v)))].slice(0, 12);
    const calls = [...new Set([...Object.values(numbers).flat(), input.number])].filter((nr) => nr >= 0);
    for (const list of lists)
      for (const nr of calls) {
        const wanted = meant(input, nr, 0, list);
        assert.equal(verdict(program, { nr, args: list }), wanted, `call ${nr} of (${list})`);
      }
    for (const list of lists)
      for (const nr of calls) {
        const onI386 = { nr, arch: I386, args: list };
        if (others.includes('SCMP_ARCH_X86')) assert.equal(verdict(program, onI386), meant(input, nr, 1, list));
        if (!others.includes('SCMP_ARCH_X32')) continue;
        const wanted = meant(input, nr, 0, list, 32);
        assert.equal(
          verdict(program, { nr: nr + X32_BIT, arch: X86_64, args: list }),
          wanted,
          `x32 ${nr} of (${list})`,
        );
      }
    if (!existsSync(simulator) || asked++ % 20 !== 0) return;
    for (const nr of calls.slice(0, 4))
      assert.equal(simulate(program, nr, args), simulated(meant(input, nr, 0, args)), `simulator: call ${nr}`);
  },
};
