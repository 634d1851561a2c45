/** A runt-init or a runtime that ends before it has finished, and the reports sent before. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Op } from '../../../src/plan/plan-ops.js';
import { type Bed, eventually, needing, onBed } from '../../integration/bed/bed.js';
import { runtPath } from '../../integration/bed/place.js';
import { leftovers, processesOf } from '../../leaks/leftovers.js';
import { andRun, errorOf, filtered, intoRoot, onGround, perform } from './perform.js';

const test = needing('ending', 'root', 'programs');
const mounting = needing('ending beside shared mounts', 'root', 'programs', 'mount', 'unshare', 'nsenter');
const mark: Op = { op: 'mkdir', at: '', path: '/mark', mode: 0o755 };

/** System calls that only runt-init makes, from the first operation to the last. */
const calls = [
  'close_range',
  'keyctl',
  'open_tree',
  'fsopen',
  'fsmount',
  'openat2',
  'move_mount',
  'mknodat',
  'symlinkat',
  'pivot_root',
  'umount2',
  'sethostname',
  'mount_setattr',
  'setresuid',
  'setgroups',
  'capset',
];

for (const call of calls) {
  test(
    `a runt-init killed at its ${call} is reported, and nothing is left`,
    onBed((bed) => {
      for (const command of ['run', 'create']) {
        const program = filtered(bed.dir, [`${call}=kill`]);
        bed.write();
        const r = bed.runt([command, '--bundle', bed.bundle, bed.id], { program });
        assert.is(r.code, 1, r.stderr);
        assert.match(r.stderr, /runt-init was killed by (signal 31|SIGSYS) before the container was ready/);
        assert.equal(leftovers(bed.mark), []);
      }
    }),
  );
  test(
    `a runt-init whose ${call} fails with ENOSPC is reported, and nothing is left`,
    onBed((bed) => {
      bed.write();
      const r = bed.runt(['run', '--bundle', bed.bundle, bed.id], { program: filtered(bed.dir, [`${call}=28`]) });
      assert.is(r.code, 1, r.stderr);
      assert.match(r.stderr, 'ENOSPC');
      assert.equal(leftovers(bed.mark), []);
    }),
  );
}

test(
  'runt-init ends at sync if the runtime has ended, and does nothing more',
  onGround(async ({ rootfs }) => {
    const ops: Op[] = [...intoRoot(rootfs), { op: 'sync', at: '' }, mark];
    const gone = await perform(ops, { hangUp: true });
    assert.equal([gone.code, gone.reports], [0, []]);
    assert.not.ok(existsSync(join(rootfs, 'mark')));
    const told = await perform(ops, { words: 1, hangUp: true });
    assert.is(errorOf(told).detail, 'it ends without an exec');
    assert.ok(existsSync(join(rootfs, 'mark')));
  }),
);

test(
  'runt-init ends at wait if the runtime has ended, and executes nothing',
  onGround(async ({ rootfs }) => {
    const ops: Op[] = [...intoRoot(rootfs), { op: 'wait', at: '' }, mark];
    const gone = await perform(ops, { hangUp: true });
    assert.equal([gone.code, gone.reports], [0, [['created']]]);
    assert.not.ok(existsSync(join(rootfs, 'mark')));
  }),
);

/** Runs `create`, kills it after a time if one is given, and returns how many ms it took. */
async function killedAfter(bed: Bed, ms?: number): Promise<number> {
  const begin = performance.now();
  const child = spawn(runtPath, ['--root', bed.root, 'create', '--bundle', bed.bundle, bed.id], { stdio: 'ignore' });
  const ended = new Promise((done) => child.on('close', done));
  const timer = ms === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), ms);
  await ended;
  clearTimeout(timer);
  return performance.now() - begin;
}

test(
  'after create was killed at any time, no unrecorded process stays, and delete --force cleans up',
  onBed(async (bed) => {
    bed.write();
    const rounds = 20;
    let [whole, created] = [0, 0];
    // The first run is not killed but measured, which sets the times of the kills.
    for (let round = 0; round <= rounds; round++) {
      const ms = round === 0 ? undefined : Math.ceil((whole * round) / rounds);
      const took = await killedAfter(bed, ms);
      if (round === 0) whole = took;
      if (existsSync(join(bed.root, bed.id, 'state.json'))) {
        await eventually(`no unknown process ${ms} ms after the start`, () => {
          const state = bed.runt(['state', bed.id]);
          if (state.code === 0 && JSON.parse(state.stdout).status === 'created') {
            created++;
            return true;
          }
          return processesOf(bed.mark).length === 0;
        });
        if (round === 0) assert.is(created, 1, 'the one that was not killed');
      } else {
        await eventually(`no process ${ms} ms after the start`, () => processesOf(bed.mark).length === 0);
      }
      const r = bed.delete('--force');
      assert.is(r.code, 0, r.stderr);
      assert.equal(leftovers(bed.mark), [], `killed after ${ms} ms`);
    }
  }),
);

test(
  'a trace has one span for each operation, in order, before created and before exec',
  onGround(async ({ rootfs }) => {
    const run = andRun('echo ran');
    const ops: Op[] = [...intoRoot(rootfs), ...run.slice(0, -1), { op: 'wait', at: '' }, ...run.slice(-1)];
    const { reports, stdout, code } = await perform(ops, { trace: true, words: 1 });
    assert.equal([stdout, code], ['ran\n', 0]);
    assert.equal(
      reports.map(([kind]) => kind),
      ['trace', 'created', 'trace', 'exec'],
    );
    const numbers = [...(reports[0] ?? []).slice(1), ...(reports[2] ?? []).slice(1)].map(BigInt);
    assert.is(numbers.length % 3, 0);
    let before = 0n;
    for (let i = 0; i < numbers.length; i += 3) {
      const [index, start, end] = numbers.slice(i, i + 3) as [bigint, bigint, bigint];
      assert.is(index, BigInt(i / 3));
      assert.ok(before <= start && start <= end, `span ${index}`);
      before = end;
    }
    // All except the exec itself, which has not ended when the last spans are sent.
    assert.is(numbers.length / 3, ops.length - 1);
    const quiet = await perform(ops, { words: 1 });
    assert.equal(quiet.reports, [['created'], ['exec']]);
  }),
);

test(
  'an exec that fails is reported as an error after "exec"',
  onGround(async ({ rootfs }) => {
    const ops = andRun('true').map((op) => (op.op === 'findExecutable' ? { ...op, name: '/etc/passwd' } : op));
    const found = errorOf(await perform([...intoRoot(rootfs), ...ops]));
    assert.equal([found.syscall, found.errno, found.detail], ['execve', 13, '/etc/passwd']);
  }),
);

mounting(
  "--no-pivot hides the host's mounts of proc and sysfs in the container, and keeps them on the host",
  onGround(async ({ rootfs, dir }) => {
    const spaced = join(dir, 'a place');
    mkdirSync(spaced);
    const script = [`mount -t proc proc '${spaced}'`, `mount --make-shared '${spaced}'`, 'exec sleep 1000'].join(
      ' && ',
    );
    // A host of our own: its mounts are shared, as on a machine with systemd.
    const host = spawn(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-c', `mount --make-rshared / && ${script}`],
      {
        stdio: ['ignore', 'inherit', 'inherit'],
      },
    );
    try {
      const mounts = () => readFileSync(`/proc/${host.pid}/mountinfo`, 'utf8');
      await eventually('the proc mount', () => mounts().includes('a\\040place') && mounts().includes('shared:'));
      const before = mounts();
      const ops: Op[] = [
        { op: 'keepFds', at: '', count: 0 },
        { op: 'procfs', at: '' },
        // MS_SHARED | MS_REC, as with rootfsPropagation shared: the unmounts would propagate to the host.
        { op: 'hostPropagation', at: '', flags: (1 << 20) | (1 << 14) },
        { op: 'rootfs', at: '', path: rootfs },
        { op: 'moveRoot', at: '' },
        ...andRun('mkdir -p /up; echo done').slice(1),
      ];
      const outcome = await perform(ops, { inside: host.pid ?? 0 });
      assert.equal([outcome.stdout, outcome.code], ['done\n', 0], JSON.stringify(outcome));
      assert.is(mounts(), before);
    } finally {
      host.kill('SIGKILL');
    }
  }),
);

test.run();
mounting.run();
