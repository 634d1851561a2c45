/** Where the filter stands in a plan, its flags, and the lines of a profile. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { filterFlags, filterOps, profileLines, seccompOps } from '../../../src/plan/seccomp/seccomp-compile.js';
import type { Seccomp, Spec } from '../../../src/spec/config-types.js';

const spec = (seccomp: Seccomp | undefined, noNewPrivileges: boolean): Spec => ({
  ociVersion: '1.0.2',
  process: { user: { uid: 0, gid: 0 }, cwd: '/', args: ['/true'], noNewPrivileges },
  linux: { ...(seccomp && { seccomp }) },
});

test('lines hold all that decides the program, 64 bits exactly', () => {
  const lines = profileLines({
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: 38,
    architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_MIPSEL64N32'],
    syscalls: [
      { names: ['read', 'a b', 'c\0d', 'write'], action: 'SCMP_ACT_KILL_PROCESS', errnoRet: 5 },
      {
        names: ['clone'],
        action: 'SCMP_ACT_TRACE',
        args: [{ index: 1, op: 'SCMP_CMP_MASKED_EQ', value: 18446744073709551615n, valueTwo: 7 }],
      },
    ],
  });
  assert.equal(lines, [
    'default ERRNO 38',
    'arch x86_64',
    'arch mipsel64n32',
    'rule KILL_PROCESS 0 : read write',
    'rule TRACE 1 1 MASKED_EQ 18446744073709551615 7 : clone',
  ]);
});

test('flags of seccomp(2): a listener where a rule notifies, and what belongs to it only there', () => {
  const flags = ['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'];
  const plain: Seccomp = { defaultAction: 'SCMP_ACT_ALLOW', flags };
  assert.is(filterFlags({ defaultAction: 'SCMP_ACT_ALLOW' }), 0);
  assert.is(filterFlags(plain), 1);
  assert.is(filterFlags({ ...plain, syscalls: [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }] }), 1 | 8 | 16 | 32);
  const both = ['SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'];
  assert.is(filterFlags({ ...plain, flags: both }), 2 | 4);
});

test('one operation loads it: early without noNewPrivileges, late with it, none without a profile', () => {
  const profile: Seccomp = { defaultAction: 'SCMP_ACT_LOG', listenerPath: '/agent' };
  for (const nnp of [true, false]) {
    const [early, late] = [false, true].map((when) => seccompOps(spec(profile, nnp), 4, when));
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
      { op: 'seccompProgram', at: '/linux/seccomp', profile: ['default LOG 0'], slot: 4 },
    ]);
    assert.equal(seccompOps(spec(undefined, nnp), 4, nnp), []);
    assert.equal(filterOps(spec(undefined, nnp), 4), []);
  }
});

test.run();
