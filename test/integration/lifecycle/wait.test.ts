/**
 * The supervisor and `wait`: the true exit status of a detached container, recorded even if all other processes were
 * killed.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { hasEnded } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { runtPath } from '../bed/place.js';

const test = needing('wait', 'root');
const hiding = needing('wait on cgroup v1 alone', 'root', 'mount', 'unshare');

interface End {
  pid: number;
  status: number;
  signal: number;
  reason: string;
  createdAt: string;
  startedAt: string;
  exitedAt: string;
  oom: boolean;
  usage?: object;
}

/** Starts a detached container under a supervisor; returns both pids. */
function supervised(bed: Bed, script: string): { pid: number; supervisor: number } {
  bed.config.process.args = ['/bin/sh', '-c', script];
  const r = bed.run(['--detach', '--supervise']);
  assert.is(r.code, 0, r.stderr);
  const { pid, supervisor } = JSON.parse(readFileSync(join(bed.root, bed.id, 'state.json'), 'utf8'));
  return { pid, supervisor: supervisor.pid };
}

const end = (bed: Bed): End => JSON.parse(bed.runt(['wait', '--format', 'json', bed.id]).stdout) as End;

test(
  'wait returns the status while the container runs and after it has stopped, until delete',
  onBed((bed) => {
    const before = new Date().toISOString();
    const { pid } = supervised(bed, 'sleep 0.2; exit 7');
    const first = end(bed);
    const { exitedAt, createdAt, startedAt, usage, ...rest } = first;
    assert.equal(rest, { pid, status: 7, signal: 0, reason: 'exited', oom: false });
    assert.ok(before < createdAt && createdAt < startedAt && startedAt < exitedAt);
    assert.type(usage, 'object');
    assert.ok(first.exitedAt > before && first.exitedAt < new Date(Date.now() + 1000).toISOString());
    assert.is(bed.state().status, 'stopped');
    assert.equal(end(bed), first);
    assert.is(bed.runt(['wait', bed.id]).stdout, '7\n');
    assert.is(bed.delete().code, 0);
    assert.match(bed.runt(['wait', bed.id]).stderr, /container does not exist/);
  }),
);

test(
  'run --supervise in the foreground exits as the process did, with a status or by a signal',
  onBed((bed) => {
    // The kernel protects the init of a pid namespace from its own signals.
    bed.config.linux.namespaces = bed.config.linux.namespaces!.filter((n) => n.type !== 'pid');
    for (const [script, code] of [
      ['exit 0', 0],
      ['exit 7', 7],
      ['kill -KILL $$', 137],
    ] as const) {
      const r = bed.sh(script, ['--supervise']);
      assert.equal([r.code, r.stderr], [code, ''], script);
      assert.not.ok(existsSync(join(bed.root, bed.id)));
    }
    const kept = bed.sh('exit 5', ['--supervise', '--keep']);
    assert.is(kept.code, 5, kept.stderr);
    assert.is(end(bed).status, 5);
    assert.is(bed.delete().code, 0);
  }),
);

test(
  'run --supervise in the foreground gets the status as subreaper when its supervisor is killed',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const running = bed.spawn(['run', '--supervise', '--bundle', bed.bundle, bed.id]);
    const runs = () => existsSync(join(bed.root, bed.id, 'state.json')) && bed.state().status === 'running';
    await eventually('it runs', runs);
    const { pid, supervisor } = JSON.parse(readFileSync(join(bed.root, bed.id, 'state.json'), 'utf8'));
    await eventually('its program', () => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'sleep\n');
    process.kill(supervisor.pid, 'SIGKILL');
    process.kill(pid, 'SIGKILL');
    const { code, stderr } = await running.exit;
    assert.is(code, 137, stderr);
    assert.not.ok(existsSync(join(bed.root, bed.id)));
  }),
);

// With and without the v2 hierarchy beside those of v1: an exec is cloned into its v2 cgroup, and joins those of v1.
for (const hidden of [false, true]) {
  const suite = hidden ? hiding : test;
  suite(
    `wait --pid reports the end of an exec without a pid namespace${hidden ? ', on cgroup v1 alone' : ''}`,
    onBed((bed) => {
      bed.config.linux.namespaces = bed.config.linux.namespaces!.filter((n) => n.type !== 'pid');
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.write();
      const hide = hidden ? 'umount /sys/fs/cgroup/unified 2>/dev/null;' : '';
      const script = `${hide} exec "$0" --root "$1" run --detach --supervise --bundle "$2" "$3"`;
      const args = ['-m', '--propagation', 'private', 'sh', '-c', script, runtPath, bed.root, bed.bundle, bed.id];
      execFileSync('unshare', args, { stdio: 'ignore' });
      for (const [command, status] of [
        ['exit 3', '3\n'],
        ['kill -KILL $$', '137\n'],
      ] as const) {
        const file = join(bed.dir, 'pid');
        assert.is(bed.runt(['exec', '-d', '--pid-file', file, bed.id, '/bin/sh', '-c', command]).code, 0);
        assert.is(bed.runt(['wait', '--pid', readFileSync(file, 'utf8'), bed.id]).stdout, status);
      }
      assert.is(bed.state().status, 'running');
      assert.is(bed.kill('KILL').code, 0);
      assert.is(end(bed).status, 137);
      bed.delete();
    }),
  );
}

test(
  'wait reports a signal as 128 + its number',
  onBed((bed) => {
    supervised(bed, 'exec sleep 1000');
    assert.is(bed.kill('KILL').code, 0);
    const { status, signal, oom } = end(bed);
    assert.equal({ status, signal, oom }, { status: 137, signal: 9, oom: false });
    bed.delete();
  }),
);

test(
  'wait distinguishes out of memory from a kill',
  onBed((bed) => {
    bed.config.linux!.resources = { ...bed.config.linux!.resources, memory: { limit: 16 << 20, swap: 16 << 20 } };
    supervised(bed, 'x=xxxxxxxxxxxxxxxx; while :; do x=$x$x; done');
    const { status, oom } = end(bed);
    assert.equal({ status, oom }, { status: 137, oom: true });
    bed.delete();
  }),
);

test(
  'the supervisor is small, in a session of its own, and has no descriptor of the caller',
  onBed(async (bed) => {
    const { pid, supervisor } = supervised(bed, 'exec sleep 1000');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    assert.match(status, new RegExp(`^PPid:\\t${supervisor}$`, 'm'));
    const pss = Number(/^Pss: +(\d+) kB$/m.exec(readFileSync(`/proc/${supervisor}/smaps_rollup`, 'utf8'))?.[1]);
    assert.ok(pss > 0 && pss < 1024, `${pss} kB`);
    const open = readdirSync(`/proc/${supervisor}/fd`).map((fd) => readlinkSync(`/proc/${supervisor}/fd/${fd}`));
    assert.equal(open.filter((f) => f === '/dev/null').length, 3);
    const own = open.filter((f) => f !== '/dev/null' && f !== join(bed.root, bed.id));
    for (const f of own) assert.match(f, /^(socket:|anon_inode:\[signalfd\])/);
    assert.is(readlinkSync(`/proc/${supervisor}/cwd`), '/');
    const asleep = new RegExp(`^${supervisor} \\(runt-supervisor\\) S \\d+ ${supervisor} ${supervisor} `);
    await eventually('it sleeps', () => asleep.test(readFileSync(`/proc/${supervisor}/stat`, 'utf8')));
    bed.delete('--force');
    await eventually('its end', () => hasEnded(supervisor));
  }),
);

test(
  'wait reports a lost status as lost',
  onBed(async (bed) => {
    const { pid, supervisor } = supervised(bed, 'exec sleep 1000');
    process.kill(supervisor, 'SIGKILL');
    await eventually('the end of the supervisor', () => hasEnded(supervisor));
    assert.is(bed.state().status, 'running');
    process.kill(pid, 'SIGKILL');
    // As long as it is a zombie, the kernel still has its status.
    await eventually('its parent has reaped it', () => !existsSync(`/proc/${pid}`));
    const r = bed.runt(['wait', bed.id]);
    assert.is(r.code, 1);
    assert.match(r.stderr, /its supervisor ended first/);
    bed.delete('--force');
  }),
);

test(
  'without --supervise, wait fails and names the cause',
  onBed((bed) => {
    bed.started();
    const r = bed.runt(['wait', bed.id]);
    assert.is(r.code, 1);
    assert.match(r.stderr, /has no supervisor, so its exit status is not recorded/);
    bed.delete('--force');
  }),
);

test(
  'create and start work under a supervisor, and a failed create ends it',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'exit 3'];
    assert.is(bed.create(['--supervise']).code, 0);
    assert.is(bed.start().code, 0);
    assert.is(end(bed).status, 3);
    assert.is(bed.delete().code, 0);
    bed.config.process.args = ['/no/such/program'];
    const r = bed.create(['--supervise']);
    assert.is(r.code, 1);
    assert.match(r.stderr, /\/no\/such\/program/);
    assert.not.ok(existsSync(join(bed.root, bed.id)));
  }),
);

test.run();
hiding.run();
