/** A FIFO as the file of a flag: without its other end it is an error, and no wait; with it, it works. */
import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, ok, onBed } from '../bed/bed.js';

const test = needing('FIFOs', 'root');

/** ms; a command that waits for ever is killed then. */
const timeout = 20_000;

function fifoOf(bed: Bed): string {
  const path = join(bed.dir, 'fifo');
  execFileSync('mkfifo', [path]);
  return path;
}

test(
  'no command waits for the other end of a FIFO that a flag names',
  onBed((bed) => {
    const fifo = fifoOf(bed);
    bed.started();
    const { bundle, id } = bed;
    const fresh = ['--bundle', join(bed.dir, 'new')];
    for (const args of [
      ['spec', '--env-file', fifo, ...fresh],
      ['spec', '--seccomp', fifo, ...fresh],
      ['validate', fifo],
      ['explain', '--config', fifo, bundle],
      ['create', '--config', fifo, '--bundle', bundle, `${id}-new`],
      ['run', '--config', fifo, '--bundle', bundle, `${id}-new`],
      ['run', '--trace', fifo, '--bundle', bundle, `${id}-new`],
      ['exec', '--process', fifo, id],
      ['exec', '--trace', fifo, id, '/bin/true'],
      ['update', '--resources', fifo, id],
      ['bundle', fifo, join(bed.dir, 'new')],
      ['--log', fifo, 'state', id],
    ]) {
      const r = bed.runt(args, { timeout });
      assert.ok(r.code !== 0, args.join(' '));
      assert.match(r.stderr, /ENXIO|regular file/, args.join(' '));
    }
    assert.is(bed.runt(['list', '-q']).stdout, `${id}\n`);
    ok(bed.delete('--force'));
  }),
);

test(
  'a network list that is a FIFO is refused when it is used',
  onBed((bed) => {
    const fifo = fifoOf(bed);
    ok(bed.runt(['spec', '--net', `cni:${fifo}`, '--bundle', join(bed.dir, 'new'), '--rootfs', bed.rootfs]));
    const r = bed.runt(['run', '--bundle', join(bed.dir, 'new'), bed.id], { timeout });
    assert.not.equal(r.code, 0);
    assert.match(r.stderr, /ENXIO/);
  }),
);

test(
  'what a program writes to a FIFO is read to its end, also if it is slow to open or to write it',
  onBed(async (bed) => {
    const fifo = fifoOf(bed);
    bed.write();
    const config = join(bed.bundle, 'config.json');
    const script = `sleep 0.3; exec >"$2"; sleep 0.3; head -c 100 "$1"; sleep 0.3; tail -c +101 "$1"`;
    const writer = spawn('sh', ['-c', script, 'sh', config, fifo], { stdio: 'ignore' });
    const ended = new Promise((settle) => writer.on('exit', settle));
    assert.is(bed.runt(['validate', fifo], { timeout }).code, 0);
    await ended;
    const log = join(bed.dir, 'log');
    const reader = spawn('sh', ['-c', 'exec cat "$1" >"$2"', 'sh', fifo, log], { stdio: 'ignore' });
    const read = new Promise((settle) => reader.on('exit', settle));
    let r = bed.runt(['--log', fifo, 'state', 'nobody'], { timeout });
    // The reader may not have opened it yet.
    for (let tries = 0; tries < 50 && r.stderr.includes('ENXIO'); tries++)
      r = bed.runt(['--log', fifo, 'state', 'nobody'], { timeout });
    await read;
    assert.match(readFileSync(log, 'utf8'), /container does not exist/);
  }),
);

test.run();
