/** `restore`: what it makes around criu, in which order, and how it removes all of it after a failure. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { restore } from '../../../src/container/criu/restore.js';
import type { RestoreOptions } from '../../../src/container/criu/restore-options.js';
import { loadRecord } from '../../../src/container/state/state-store.js';
import { E } from '../../../src/sys/errno.js';
import { SIGKILL, SIGTERM } from '../../../src/sys/linux.js';
import type { FakeProcess } from '../../sys/fake-host/processes.js';
import { created } from '../../sys/fake-host/scripted-init.js';
import { scriptSupervisor } from '../../sys/fake-host/scripted-supervisor.js';
import { SocketEnd } from '../../sys/fake-host/sockets.js';
import { BundleHost, config, failuresOf } from '../launch/bundle-host.js';
import { installCriu, ScriptedCriu } from './scripted-criu.js';

const test = suite('restore');

/** The host of the running test, its criu processes, and the process that criu restores. */
let host: BundleHost;
let criu: ScriptedCriu[];
let restored: FakeProcess;

/** Restores a process in criu's cgroup, as a child of the runtime. */
const succeeds = async (peer: ScriptedCriu, later: (process: FakeProcess) => void = () => {}): Promise<void> => {
  const { processes } = host.kernel;
  restored = processes.add({ parent: processes.own.pid, cgroups: [...peer.process.cgroups.values()] });
  for (const script of ['setup-namespaces', 'post-restore']) {
    if (!(await peer.notify(script, restored.pid))) {
      restored.signal(SIGKILL);
      peer.send({ type: 2, success: false });
      return;
    }
  }
  peer.send({ type: 2, success: true, restore: { pid: restored.pid } });
  later(restored);
};

function on(
  perform: (peer: ScriptedCriu) => void | Promise<void> = (peer) => succeeds(peer),
  spec = config(),
): BundleHost {
  host = new BundleHost(spec, created);
  host.kernel.tree.file('/images/core-1.img');
  host.kernel.tree.file('/proc/1000/status', 'Umask:\t0022\n');
  criu = installCriu(host.kernel, perform);
  return host;
}

const options = (over: Partial<RestoreOptions> = {}): RestoreOptions => ({
  ...host.options(),
  imagePath: '/images',
  detach: true,
  noSubreaper: false,
  tcpEstablished: false,
  extUnixSk: false,
  shellJob: false,
  fileLocks: false,
  autoDedup: false,
  lazyPages: false,
  tcpClose: false,
  ...over,
});
const restoring = (over?: Partial<RestoreOptions>): Promise<number> => host.kernel.finish(restore(options(over)));
const left = (): string[] => host.left.filter((what) => what !== 'open: signalfd');

test('a detached restore creates the container, and criu has ended', async () => {
  on();
  assert.is(await restoring({ pidFile: '/b/pid' }), 0);
  const record = loadRecord(host.kernel.root, 'web');
  assert.equal([record.pid, record.status, record.creator], [restored.pid, 'created', undefined]);
  assert.is(host.kernel.tree.text('/b/pid'), String(restored.pid));
  assert.equal(left(), ['process: sleep', 'cgroup: web', 'state: web']);
  assert.is(host.kernel.tree.text('/sys/fs/cgroup/web/pids.max'), '100');
  assert.is(host.kernel.tree.text('/sys/fs/cgroup/web/cgroup.procs'), `${restored.pid}\n`);
  assert.equal(host.kernel.tree.list(`${host.kernel.root}/web`), ['config.json', 'state.json'], 'the mount is removed');
});

test('a root for criu that cannot be unmounted causes a warning', async () => {
  on();
  host.kernel.failAt('unmount', 1, E.EBUSY);
  assert.is(await restoring(), 0);
  const path = `${host.kernel.root}/web/criu-root`;
  assert.equal(host.warnings, [`restore web: unmount the root for criu, ${path}: EBUSY`]);
});

test('criu gets the root as a separate mount, and the original descriptors 0, 1 and 2', async () => {
  const spec = config({ mounts: [{ destination: '/data', type: 'bind', source: '/b/data', options: ['bind'] }] });
  let root: string[] | undefined;
  on(async (peer) => {
    root = host.kernel.tree.list(`${host.kernel.root}/web/criu-root`);
    await succeeds(peer);
  }, spec);
  host.kernel.tree.directory('/b/data');
  host.kernel.tree.file('/b/rootfs/etc/passwd');
  host.kernel.tree.file('/images/descriptors.json', '["pipe:[5]", "/dev/null", "pipe:[5]"]');
  await restoring();
  assert.equal(root, ['data', 'etc'], 'the mount point is made');
  const { options: asked } = criu.at(-1) ?? {};
  assert.is(asked?.root, `${host.kernel.root}/web/criu-root`);
  assert.equal(
    asked?.inherit_fd?.map(({ key, fd }) => `${key} ${fd}`),
    ['pipe:[5] 0'],
  );
});

test('a foreground restore returns the exit status and leaves nothing', async () => {
  on((peer) => succeeds(peer, (process) => host.kernel.clock.after(3000, () => process.exit(4))));
  assert.is(await restoring({ detach: false }), 4);
  assert.equal(
    left().filter((what) => !what.startsWith('open: pidfd')),
    [],
  );
});

test('SIGTERM during the work of criu ends restore, which leaves nothing', async () => {
  on(() => void host.kernel.clock.after(200, () => host.signal(SIGTERM)));
  const error = await host.failure(() => restore(options({ detach: false })));
  assert.equal([error?.code, error?.exit], ['ERR_INTERRUPTED', 128 + SIGTERM]);
  assert.ok(criu.at(-1)?.process.end);
  assert.equal(left(), []);
});

test('if criu fails, the error has the reason from its log, and nothing is left', async () => {
  on((peer) => {
    host.kernel.tree.file('/images/restore.log', '(0.1) Error (criu/files.c:1): no file /x\n');
    peer.send({ type: 2, success: false, cr_errno: E.ENOENT });
  });
  const error = await host.failure(() => restore(options()));
  assert.is(error?.message, 'restore web: criu failed: ENOENT (no such file or directory)');
  assert.match(error?.hint ?? '', /^read the log file \/images\/restore\.log: .*no file \/x/);
  assert.equal(left(), []);
});

test('if criu is killed after it made the process, that process is killed with the cgroup', async () => {
  on(async (peer) => {
    const { processes } = host.kernel;
    restored = processes.add({ parent: processes.own.pid, cgroups: [...peer.process.cgroups.values()] });
    await peer.notify('setup-namespaces', restored.pid);
    peer.process.signal(SIGKILL);
  });
  const error = await host.failure(() => restore(options()));
  assert.match(error?.message ?? '', /was killed by signal 9 before it had answered/);
  assert.ok(restored.end);
  assert.equal(
    left().filter((what) => !what.startsWith('zombie')),
    [],
  );
});

test('each failed call is an error that leaves nothing, or has a fallback', async () => {
  const outcomes = await failuresOf(
    () => on(),
    () => restore(options({ pidFile: '/b/pid' })),
  );
  const whole = ['process: sleep', 'cgroup: web', 'state: web'];
  const odd = outcomes
    .map(({ call, error, left: all }) => ({ call, error, all: all.filter((what) => !what.startsWith('zombie')) }))
    .filter(({ error, all }) => String(all) !== String(error === 'none' ? whole : []))
    .map(({ call, error, all }) => `${call}: ${error} ${all}`);
  assert.equal(odd, []);
  assert.equal(
    outcomes
      .filter(({ error }) => error === 'none')
      .map(({ call }) => call.replace(/^(\w+)\((?:AT_FDCWD, )?([^,)]*).*/, '$1 $2').replace(/\d+/, 'N')),
    [
      // Only a create has a mount namespace to copy.
      'countMounts N',
      // The other directories of PATH.
      'access /usr/local/sbin/criu',
      'access /usr/local/bin/criu',
      // After the response, the end of criu is polled for.
      'watch <pidfd N>',
      'watch <pidfd N>',
      'waitPidfd <pidfd N>',
      'writeFile /sys/fs/cgroup/cgroup.subtree_control',
      'writeFile /sys/fs/cgroup/cgroup.subtree_control',
      'openAt ~/web/criu-root',
      'watch <pidfd N>',
      'watch <pidfd N>',
      'waitPidfd <pidfd N>',
      // The state directory is removed without the contents of the mount in it.
      'unmount ~/web/criu-root',
      'unlinkAt ~/web/criu-root',
    ],
  );
});

test("prestart and createRuntime hooks run in criu's namespaces; a failed one ends the restore", async () => {
  for (const status of [0, 3]) {
    const log: string[] = [];
    const hooks = {
      prestart: [{ path: '/hooks/prestart' }],
      createRuntime: [{ path: '/hooks/createRuntime' }],
      poststop: [{ path: '/hooks/poststop' }],
    };
    on((peer) => succeeds(peer), config({ hooks }));
    for (const name of Object.keys(hooks)) {
      host.kernel.processes.programs.set(`/hooks/${name}`, ({ process, file }) => {
        const data = new Uint8Array(4096);
        const n = file(0)?.read(data) ?? 0;
        const state = JSON.parse(new TextDecoder().decode(data.subarray(0, n)));
        log.push(`${name} ${state.status} ${state.pid === restored.pid}`);
        process.exit(name === 'createRuntime' ? status : 0);
        return undefined;
      });
    }
    const error = await host.failure(() => restore(options()));
    const both = ['prestart creating true', 'createRuntime creating true'];
    assert.equal(log, status ? [...both, 'poststop stopped false'] : both);
    assert.is(error?.code, status ? 'ERR_HOOK' : undefined);
    if (status) assert.equal(criu.at(-1)?.replies, [false], 'criu does not continue');
  }
});

test('a supervised restore starts criu in the supervisor, which then watches the restored process', async () => {
  on();
  const supervisors = scriptSupervisor(host.kernel, [
    (init) => {
      const socket = init.files(3);
      if (!(socket instanceof SocketEnd)) throw new Error('criu has no socket');
      const plan = init.frame.filter((field) => field.startsWith('/usr/sbin/criu') || field === 'swrk');
      assert.equal(plan, ['/usr/sbin/criu', '/usr/sbin/criu', 'swrk']);
      criu.push(new ScriptedCriu(init.process, socket, (peer) => succeeds(peer), [3, 19]));
      init.execute('criu');
    },
  ]);
  assert.is(await restoring({ supervise: true }), 0);
  const [supervisor] = supervisors;
  assert.equal(
    supervisor?.requests.map(([kind, first, , third]) => [kind, kind?.includes('spawn') ? third : first].join(' ')),
    ['runt-spawn-1 successor', 'runt-adopt-2 init'],
  );
  const record = loadRecord(host.kernel.root, 'web');
  assert.equal([record.pid, record.supervisor?.pid], [restored.pid, supervisor?.process.pid]);
  assert.equal(
    left().filter((what) => !what.startsWith('open: pidfd')),
    ['process: supervisor', 'process: sleep', 'cgroup: web', 'state: web'],
  );
});

test('a supervised restore fails if criu cannot be executed, or if the supervisor refuses', async () => {
  for (const refuses of [false, true]) {
    on();
    const supervisors = scriptSupervisor(host.kernel, [
      (init) => {
        init.report('error', { index: 3, errno: E.ENOEXEC, syscall: 'execve', detail: '' });
        init.process.exit(1);
      },
    ]);
    host.kernel.before('initImage', 1, () => {
      if (refuses) supervisors[0]?.refuses.set('runt-spawn-1', E.EAGAIN);
    });
    const error = await host.failure(() => restore(options({ supervise: true })));
    assert.equal(
      [error?.code, error?.errno, error?.path],
      ['ERR_CRIU', refuses ? E.EAGAIN : E.ENOEXEC, '/usr/sbin/criu'],
    );
    assert.equal(left(), []);
  }
});

test('with --manage-cgroups-mode strict an existing cgroup is refused', async () => {
  on();
  host.kernel.tree.directory('/sys/fs/cgroup/web');
  const error = await host.failure(() => restore(options({ manageCgroupsMode: 'strict' })));
  assert.equal([error?.code, error?.path], ['ERR_CGROUP', '/sys/fs/cgroup/web']);
  assert.equal(left(), ['cgroup: web']);
});

test('restore refuses invalid requests before it makes anything', async () => {
  const refused = async (prepare: () => unknown, over: Partial<RestoreOptions> = {}): Promise<string> => {
    on();
    await prepare();
    const error = await host.failure(() => restore(options(over)));
    assert.equal(left(), []);
    return `${error?.code} ${error?.message}`;
  };
  const tree = () => host.kernel.tree;
  assert.match(await refused(() => {}, { imagePath: '/gone' }), /^ERR_CRIU .*--image-path, \/gone: ENOENT/);
  assert.match(await refused(() => {}, { imagePath: '/b/config.json' }), /^ERR_CRIU .*: ENOTDIR/);
  assert.match(
    await refused(() => tree().file('/images/descriptors.json', '{')),
    /^ERR_CRIU restore web: descriptors.json of the images is damaged/,
  );
  assert.match(
    await refused(() => installCriu(host.kernel, () => {}, [3, 15]), { lsmProfile: 'x' }),
    /^ERR_CRIU_VERSION/,
  );
  assert.match(await refused(() => {}, { consoleSocket: '/b/console' }), /^ERR_TERMINAL/);
  assert.match(await refused(() => {}, { id: '../x' }), /^ERR_CONTAINER_ID/);
});

test.run();
