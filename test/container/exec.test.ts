/** `exec`: an additional process in a container, its exit status, and what each failure leaves. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../src/container/create.js';
import { type ExecOptions, exec } from '../../src/container/exec.js';
import { loadRecord, removeStateDir } from '../../src/container/state/state-store.js';
import { saveRecord } from '../../src/container/state/stored-files.js';
import type { Spec } from '../../src/spec/config-types.js';
import { E } from '../../src/sys/errno.js';
import type { RuntError } from '../../src/sys/error.js';
import { SIGKILL, SIGTERM, SIGWINCH } from '../../src/sys/linux.js';
import { unshare } from '../sys/fake-host/namespaces.js';
import type { FakeProcess } from '../sys/fake-host/processes.js';
import { type Script, type ScriptedInit, type Step, scriptInit } from '../sys/fake-host/scripted-init.js';
import { BundleHost, config, failuresOf } from './launch/bundle-host.js';

const test = suite('exec');

/** The host of the running test. */
let host: BundleHost;
/** The container's first process. */
let first: FakeProcess;
/** The runt-init of each exec. */
let inits: ScriptedInit[];

/** A running container, without namespaces of its own unless some are named. */
async function running(script: Script, spec: Spec = config(), namespaces: Parameters<typeof unshare>[2][] = []) {
  host = new BundleHost(spec);
  const { kernel } = host;
  await kernel.finish(create(host.options()));
  first = host.init.process;
  first.name = 'sh';
  kernel.tree.at(`${kernel.root}/web`)?.entries?.delete('start.sock');
  unshare(kernel, first, ...namespaces);
  inits = scriptInit(kernel, script);
  kernel.calls.length = 0;
  return host;
}

/** runt-init gets ready, executes the process, and calls `later` after some time. */
const executedThen = (later: (process: FakeProcess) => void = () => {}): readonly Step[] => [
  // runt-init continues in a sibling in the container's cgroup, and in another in its pid namespace.
  (init) => init.goOn(0),
  (init) => init.goOn(0),
  (init) => init.report('created'),
  'go',
  (init) => {
    init.execute('ls');
    host.kernel.clock.after(500, () => later(init.process));
  },
];

const options = (over: Partial<ExecOptions> = {}): ExecOptions =>
  ({
    root: host.kernel.root,
    id: 'web',
    args: ['ls'],
    env: [],
    capabilities: [],
    additionalGids: [],
    terminal: false,
    detach: false,
    warn: (sentence) => void host.warnings.push(sentence),
    ...over,
  }) as ExecOptions;
const executing = (over?: Partial<ExecOptions>): Promise<number> => host.kernel.finish(exec(options(over)));

/** What remains of the container itself. */
const container = ['process: sh', 'cgroup: web', 'state: web'];
const left = (all = host.left): string[] => {
  const others = all.filter((what) => !/^open: signalfd/.test(what));
  for (const what of container) {
    const at = others.indexOf(what);
    if (at < 0) others.push(`no ${what}`);
    else others.splice(at, 1);
  }
  return others;
};

test('exec returns the exit status of the process and leaves the container unchanged', async () => {
  await running(executedThen((process) => process.exit(7)));
  const before = loadRecord(host.kernel.root, 'web');
  assert.is(await executing(), 7);
  assert.equal(left(), []);
  assert.equal(loadRecord(host.kernel.root, 'web'), before);
  assert.ok(inits[0]?.frame.includes('ls'), 'the plan has its arguments');
});

test('exec puts the process into the cgroup of the container', async () => {
  await running(executedThen((process) => process.exit(0)));
  let members = '';
  host.kernel.before('pidfdSignal', 1, () => {});
  const work = exec(options());
  host.kernel.clock.after(100, () => {
    members = host.kernel.tree.text('/sys/fs/cgroup/web/cgroup.procs');
  });
  await host.kernel.finish(work);
  assert.match(members, new RegExp(`^${first.pid}\n`));
});

test("exec enters the cgroup of the first process if the container's own was removed", async () => {
  await running(executedThen((process) => process.exit(0)));
  const { tree } = host.kernel;
  tree.directory('/sys/fs/cgroup/elsewhere');
  tree.at('/sys/fs/cgroup/elsewhere/cgroup.procs')?.hooks.write?.(String(first.pid));
  const own = tree.find(tree.root, '/sys/fs/cgroup/web', false);
  if (typeof own === 'number') throw new Error(`no cgroup: ${own}`);
  assert.is(tree.remove(own, true), 0);
  await executing();
  assert.ok(inits[0]?.frame.some((field) => field.startsWith('/sys/fs/cgroup/elsewhere')));
});

test('exec returns 128 + the signal that ended the process, and forwards signals', async () => {
  await running(
    executedThen((process) => {
      process.onSignal = (signal) => signal === SIGWINCH;
      host.signal(SIGWINCH);
      host.kernel.clock.after(100, () => host.signal(SIGTERM));
    }),
  );
  assert.is(await executing(), 128 + SIGTERM);
  assert.equal(first.signals, [], "the container's first process gets no signals");
});

test('exec --detach leaves the process running and writes its pid to the file', async () => {
  await running(executedThen());
  assert.is(await executing({ detach: true, pidFile: '/b/pid' }), 0);
  assert.is(host.kernel.tree.text('/b/pid'), String(inits[0]?.process.pid));
  assert.equal(left(), ['process: ls']);
});

test('an exec that joins namespaces continues in a sibling process, and waits for that one', async () => {
  await running(
    executedThen((process) => process.exit(5)),
    config(),
    ['pid', 'mnt'],
  );
  let joined: FakeProcess | undefined;
  host.kernel.before('receiveFds', 1, () => {
    joined = host.kernel.processes.list.find(({ name }) => name === 'runt-init');
  });
  assert.is(await executing({ pidFile: '/b/pid' }), 5);
  assert.is(host.kernel.tree.text('/b/pid'), String(inits[0]?.process.pid));
  assert.is.not(joined?.pid, inits[0]?.process.pid);
  assert.equal(left(), [], 'the process that joined is reaped');
});

test('a failed operation is an error that leaves nothing', async () => {
  await running([(init) => init.report('error', { index: 0, errno: E.EPERM, syscall: 'open' })]);
  const error = await host.failure(() => exec(options()));
  assert.is(error?.errno, E.EPERM);
  assert.match(error?.message ?? '', /^exec web: /);
  assert.equal(left(), []);
});

test('SIGTERM before the process is executed ends exec, which leaves nothing', async () => {
  await running([() => host.kernel.clock.after(200, () => host.signal(SIGTERM))]);
  const error = await host.failure(() => exec(options()));
  assert.equal([error?.code, error?.exit], ['ERR_INTERRUPTED', 128 + SIGTERM]);
  assert.ok(inits[0]?.process.end);
  assert.equal(left(), []);
});

test('exec refuses a container that is not running', async () => {
  await running(executedThen());
  const message = async (over?: Partial<ExecOptions>): Promise<string | undefined> =>
    (await host.failure(() => exec(options(over))))?.message;
  const { root, tree } = host.kernel;
  const record = loadRecord(root, 'web');
  saveRecord(root, { ...record, status: 'creating', pid: 0, startTime: '', creator: { pid: 1000, startTime: '2000' } });
  assert.is(await message(), 'cannot exec in a creating container: web');
  saveRecord(root, record);
  tree.at('/sys/fs/cgroup/web/cgroup.freeze')?.hooks.write?.('1');
  assert.is(await message(), 'cannot exec in a paused container (use --ignore-paused to override): web');
  tree.at('/sys/fs/cgroup/web/cgroup.freeze')?.hooks.write?.('0');
  first.signal(SIGKILL);
  assert.is(await message(), 'cannot exec in a stopped container: web');
  assert.is(await message({ id: 'other' }), 'container does not exist: other');
  assert.equal(inits.length, 0);
});

test('exec refuses a paused container, except with --ignore-paused', async () => {
  await running(executedThen());
  host.kernel.tree.at('/sys/fs/cgroup/web/cgroup.freeze')?.hooks.write?.('1');
  assert.is(await executing({ ignorePaused: true, detach: true }), 0);
});

test('if the container ends during exec, that is the error, whatever the kernel reports', async () => {
  await running([
    (init) => {
      first.signal(SIGKILL);
      init.report('error', { index: 0, errno: E.ESRCH, syscall: 'setns' });
    },
  ]);
  const error = await host.failure(() => exec(options()));
  assert.equal([error?.code, error?.message], ['ERR_CONTAINER_STATUS', 'cannot exec in a stopped container: web']);
  await running([
    (init) => {
      first.signal(SIGKILL);
      init.report('created');
    },
  ]);
  const late = await host.failure(() => exec(options()));
  assert.is(
    late?.message,
    'cannot exec in a stopped container: web',
    'the process is not executed after the end of the container',
  );
  assert.ok(inits[0]?.process.end);
});

test('after a delete before any call, exec reports that the container has ended or does not exist', async () => {
  const seen = new Set<string>();
  for (let n = 1; ; n++) {
    await running(executedThen((process) => process.exit(0)));
    const { kernel } = host;
    let isDeleted = false;
    kernel.before('*', n, () => {
      isDeleted = true;
      first.signal(SIGKILL);
      for (const init of inits) init.process.signal(SIGKILL);
      removeStateDir(kernel.root, 'web');
    });
    const error = await host.failure(() => exec(options()));
    if (!isDeleted) break;
    seen.add(error?.message.replace(/:.*/, '') ?? 'none');
  }
  assert.equal([...seen].sort(), ['cannot exec in a stopped container', 'container does not exist', 'none']);
});

test('a pause before any call of exec is an error about the paused container, or comes too late', async () => {
  const seen = new Set<string>();
  for (let n = 1; ; n++) {
    await running(executedThen((process) => process.exit(0)));
    let isFrozen = false;
    host.kernel.before('*', n, () => {
      isFrozen = true;
      host.kernel.tree.at('/sys/fs/cgroup/web/cgroup.freeze')?.hooks.write?.('1');
    });
    const error = await host.failure(() => exec(options()));
    if (!isFrozen) break;
    seen.add(error?.message ?? 'none');
  }
  const paused = 'cannot exec in a paused container (use --ignore-paused to override): web';
  assert.equal([...seen].sort(), [paused, 'none']);
});

test('until the process runs, each failed call is an error that leaves only the container', async () => {
  const outcomes = await failuresOf(
    () => running(executedThen((process) => process.exit(0))),
    () => exec(options({ pidFile: '/b/pid' })),
  );
  const executed = outcomes.findIndex(({ call }) => call.startsWith('replaceFile(AT_FDCWD, /b/pid'));
  const before = outcomes.slice(0, executed + 1);
  for (const { call, error, left: all } of before) {
    const others = left([...all]);
    // The sibling was not reported yet: it ends with its channel, and is reaped when this program ends.
    const unknown = /^(?:watch|receiveFds)\(<socket pair>|^waitPidfd/.test(call) ? ['zombie: runt-init'] : [];
    assert.equal(
      others.filter((what) => !unknown.includes(what)),
      [],
      `${call}: ${error}`,
    );
  }
  assert.equal(
    before.filter(({ error }) => error === 'none').map(({ call }) => call.replace(/, [1-9]\d*\)$/, ')')),
    [
      'watch(<signalfd>)',
      // Those that entered and joined: their end is polled for; a process of another parent is reaped by that.
      'watch(<pidfd 2002>)',
      'waitPidfd(<pidfd 2002>, 16 bytes)',
      'watch(<pidfd 2003>)',
      'waitPidfd(<pidfd 2003>, 16 bytes)',
      // Then /proc tells whether the container's process has ended.
      'isReadable(<pidfd 2001>)',
    ],
  );
});

test('--cgroup accepts an existing cgroup below that of the container', async () => {
  await running(executedThen());
  host.kernel.tree.directory('/sys/fs/cgroup/web/below');
  await executing({ detach: true, cgroups: ['/below/'] });
  assert.ok(inits[0]?.frame.some((field) => field.startsWith('/sys/fs/cgroup/web/below')));
  const why = async (...cgroups: readonly string[]): Promise<string> => {
    const error = await host.failure(() => exec(options({ cgroups })));
    assert.is(error?.code, 'ERR_CGROUP_PATH');
    return error?.message ?? '';
  };
  assert.is(await why('gone'), 'exec: --cgroup "/gone": there is no cgroup /sys/fs/cgroup/web/gone');
  assert.is(await why('a/../../b'), 'exec: --cgroup "a/../../b": bad sub cgroup path: it has ".." in it');
  assert.is(await why('cpu,:a'), 'exec: --cgroup "cpu,:a": a controller has no name');
  assert.is(await why('a', 'b'), 'exec: --cgroup "b": two paths are given');
  assert.is(await why('cpu:a', 'cpu:b'), 'exec: --cgroup "cpu:b": cpu has two paths');
  assert.is(await why('cpu:below'), 'exec: --cgroup "cpu": the container has no v1 cgroup with this controller');
});

test('--process reads a document that is checked as the process of a config.json', async () => {
  await running(executedThen());
  const { tree } = host.kernel;
  tree.file(
    '/b/process.json',
    JSON.stringify({ args: ['date'], cwd: '/tmp', user: { uid: 5, gid: 6 }, capabilities: { bounding: ['CAP_ODD'] } }),
  );
  await executing({ detach: true, process: '/b/process.json', args: [] });
  assert.ok(inits[0]?.frame.includes('date') && inits[0].frame.includes('/tmp'));
  assert.is(host.warnings.length, 1);
  assert.match(host.warnings[0] ?? '', /^\/b\/process\.json: \/capabilities\/bounding\/0/);
  tree.file('/b/process.json', '{"args": [');
  const syntax = await host.failure(() => exec(options({ process: '/b/process.json', args: [] })));
  assert.is(syntax?.code, 'ERR_SPEC_JSON');
  tree.file('/b/process.json', JSON.stringify({ args: ['date'], cwd: 'tmp' }));
  const relative = await host.failure(() => exec(options({ process: '/b/process.json', args: [] })));
  assert.equal([relative?.code, relative?.violations?.[0]?.pointer], ['ERR_SPEC_INVALID', '/cwd']);
  const gone = await host.failure(() => exec(options({ process: '/b/gone', args: [] })));
  assert.equal(
    [gone?.code, gone?.message],
    ['ERR_SPEC_READ', 'exec: read /b/gone: ENOENT (no such file or directory)'],
  );
});

test('--cap leaves out an unknown capability, with a warning', async () => {
  await running(executedThen());
  await executing({ detach: true, capabilities: ['CAP_SYS_ADMINN'] });
  assert.equal(host.warnings, [
    'exec web: --cap CAP_SYS_ADMINN is not a capability: it is left out; did you mean "CAP_SYS_ADMIN"?',
  ]);
});

test('--cap ignores an empty name, and warns once about a repeated one', async () => {
  await running(executedThen());
  await executing({ detach: true, capabilities: ['', 'CAP_ODD', 'CAP_ODD', ''] });
  assert.is(host.warnings.length, 1);
  assert.match(host.warnings[0] ?? '', /^exec web: --cap CAP_ODD is not a capability/);
});

test('an error about a value of the command line names the command line as its document', async () => {
  let index = -1;
  await running([(init) => init.report('error', { index, errno: E.ENOENT, syscall: 'execve', detail: 'ls' })]);
  // The last operation of the plan is the execve.
  let error: RuntError | undefined;
  for (index = 24; !error || error.code === 'ERR_INIT'; index--) error = await host.failure(() => exec(options()));
  assert.equal([error.code, error.pointer, error.document], ['ERR_EXEC', '/process/args', 'the command line']);
  assert.not.match(error.hint ?? '', /process\.args/);
});

test('exec looks for the cgroup again if the container moves its processes meanwhile', async () => {
  await running(executedThen());
  host.kernel.failAt('openAt', 2, E.ENOENT);
  const error = await host.failure(() => exec(options({ detach: true })));
  assert.is(error, undefined);
  assert.equal(left(), ['process: ls']);
});

test('exec --detach with a terminal needs a console socket', async () => {
  await running(executedThen());
  const error = await host.failure(() => exec(options({ terminal: true, detach: true })));
  assert.match(error?.message ?? '', /^exec web: cannot allocate tty if runt will detach/);
  assert.is(inits.length, 0);
});

test.run();
