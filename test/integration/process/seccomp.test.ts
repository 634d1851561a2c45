/** Seccomp filters: the calls of the process, the order of loading, agents, and cached programs. */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Seccomp, SeccompRule } from '../../../src/spec/config-types.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';
import { missing } from '../bed/needs.js';
import { programs, top } from '../bed/place.js';

type SeccompArg = NonNullable<SeccompRule['args']>[number];

const test = needing('seccomp', 'root');
const testRunc = needing('seccomp, compared with runc', 'root', 'runc');
const testAgent = needing('seccomp agents', 'root', 'programs');

const deny = (...names: string[]): SeccompRule => ({ names, action: 'SCMP_ACT_ERRNO' });
const notify = (...names: string[]): SeccompRule => ({ names, action: 'SCMP_ACT_NOTIFY' });
const allowAll = (...syscalls: SeccompRule[]): Seccomp => ({ defaultAction: 'SCMP_ACT_ALLOW', syscalls });
const docker = (): Seccomp => JSON.parse(readFileSync(join(top, 'profiles', 'default.json'), 'utf8'));
/** All calls of the smallest program, /true: none for runt-init. */
const bare = (defaultAction: string): Seccomp => ({
  defaultAction,
  syscalls: [
    {
      names: ['execve', 'exit_group', 'exit', 'arch_prctl', 'set_tid_address', 'brk', 'mmap', 'mprotect'],
      action: 'SCMP_ACT_ALLOW',
    },
  ],
});

/** Both orders of loading: early without no_new_privs, late with it. */
function both(body: (bed: Bed, nnp: boolean) => void | Promise<void>): (nnp: boolean) => () => Promise<void> {
  return (nnp) =>
    onBed((bed) => {
      bed.config.process.noNewPrivileges = nnp;
      return body(bed, nnp);
    });
}
function testBoth(suite: typeof test, name: string, body: (bed: Bed, nnp: boolean) => void | Promise<void>): void {
  for (const nnp of [true, false]) suite(`${name} (${nnp ? 'with' : 'without'} noNewPrivileges)`, both(body)(nnp));
}

testBoth(test, 'a denied call returns the errno of its rule', (bed, nnp) => {
  bed.config.root.readonly = false;
  bed.config.linux.seccomp = allowAll(deny('mkdir', 'mkdirat'), { ...deny('chmod', 'fchmodat'), errnoRet: 28 });
  const r = bed.sh('mkdir /x; chmod 700 /tmp; grep -E "^(NoNew|Seccomp)" /proc/self/status');
  assert.match(r.stderr, /mkdir.*Operation not permitted/);
  assert.match(r.stderr, /chmod.*No space left on device/);
  assert.is(r.stdout, `NoNewPrivs:\t${nnp ? 1 : 0}\nSeccomp:\t2\nSeccomp_filters:\t1\n`);
});

testBoth(test, 'a filter works with create and start, for an ordinary user in a user namespace', (bed) => {
  withUserNamespace(bed.config);
  bed.config.process.user = { uid: 1000, gid: 1000 };
  bed.config.linux.seccomp = allowAll(deny('mkdir', 'mkdirat'));
  bed.config.process.args = ['/bin/sh', '-c', 'mkdir /tmp/x 2>&1; id -u'];
  assert.is(bed.create().code, 0);
  assert.is(bed.start().code, 0);
  bed.until('stopped');
  assert.match(bed.stdout(), /Operation not permitted\n1000\n$/);
  assert.is(bed.delete().code, 0);
});

testBoth(test, 'a call that kills ends the process with SIGSYS', (bed) => {
  for (const action of ['SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_KILL', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_TRAP']) {
    bed.config.linux.seccomp = allowAll({ names: ['mkdir', 'mkdirat'], action });
    bed.config.process.args = ['/bin/mkdir', '/tmp/x'];
    assert.is(bed.run().code, 159, action);
  }
  bed.config.linux.seccomp = allowAll({ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_LOG' });
  bed.config.process.args = ['/bin/mkdir', '/dev/shm/x'];
  assert.is(bed.run().code, 0, 'LOG lets it go on');
  bed.config.linux.seccomp = allowAll({ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_TRACE', errnoRet: 5 });
  const traced = bed.run();
  assert.match(traced.stderr, /Function not implemented/, 'TRACE without a tracer is ENOSYS');
});

test(
  'conditions on arguments are applied',
  onBed((bed) => {
    const args = [{ index: 1, op: 'SCMP_CMP_EQ', value: 0o700 }];
    bed.config.root.readonly = false;
    bed.config.linux.seccomp = allowAll(
      { ...deny('chmod'), args },
      { ...deny('fchmodat'), args: [{ index: 2, op: 'SCMP_CMP_EQ', value: 0o700 }] },
    );
    const r = bed.sh('touch /f; chmod 600 /f && echo one; chmod 700 /f || echo two; chmod 701 /f && echo three');
    assert.is(r.stdout, 'one\ntwo\nthree\n');
  }),
);

test(
  'flags reach the kernel',
  onBed((bed) => {
    const flags = ['SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW'];
    bed.config.linux.seccomp = { ...allowAll(deny('mkdir', 'mkdirat')), flags };
    const status = bed.out('grep -E "^(Seccomp|Speculation)" /proc/self/status');
    assert.match(status, /Seccomp:\t2/);
    // The kernel accepts only its own flags; the wait flag is for listeners, and there is none here.
    bed.config.linux.seccomp = { ...allowAll(deny('mkdir')), flags: ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV'] };
    assert.is(bed.sh('true').code, 0);
  }),
);

testBoth(test, "Docker's default profile lets a container run, and denies what its rules deny", (bed) => {
  bed.config.linux.seccomp = docker();
  const r = bed.sh(
    'unshare -m true; chroot / true && echo chroot; mount -t tmpfs x /tmp; dmesg >/dev/null; date >/dev/null; echo ok',
  );
  assert.is(r.stdout, 'ok\n'.replace('ok', r.stdout.includes('chroot') ? 'chroot\nok' : 'ok'));
  for (const what of ['unshare', 'mount', 'dmesg|klogctl']) {
    assert.match(r.stderr, new RegExp(`(${what}).*(not permitted|denied)`), what);
  }
});

test(
  'with noNewPrivileges a profile need not allow any call of runt-init',
  onBed((bed) => {
    for (const action of ['SCMP_ACT_ERRNO', 'SCMP_ACT_KILL_PROCESS']) {
      bed.config.linux.seccomp = bare(action);
      bed.config.process.args = ['/true'];
      const r = bed.run();
      assert.is(r.code, 0, r.stderr);
      assert.is(bed.create().code, 0);
      assert.is(bed.start().code, 0);
      bed.until('stopped');
      assert.is(bed.delete().code, 0);
    }
  }),
);

test(
  'a failure under the filter is reported, whatever the filter denies',
  onBed((bed) => {
    writeFileSync(join(bed.rootfs, 'script'), '#!/no/such/shell\n', { mode: 0o755 });
    writeFileSync(join(bed.rootfs, 'data'), 'no program at all\n', { mode: 0o755 });
    const fails = (file: string, expected: RegExp) => {
      bed.config.process.args = [file];
      const run = bed.run();
      assert.is(run.code, 1);
      assert.match(run.stderr, expected);
      assert.is(bed.create().code, 0);
      const start = bed.start();
      assert.is(start.code, 1);
      assert.match(start.stderr, expected);
      assert.is(bed.delete('--force').code, 0);
    };
    for (const action of ['SCMP_ACT_ERRNO', 'SCMP_ACT_KILL_PROCESS']) {
      bed.config.linux.seccomp = bare(action);
      fails('/script', /exec "\/script".*no\/such\/shell.*ENOENT/);
      fails('/data', /exec "\/data".*ENOEXEC/);
    }
    // exit_group is denied too, so the process ends by a fault.
    bed.config.linux.seccomp = {
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [{ names: ['read'], action: 'SCMP_ACT_ALLOW' }],
    };
    fails('/true', /exec "\/true": ENOSYS[\s\S]*allow execve in linux.seccomp.syscalls/);
  }),
);

test(
  'explain shows the filter and when it is loaded',
  onBed((bed) => {
    bed.config.linux.seccomp = { ...docker(), flags: ['SECCOMP_FILTER_FLAG_LOG'] };
    for (const nnp of [true, false]) {
      bed.config.process.noNewPrivileges = nnp;
      bed.write();
      const { stdout, stderr } = bed.runt(['explain', bed.bundle]);
      assert.is(stderr, '');
      assert.match(stdout, /seccomp +default ERRNO, \d+ rules for \d+ calls/);
      assert.match(stdout, nnp ? /right before the exec/ : /from here on/);
      assert.match(stdout, /\bLOG\b/);
      const line = (pattern: RegExp) => stdout.split('\n').findIndex((l) => pattern.test(l));
      assert.ok(line(/default ERRNO/) < line(/^ *\d+ +user /) !== nnp, stdout);
    }
  }),
);

test(
  'each refused value of a profile is named by its JSON pointer',
  onBed((bed) => {
    const fails = (seccomp: Seccomp, pointer: string, expected: RegExp) => {
      bed.config.linux.seccomp = seccomp;
      const r = bed.run();
      assert.is(r.code, 1, pointer);
      assert.match(r.stderr, new RegExp(`/linux/seccomp${pointer}( |$)`, 'm'));
      assert.match(r.stderr, expected, pointer);
    };
    const condition = { index: 0, op: 'SCMP_CMP_EQ', value: 1 };
    const withArgs = (...args: SeccompArg[]): Seccomp =>
      allowAll(deny('read'), deny('close'), { ...deny('dup'), args });
    // Refused by libseccomp.
    const x86 = 'SCMP_ARCH_X86_64';
    fails({ ...allowAll(deny('read')), architectures: [x86, 'SCMP_ARCH_SHEB'] }, '/architectures/1', /does not know/);
    fails({ ...allowAll(deny('read')), architectures: ['SCMP_ARCH_S390X'] }, '/architectures/0', /byte order/);
    fails(withArgs(...Array(65).fill(condition)), '/syscalls/2/args', /E2BIG[\s\S]*at most 64 conditions/);
    const calls = docker().syscalls!.flatMap((rule) => rule.names);
    const many = calls.slice(0, 250).map((name, value) => {
      const args = [0, 1, 2, 3, 4, 5].map((index) => ({ index, op: 'SCMP_CMP_EQ', value }));
      return { ...deny(name), args };
    });
    fails(allowAll(...many), '', /compile the seccomp profile: E2BIG[\s\S]*4096 instructions/);
    // Refused by the schema and the rules.
    fails({ defaultAction: 'SCMP_ACT_ALLOWED' }, '/defaultAction', /must be one of/);
    fails({ defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 4095 }, '/defaultErrnoRet', /at most 4094/);
    fails(allowAll(deny('read'), { names: ['dup'], action: 'SCMP_ACT_NO' }), '/syscalls/1/action', /must be one of/);
    fails(allowAll(deny('read'), { ...deny('dup'), errnoRet: 4095 }), '/syscalls/1/errnoRet', /at most 4094/);
    fails(allowAll(deny('read', '')), '/syscalls/0/names/1', /must name a system call/);
    fails(withArgs(condition, { ...condition, index: 6 }), '/syscalls/2/args/1/index', /at most 5/);
    fails(withArgs({ ...condition, op: 'SCMP_CMP_IS' }), '/syscalls/2/args/0/op', /must be one of/);
    const { op: _, ...without } = condition;
    fails(withArgs(without as SeccompArg), '/syscalls/2/args/0/op', /must be given/);
    assert.equal(kept(bed), []);
  }),
);

const kept = (bed: Bed): string[] => readdirSync(join(bed.root, '.seccomp')).sort();

test(
  'compiled programs are cached, verified and replaced',
  onBed((bed) => {
    bed.config.linux.seccomp = allowAll(deny('mkdir', 'mkdirat'));
    const denied = (): void => assert.match(bed.sh('mkdir /tmp/x').stderr, /not permitted/);
    denied();
    const dir = join(bed.root, '.seccomp');
    const [name] = kept(bed);
    assert.match(name!, /^[0-9a-f]{64}$/);
    assert.is(statSync(dir).mode & 0o777, 0o700);
    const path = join(dir, name!);
    const good = readFileSync(path);
    assert.is(statSync(path).mode & 0o777, 0o600);
    const { ino } = statSync(path);
    denied();
    assert.is(statSync(path).ino, ino, 'the kept one was used');
    assert.is(bed.runt(['list', '--quiet']).stdout, '', 'it is no container');
    for (const spoil of [
      () => writeFileSync(path, good.subarray(0, good.length - 8)),
      () => writeFileSync(path, Buffer.alloc(good.length)),
      () => writeFileSync(path, ''),
      () => writeFileSync(path, Buffer.concat([good, good, Buffer.alloc(70000)])),
      () => chmodSync(path, 0o644),
      () => chownSync(path, 1000, 1000),
    ]) {
      spoil();
      denied();
      assert.ok(readFileSync(path).equals(good), 'made anew');
      assert.is(statSync(path).mode & 0o777, 0o600);
      assert.is(statSync(path).uid, 0);
    }
    // A directory that others can write is not used at all.
    rmSync(path);
    chmodSync(dir, 0o770);
    denied();
    assert.equal(kept(bed), []);
    chmodSync(dir, 0o700);
    // A temporary file of a killed process does no harm.
    writeFileSync(`${path}.tmp`, '');
    denied();
    assert.equal(kept(bed), [name]);
    rmSync(dir, { recursive: true });
    writeFileSync(dir, '');
    denied();
    rmSync(dir);
  }),
);

test(
  'the oldest program is removed when there are more than 64',
  onBed((bed) => {
    const dir = join(bed.root, '.seccomp');
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    for (let i = 0; i < 70; i++) {
      const path = join(dir, String(i).padStart(64, '0'));
      writeFileSync(path, '', { mode: 0o600 });
      utimesSync(path, new Date(1000 * (i + 1)), new Date(1000 * (i + 1)));
    }
    bed.config.linux.seccomp = allowAll(deny('mkdir'));
    assert.is(bed.sh('true').code, 0);
    const names = kept(bed);
    assert.is(names.length, 64);
    assert.not.ok(names.includes(`${'0'.repeat(63)}6`));
    assert.ok(names.includes(`${'0'.repeat(63)}7`));
  }),
);

testBoth(testRunc, 'the Seccomp status and the results of calls equal those under runc', (bed) => {
  bed.config.root.readonly = false;
  const script =
    'grep -E "^(NoNew|Seccomp)" /proc/self/status; mkdir /x; echo $?; unshare -u true; echo $?; chmod 777 /tmp; echo $?';
  for (const seccomp of [docker(), allowAll(deny('mkdir', 'unshare'), { ...deny('chmod'), errnoRet: 28 })]) {
    bed.config.linux.seccomp = seccomp;
    bed.config.process.args = ['/bin/sh', '-c', script];
    bed.write();
    rmSync(join(bed.rootfs, 'x'), { recursive: true, force: true });
    const ours = bed.runt(['run', '--bundle', bed.bundle, bed.id]);
    rmSync(join(bed.rootfs, 'x'), { recursive: true, force: true });
    const theirs = bed.runt(['run', '--bundle', bed.bundle, bed.id], { program: 'runc' });
    assert.equal([ours.stdout, ours.stderr, ours.code], [theirs.stdout, theirs.stderr, theirs.code]);
    assert.match(ours.stdout, /Seccomp:\t2/);
  }
});

/** Starts test/integration/programs/agent.c, which responds with errno (0: continue); `lines` are its output so far. */
async function agent(bed: Bed, errno: number): Promise<{ path: string; lines: () => string[]; end: () => void }> {
  const path = join(bed.dir, 'agent.sock');
  rmSync(path, { force: true });
  const child = spawn(join(programs, 'agent'), [path, String(errno)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  child.stdout.on('data', (d) => {
    text += d;
  });
  const lines = () => text.split('\n').filter(Boolean);
  await eventually('the agent is ready', () => lines()[0] === 'ready');
  return { path, lines, end: () => void child.kill('SIGKILL') };
}

/** With an agent the test must not block its own event loop, in which the agent's lines are read. */
const exit = (bed: Bed, ...args: string[]) => {
  bed.write();
  return bed.spawn([...args]).exit;
};

testBoth(testAgent, 'an agent receives the listener and the container state, and decides each call', async (bed) => {
  for (const [errno, code] of [
    [0, 0],
    [13, 1],
  ] as const) {
    const a = await agent(bed, errno);
    try {
      bed.config.annotations = { 'org.example': 'yes' };
      bed.config.linux.seccomp = {
        ...allowAll(notify('mkdir', 'mkdirat')),
        listenerPath: a.path,
        listenerMetadata: 'meta "data"',
      };
      bed.config.process.args = ['/bin/mkdir', '/dev/shm/x'];
      const run = await exit(bed, 'run', '--bundle', bed.bundle, bed.id);
      assert.is(run.code, code, run.stderr);
      if (errno) assert.match(run.stderr, /Permission denied/);
      await eventually('lines', () => a.lines().length >= 3);
      const state = JSON.parse(a.lines()[1]!);
      assert.equal(state.fds, ['seccompFd']);
      assert.is(state.metadata, 'meta "data"');
      assert.ok(state.pid > 1);
      assert.equal(state.state, {
        ociVersion: bed.config.ociVersion,
        id: bed.id,
        status: 'creating',
        pid: state.pid,
        bundle: bed.bundle,
        annotations: { 'org.example': 'yes' },
      });
      assert.match(a.lines()[2]!, /^call \d+$/);
    } finally {
      a.end();
    }
  }
});

testBoth(testAgent, 'create and start work with an agent, and no helper process stays', async (bed) => {
  const a = await agent(bed, 0);
  try {
    bed.config.linux.seccomp = { ...allowAll(notify('mkdir', 'mkdirat')), listenerPath: a.path };
    bed.config.process.args = ['/bin/sh', '-c', 'mkdir /dev/shm/x && set -- /proc/[0-9]*; echo $#; echo $$'];
    const create = await exit(bed, 'create', '--bundle', bed.bundle, bed.id);
    assert.is(create.code, 0, create.stderr);
    const { pid } = bed.state();
    await eventually('the agent has written', () => a.lines().length > 1);
    assert.is(JSON.parse(a.lines()[1]!).pid, pid, 'at create');
    const start = await exit(bed, 'start', bed.id);
    assert.is(start.code, 0, start.stderr);
    await eventually('it has stopped', () => bed.state().status === 'stopped');
    assert.is(
      readFileSync(
        join(
          bed.dir,
          readdirSync(bed.dir)
            .filter((n) => n.endsWith('.out'))
            .sort()[0]!,
        ),
        'utf8',
      ),
      '1\n1\n',
    );
    assert.is(bed.delete().code, 0);
  } finally {
    a.end();
  }
});

testBoth(testAgent, 'a profile that notifies of the calls that send the listener does not deadlock', async (bed) => {
  const a = await agent(bed, 0);
  try {
    bed.config.linux.seccomp = {
      ...allowAll(notify('write', 'sendmsg', 'sendto', 'read', 'close', 'execve', 'recvmsg')),
      listenerPath: a.path,
      flags: [
        ...(missing('linux-5.19') ? [] : ['SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV']),
        'SECCOMP_FILTER_FLAG_TSYNC',
      ],
    };
    bed.config.process.args = ['/bin/echo', 'hello'];
    const run = await exit(bed, 'run', '--bundle', bed.bundle, bed.id);
    assert.is(run.code, 0, run.stderr);
    assert.is(run.stdout, 'hello\n');
    assert.is((await exit(bed, 'create', '--bundle', bed.bundle, bed.id)).code, 0);
    assert.is((await exit(bed, 'start', bed.id)).code, 0);
    await eventually('it has stopped', () => bed.state().status === 'stopped');
    assert.is(bed.delete().code, 0);
  } finally {
    a.end();
  }
});

testBoth(testAgent, 'a profile that notifies names the call of runt-init that it denies', async (bed, nnp) => {
  const a = await agent(bed, 0);
  try {
    bed.config.process.args = ['/true'];
    const remedy = nnp ? '' : ', or set process.noNewPrivileges';
    for (const call of ['read', 'accept4', 'getsockopt', 'close', 'clone', 'pipe2', 'openat', 'rt_sigaction']) {
      const { syscalls } = allowAll(notify('getpid'), deny(call));
      bed.config.linux.seccomp = { ...allowAll(...syscalls!), listenerPath: a.path };
      const create = await exit(bed, 'create', '--bundle', bed.bundle, bed.id);
      if (['read', 'accept4', 'getsockopt', 'close'].includes(call)) {
        assert.is(create.code, 1, call);
        assert.match(
          create.stderr,
          new RegExp(`wait for start.*EPERM[\\s\\S]*allow ${call} in linux.seccomp.syscalls${remedy}`),
        );
        continue;
      }
      assert.equal([create.code, create.stderr], [0, ''], call);
      assert.is((await exit(bed, 'start', bed.id)).code, 0, call);
      await eventually('it has stopped', () => bed.state().status === 'stopped');
      assert.is(bed.delete().code, 0);
    }
    // write(2) takes the place of sendto(2), and the other way round.
    for (const calls of [['sendto'], ['sendmsg'], ['write'], ['sendto', 'write']]) {
      bed.config.linux.seccomp = { ...allowAll(notify('getpid'), deny(...calls)), listenerPath: a.path };
      const create = await exit(bed, 'create', '--bundle', bed.bundle, bed.id);
      assert.is(create.code, calls.length === 2 ? 1 : 0, create.stderr);
      if (create.code === 0) assert.is((await exit(bed, 'start', bed.id)).code, 0);
      else assert.match(create.stderr, /wait for start.*EPERM[\s\S]*allow sendto in linux.seccomp.syscalls/);
      await eventually('it has stopped', () => create.code === 1 || bed.state().status === 'stopped');
      if (create.code === 0) assert.is(bed.delete().code, 0);
    }
    bed.config.linux.seccomp = { ...bare('SCMP_ACT_KILL_PROCESS'), listenerPath: a.path };
    bed.config.linux.seccomp.syscalls!.push(notify('getpid'));
    const killed = await exit(bed, 'run', '--bundle', bed.bundle, bed.id);
    assert.is(killed.code, 1);
    assert.match(
      killed.stderr,
      nnp ? /allow sendto, getsockopt, read, accept4, .* in linux.seccomp.syscalls: / : /set process.noNewPrivileges/,
    );
  } finally {
    a.end();
  }
});

testBoth(testAgent, 'without an agent nothing of the user runs, and nothing is left', async (bed) => {
  bed.config.root.readonly = false;
  bed.config.linux.seccomp = { ...allowAll(notify('mkdir')), listenerPath: join(bed.dir, 'no-agent.sock') };
  bed.config.process.args = ['/bin/touch', '/ran'];
  const run = bed.run();
  assert.is(run.code, 1);
  assert.match(run.stderr, /no-agent\.sock.*ENOENT[\s\S]*\/linux\/seccomp\/listenerPath/);
  assert.not.ok(existsSync(join(bed.rootfs, 'ran')));
  const create = bed.create();
  assert.is(create.code, 1);
  assert.match(create.stderr, /no-agent\.sock/);
  assert.not.ok(existsSync(join(bed.rootfs, 'ran')));
});

test.run();
testRunc.run();
testAgent.run();
