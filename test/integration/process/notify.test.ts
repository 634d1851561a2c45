/** sd_notify(3): run and start forward the process's messages to the service manager, as runc does. */
import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { asUser, me } from '../bed/callers.js';
import { withUserNamespace } from '../bed/config.js';
import { addUnixProgram, type Listener, listen } from '../bed/unix.js';

const test = needing('sd_notify', 'root', 'programs');

const PATH = process.env.PATH ?? '';
const socket = '/run/notify/notify.sock';
/** Sends that it is ready, in two messages, and continues. */
const ready = ['/bin/sh', '-c', `/unix send ${socket} STATUS=x; /unix send ${socket} "READY=1"; exec sleep 1000`];

/** A bed with the program inside and a manager outside, which ends with the bed. */
const withManager = (body: (bed: Bed, manager: Listener) => Promise<void>, address?: (bed: Bed) => string) =>
  onBed(async (bed) => {
    addUnixProgram(bed);
    bed.config.process.args = ready;
    const manager = await listen(bed, 'datagrams', address?.(bed));
    try {
      await body(bed, manager);
    } finally {
      manager.end();
      bed.delete('--force');
    }
  });

const env = (manager: Listener) => ({ PATH, NOTIFY_SOCKET: manager.path });

test(
  "create makes the directory, and start waits for READY and forwards it with the container's pid",
  withManager(async (bed, manager) => {
    const created = bed.create([], { env: env(manager) });
    assert.is(created.code, 0, created.stderr);
    const { pid } = bed.state();
    const r = await bed.spawn(['start', bed.id], { env: env(manager) }).exit;
    assert.is(r.code, 0, r.stderr);
    await eventually('the barrier', () => manager.lines().includes('BARRIER=1'));
    assert.equal(manager.lines(), ['READY=1', `MAINPID=${pid}`, 'BARRIER=1']);
    assert.is(bed.state().status, 'running');
  }),
);

test(
  'start returns and sends nothing if the process ends without READY',
  withManager(async (bed, manager) => {
    bed.config.process.args = ['/true'];
    bed.create([], { env: env(manager) });
    const r = await bed.spawn(['start', bed.id], { env: env(manager) }).exit;
    assert.is(r.code, 0, r.stderr);
    assert.equal(manager.lines(), []);
  }),
);

test(
  'a message sent right before the end is forwarded',
  withManager(async (bed, manager) => {
    bed.config.process.args = ['/unix', 'send', socket, 'READY=1'];
    bed.write();
    const run = await bed.spawn(['run', '--bundle', bed.bundle, bed.id], { env: env(manager) }).exit;
    assert.is(run.code, 0, run.stderr);
    await eventually('READY=1', () => manager.lines().includes('READY=1'));
  }),
);

test(
  'start does not wait if it or create ran without NOTIFY_SOCKET',
  withManager(async (bed, manager) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.create([], { env: env(manager) });
    assert.is((await bed.spawn(['start', bed.id], {}).exit).code, 0);
    bed.delete('--force');
    bed.create();
    assert.is((await bed.spawn(['start', bed.id], { env: env(manager) }).exit).code, 0);
    assert.equal(manager.lines(), []);
  }),
);

test(
  'run -d waits too, and an abstract address works',
  withManager(
    async (bed, manager) => {
      bed.write();
      const r = await bed.spawn(['run', '-d', '--bundle', bed.bundle, bed.id], { env: env(manager) }).exit;
      assert.is(r.code, 0, r.stderr);
      await eventually('the barrier', () => manager.lines().includes('BARRIER=1'));
      assert.equal(manager.lines(), ['READY=1', `MAINPID=${bed.state().pid}`, 'BARRIER=1']);
    },
    (bed) => `@runt-test-${bed.id}`,
  ),
);

test(
  'in the foreground runt is the main process, and the sender never blocks',
  withManager(async (bed, manager) => {
    const many = `i=0; while [ $i -lt 40 ]; do /unix send ${socket} STATUS=$i; i=$((i+1)); done`;
    bed.config.process.args = ['/bin/sh', '-c', `/unix send ${socket} READY=1; ${many}; echo done; exec sleep 1000`];
    bed.write();
    const run = bed.spawn(['run', '--bundle', bed.bundle, bed.id], { env: env(manager) });
    await eventually('all is sent', () => run.stdout() === 'done\n');
    assert.equal(manager.lines(), ['READY=1', `MAINPID=${run.child.pid}`, 'BARRIER=1']);
    await bed.spawn(['kill', bed.id, 'KILL']).exit;
    const r = await run.exit;
    assert.is(r.code, 137);
    assert.is(r.stderr, '');
  }),
);

test(
  'a user in a user namespace sees the socket in a read-only mount, and NOTIFY_SOCKET once',
  withManager(async (bed, manager) => {
    withUserNamespace(bed.config);
    // The container's root cannot make it: the files belong to the host's root.
    mkdirSync(join(bed.rootfs, 'run', 'notify'), { recursive: true });
    bed.config.process.user = { uid: 1000, gid: 1000 };
    bed.config.process.env.push('NOTIFY_SOCKET=/wrong');
    const look = `env | grep ^NOTIFY; grep -c " /run/notify ro,nosuid,nodev,noexec" /proc/self/mountinfo`;
    bed.config.process.args = ['/bin/sh', '-c', `${look}; exec /unix send "$NOTIFY_SOCKET" READY=1`];
    bed.write();
    const r = await bed.spawn(['run', '--bundle', bed.bundle, bed.id], { env: env(manager) }).exit;
    assert.is(r.stdout, `NOTIFY_SOCKET=${socket}\n1\n`, r.stderr);
    await eventually('READY=1', () => manager.lines().includes('READY=1'));
  }),
);

const rootless = needing('notify, rootless', 'root', 'programs', 'newuidmap', 'setpriv', 'mount', 'unshare');
for (const [what, hostID] of [
  ["the user's own id", me],
  ['another id', 100000],
] as const) {
  rootless(
    `an ordinary user's container with ${what} as its root can send READY`,
    withManager(async (bed, manager) => {
      const args = ['run', '--bundle', bed.bundle, bed.id];
      asUser(bed);
      bed.config.linux.uidMappings = [{ containerID: 0, hostID, size: 1 }];
      bed.config.linux.gidMappings = [{ containerID: 0, hostID, size: 1 }];
      mkdirSync(join(bed.rootfs, 'run', 'notify'), { recursive: true });
      bed.config.process.args = ['/unix', 'send', socket, 'READY=1'];
      bed.write();
      chmodSync(manager.path, 0o777);
      const mine = { ...env(manager), XDG_RUNTIME_DIR: bed.dir };
      const r = await bed.spawn(args, { program: join(bed.dir, 'as-user'), env: mine }).exit;
      assert.is(r.code, 0, r.stderr);
      await eventually('READY=1', () => manager.lines().includes('READY=1'));
    }),
  );
}

test(
  'without NOTIFY_SOCKET there is neither a mount nor a directory',
  withManager(async (bed) => {
    bed.config.process.env.push('NOTIFY_SOCKET=/own');
    bed.config.process.args = ['/bin/sh', '-c', 'echo $NOTIFY_SOCKET; grep -c notify /proc/self/mountinfo'];
    bed.write();
    const r = await bed.spawn(['run', '--bundle', bed.bundle, bed.id]).exit;
    assert.is(r.stdout, '/own\n0\n');
    bed.create();
    assert.not(existsSync(join(bed.root, bed.id, 'notify')));
  }),
);

test(
  'the error of start names a NOTIFY_SOCKET without a listener',
  withManager(async (bed) => {
    const none = { PATH, NOTIFY_SOCKET: join(bed.dir, 'none') };
    bed.create([], { env: none });
    assert.is(statSync(join(bed.root, bed.id, 'notify')).mode & 0o777, 0o755);
    const r = await bed.spawn(['start', bed.id], { env: none }).exit;
    assert.is(r.code, 1);
    assert.match(r.stderr, /tell .*\/none that the container is ready: ENOENT/);
  }),
);

test.run();
rootless.run();
