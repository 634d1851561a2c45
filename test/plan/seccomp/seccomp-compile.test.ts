/** The seccomp filter in a plan: its position, its flags, and the profile in libseccomp's numbers. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { names } from '../../../build/gen/names.js';
import { filterFlags, filterOps, seccompOps, seccompProfile } from '../../../src/plan/seccomp/seccomp-compile.js';
import type { Seccomp, Spec } from '../../../src/spec/config-types.js';
import type { RuntError } from '../../../src/sys/error.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { packProfile } from '../../../src/sys/seccomp/seccomp-profile.js';

useNodeHost([]);

const spec = (seccomp: Seccomp | undefined, noNewPrivileges: boolean): Spec => ({
  ociVersion: '1.0.2',
  process: { user: { uid: 0, gid: 0 }, cwd: '/', args: ['/true'], noNewPrivileges },
  linux: { ...(seccomp && { seccomp }) },
});

test('a profile has the numbers of its names, with exact 64-bit values', () => {
  const profile = seccompProfile({
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 38,
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_MIPSEL64N32'],
    syscalls: [
      { names: ['read', 'write'], action: 'SCMP_ACT_KILL_PROCESS', errnoRet: 5 },
      {
        names: ['clone'],
        action: 'SCMP_ACT_TRACE',
        args: [{ index: 1, op: 'SCMP_CMP_MASKED_EQ', value: 18446744073709551615n, valueTwo: 7 }],
      },
    ],
  });
  assert.equal(profile, {
    defaultAction: 0x50026,
    architectures: ['x86_64', 'mipsel64n32'],
    syscalls: [
      { names: ['read', 'write'], action: 0x80000000, args: [] },
      { names: ['clone'], action: 0x7ff00001, args: [{ index: 1, op: 7, value: 18446744073709551615n, valueTwo: 7 }] },
    ],
  });
});

test('each action and operator of the schema has a number; others are refused with their pointer', () => {
  const rule = { names: ['read'], action: 'SCMP_ACT_LOG' };
  const condition = { index: 0, op: 'SCMP_CMP_EQ', value: 1 };
  const numbers = (change: (name: string) => Seccomp, all: readonly string[]): number[] =>
    all.map((name) => {
      const { defaultAction, syscalls } = seccompProfile(change(name));
      return syscalls[0]?.args[0]?.op ?? syscalls[0]?.action ?? defaultAction;
    });
  const byDefault = (defaultAction: string): Seccomp => ({ defaultAction });
  const byRule = (action: string): Seccomp => ({
    defaultAction: 'SCMP_ACT_LOG',
    syscalls: [rule, { ...rule, action }],
  });
  const byOperator = (op: string): Seccomp => ({
    defaultAction: 'SCMP_ACT_LOG',
    syscalls: [{ ...rule, args: [condition, { ...condition, op }] }],
  });
  // KILL and KILL_THREAD are the same.
  assert.is(new Set(numbers(byDefault, names.actions)).size, names.actions.length - 1);
  const operators = numbers(
    (op) => ({ ...byOperator(op), syscalls: [{ ...rule, args: [{ ...condition, op }] }] }),
    [...names.operators],
  );
  assert.equal(operators.sort(), [1, 2, 3, 4, 5, 6, 7]);
  for (const [profile, pointer] of [
    [byDefault('SCMP_ACT_MAYBE'), '/linux/seccomp/defaultAction'],
    [byRule('SCMP_ACT_MAYBE'), '/linux/seccomp/syscalls/1/action'],
    [byOperator('SCMP_CMP_MAYBE'), '/linux/seccomp/syscalls/0/args/1/op'],
  ] as const) {
    assert.throws(
      () => seccompProfile(profile),
      (e: RuntError) => e.code === 'ERR_UNSUPPORTED' && e.pointer === pointer,
    );
  }
});

test('a packed profile has numbers, then names, and differs wherever the profile differs', () => {
  const packed = (change: Partial<Seccomp>) =>
    Buffer.from(packProfile(seccompProfile({ defaultAction: 'SCMP_ACT_LOG', ...change })));
  const rule = { names: ['read', 'a\0b'], action: 'SCMP_ACT_ERRNO' };
  const condition = { index: 2, op: 'SCMP_CMP_EQ', value: 18446744073709551615n };
  const bytes = packed({ architectures: ['SCMP_ARCH_X86'], syscalls: [{ ...rule, args: [condition] }] });
  const numbers = [12n, 0x7ffc0000n, 1n, 1n, 0n, 0x50001n, 1n, 2n, 2n, 4n, 18446744073709551615n, 0n];
  assert.equal(
    numbers.map((_, i) => bytes.readBigUInt64LE(8 * i)),
    numbers,
  );
  assert.is(bytes.subarray(96).toString(), 'x86\0read\0\0');
  const others = [
    {},
    { defaultAction: 'SCMP_ACT_TRAP' },
    { architectures: ['SCMP_ARCH_X86'] },
    { syscalls: [rule] },
    { syscalls: [rule, rule] },
    { syscalls: [{ ...rule, errnoRet: 2 }] },
    { syscalls: [{ ...rule, names: ['read'] }] },
    { syscalls: [{ ...rule, args: [condition] }] },
    { syscalls: [{ ...rule, args: [{ ...condition, valueTwo: 1 }] }] },
    { syscalls: [{ ...rule, args: [{ ...condition, op: 'SCMP_CMP_GT' }] }] },
  ].map((change) => packed(change).toString('hex'));
  assert.is(new Set(others).size, others.length);
});

test('the flags of seccomp(2) include a listener and its companions only if a rule notifies', () => {
  const flags = ['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'];
  const plain: Seccomp = { defaultAction: 'SCMP_ACT_ALLOW', flags };
  assert.is(filterFlags({ defaultAction: 'SCMP_ACT_ALLOW' }), 0);
  assert.is(filterFlags(plain), 1);
  assert.is(filterFlags({ ...plain, syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }] }), 1 | 8 | 16 | 32);
  const both = ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'];
  assert.is(filterFlags({ ...plain, flags: both }), 2 | 4);
});

test('one operation loads the filter: early without noNewPrivileges, else late', () => {
  const profile: Seccomp = { defaultAction: 'SCMP_ACT_LOG', listenerPath: '/agent' };
  for (const nnp of [true, false]) {
    const [early, late] = [true, false].map((when) => seccompOps(spec(profile, nnp), 4, when));
    assert.is(early!.length, nnp ? 0 : 1);
    assert.is(late!.length, nnp ? 1 : 0);
    const [op] = nnp ? late! : early!;
    assert.equal(op, {
      op: 'seccomp',
      at: '/linux/seccomp',
      slot: 4,
      flags: 0,
      late: nnp,
      agent: undefined,
      metadata: undefined,
      summary: 'default LOG, 0 rules for 0 calls',
    });
    assert.equal(filterOps(spec(profile, nnp), 4), [
      {
        op: 'seccompProgram',
        at: '/linux/seccomp',
        profile: { defaultAction: 0x7ffc0000, architectures: [], syscalls: [] },
        slot: 4,
      },
    ]);
    assert.equal(seccompOps(spec(undefined, nnp), 4, !nnp), []);
    assert.equal(filterOps(spec(undefined, nnp), 4), []);
  }
});

test('with an agent the filter is not loaded late, so that runt-init contacts the agent at create', () => {
  const profile: Seccomp = {
    defaultAction: 'SCMP_ACT_ALLOW',
    listenerPath: '/agent',
    syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }],
  };
  for (const nnp of [true, false]) {
    const [op] = seccompOps(spec(profile, nnp), 4, !nnp);
    assert.equal(op?.op === 'seccomp' && [op.late, op.agent], [false, '/agent']);
  }
});

test.run();
