/** `run`: executes the process at once; in the foreground it forwards signals and returns the exit status. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { RunOptions } from '../../src/container/launch/container-options.js';
import { run } from '../../src/container/run.js';
import { loadRecord } from '../../src/container/state/state-store.js';
import { E } from '../../src/sys/errno.js';
import { SIGKILL, SIGTERM, SIGWINCH } from '../../src/sys/linux.js';
import { executed, reports, type Script, type ScriptedInit, type Step } from '../sys/fake-host/scripted-init.js';
import { BundleHost, config, failuresOf } from './launch/bundle-host.js';

const test = suite('run');

/** Executes the process, and calls `later` after some time. */
const executedThen = (later: (init: ScriptedInit) => void): readonly Step[] => [
  ...executed,
  (init) => host.kernel.clock.after(500, () => later(init)),
];
const exits = (status: number): readonly Step[] => executedThen(({ process }) => process.exit(status));

/** The host of the running test. */
let host: BundleHost;

function on(script: Script, spec = config()): BundleHost {
  host = new BundleHost(spec, script);
  return host;
}

const options = (over: Partial<RunOptions> = {}): RunOptions => ({
  ...host.options(over),
  detach: false,
  keep: false,
  noSubreaper: false,
  ...over,
});
const running = (over?: Partial<RunOptions>): Promise<number> => host.kernel.finish(run(options(over)));

/** Without the signalfd and the pidfd of the process, which the command closes when it ends. */
const isTheirs = (what: string): boolean => !/^open: (?:signalfd|pidfd)/.test(what);
const left = (): string[] => host.left.filter(isTheirs);

test('a foreground run returns the exit status and leaves nothing', async () => {
  on(exits(7));
  assert.is(await running(), 7);
  assert.equal(left(), []);
  assert.equal(host.warnings, []);
});

test('a foreground run returns 128 + the signal that ended the process', async () => {
  on(executedThen(({ process }) => process.signal(SIGKILL)));
  assert.is(await running(), 128 + SIGKILL);
  assert.equal(left(), []);
});

test('a foreground run with --keep leaves the stopped container', async () => {
  on(exits(0));
  assert.is(await running({ keep: true }), 0);
  assert.equal(left(), ['cgroup: web', 'state: web']);
});

test('a foreground run forwards signals to the process', async () => {
  on(
    executedThen((init) => {
      init.process.onSignal = (signal) => signal === SIGWINCH;
      host.signal(SIGWINCH);
      host.kernel.clock.after(100, () => host.signal(SIGTERM));
    }),
  );
  assert.is(await running(), 128 + SIGTERM);
  assert.equal(host.init.process.signals, [SIGWINCH, SIGTERM]);
});

test('run --detach returns while the process runs', async () => {
  on(executed);
  assert.is(await running({ detach: true, pidFile: '/b/pid' }), 0);
  const { pid } = host.init.process;
  assert.equal(left(), ['process: sh', 'cgroup: web', 'state: web']);
  assert.equal([loadRecord(host.kernel.root, 'web').pid, host.kernel.tree.text('/b/pid')], [pid, String(pid)]);
});

test('SIGTERM during the creation ends run, which leaves nothing', async () => {
  on([() => host.kernel.clock.after(200, () => host.signal(SIGTERM))]);
  const error = await host.failure(() => run(options()));
  assert.equal(
    [error?.code, error?.message, error?.exit],
    ['ERR_INTERRUPTED', 'run web: ended by SIGTERM before the start was complete', 128 + SIGTERM],
  );
  assert.ok(host.init.process.end);
  assert.equal(left(), []);
});

test('a signal that arrives before the process exists is forwarded later', async () => {
  on([
    () =>
      host.kernel.clock.after(200, () => {
        host.signal(SIGWINCH);
        host.kernel.clock.after(200, () => host.init.report('created'));
      }),
    'go',
    (init) => init.execute(),
    (init) => host.kernel.clock.after(500, () => init.process.exit(0)),
  ]);
  assert.is(await running(), 0);
  assert.equal(host.init.process.signals, [SIGWINCH]);
});

test('a process that cannot be executed is an error that leaves nothing', async () => {
  let index = -1;
  on([
    reports('created'),
    'go',
    reports('exec'),
    (init) => init.report('error', { index, errno: E.ENOEXEC, syscall: 'execve', detail: '/bin/sh' }),
  ]);
  index = host.indexOf('exec', 'run');
  const error = await host.failure(() => run(options()));
  assert.equal([error?.code, error?.errno, error?.pointer], ['ERR_EXEC', E.ENOEXEC, '/process/args']);
  assert.equal(left(), []);
});

test('run fails if runt-init is killed between the go and the execve', async () => {
  on([reports('created'), 'go', ({ process }) => process.signal(SIGKILL)]);
  const error = await host.failure(() => run(options()));
  assert.equal(
    [error?.code, error?.message],
    ['ERR_INIT_DIED', 'run web: runt-init was killed by signal 9 before the container was ready'],
  );
  assert.equal(left(), []);
});

test('run refuses a config without a process', async () => {
  const { process: _, ...rest } = config();
  on(executed, rest as ReturnType<typeof config>);
  const error = await host.failure(() => run(options()));
  assert.equal([error?.code, error?.pointer], ['ERR_SPEC_INVALID', '/process']);
  assert.equal(left(), []);
});

test('a foreground run is a subreaper, unless --no-subreaper is used', async () => {
  on(exits(0));
  await running();
  assert.ok(host.kernel.names.includes('setSubreaper'));
  on(exits(0));
  await running({ noSubreaper: true });
  assert.not.ok(host.kernel.names.includes('setSubreaper'));
});

test('until the process runs, each failed call is an error that leaves nothing', async () => {
  const outcomes = await failuresOf(
    () => on(exits(0)),
    () => run(options({ pidFile: '/b/pid' })),
  );
  const short = ({ call, error }: { call: string; error: string }) => `${call.replace(/\(.*/, '')}: ${error}`;
  const last = outcomes.findIndex(({ call }) => call.startsWith('replaceFile(AT_FDCWD, /b/pid'));
  for (const { call, error, left } of outcomes.slice(0, last + 1)) {
    assert.equal(left.filter(isTheirs), [], `${call}: ${error}`);
  }
  // From here on it is removed if run cannot wait for it, and stays, for `delete`, if run cannot remove it.
  assert.equal(
    outcomes.slice(last + 1).map((o) => [short(o), ...o.left.filter(isTheirs)].join(', ')),
    [
      'watch: ERR_IO',
      'watch: ERR_IO',
      // Without one of these it waits itself, or does not reap orphans.
      'pidfdSignal: none',
      'openAt: none',
      'signalFd: none',
      'reapOrphans: none',
      'watch: ERR_IO',
      'watch: ERR_IO',
      'watch: ERR_IO',
      // Then it is not a child of this process, and its parent reads its status.
      'waitPidfd: none, zombie: sh',
      'removeCgroup: ERR_CGROUP, cgroup: web, state: web',
      'openDirectory: ERR_STATE, state: web',
      'stat: ERR_STATE, state: web',
      'flock: none',
      'unlinkAt: none',
      'unlinkAt: none',
      'unlinkAt: none',
      'unlinkAt: none',
      'unlinkAt: ERR_STATE, state: web',
    ],
  );
});

test('prestart and createRuntime hooks run before the process, poststart after it, poststop at the end', async () => {
  const log: string[] = [];
  const hook = (name: string) => ({ path: `/hooks/${name}` });
  const hooks = {
    prestart: [hook('prestart')],
    createRuntime: [hook('createRuntime')],
    poststart: [hook('poststart')],
    poststop: [hook('poststop')],
  };
  on(
    [
      reports('hooks'),
      'go',
      reports('created'),
      'go',
      (init) => {
        log.push(`execve after go with ${init.gos[0] === init.process.pid ? 'its pid' : init.gos[0]}`);
        init.execute();
        host.kernel.clock.after(500, () => init.process.exit(0));
      },
    ],
    config({ hooks }),
  );
  for (const name of Object.keys(hooks)) {
    host.kernel.processes.programs.set(`/hooks/${name}`, ({ process, file }) => {
      const data = new Uint8Array(4096);
      const n = file(0)?.read(data) ?? 0;
      log.push(`${name} ${JSON.parse(new TextDecoder().decode(data.subarray(0, n))).status}`);
      process.exit(0);
      return undefined;
    });
  }
  assert.is(await running(), 0);
  assert.equal(log, [
    'prestart creating',
    'createRuntime creating',
    'execve after go with its pid',
    'poststart running',
    'poststop stopped',
  ]);
  assert.equal(left(), []);
});

test('a failed hook ends the container, whose poststop hooks still run', async () => {
  for (const name of ['createRuntime', 'poststart'] as const) {
    const hooks = { [name]: [{ path: '/hooks/bad' }], poststop: [{ path: '/hooks/poststop' }] };
    on(
      name === 'poststart'
        ? executed
        : [reports('hooks'), 'go', () => assert.unreachable('runt-init got a go after the hook had failed')],
      config({ hooks }),
    );
    let stopped = 0;
    host.kernel.processes.programs.set('/hooks/bad', ({ process }) => {
      process.exit(3);
      return undefined;
    });
    host.kernel.processes.programs.set('/hooks/poststop', ({ process }) => {
      stopped++;
      process.exit(0);
      return undefined;
    });
    const error = await host.failure(() => run(options()));
    assert.is(error?.code, 'ERR_HOOK');
    assert.match(
      error?.message ?? '',
      new RegExp(`^run web: error running ${name} hook #0: /hooks/bad: exit status 3`),
    );
    assert.is(stopped, 1, name);
    assert.ok(host.init.process.end);
    assert.equal(left(), []);
  }
});

test.run();
