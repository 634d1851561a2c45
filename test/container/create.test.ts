/** `create`: what it makes, in which order, and what each failure leaves. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../src/container/create.js';
import { makeStateDir } from '../../src/container/state/claim-id.js';
import { loadRecord } from '../../src/container/state/state-store.js';
import { E } from '../../src/sys/errno.js';
import type { RuntError } from '../../src/sys/error.js';
import { SIGKILL, SIGSYS } from '../../src/sys/linux.js';
import { created, reports, type Step } from '../sys/fake-host/scripted-init.js';
import { BundleHost, config, failuresOf } from './launch/bundle-host.js';

const test = suite('create');

/** What exists after a successful create. */
const whole = ['process: runt/init', 'cgroup: web', 'state: web'];

/** A host on which runt-init performs these steps, with the error of a create on it. */
async function refused(steps: readonly Step[], spec = config()) {
  const host = new BundleHost(spec, steps);
  const error = await host.failure(() => create(host.options()));
  return { host, error, facts: [error?.code, error?.message] };
}

test('a created container has its record, its limits and its process in the cgroup, and waits for start', async () => {
  const host = new BundleHost();
  const { kernel } = host;
  await kernel.finish(create(host.options()));
  const { pid, status, cgroups, creator } = loadRecord(kernel.root, 'web');
  assert.equal(
    [pid, status, cgroups, creator],
    [host.init.process.pid, 'created', ['/sys/fs/cgroup/web'], undefined],
    'the record names no running create',
  );
  assert.is(kernel.tree.text('/sys/fs/cgroup/web/cgroup.procs'), `${pid}\n`);
  assert.is(kernel.tree.text('/sys/fs/cgroup/web/pids.max'), '100');
  assert.equal([...host.init.gos, ...host.warnings], [undefined], 'one go without a pid, after the record was written');
  assert.equal(host.left, whole);
  assert.equal(kernel.tree.list(`${kernel.root}/web`), ['config.json', 'plan-rest.json', 'start.sock', 'state.json']);
});

test('the record is written before the clone, the limits before the process continues, and the pid file last', async () => {
  const host = new BundleHost();
  await host.kernel.finish(create(host.options({ pidFile: '/b/pid' })));
  const steps = host.kernel.calls
    .map((call) => /^(?:replaceFile|writeFile|mkdirAt|spawnInit|unixListen|write|writeOnce)\(.*/.exec(call)?.[0])
    .filter((call) => call !== undefined && !call.includes('subtree_control'))
    .map((call) =>
      call
        ?.replace(host.kernel.root, '~')
        .replace(/, 0[xo].*|, \d.*/, '')
        .replace(/\(\d.*/, ''),
    );
  assert.equal(steps, [
    `mkdirAt(</run>, ${host.kernel.root.slice(5)}`,
    'mkdirAt(<~>, web',
    'replaceFile(<~/web>, state.json',
    'mkdirAt(AT_FDCWD, /sys/fs/cgroup/web',
    'unixListen(<~/web>, start.sock',
    'spawnInit',
    'write(<socket pair>',
    'writeOnce(</sys/fs/cgroup/web/pids.max>',
    'write(<socket pair>',
    'writeFile(<~/web>, config.json',
    'writeFile(<~/web>, plan-rest.json',
    'replaceFile(<~/web>, state.json',
    'write(<socket pair>',
    'replaceFile(AT_FDCWD, /b/pid',
  ]);
  assert.is(host.kernel.tree.text('/b/pid'), String(host.init.process.pid));
});

test('a failed call fails the create, which leaves nothing, except for the calls that have a fallback', async () => {
  const outcomes = await failuresOf(
    () => new BundleHost(),
    (host) => create(host.options({ pidFile: '/b/pid', trace: '/b/trace' })),
  );
  const survived = outcomes.filter(({ error }) => error === 'none');
  for (const { call, left } of outcomes) {
    assert.equal(left, survived.some((outcome) => outcome.call === call) ? whole : [], call);
  }
  assert.equal(
    survived.map(({ call }) => call.replace(/(\w+)\((?:AT_FDCWD, )?([^,]*).*/, '$1 $2')),
    [
      // Then the host counts as one with few mounts.
      'countMounts 256)',
      // Then each controller is enabled separately.
      'writeFile /sys/fs/cgroup/cgroup.subtree_control',
      'writeFile /sys/fs/cgroup/cgroup.subtree_control',
      // Then the process is moved into the cgroup.
      'openAt /sys/fs/cgroup/web',
      'spawnInit 0x20000000',
    ],
  );
  const errors = outcomes.map(({ call, error, message }) => `${call.replace(/\(.*/, '')}: ${error} ${message}`);
  for (const line of [
    'readFile: ERR_SPEC_READ read /b/config.json',
    'readFile: ERR_IO read /proc/self/uid_map',
    'mkdirAt: ERR_STATE make the state directory ~/web',
    'mkdirAt: ERR_CGROUP create web: make the cgroup /sys/fs/cgroup/web',
    'writeOnce: ERR_CGROUP create web: write "100" to /sys/fs/cgroup/web/pids.max',
    'attachDeviceFilter: ERR_CGROUP create web: attach a device filter to the cgroup /sys/fs/cgroup/web',
    'unixListen: ERR_STATE create web: bind the start socket ~/web/start.sock',
    'socketPair: ERR_NAMESPACE create web: start runt-init in new namespaces',
    'write: ERR_INIT send the plan to runt-init',
    'writeFile: ERR_STATE store the config in ~/web/config.json',
    'receiveFds: ERR_INIT read from runt-init',
    'replaceFile: ERR_STATE write the state ~/web/state.json',
    'write: ERR_INIT tell runt-init to continue',
    'replaceFile: ERR_IO create web: write the pid file /b/pid',
    'writeFile: ERR_IO create web: write the trace /b/trace',
  ]) {
    assert.ok(errors.includes(line), `${line}\nis not among\n${errors.join('\n')}`);
  }
});

test('an undo ends the process, then removes the cgroup, then the state', async () => {
  const { host } = await refused([(init) => init.report('error', { index: 9, errno: E.EACCES, syscall: 'mount' })]);
  assert.equal(
    host.kernel.calls
      .map((call) => call.replaceAll(host.kernel.root, '~'))
      .filter((call) => /^(?:pidfdSignal|waitPidfd|removeCgroup)|, state.json, 0x0\)|<~>, web, 0x200\)/.test(call))
      .map((call) => call.replace(/<pidfd \d+>, /, '')),
    [
      `pidfdSignal(${SIGKILL}) = 0`,
      'waitPidfd(16 bytes) = 1',
      'removeCgroup(/sys/fs/cgroup/web) = 0',
      'unlinkAt(<~/web>, state.json, 0x0) = 0',
      'unlinkAt(<~>, web, 0x200) = 0',
    ],
  );
  assert.equal(host.left, []);
});

test('create refuses an existing id and leaves that container unchanged', async () => {
  const host = new BundleHost();
  makeStateDir(host.kernel.root, 'web');
  const error = await host.failure(() => create(host.options()));
  assert.equal([error?.code, error?.message], ['ERR_CONTAINER_EXISTS', 'container with given ID already exists: web']);
  assert.equal([host.inits.length, ...host.left], [0, 'state: web']);
});

test('an operation that failed in runt-init is reported with its sentence, its errno and its pointer', async () => {
  const spec = config({ hostname: 'box', linux: { namespaces: [{ type: 'uts' }, { type: 'mount' }] } });
  let index = -1;
  const host = new BundleHost(spec, [
    (init) => init.report('error', { index, errno: E.EPERM, syscall: 'sethostname', detail: '' }),
  ]);
  index = host.indexOf('hostname');
  const error = await host.failure(() => create(host.options()));
  assert.equal(
    [error?.code, error?.message, error?.pointer, error?.value],
    ['ERR_HOSTNAME', 'create web: set the hostname box: EPERM (operation not permitted)', '/hostname', 'box'],
  );
  assert.equal(host.left, []);
});

test('a runt-init that fails before its first operation is reported with the failed call', async () => {
  const { facts, host } = await refused([
    reports('error', { index: 4294967295, errno: E.ENOMEM, syscall: 'mmap', detail: 'the plan' }),
  ]);
  assert.equal(facts, ['ERR_INIT', 'create web: start runt-init: mmap the plan: ENOMEM (cannot allocate memory)']);
  assert.equal(host.left, []);
});

test('a runt-init that ends without a report is reported with its end, and with the limit after an OOM kill', async () => {
  const exited = await refused([(init) => init.process.exit(3)]);
  assert.equal(exited.facts, [
    'ERR_INIT_DIED',
    'create web: runt-init exited with status 3 before the container was ready',
  ]);
  const killed = await refused([(init) => init.process.signal(SIGKILL)]);
  assert.match(killed.error?.message ?? '', /runt-init was killed by signal 9 before the container was ready/);
  assert.is(killed.error?.hint, 'look into dmesg: runt did not send the signal that killed it');
  const { linux } = config();
  const limited = config({ linux: { ...linux, resources: { memory: { limit: 4096 } } } });
  const full = await refused([(init) => init.process.signal(SIGKILL)], limited);
  assert.is(full.error?.pointer, '/linux/resources/memory/limit');
  assert.match(full.error?.hint ?? '', /raise memory.limit, which is 4096/);
  for (const { host } of [exited, killed, full]) assert.equal(host.left, []);
});

test("a failure by the container's seccomp filter is reported with the denied call, or the death by SIGSYS", async () => {
  const { linux } = config();
  const deny = { names: ['prctl'], action: 'SCMP_ACT_ERRNO' };
  const spec = config({ linux: { ...linux, seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [deny] } } });
  const fails = async (of: typeof spec, syscall: string): Promise<RuntError | undefined> => {
    const host = new BundleHost(of, [
      (init) => init.report('error', { index: host.indexOf('capabilities'), errno: E.EPERM, syscall }),
    ]);
    host.kernel.on('seccompVersion', () => 0);
    host.kernel.on('compileSeccomp', () => 8);
    return host.failure(() => create(host.options()));
  };
  const denied = await fails(spec, 'prctl');
  assert.equal([denied?.code, denied?.pointer], ['ERR_PRIVILEGE', '/linux/seccomp']);
  assert.match(denied?.hint ?? '', /^allow prctl in linux.seccomp.syscalls/);
  const others = [
    await fails(spec, 'capset'),
    await fails({ ...spec, process: { ...spec.process!, noNewPrivileges: true } }, 'prctl'),
  ];
  for (const error of others) {
    assert.match(error?.pointer ?? '', /^\/process/);
    assert.not.match(error?.hint ?? '', /own seccomp profile/);
  }
  const killed = async (of: typeof spec): Promise<RuntError | undefined> => {
    const host = new BundleHost(of, [(init) => init.process.signal(SIGSYS)]);
    host.kernel.on('seccompVersion', () => 0);
    host.kernel.on('compileSeccomp', () => 8);
    return host.failure(() => create(host.options()));
  };
  const own = await killed(spec);
  assert.equal([own?.code, own?.pointer], ['ERR_INIT_DIED', '/linux/seccomp']);
  assert.match(own?.hint ?? '', /a seccomp filter killed it, most likely the container's own/);
  const outer = await killed(config());
  assert.equal([outer?.pointer, outer?.hint?.slice(0, 39)], [undefined, 'allow the calls of runt-init in the sec']);
});

test('a killed process that does not end leaves the error as it is, and adds a warning of what remains', async () => {
  const host = new BundleHost(config(), [reports('error', { index: 9, errno: E.EACCES, syscall: 'mount' })]);
  host.kernel.on('pidfdSignal', () => 0);
  const error = await host.failure(() => create(host.options()));
  assert.is(error?.errno, E.EACCES);
  assert.equal(host.warnings, [
    `not all of web was removed: process ${host.init.process.pid} was killed and does not end ("delete --force web" removes the rest)`,
  ]);
  assert.equal(host.left, ['process: runt-init', 'cgroup: web', 'state: web']);
});

test('create refuses a cgroup that has processes, and leaves both', async () => {
  const host = new BundleHost();
  const { kernel } = host;
  const cgroup = kernel.tree.directory('/sys/fs/cgroup/web');
  const other = kernel.processes.add({ cgroups: [cgroup] });
  const error = await host.failure(() => create(host.options()));
  assert.is(error?.code, 'ERR_CGROUP_BUSY');
  assert.match(error?.hint ?? '', new RegExp(`^end process ${other.pid},`));
  assert.equal(host.left, ['cgroup: web'], 'the cgroup existed before');
  assert.not.ok(other.end);
});

test('create uses an existing empty cgroup', async () => {
  const host = new BundleHost();
  host.kernel.tree.directory('/sys/fs/cgroup/web');
  await host.kernel.finish(create(host.options()));
  assert.equal(host.left, whole);
});

test('create refuses a frozen cgroup, in which the process would not run', async () => {
  const host = new BundleHost();
  host.kernel.tree.directory('/sys/fs/cgroup/web');
  const { tree } = host.kernel;
  tree.at('/sys/fs/cgroup/web/cgroup.freeze')?.hooks.write?.('1');
  const error = await host.failure(() => create(host.options()));
  assert.is(error?.code, 'ERR_CGROUP');
  assert.match(error?.message ?? '', /container's cgroup unexpectedly frozen/);
  assert.equal(host.left, ['cgroup: web']);
});

test('without CLONE_INTO_CGROUP the process is moved into its cgroup', async () => {
  const host = new BundleHost();
  host.kernel.failAt('spawnInit', 1, E.EINVAL);
  await host.kernel.finish(create(host.options()));
  const moves = host.kernel.calls.filter((call) => call.includes('/web/cgroup.procs, 0x0'));
  assert.is(moves.length, 1);
  assert.is(host.kernel.tree.text('/sys/fs/cgroup/web/cgroup.procs'), `${host.init.process.pid}\n`);
});

test('a process that cannot be moved into its cgroup is killed', async () => {
  const host = new BundleHost();
  host.kernel.failAt('spawnInit', 1, E.EINVAL);
  host.kernel.tree.directory('/sys/fs/cgroup/web');
  const procs = host.kernel.tree.at('/sys/fs/cgroup/web/cgroup.procs');
  if (procs) procs.hooks = { ...procs.hooks, write: () => -E.EBUSY };
  const error = await host.failure(() => create(host.options()));
  assert.equal([error?.code, error?.errno, error?.path], ['ERR_NAMESPACE', E.EBUSY, '/sys/fs/cgroup/web/cgroup.procs']);
  assert.ok(host.init.process.end);
  assert.equal(host.left, ['cgroup: web'], 'the cgroup existed before');
});

test('create with the cgroup manager "disabled" makes no cgroup', async () => {
  const host = new BundleHost(config({ linux: { namespaces: [{ type: 'pid' }] } }));
  await host.kernel.finish(create(host.options({ cgroupManager: 'disabled' })));
  assert.equal(host.left, ['process: runt/init', 'state: web']);
  assert.equal(loadRecord(host.kernel.root, 'web').cgroups, []);
});

test('if the kernel refuses open_tree(2) to runt-init, the container is created again with mount(2)', async () => {
  let index = -1;
  const host = new BundleHost(config(), (n) =>
    n > 0 ? created : [(init) => init.report('error', { index, errno: E.ENOSYS, syscall: 'open_tree' })],
  );
  index = host.indexOf('rootfs');
  await host.kernel.finish(create(host.options()));
  assert.is(host.inits.length, 2);
  assert.ok(host.init.process.end);
  assert.equal(host.left, whole);
});

test('create accepts a config without a process', async () => {
  const { process: _, ...rest } = config();
  const host = new BundleHost(rest as ReturnType<typeof config>);
  await host.kernel.finish(create(host.options()));
  assert.equal(host.left, whole);
});

test('create refuses a terminal without a console socket, before it makes anything', async () => {
  const terminal = config({ process: { user: { uid: 0, gid: 0 }, args: ['sh'], cwd: '/', terminal: true } });
  const host = new BundleHost(terminal);
  const error = await host.failure(() => create(host.options()));
  assert.equal([error?.code, error?.pointer], ['ERR_TERMINAL', '/process/terminal']);
  const other = new BundleHost();
  const needless = await other.failure(() => create(other.options({ consoleSocket: '/b/console' })));
  assert.match(needless?.message ?? '', /cannot use console socket/);
  assert.equal([...host.left, ...other.left], []);
});

test('create refuses an id that is not a directory name, before it reads the config', async () => {
  const host = new BundleHost();
  const error = await host.failure(() => create(host.options({ id: '../web' })));
  assert.is(error?.code, 'ERR_CONTAINER_ID');
  assert.equal(host.kernel.names, []);
});

test.run();
