/** The examples of the help, which a shell runs on a container: each prints or changes what its purpose says. */
import { spawnSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { CommandName } from '../../../src/cli/command-syntax.js';
import { commandExamples } from '../../../src/cli/help/command-examples.js';
import { COMMAND_LIMIT } from '../../deadline.js';
import { type Bed, needing, ok, onBed } from '../bed/bed.js';
import { runtPath } from '../bed/place.js';

const test = needing('help examples', 'root', 'cgroups', 'bash');

/** Runs an example with the paths and the ID of a bed; its standard output. */
function runExample(bed: Bed, name: CommandName, index = 0): string {
  const bin = join(bed.dir, 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(bin, 'runt'), `#!/bin/sh\nexec ${runtPath} --root ${bed.root} "$@"\n`);
  chmodSync(join(bin, 'runt'), 0o755);
  const line = commandExamples[name]
    [index]!.line.replaceAll('/srv/web', bed.bundle)
    .replaceAll('/run/web.pid', join(bed.dir, 'web.pid'))
    .replaceAll(/(?<= )web(?= |$)/g, bed.id);
  // Files, because a container keeps its standard output open.
  const [out, err] = [join(bed.dir, 'example.out'), join(bed.dir, 'example.err')];
  const [stdout, stderr] = [openSync(out, 'w'), openSync(err, 'w')];
  const { status } = spawnSync('bash', ['-c', line], {
    cwd: bed.dir,
    env: { PATH: `${bin}:/usr/sbin:/usr/bin:/sbin:/bin`, HOME: bed.dir },
    stdio: ['ignore', stdout, stderr],
    timeout: COMMAND_LIMIT,
  });
  closeSync(stdout);
  closeSync(stderr);
  assert.equal([status, readFileSync(err, 'utf8')], [0, ''], line);
  return readFileSync(out, 'utf8');
}

test(
  'the life of a container',
  onBed((bed) => {
    const run = (name: CommandName, index?: number) => runExample(bed, name, index);
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    assert.is(run('validate'), 'valid\n');
    assert.match(run('explain'), '/process/args');
    run('create', 1);
    run('start');
    assert.is(JSON.parse(run('state')).status, 'running');
    for (const index of [0, 1]) assert.match(run('list', index), bed.id);
    assert.match(run('ps'), 'sleep 1000');
    assert.match(run('ps', 1), /^ *PID USER +COMMAND\n.*sleep 1000\n$/);
    assert.equal(JSON.parse(run('ps', 2)), [bed.state().pid]);
    assert.match(run('exec', 1), /uid=1000.* gid=1000/);
    assert.match(run('debug'), `container ${bed.id}: running`);
    run('debug', 1);
    assert.is(JSON.parse(readFileSync(join(bed.dir, 'web.json'), 'utf8')).id, bed.id);
    for (const index of [1, 2]) run('update', index);
    assert.is(JSON.parse(run('events', 1)).type, 'stats');
    run('pause');
    assert.is(bed.state().status, 'paused');
    run('resume');
    assert.is(bed.state().status, 'running');
    run('kill', 1);
    assert.is(run('wait'), '137\n');
    run('delete');
  }),
);

test(
  'a container in the background',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    runExample(bed, 'run', 1);
    assert.is(readFileSync(join(bed.dir, 'web.pid'), 'utf8'), String(bed.state().pid));
    runExample(bed, 'delete', 1);
  }),
);

test(
  'a config',
  onBed((bed) => {
    runExample(bed, 'spec');
    assert.is(JSON.parse(runExample(bed, 'validate', 1)).valid, true);
    mkdirSync(join(bed.dir, 'bundle', 'rootfs'), { recursive: true });
    runExample(bed, 'spec', 2);
    ok(bed.runt(['validate', bed.bundle]));
  }),
);

test(
  'runt itself',
  onBed((bed) => {
    assert.match(runExample(bed, 'version'), /^runt version /);
    assert.ok(JSON.parse(runExample(bed, 'features')).linux);
    for (const index of [0, 1]) assert.match(runExample(bed, 'help', index), 'Usage:');
    assert.is(runExample(bed, 'completion'), '');
    mkdirSync(join(bed.dir, '.config', 'fish', 'completions'), { recursive: true });
    runExample(bed, 'completion', 1);
  }),
);

test.run();
