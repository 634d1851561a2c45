/**
 * Peers that listen but accept nothing: every socket that runt connects to has a deadline, and the error names the
 * flag.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { E } from '../../../src/sys/errno.js';
import { native } from '../../../src/sys/host.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { type Bed, needing, onBed, type Result } from '../bed/bed.js';
import { fullListener } from '../bed/full-listener.js';
import { runtPath } from '../bed/place.js';
import { addUnixProgram } from '../bed/unix.js';

useNodeHost([]);

const test = needing('sockets that accept nothing', 'root', 'programs', 'mount', 'unshare');

/** ms; runt gives up after 10 s. */
const LIMIT = 60_000;

/** Like fullListener, for datagrams. */
async function fullOfDatagrams(bed: Bed, name: string, body: (path: string) => Promise<void>): Promise<void> {
  const dir = native.openAt(-100, bed.dir, 0, 0);
  const path = join(bed.dir, name);
  const open = [dir, native.datagramBind(dir, name, 0o700), native.datagramConnect(path)];
  try {
    for (;;) {
      const sent = native.send(open[2]!, new Uint8Array([1]));
      if (sent === -E.EAGAIN) break;
      assert.is(sent, 1);
    }
    await body(path);
  } finally {
    for (const fd of open) native.close(fd);
  }
}

function refused(r: Result, ...named: RegExp[]): void {
  assert.ok(r.code === 1 || r.code === 255, `${r.code} ${r.signal}: ${r.stderr}`);
  for (const name of [/ETIMEDOUT/, ...named]) assert.match(r.stderr, name);
}

const spawned = (bed: Bed, args: readonly string[], env?: Record<string, string>) =>
  bed.spawn(args, { timeout: LIMIT, ...(env && { env }) }).exit;

test(
  'create, run and exec give up on a --console-socket that accepts nothing, and leave no container',
  onBed((bed) =>
    fullListener(bed, 'console', async (path) => {
      bed.started();
      bed.config.process.terminal = true;
      bed.write();
      const flag = ['--console-socket', path];
      const ids = [`${bed.id}-a`, `${bed.id}-b`] as const;
      const ended = await Promise.all([
        spawned(bed, ['create', '--bundle', bed.bundle, ...flag, ids[0]]),
        spawned(bed, ['run', '--detach', '--bundle', bed.bundle, ...flag, ids[1]]),
        spawned(bed, ['exec', '--detach', '--tty', ...flag, bed.id, '/bin/true']),
      ]);
      for (const r of ended) refused(r, /--console-socket/, /accepts no connection/);
      for (const id of ids) assert.match(bed.runt(['state', id]).stderr, /does not exist/);
      assert.is(bed.state().status, 'running');
      bed.delete('--force');
    }),
  ),
);

test(
  'create and exec give up on a --pidfd-socket that accepts nothing',
  onBed((bed) =>
    fullListener(bed, 'pidfd', async (path) => {
      bed.started();
      const flag = ['--pidfd-socket', path];
      const other = `${bed.id}-a`;
      const ended = await Promise.all([
        spawned(bed, ['create', '--bundle', bed.bundle, ...flag, other]),
        spawned(bed, ['exec', ...flag, bed.id, '/bin/true']),
      ]);
      for (const r of ended) refused(r, /--pidfd-socket/);
      assert.match(bed.runt(['state', other]).stderr, /does not exist/);
      bed.delete('--force');
    }),
  ),
);

test(
  'SIGTERM ends a command that waits for a --pidfd-socket',
  onBed((bed) =>
    fullListener(bed, 'pidfd', async (path) => {
      bed.write();
      const command = bed.spawn(['create', '--bundle', bed.bundle, '--pidfd-socket', path, bed.id], { timeout: LIMIT });
      const end = Date.now() + LIMIT;
      while (!bed.runt(['state', bed.id]).stdout.includes('"creating"')) assert.ok(Date.now() < end, 'never begun');
      command.child.kill('SIGTERM');
      assert.is((await command.exit).signal, 'SIGTERM');
      bed.delete('--force');
    }),
  ),
);

test(
  'run gives up on a seccomp agent that accepts nothing, and names listenerPath',
  onBed((bed) =>
    fullListener(bed, 'agent', async (path) => {
      const syscalls = [{ names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' }];
      bed.config.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW', listenerPath: path, syscalls };
      bed.config.process.args = ['/bin/true'];
      bed.write();
      const r = await spawned(bed, ['run', '--bundle', bed.bundle, bed.id]);
      refused(r, /\/linux\/seccomp\/listenerPath|seccomp listener to the agent/, /accepts no connection/);
      assert.match(bed.runt(['state', bed.id]).stderr, /does not exist/);
    }),
  ),
);

test(
  'start gives up on a NOTIFY_SOCKET whose queue stays full',
  onBed((bed) =>
    fullOfDatagrams(bed, 'notify', async (path) => {
      addUnixProgram(bed);
      const socket = '/run/notify/notify.sock';
      bed.config.process.args = ['/bin/sh', '-c', `/unix send ${socket} "READY=1"; exec sleep 1000`];
      const env = { PATH: process.env.PATH ?? '', NOTIFY_SOCKET: path };
      const created = bed.create([], { env });
      assert.is(created.code, 0, created.stderr);
      const r = await spawned(bed, ['start', bed.id], env);
      assert.match(r.stderr, /NOTIFY_SOCKET/);
      assert.match(r.stderr, /ETIMEDOUT/);
      assert.is(bed.state().status, 'running');
      bed.delete('--force');
    }),
  ),
);

test(
  'a command works without its log if the queue of journald stays full',
  onBed((bed) =>
    fullOfDatagrams(bed, 'socket', async () => {
      bed.started();
      const script = `mount -t tmpfs -o mode=755 run /run && mkdir -p /run/systemd/journal &&
mount --bind "$2" /run/systemd/journal && exec "$1" --log journald:x --debug --root "$3" kill "$4" KILL`;
      const args = ['--mount', '--propagation', 'private', '/bin/sh', '-c', script];
      const r = spawnSync('unshare', [...args, 'sh', runtPath, bed.dir, bed.root, bed.id], {
        encoding: 'utf8',
        timeout: LIMIT,
        killSignal: 'SIGKILL',
      });
      assert.equal([r.status, r.signal], [0, null], r.stderr);
      assert.match(r.stderr, /the log journald:x was not written: ETIMEDOUT/);
      bed.until('stopped');
      bed.delete();
    }),
  ),
);

test(
  'a second shim gives up on the socket of a shim that accepts nothing, and does not replace it',
  onBed(async (bed) => {
    const { claimSocket } = await import('../../../src/shim/transport/server-socket.js');
    await fullListener(bed, 'shim', async (path) => {
      const inode = statSync(path).ino;
      const dir = native.openAt(-100, bed.dir, 0, 0);
      try {
        const error = await claimSocket(dir, 'shim', path).catch((e: { errno?: number }) => e);
        assert.is((error as { errno?: number }).errno, E.ETIMEDOUT);
        assert.is(statSync(path).ino, inode, 'it is still there');
      } finally {
        native.close(dir);
      }
    });
    // A socket that cannot be connected to for another reason is not replaced either.
    mkdirSync(join(bed.dir, 'd'));
    writeFileSync(join(bed.dir, 'd', 'file'), '');
    const dir = native.openAt(-100, join(bed.dir, 'd'), 0, 0);
    const error = await claimSocket(dir, 'file', 'file').catch((e: Error) => e);
    native.close(dir);
    assert.match(String(error), /is not a socket/);
    assert.ok(statSync(join(bed.dir, 'd', 'file')).isFile());
  }),
);

test.run();
