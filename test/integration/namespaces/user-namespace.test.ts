/** User namespaces: mappings made by root, and rootless containers of an ordinary user. */
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { hasEnded } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed, type Result } from '../bed/bed.js';
import { runAsRootOfANamespace } from '../bed/callers.js';
import type { Config } from '../bed/config.js';
import { withUserNamespace } from '../bed/config.js';
import { runtPath } from '../bed/place.js';

const test = needing('user-namespace', 'root');

test(
  'root inside is the mapped id outside',
  onBed(async (bed) => {
    withUserNamespace(bed.config);
    const pid = bed.started(['/bin/sh', '-c', 'id -u; cat /proc/self/uid_map; echo .; exec sleep 1000']);
    // `start` returns when the shell begins.
    await eventually('all that it prints', () => bed.stdout().endsWith('.\n'));
    assert.equal(bed.stdout().trim().split(/\s+/), ['0', '0', '100000', '65536', '.']);
    assert.is(statSync(`/proc/${pid}`).uid, 100000);
    assert.match(readFileSync(`/proc/${pid}/gid_map`, 'utf8'), /^\s+0\s+100000\s+65536$/m);
    bed.delete('--force');
  }),
);

test(
  'a mapped user with groups can use the devices',
  onBed((bed) => {
    withUserNamespace(bed.config);
    bed.config.process.user = { uid: 1000, gid: 1000, additionalGids: [5] };
    assert.is(
      bed.out('id -u; id -g; id -G; echo x >/dev/null && echo ok; head -c 2 /dev/zero | wc -c'),
      '1000\n1000\n1000 5\nok\n2\n',
    );
  }),
);

test(
  'a source that only the caller can open is bind-mounted',
  onBed((bed) => {
    const closed = join(bed.dir, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    mkdirSync(join(closed, 'data'));
    writeFileSync(join(closed, 'data', 'f'), 'inner\n');
    withUserNamespace(bed.config);
    mkdirSync(join(bed.rootfs, 'data'));
    bed.config.mounts.push({ destination: '/data', source: join(closed, 'data'), options: ['bind', 'ro'] });
    assert.is(bed.out('cat /data/f'), 'inner\n');
  }),
);

test(
  'mappings without a user namespace, and a user namespace without mappings, are refused',
  onBed((bed) => {
    bed.config.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 10 }];
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /uidMappings/);
    delete bed.config.linux.uidMappings;
    bed.config.linux.namespaces.push({ type: 'user' });
    assert.is(bed.run().code, 1);
  }),
);

test(
  'root of a user namespace maps any of its ids without a helper, and sets groups',
  onBed(async (bed) => {
    bed.config.linux.resources = {};
    bed.config.linux.namespaces.push({ type: 'user' });
    // The mappings of podman's --userns=keep-id.
    const mappings = [
      { containerID: 0, hostID: 1, size: 1000 },
      { containerID: 1000, hostID: 0, size: 1 },
      { containerID: 1001, hostID: 1001, size: 64535 },
    ];
    bed.config.linux.uidMappings = mappings;
    bed.config.linux.gidMappings = mappings;
    bed.config.process.user = { uid: 1000, gid: 1000, additionalGids: [5] };
    bed.config.process.args = ['/bin/sh', '-c', 'id -u; id -G; tr -s " " </proc/self/uid_map'];
    const r = await runAsRootOfANamespace(bed);
    assert.equal([r.code, r.stderr, r.stdout], [0, '', '1000\n1000 5\n 0 1 1000\n 1000 0 1\n 1001 1001 64535\n']);
  }),
);

/** Whether ordinary users may make user namespaces here. */
function rootlessAllowed(): boolean {
  try {
    execFileSync('setpriv', ['--reuid', '1000', '--regid', '1000', '--clear-groups', 'unshare', '-U', 'true'], {
      stdio: 'ignore',
    });
    return true;
  } catch {
    return false;
  }
}

const user = { uid: 1000, gid: 1000 };

/**
 * Gives the bed to user 1000, with a config of `runt spec --rootless` and a copy of the program that the user can
 * reach.
 */
function rootless(bed: Bed): (...args: string[]) => Result {
  for (const path of [bed.dir, bed.bundle]) chownSync(path, 1000, 1000);
  const program = join(bed.dir, 'runt');
  execFileSync('cp', [runtPath, program]);
  rmSync(join(bed.bundle, 'config.json'), { force: true });
  const call = (...args: string[]) =>
    bed.runt(args, { ...user, program, env: { PATH: process.env.PATH ?? '', XDG_RUNTIME_DIR: bed.dir } });
  const spec = call('spec', '--rootless', '--bundle', bed.bundle);
  assert.is(spec.code, 0, spec.stderr);
  bed.config = JSON.parse(readFileSync(join(bed.bundle, 'config.json'), 'utf8')) as Config;
  bed.config.process.terminal = false;
  return call;
}

if (rootlessAllowed()) {
  test(
    'rootless: run works',
    onBed((bed) => {
      const call = rootless(bed);
      bed.config.process.args = [
        '/bin/sh',
        '-c',
        'id -u; echo x >/dev/null; ls /dev/null; hostname; ls -d /proc/[0-9]* | head -1',
      ];
      bed.write();
      const r = call('run', '--bundle', bed.bundle, bed.id);
      assert.is(r.code, 0, r.stderr);
      assert.equal(r.stdout.split('\n'), ['0', '/dev/null', bed.config.hostname, '/proc/1', '']);
    }),
  );

  test(
    'rootless: create, state, start, kill and delete work',
    onBed((bed) => {
      const call = rootless(bed);
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.write();
      for (const args of [
        ['create', '--bundle', bed.bundle, bed.id],
        ['start', bed.id],
      ]) {
        const r = call(...args);
        assert.is(r.code, 0, r.stderr);
      }
      const state = JSON.parse(call('state', bed.id).stdout);
      assert.is(state.status, 'running');
      assert.is(statSync(`/proc/${state.pid}`).uid, 1000);
      assert.is(call('delete', '--force', bed.id).code, 0);
      assert.not.ok(existsSync(join(bed.root, bed.id)));
    }),
  );

  test(
    "rootless: root is refused a user's container, and must switch to the user's ids to start, kill and delete it",
    onBed(async (bed) => {
      const call = rootless(bed);
      bed.config.process.args = ['/bin/sh', '-c', 'id -u; exec sleep 1000'];
      bed.write();
      assert.is(call('create', '--bundle', bed.bundle, bed.id).code, 0);
      for (const args of [['start'], ['kill'], ['delete', '--force']]) {
        const r = bed.runt([...args, bed.id]);
        assert.is(r.code, 1, args[0]);
        assert.match(r.stderr, /it belongs to user 1000, and runt runs as user 0\n {2}fix .*sudo -u '#1000' runt/);
      }
      const wrapped = ['setpriv', '--reuid', '1000', '--regid', '1000', '--clear-groups'];
      for (const args of [['start'], ['kill', bed.id, 'KILL'], ['delete', '--force']]) {
        const r = bed.runt(args.length > 1 && args[0] === 'kill' ? args : [...args, bed.id], { wrapped });
        assert.equal([r.code, r.stderr], [0, ''], args[0]);
      }
    }),
  );

  test(
    'rootless: exec has the requested user, stdio, status and pid file, and a terminal',
    onBed(async (bed) => {
      const call = rootless(bed);
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.write();
      assert.is(call('create', '--bundle', bed.bundle, bed.id).code, 0);
      assert.is(call('start', bed.id).code, 0);
      const script = 'id -u; id -g; hostname; cat /proc/1/comm; pwd; echo $X; grep CapEff /proc/self/status; exit 7';
      const r = call('exec', '--cwd', '/tmp', '-e', 'X=y', bed.id, '/bin/sh', '-c', script);
      assert.is(r.code, 7, r.stderr);
      assert.match(r.stdout, new RegExp(`^0\n0\n${bed.config.hostname}\nsleep\n/tmp\ny\nCapEff:\t[0-9a-f]+\n$`));
      const pidFile = join(bed.dir, 'pid');
      assert.is(call('exec', '-d', '--pid-file', pidFile, bed.id, '/bin/sleep', '1000').code, 0);
      const pid = Number(readFileSync(pidFile, 'utf8'));
      assert.is(statSync(`/proc/${pid}`).uid, 1000);
      const first = (JSON.parse(call('state', bed.id).stdout) as { pid: number }).pid;
      for (const ns of ['user', 'mnt', 'pid', 'uts', 'ipc'])
        assert.is(readlinkSync(`/proc/${pid}/ns/${ns}`), readlinkSync(`/proc/${first}/ns/${ns}`), ns);
      const other = call('exec', '-u', '5', bed.id, '/bin/id', '-u');
      assert.is(other.code, 255);
      assert.match(other.stderr, /become user 5:/);
      assert.is(call('delete', '--force', bed.id).code, 0);
      assert.ok(hasEnded(pid));
    }),
  );

  test(
    "rootless: mapping another id than the user's own is refused with the cause",
    onBed((bed) => {
      const call = rootless(bed);
      bed.config.linux.uidMappings = [{ containerID: 0, hostID: 54321, size: 1 }];
      bed.config.process.args = ['/true'];
      bed.write();
      const r = call('run', '--bundle', bed.bundle, bed.id);
      assert.is(r.code, 1);
      assert.match(r.stderr, /uidMappings|newuidmap|subuid/);
    }),
  );
}

test.run();
