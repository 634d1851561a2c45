/**
 * A created container does not need its bundle: later changes of the bundle do not affect it (runtime.md#lifecycle).
 */
import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed, type Result } from '../bed/bed.js';

const test = needing('bundle gone', 'root');

/** Changes of a bundle after create. */
const changes: Record<string, (bed: Bed) => void> = {
  'a deleted bundle': (bed) => {
    // The root file system stays mounted, wherever its directory is.
    renameSync(bed.bundle, `${bed.dir}/elsewhere`);
  },
  'a deleted config.json': (bed) => rmSync(`${bed.bundle}/config.json`),
  'an invalid config.json': (bed) => writeFileSync(`${bed.bundle}/config.json`, '{'),
  'a config.json of another container': (bed) => {
    const { config } = bed;
    config.process = { ...config.process, cwd: '/tmp', env: ['PATH=/nowhere', 'WHO=other'], args: ['/none'] };
    config.process.user = { uid: 4242, gid: 4242 };
    config.hooks = { poststop: [{ path: '/bin/false' }] };
    config.linux.resources = { pids: { limit: 1 } };
    bed.write();
  },
};

function ok(r: Result, what: string): string {
  assert.is(r.code, 0, `${what}: ${r.stderr}`);
  return r.stdout;
}

for (const [name, change] of Object.entries(changes)) {
  test(
    `with ${name}, every later command works, and hooks run as configured at create`,
    onBed((bed) => {
      const [poststart, poststop] = [`${bed.dir}/poststart`, `${bed.dir}/poststop`];
      const writes = (path: string) => [{ path: '/bin/sh', args: ['sh', '-c', `echo ran >>${path}`] }];
      bed.config.hooks = { poststart: writes(poststart), poststop: writes(poststop) };
      bed.config.process.env.push('WHO=mine');
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.config.linux.resources = { ...bed.config.linux.resources, pids: { limit: 100 } };
      ok(bed.create(), 'create');
      change(bed);
      ok(bed.start(), 'start');
      assert.is(readFileSync(poststart, 'utf8'), 'ran\n');
      assert.is(ok(bed.runt(['exec', bed.id, 'sh', '-c', 'echo $WHO; pwd; id -u']), 'exec'), 'mine\n/\n0\n');
      const process = `${bed.dir}/process.json`;
      const args = ['/bin/sh', '-c', 'grep CapBnd /proc/self/status; ulimit -n'];
      writeFileSync(process, JSON.stringify({ user: { uid: 0, gid: 0 }, cwd: '/', args }));
      const merged = ok(bed.runt(['exec', '--process', process, bed.id]), 'exec --process');
      assert.is(merged, 'CapBnd:\t0000000020000420\n1024\n');
      const calls = [
        ['update', '--pids-limit', '77', bed.id],
        ['ps', bed.id],
        ['events', '--stats', bed.id],
        ['list'],
        ['pause', bed.id],
        ['resume', bed.id],
        ['kill', bed.id, 'KILL'],
      ];
      for (const call of calls) ok(bed.runt(call), call.join(' '));
      assert.is(bed.until('stopped').bundle, bed.bundle);
      ok(bed.delete(), 'delete');
      assert.is(readFileSync(poststop, 'utf8'), 'ran\n');
    }),
  );
}

test(
  "without a config in the state directory, exec reads the bundle's, and its error names a missing one",
  onBed((bed) => {
    bed.started();
    const kept = `${bed.root}/${bed.id}/config.json`;
    assert.is(statSync(kept).mode & 0o777, 0o600);
    assert.is(readFileSync(kept, 'utf8'), readFileSync(`${bed.bundle}/config.json`, 'utf8'));
    rmSync(kept);
    ok(bed.runt(['exec', bed.id, 'true']), 'exec');
    rmSync(`${bed.bundle}/config.json`);
    const r = bed.runt(['exec', bed.id, 'true']);
    assert.is(r.code, 255);
    assert.match(r.stderr, `${bed.bundle}/config.json`);
    ok(bed.delete('--force'), 'delete');
  }),
);

test(
  'the error of a program that cannot be executed refers to the config of create',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sh'];
    ok(bed.create(), 'create');
    rmSync(`${bed.rootfs}/bin/sh`);
    renameSync(bed.bundle, `${bed.dir}/elsewhere`);
    const r = bed.start();
    assert.is(r.code, 1);
    assert.match(r.stderr, /\/bin\/sh/);
    assert.match(r.stderr, /\/process\/args/);
    bed.delete('--force');
  }),
);

test.run();
