/** pause, resume and ps: the freezer and the processes of a container's cgroups. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { elapse } from '../../deadline.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';

const test = needing('pause', 'root');
const compared = needing('ps beside runc', 'root', 'runc');

/** Counts in a file that the container shares with the test. */
const counting = ['/bin/sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i > /tmp/count; done'];

function counter(bed: Bed): () => number {
  bed.config.mounts.push({ destination: '/tmp', type: 'bind', source: bed.dir, options: ['bind', 'rw'] });
  return () => Number(existsSync(join(bed.dir, 'count')) && readFileSync(join(bed.dir, 'count'), 'utf8'));
}

const remove = (bed: Bed): void => {
  const r = bed.delete('--force');
  assert.is(r.code, 0, r.stderr);
};

test(
  'a paused container makes no progress, has status "paused", and continues after resume',
  onBed(async (bed) => {
    const count = counter(bed);
    bed.started(counting);
    await eventually('a count', () => count() > 10);
    assert.equal([bed.runt(['pause', bed.id]).code, bed.state().status], [0, 'paused']);
    assert.match(bed.runt(['list']).stdout, / paused /);
    const before = readFileSync(join(bed.dir, 'count'), 'utf8');
    // The count must not change while the container is paused.
    await elapse(100);
    assert.is(readFileSync(join(bed.dir, 'count'), 'utf8'), before);
    assert.match(bed.runt(['pause', bed.id]).stderr, /container not running: \S+ is paused/);
    assert.match(bed.delete().stderr, /cannot delete container \S+ that is not stopped: paused/);
    assert.equal([bed.runt(['resume', bed.id]).code, bed.state().status], [0, 'running']);
    const after = count();
    await eventually('more', () => count() > after + 10);
    assert.match(bed.runt(['resume', bed.id]).stderr, /container not paused: \S+ is running/);
    remove(bed);
  }),
);

test(
  'a created container can be paused, and cannot be started while paused',
  onBed((bed) => {
    assert.is(bed.create().code, 0);
    assert.is(bed.runt(['pause', bed.id]).code, 0);
    assert.is(bed.state().status, 'paused');
    assert.match(bed.start().stderr, /cannot start a container in the paused state/);
    assert.is(bed.runt(['resume', bed.id]).code, 0);
    assert.is(bed.state().status, 'created');
    remove(bed);
  }),
);

test(
  'delete --force and KILL end a paused container, and other signals wait until resume',
  onBed(async (bed) => {
    for (const own of [true, false]) {
      if (!own) bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'pid');
      bed.started(['/bin/sh', '-c', 'sleep 1001 & sleep 1002 & wait']);
      assert.is(bed.runt(['pause', bed.id]).code, 0);
      remove(bed);
      bed.started(['/bin/sh', '-c', 'trap "exit 3" TERM; echo up; while :; do sleep 0.01; done']);
      await eventually('its trap is set', () => bed.stdout().includes('up'));
      assert.is(bed.runt(['pause', bed.id]).code, 0);
      assert.is(bed.kill('TERM').code, 0);
      assert.is(bed.state().status, 'paused');
      assert.is(bed.runt(['resume', bed.id]).code, 0);
      bed.until('stopped');
      remove(bed);
      bed.started();
      assert.is(bed.runt(['pause', bed.id]).code, 0);
      assert.is(bed.kill('KILL').code, 0);
      bed.until('stopped');
      remove(bed);
    }
  }),
);

test(
  'pause freezes many forking processes, ten times in a row',
  onBed((bed) => {
    bed.started(['/bin/sh', '-c', 'for i in 1 2 3 4; do (while :; do true | true; done) & done; wait']);
    for (let i = 0; i < 10; i++) {
      assert.is(bed.runt(['pause', bed.id]).code, 0);
      assert.is(bed.state().status, 'paused');
      assert.is(bed.runt(['resume', bed.id]).code, 0);
      assert.is(bed.state().status, 'running');
    }
    remove(bed);
  }),
);

test(
  'pause, resume and ps refuse a stopped or unknown container',
  onBed(async (bed) => {
    bed.started();
    assert.is(bed.kill('KILL').code, 0);
    bed.until('stopped');
    assert.match(bed.runt(['pause', bed.id]).stderr, /container not running: \S+ is stopped/);
    assert.match(bed.runt(['resume', bed.id]).stderr, /container not paused: \S+ is stopped/);
    assert.equal(bed.runt(['ps', '--format', 'json', bed.id]).stdout, '[]\n');
    for (const command of ['pause', 'resume', 'ps']) {
      const r = bed.runt([command, 'nobody']);
      assert.equal([r.code, r.stderr], [1, 'runt: container does not exist: nobody\n']);
    }
    remove(bed);
  }),
);

test(
  'ps lists host pids of init, its children and execs, and its JSON needs no PATH',
  onBed(async (bed) => {
    const pid = bed.started(['/bin/sh', '-c', 'sleep 1001 & wait']);
    const file = join(bed.dir, 'pid');
    assert.is(bed.runt(['exec', '-d', '--pid-file', file, bed.id, 'sleep', '1003']).code, 0);
    const pids = () => JSON.parse(bed.runt(['ps', '-f', 'json', bed.id], { env: {} }).stdout) as number[];
    const all = await eventually('three', () => (pids().length === 3 ? pids() : undefined));
    assert.ok(all.includes(pid) && all.includes(Number(readFileSync(file, 'utf8'))));
    const args = all.map((p) => readFileSync(`/proc/${p}/cmdline`, 'utf8').split('\0')[1]).sort();
    assert.equal(args, ['-c', '1001', '1003']);
    const table = bed.runt(['ps', bed.id, '-o', 'args,pid'], { env: {} });
    assert.match(table.stdout, /^COMMAND +PID\n/);
    assert.is(table.stdout.trim().split('\n').length, 4);
    const bad = bed.runt(['ps', bed.id, '-o', 'args']);
    assert.equal([bad.code, bad.stdout], [1, '']);
    assert.match(bad.stderr, /no column PID/);
    assert.match(bed.runt(['ps', bed.id, '--no-such-option']).stderr, /ps ended with status/);
    remove(bed);
  }),
);

compared(
  'ps prints the same table and list as runc for its own container',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1004'];
    bed.write();
    const seen: string[][] = [];
    for (const program of ['runc', undefined]) {
      const id = `${bed.id}-${program ?? 'runt'}`;
      const o = program ? { program } : {};
      assert.is(bed.runt(['run', '-d', '--bundle', bed.bundle, id], o).code, 0);
      // runc's detached run may end before its init has executed the process.
      await eventually('the process', () => / \/bin\/sleep/.test(bed.runt(['ps', id], o).stdout));
      const texts = [[], ['-o', 'pid,args'], ['aux']].map((options) => bed.runt(['ps', id, ...options], o).stdout);
      const json = bed.runt(['ps', '--format', 'json', id], o).stdout;
      assert.is(bed.runt(['delete', '-f', id], o).code, 0);
      // Pids and times differ between containers.
      seen.push([...texts, json].map((t) => t.replaceAll(/[0-9]+([:.][0-9]+)*/g, 'N').replaceAll(/ +/g, ' ')));
    }
    assert.equal(seen[1], seen[0]);
  }),
);

test.run();
compared.run();
