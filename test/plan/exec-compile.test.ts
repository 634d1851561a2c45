/** exec: the process merged from the container's and the flags, and the order of the plan. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compileExec, type ExecRequest, type ExecTarget, execProcess } from '../../src/plan/exec-compile.js';
import { rows } from '../../src/plan/explain/op-messages.js';
import type { Process, Spec } from '../../src/spec/config-types.js';
import { defaultSpec } from '../../src/spec/default-config.js';
import type { RuntError } from '../../src/sys/error.js';
import { CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER } from '../../src/sys/linux.js';
import { compileOptions, hostFacts } from './facts.js';

function container(change: (process: Process) => void = () => {}): Spec {
  const spec = defaultSpec({ rootless: false, uid: 0, gid: 0 });
  spec.process!.terminal = false;
  change(spec.process!);
  return spec;
}

const request = (over: Partial<ExecRequest> = {}): ExecRequest => ({
  args: ['id'],
  env: [],
  additionalGids: [],
  capabilities: [],
  terminal: false,
  ...over,
});

const target: ExecTarget = {
  pid: 77,
  startTime: '4711',
  namespaces: CLONE_NEWNS | CLONE_NEWPID,
  entries: [{ directory: '/sys/fs/cgroup/pids/c', version: 1 }],
  noNewKeyring: false,
  setGroupsDenied: false,
};

const plan = (spec: Spec, r: ExecRequest, t: Partial<ExecTarget> = {}) =>
  compileExec(spec, execProcess(spec, r), { ...target, ...t }, hostFacts(), compileOptions({ startSocket: false })).ops;

test('exec enters cgroups and is not dumpable before it joins namespaces, and forks after it', () => {
  const names = plan(container(), request()).map((op) => op.op);
  const order = [
    'initProcess',
    'clone',
    'keepFds',
    'procfs',
    'cgroupEnter',
    'undumpable',
    'join',
    'keyring',
    'fork',
    'session',
    'rlimit',
    'bounding',
    'user',
    'capabilities',
    'wait',
    'exec',
  ] as const;
  const at = order.map((name) => names.indexOf(name));
  assert.not.ok(at.includes(-1), names.join(' '));
  assert.equal(
    [...at].sort((a, b) => a - b),
    at,
  );
  for (const absent of ['stateDir', 'cgroupCreate', 'startSocket', 'rootfs', 'pivotRoot'])
    assert.not.ok(names.includes(absent as 'wait'));
});

test('on v2 the process starts in the cgroup before it joins a namespace', () => {
  const ops = plan(container(), request(), { entries: [{ directory: '/sys/fs/cgroup/c', version: 2 }] });
  const names = ops.map((op) => op.op);
  assert.ok(names.indexOf('cgroupDirectory') < names.indexOf('clone'));
  assert.ok(
    names.indexOf('cgroupFork') > names.indexOf('procfs') && names.indexOf('cgroupFork') < names.indexOf('join'),
  );
  assert.not.ok(names.includes('cgroupOpen') || names.includes('cgroupEnter'));
});

test('exec forks only for a pid namespace, and in a user namespace sets limits from outside and becomes root', () => {
  assert.not.ok(plan(container(), request(), { namespaces: CLONE_NEWNS }).some((op) => op.op === 'fork'));
  const names = plan(container(), request(), { namespaces: CLONE_NEWUSER | CLONE_NEWPID }).map((op) => op.op);
  assert.ok(names.indexOf('join') < names.indexOf('keyring') && names.indexOf('keyring') < names.indexOf('becomeRoot'));
  assert.is(names.filter((n) => n === 'undumpable').length, 2);
  assert.ok(names.includes('prlimit') && !names.includes('rlimit'));
});

test('the initial CPU affinity is set before the cgroups are entered, the final one after', () => {
  const spec = container((p) => {
    p.execCPUAffinity = { initial: '0', final: '0-3,8-15:1/4' };
  });
  for (const version of [1, 2] as const) {
    const ops = plan(spec, request(), { entries: [{ directory: '/cg', version }] });
    const names = ops.map((op) => op.op);
    const at = names.indexOf(version === 2 ? 'cgroupFork' : 'cgroupEnter');
    assert.equal(ops[at - 1], { op: 'cpuAffinity', at: '/process/execCPUAffinity/initial', cpus: [[0, 0]] });
    const cpus = [
      [0, 3],
      [8, 8],
      [12, 12],
    ];
    assert.equal(ops[at + 1], { op: 'cpuAffinity', at: '/process/execCPUAffinity/final', cpus });
  }
  assert.equal(
    plan(container(), request()).filter((op) => op.op === 'cpuAffinity'),
    [{ op: 'cpuAffinity', at: '/linux/resources/cpu/cpus', cpus: [] }],
  );
});

test('scheduling comes from the --process document, else from the container', () => {
  const spec = container((p) => {
    p.scheduler = { policy: 'SCHED_BATCH', nice: 4 };
    p.ioPriority = { class: 'IOPRIO_CLASS_IDLE' };
    p.execCPUAffinity = { final: '1' };
  });
  const process = { user: { uid: 0, gid: 0 }, args: ['id'], cwd: '/' };
  const of = (more: Partial<Process>) => execProcess(spec, request({ process: { ...process, ...more } })).process;
  assert.equal(of({}).scheduler, spec.process!.scheduler);
  assert.equal(of({}).ioPriority, spec.process!.ioPriority);
  assert.equal(of({}).execCPUAffinity, spec.process!.execCPUAffinity);
  assert.equal(of({ scheduler: { policy: 'SCHED_IDLE' } }).scheduler, { policy: 'SCHED_IDLE' });
  assert.equal(of({ ioPriority: { class: 'IOPRIO_CLASS_BE' } }).ioPriority, { class: 'IOPRIO_CLASS_BE' });
  assert.equal(of({ execCPUAffinity: {} }).execCPUAffinity, {});
});

test('the environment is merged by name, and the last value of a name wins', () => {
  const spec = container((p) => (p.env = ['A=1', 'B=2', 'C=3']));
  const { process } = execProcess(spec, request({ env: ['B=x', 'D=4', 'B=y', 'E='] }));
  assert.equal(process.env, ['A=1', 'C=3', 'D=4', 'B=y', 'E=']);
  for (const bad of ['', 'NAME', '=x'])
    assert.throws(
      () => execProcess(spec, request({ env: [bad] })),
      (e: RuntError) => e.code === 'ERR_USAGE',
    );
});

test('capabilities of flags are never inheritable, and ambient only if the config has inheritable ones', () => {
  const add = (sets: Process['capabilities']) =>
    execProcess(
      container((p) => (p.capabilities = sets!)),
      request({ capabilities: ['CAP_CHOWN'] }),
    ).process.capabilities;
  assert.equal(add({ bounding: ['CAP_KILL'], ambient: ['CAP_KILL'] }), {
    bounding: ['CAP_KILL', 'CAP_CHOWN'],
    effective: ['CAP_CHOWN'],
    permitted: ['CAP_CHOWN'],
    ambient: ['CAP_KILL'],
  });
  assert.equal(add({ inheritable: ['CAP_KILL'] })?.inheritable, ['CAP_KILL']);
  assert.equal(add({ inheritable: ['CAP_KILL'] })?.ambient, ['CAP_CHOWN']);
});

test('a numeric user is used as it is, a name is looked up inside, and an incomplete one is refused', () => {
  const spec = container((p) => (p.user = { uid: 1, gid: 2 }));
  const of = (user: string) => {
    const { process, named } = execProcess(spec, request({ user }));
    return [process.user.uid, process.user.gid, named];
  };
  assert.equal(of('0'), [0, 2, undefined]);
  assert.equal(of('5:6'), [5, 6, undefined]);
  assert.equal(of('4294967294:0'), [4294967294, 0, undefined]);
  assert.equal(of('web'), [1, 2, { user: 'web' }]);
  assert.equal(of('web:7'), [1, 7, { user: 'web', group: '7' }]);
  assert.equal(of('5:staff'), [5, 2, { user: '5', group: 'staff' }]);
  for (const bad of ['', ':', '5:', ':5', '4294967295', '99999999999999999999', '5:4294967296']) {
    assert.throws(
      () => of(bad),
      (e: RuntError) => e.code === 'ERR_USAGE',
      bad,
    );
  }
});

test("setgroups is denied if the container's user namespace denies it, for every user", () => {
  const user = (t: Partial<ExecTarget>, r = request()) => {
    const found = plan(container(), r, t).find(({ op }) => op === 'user' || op === 'namedUser');
    assert.ok(found && 'setGroups' in found);
    return found.setGroups;
  };
  assert.is(user({}), true);
  assert.is(user({ setGroupsDenied: true }), false);
  assert.is(user({ setGroupsDenied: true }, request({ user: 'someone' })), false);
});

test('a named user gets HOME from /etc/passwd, and the working directory is entered again as that user', () => {
  const ops = plan(container(), request({ user: 'web' }));
  assert.not.ok(ops.some((op) => op.op === 'user'));
  const exec = ops.find((op) => op.op === 'exec')!;
  assert.equal([exec.homeOf, exec.homeOfNamed], [undefined, true]);
  const names = ops.map((op) => op.op);
  assert.ok(names.lastIndexOf('cwd') > names.indexOf('namedUser'));
  const [row] = rows(ops.find((op) => op.op === 'namedUser')!);
  assert.equal(row!.slice(0, 2), ['user', 'web']);
});

test('a --process document takes from the container only what it leaves out completely', () => {
  const spec = container((p) => {
    p.user = { uid: 1, gid: 1, umask: 0o077 };
    p.oomScoreAdj = 5;
  });
  const own: Process = { user: { uid: 9, gid: 9 }, args: ['a'], cwd: '/x', env: ['Z=1'] };
  const { process } = execProcess(spec, request({ process: own, args: [] }));
  assert.equal(
    [process.user, process.env, process.cwd, process.args],
    [{ uid: 9, gid: 9, umask: 0o077 }, ['Z=1'], '/x', ['a']],
  );
  assert.equal(
    [process.capabilities, process.rlimits, process.oomScoreAdj],
    [spec.process!.capabilities, spec.process!.rlimits, 5],
  );
  const full = { ...own, capabilities: {}, rlimits: [{ type: 'RLIMIT_CORE', soft: 0, hard: 0 }], oomScoreAdj: -3 };
  assert.equal(execProcess(spec, request({ process: full as Process })).process, {
    ...full,
    user: { uid: 9, gid: 9, umask: 0o077 },
  });
});

test.run();
