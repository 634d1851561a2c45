/** The commands under Node.js (dist/cli.js): one smoke test of each, on the real kernel. */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';

const test = needing('node host', 'root');
const program = resolve('dist/cli.js');

const node = (bed: Bed, ...args: string[]) => bed.runt(args, { program });

test(
  'create, state, list, start, kill and delete work',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'echo from the container; exec sleep 1000'];
    bed.write();
    const pidFile = join(bed.dir, 'pid');
    const made = node(bed, 'create', '--bundle', bed.bundle, '--pid-file', pidFile, bed.id);
    assert.is(made.code, 0, made.stderr);
    const created = JSON.parse(node(bed, 'state', bed.id).stdout);
    assert.is(created.status, 'created');
    assert.is(readFileSync(pidFile, 'utf8'), String(created.pid));
    assert.is(node(bed, 'list', '--quiet').stdout, `${bed.id}\n`);
    // The two hosts share their state: the static binary reads what Node.js wrote.
    assert.equal(bed.state(), created);
    assert.is(node(bed, 'start', bed.id).code, 0);
    assert.is(JSON.parse(node(bed, 'state', bed.id).stdout).status, 'running');
    const early = node(bed, 'delete', bed.id);
    assert.is(early.code, 1);
    assert.match(early.stderr, /cannot delete container .* that is not stopped: running/);
    assert.is(node(bed, 'kill', bed.id, 'KILL').code, 0);
    bed.until('stopped');
    assert.is(node(bed, 'delete', bed.id).code, 0);
    assert.not.ok(existsSync(join(bed.root, bed.id)));
  }),
);

test(
  'run prints the output and exits with the status of the process',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'cat; exit 7'];
    bed.write();
    const r = bed.runt(['run', '--bundle', bed.bundle, bed.id], { program, input: 'through\n' });
    assert.is(r.code, 7, r.stderr);
    assert.is(r.stdout, 'through\n');
  }),
);

test(
  'a failure has the same message in both hosts, and leaves nothing',
  onBed((bed) => {
    bed.config.mounts.push({ destination: '/x', type: 'tmpfs', source: 'tmpfs', options: ['size=nonsense'] });
    bed.write();
    const args = ['create', '--bundle', bed.bundle, bed.id];
    const [a, b] = [bed.runt(args, { program }), bed.runt(args)];
    assert.is(a.code, 1);
    assert.is(a.stderr, b.stderr);
    assert.match(a.stderr, /\/mounts\/7 in config\.json/);
  }),
);

test(
  'commands without a container print the same as the static binary',
  onBed((bed) => {
    bed.write();
    for (const args of [
      ['validate', bed.bundle],
      ['explain', bed.bundle],
      ['explain', '--format', 'json', bed.bundle],
      ['features'],
      ['--version'],
      ['--help'],
      ['create', '--help'],
    ]) {
      const [a, b] = [node(bed, ...args), bed.runt(args)];
      assert.is(a.code, 0, a.stderr);
      assert.is(a.stdout, b.stdout, args.join(' '));
      assert.ok(a.stdout.length > 0);
    }
    const r = bed.runt(['spec'], { program, cwd: bed.rootfs });
    assert.is(r.code, 0, r.stderr);
    assert.is(JSON.parse(readFileSync(join(bed.rootfs, 'config.json'), 'utf8')).ociVersion, '1.3.0');
  }),
);

test(
  'exec, pause, ps and resume work, and exec exits with the status of the process',
  onBed(async (bed) => {
    const pid = bed.started();
    const r = bed.runt(['exec', bed.id, 'sh', '-c', 'echo inside; exit 6'], { program });
    assert.equal([r.code, r.stdout, r.stderr], [6, 'inside\n', '']);
    assert.is(node(bed, 'exec', bed.id, 'missing').code, 255);
    assert.is(node(bed, 'pause', bed.id).code, 0);
    assert.is(bed.state().status, 'paused');
    assert.equal(JSON.parse(node(bed, 'ps', '-f', 'json', bed.id).stdout), [pid]);
    assert.is(node(bed, 'resume', bed.id).code, 0);
    assert.match(node(bed, 'ps', bed.id).stdout, new RegExp(`\\b${pid}\\b`));
    assert.is(node(bed, 'delete', '--force', bed.id).code, 0);
  }),
);

test.run();
