/** The lifecycle: create, start, state, kill, delete and list as engines call them. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { hasEnded } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, ok, onBed } from '../bed/bed.js';
import { runtPath } from '../bed/place.js';

const test = needing('lifecycle', 'root');

function sleeper(bed: Bed): void {
  bed.config.process.args = ['/bin/sleep', '1000'];
}

test(
  'create, start, kill and delete change the state as specified',
  onBed(async (bed) => {
    bed.config.annotations = { 'org.example.key': 'ü', __proto__x: 'y' };
    bed.config.process.args = ['/bin/sh', '-c', 'echo ran; exec sleep 1000'];
    const pidFile = join(bed.dir, 'pid');
    ok(bed.create(['--pid-file', pidFile]));
    const pid = readFileSync(pidFile, 'utf8');
    assert.match(pid, /^[1-9][0-9]*$/);
    const created = bed.state();
    assert.is(created.id, bed.id);
    assert.is(created.status, 'created');
    assert.is(created.pid, Number(pid));
    assert.is(created.bundle, bed.bundle);
    assert.is(created.rootfs, bed.rootfs);
    assert.match(created.ociVersion, /^1\.\d+\.\d+/);
    assert.match(created.created!, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/);
    assert.equal(created.annotations, { 'org.example.key': 'ü', __proto__x: 'y' });
    assert.is(bed.stdout(), '');
    ok(bed.start());
    assert.is(bed.until('running').pid, Number(pid));
    await eventually('its word', () => bed.stdout() === 'ran\n');
    ok(bed.kill('KILL'));
    assert.is(bed.until('stopped').pid, 0);
    ok(bed.delete());
    const gone = bed.runt(['state', bed.id]);
    assert.is(gone.code, 1);
    assert.match(gone.stderr, /does not exist/);
  }),
);

test(
  'a config with a newer minor ociVersion works, and its unknown properties are ignored',
  onBed((bed) => {
    Object.assign(bed.config, { ociVersion: '1.10.0-rc.1', later: { a: 1 } });
    bed.started();
    assert.is(bed.state().ociVersion, '1.10.0-rc.1');
    assert.is(bed.stderr(), '');
    const exec = bed.runt(['exec', bed.id, '/bin/echo', 'ran']);
    assert.equal([exec.code, exec.stdout, exec.stderr], [0, 'ran\n', '']);
    const process = join(bed.dir, 'process.json');
    writeFileSync(
      process,
      JSON.stringify({ args: ['/bin/echo', 'ran'], cwd: '/', user: { uid: 0, gid: 0 }, later: 1 }),
    );
    const given = bed.runt(['exec', '--process', process, bed.id]);
    assert.equal([given.code, given.stdout, given.stderr], [0, 'ran\n', '']);
    ok(bed.runt(['update', '--pids-limit', '40', bed.id]));
    ok(bed.delete('--force'));
  }),
);

test(
  'a newer minor ociVersion is a warning with --debug only, and another major version is refused',
  onBed((bed) => {
    const run = (ociVersion: string, ...global: string[]) => {
      bed.write({ ...bed.config, ociVersion, later: 1, process: { ...bed.config.process, args: ['/bin/true'] } });
      return bed.runt([...global, 'run', '--bundle', bed.bundle, bed.id]);
    };
    const quiet = run('1.4.0');
    assert.equal([quiet.code, quiet.stderr], [0, '']);
    const warned = run('1.4.0', '--debug');
    assert.is(warned.code, 0, warned.stderr);
    assert.match(warned.stderr, /warning: \/ociVersion should be at most 1\.3.*: \/later, found "1\.4\.0"/);
    const refused = run('2.0.0');
    assert.is(refused.code, 1);
    assert.match(refused.stderr, '/ociVersion must have the major version 1');
  }),
);

test(
  'a container whose program has ended is stopped, and can be deleted without --force',
  onBed((bed) => {
    ok(bed.create());
    ok(bed.start());
    bed.until('stopped');
    ok(bed.delete());
  }),
);

test(
  'without a process a container can be created and deleted, and start and run are refused (runtime.md#start)',
  onBed((bed) => {
    const { process: _, ...rest } = bed.config;
    const config = join(bed.bundle, 'config.json');
    writeFileSync(
      config,
      JSON.stringify({ ...rest, hooks: { startContainer: [{ path: '/bin/touch', args: ['touch', '/x'] }] } }),
    );
    const create = () => ok(bed.runt(['create', '--bundle', bed.bundle, bed.id]));
    create();
    assert.is(bed.state().status, 'created');
    ok(bed.delete());
    create();
    const start = bed.start();
    assert.is(start.code, 1);
    assert.match(start.stderr, /^runt: start \S+: the config has no process\n {2}at {2}\/process/);
    assert.not.ok(existsSync(join(bed.rootfs, 'x')));
    bed.until('stopped');
    ok(bed.delete());
    const run = bed.runt(['run', '--bundle', bed.bundle, bed.id]);
    assert.is(run.code, 1);
    assert.match(run.stderr, /^runt: run \S+: the config has no process\n/);
  }),
);

test(
  'create refuses a used id, and the first container stays',
  onBed((bed) => {
    sleeper(bed);
    ok(bed.create());
    const second = bed.create();
    assert.is(second.code, 1);
    assert.match(second.stderr, /already exists/);
    assert.is(bed.state().status, 'created');
    ok(bed.delete('--force'));
  }),
);

test(
  'an invalid id is refused before anything is made',
  onBed((bed) => {
    bed.write();
    for (const id of ['', '.', '..', 'a/b', '../x', 'a b', 'ü', 'x'.repeat(300)]) {
      const r = bed.runt(['create', '--bundle', bed.bundle, '--', id]);
      assert.is(r.code, 1, JSON.stringify(id));
    }
  }),
);

test(
  'start of a started, stopped or unknown container fails',
  onBed((bed) => {
    sleeper(bed);
    ok(bed.create());
    ok(bed.start());
    assert.is(bed.start().code, 1);
    ok(bed.kill('KILL'));
    bed.until('stopped');
    assert.is(bed.start().code, 1);
    ok(bed.delete());
    const r = bed.runt(['start', `${bed.id}-x`]);
    assert.is(r.code, 1);
    assert.match(r.stderr, /does not exist/);
  }),
);

test(
  'delete refuses a running container without --force, with the text that engines match',
  onBed((bed) => {
    sleeper(bed);
    bed.started();
    const r = bed.delete();
    assert.is(r.code, 1);
    assert.match(r.stderr, new RegExp(`cannot delete container ${bed.id} that is not stopped: running`));
    assert.is(bed.state().status, 'running');
    ok(bed.delete('--force'));
  }),
);

test(
  'delete right after kill KILL removes a container whose 100 processes take time to end',
  onBed(async (bed) => {
    const many = 'i=0; while [ $i -lt 100 ]; do sleep 1000 & i=$((i+1)); done; echo ready; wait';
    for (let round = 0; round < 10; round++) {
      bed.started(['/bin/sh', '-c', many]);
      await eventually('its processes', () => bed.stdout() === 'ready\n');
      ok(bed.kill('KILL'));
      ok(bed.delete());
    }
  }),
);

test(
  'delete kills a created container; an unknown id is an error, but not with --force',
  onBed((bed) => {
    sleeper(bed);
    ok(bed.create());
    ok(bed.delete());
    ok(bed.delete('--force'));
    const r = bed.delete();
    assert.is(r.code, 1);
    assert.match(r.stderr, /does not exist/);
  }),
);

test(
  'kill accepts names with and without SIG and numbers, defaults to TERM, and refuses unknown names',
  onBed(async (bed) => {
    bed.started([
      '/bin/sh',
      '-c',
      'trap "echo usr1" USR1; trap "echo usr2" USR2; trap "echo hup" HUP; trap "echo term; exit 0" TERM; echo up; while :; do sleep 0.02; done',
    ]);
    const said = (word: string) => eventually(word, () => bed.stdout().includes(word));
    await said('up');
    ok(bed.kill('SIGUSR1'));
    await said('usr1');
    ok(bed.kill('usr2'));
    await said('usr2');
    ok(bed.kill(1));
    await said('hup');
    assert.is(bed.kill('SIGNOTHING').code, 1);
    ok(bed.runt(['kill', bed.id]));
    await said('term');
    bed.until('stopped');
    const late = bed.kill('TERM');
    assert.is(late.code, 1);
    assert.match(late.stderr, /container not running/);
    ok(bed.kill('KILL', '--all'));
    ok(bed.delete());
  }),
);

test(
  'TERM ends a created container, with and without a pid namespace',
  onBed((bed) => {
    for (let i = 0; i < 2; i++) {
      sleeper(bed);
      ok(bed.create(['--supervise']));
      ok(bed.runt(['kill', bed.id]));
      bed.until('stopped');
      assert.is(bed.start().code, 1);
      assert.is(bed.runt(['wait', bed.id]).stdout, '143\n');
      ok(bed.delete());
      bed.config.linux.namespaces = bed.config.linux.namespaces!.filter((n) => n.type !== 'pid');
    }
  }),
);

test(
  'kill --all reaches every process of the container',
  onBed((bed) => {
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter(({ type }) => type !== 'pid');
    bed.started(['/bin/sh', '-c', 'sleep 1000 & sleep 1000 & wait']);
    ok(bed.kill('KILL', '--all'));
    bed.until('stopped');
    ok(bed.delete());
  }),
);

test(
  'without a pid namespace, KILL ends the remaining processes after init has ended',
  onBed(async (bed) => {
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'pid');
    const init = bed.started(['/bin/sleep', '1000']);
    const file = join(bed.dir, 'pid');
    assert.is(bed.runt(['exec', '-d', '--pid-file', file, bed.id, 'sleep', '1000']).code, 0);
    const other = Number(readFileSync(file, 'utf8'));
    process.kill(init, 'SIGKILL');
    await eventually('the end of init', () => bed.state().status === 'stopped');
    assert.match(bed.runt(['kill', bed.id, 'TERM']).stderr, /container not running/);
    assert.ok(existsSync(`/proc/${other}`));
    const r = bed.runt(['kill', bed.id, 'KILL']);
    assert.is(r.code, 0, r.stderr);
    await eventually('the end of the other', () => hasEnded(other));
    await eventually('nothing to kill', () => bed.runt(['kill', bed.id, 'KILL']).code === 1);
    assert.is(bed.delete().code, 0);
  }),
);

test(
  'list prints a table, JSON, or ids with -q; a missing --root is an error, an empty root or a missing default one is not',
  onBed((bed) => {
    const missing = bed.runt(['list']);
    assert.is(missing.code, 1);
    assert.match(missing.stderr, `read the root directory ${bed.root}: ENOENT`);
    const own = join(bed.dir, 'program');
    copyFileSync(runtPath, own);
    const user = { uid: 1000, gid: 1000, env: { XDG_RUNTIME_DIR: bed.dir }, encoding: 'utf8' } as const;
    const { status, stdout, stderr } = spawnSync(own, ['list', '-q'], user);
    assert.equal([status, stdout, stderr], [0, '', '']);
    mkdirSync(bed.root, { mode: 0o700 });
    assert.is(bed.runt(['list']).code, 0);
    assert.match(bed.runt(['list', '--format=json']).stdout.trim(), /^(null|\[\])$/);
    sleeper(bed);
    ok(bed.create());
    const table = bed.runt(['list']).stdout.trim().split('\n');
    assert.equal(table[0]!.split(/\s+/), ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER']);
    assert.equal(table[1]!.split(/\s+/).slice(0, 4), [bed.id, String(bed.state().pid), 'created', bed.bundle]);
    const [entry] = JSON.parse(bed.runt(['list', '--format', 'json']).stdout);
    assert.equal(
      [entry.id, entry.status, entry.bundle, entry.rootfs, entry.owner],
      [bed.id, 'created', bed.bundle, bed.rootfs, 'root'],
    );
    assert.is(bed.runt(['list', '-q']).stdout, `${bed.id}\n`);
    ok(bed.delete('--force'));
  }),
);

test(
  'run --keep leaves a stopped container',
  onBed((bed) => {
    ok(bed.run(['--keep']));
    assert.is(bed.state().status, 'stopped');
    ok(bed.delete());
  }),
);

test(
  'run --detach returns while the container runs',
  onBed((bed) => {
    sleeper(bed);
    const pidFile = join(bed.dir, 'pid');
    ok(bed.run(['--detach', '--pid-file', pidFile]));
    assert.is(bed.state().status, 'running');
    assert.is(bed.state().pid, Number(readFileSync(pidFile, 'utf8')));
    ok(bed.delete('--force'));
  }),
);

test(
  'the default bundle is the working directory',
  onBed((bed) => {
    bed.write();
    ok(bed.runt(['run', bed.id], { cwd: bed.bundle }));
  }),
);

test(
  'a process that reuses the pid is not mistaken for the container',
  onBed((bed) => {
    sleeper(bed);
    const pid = bed.started();
    const file = join(bed.root, bed.id, 'state.json');
    const text = readFileSync(file, 'utf8');
    assert.ok(text.includes(String(pid)));
    writeFileSync(file, text.replaceAll(String(pid), String(process.pid)));
    assert.is(bed.state().status, 'stopped');
    assert.is(bed.kill('KILL').code, 1);
    writeFileSync(file, text);
    ok(bed.delete('--force'));
  }),
);

test(
  'list warns of unusable states and lists the others, and delete --force removes the unusable ones',
  onBed((bed) => {
    sleeper(bed);
    bed.started();
    const [none, broken] = ['none', 'broken'].map((word) => `${bed.id}-${word}`) as [string, string];
    for (const id of [none, broken]) mkdirSync(join(bed.root, id));
    mkdirSync(join(bed.root, '.seccomp'), { recursive: true });
    writeFileSync(join(bed.root, broken, 'state.json'), '{');
    for (const [flags, stdout] of [
      [['-q'], `${bed.id}\n`],
      [['--format=json'], `${JSON.stringify([bed.state()])}\n`],
    ] as const) {
      const r = bed.runt(['list', ...flags]);
      assert.equal([r.code, r.stdout], [0, stdout]);
      const warnings = r.stderr.trimEnd().split('\n');
      assert.is(warnings.length, 2, r.stderr);
      assert.match(warnings[0]!, `runt: warning: the state of container ${broken} cannot be used: `);
      assert.match(warnings[1]!, `runt: warning: the state of container ${none} cannot be used: it has no state.json`);
    }
    for (const id of [none, broken]) {
      assert.is(bed.runt(['delete', id]).code, 1);
      assert.is(bed.runt(['delete', '--force', id]).code, 0);
    }
    assert.equal([bed.runt(['list', '-q']).stdout, bed.runt(['list', '-q']).stderr], [`${bed.id}\n`, '']);
    ok(bed.delete('--force'));
  }),
);

test(
  'the state directory has mode 0700, and the container has no descriptor of it',
  onBed((bed) => {
    sleeper(bed);
    const pid = bed.started();
    assert.ok(existsSync(join(bed.root, bed.id, 'state.json')));
    assert.is(bed.runt(['state', bed.id], { env: {} }).code, 0, 'state needs no PATH');
    assert.is(statSync(join(bed.root, bed.id)).mode & 0o777, 0o700);
    assert.equal(readdirSync(`/proc/${pid}/fd`), ['0', '1', '2']);
    ok(bed.delete('--force'));
  }),
);

test(
  'eight containers run concurrently',
  onBed(async (bed) => {
    bed.write();
    const runs = Array.from({ length: 8 }, (_, i) => bed.spawn(['run', '--bundle', bed.bundle, `${bed.id}-${i}`]));
    for (const r of await Promise.all(runs.map((run) => run.exit))) ok(r);
  }),
);

test(
  'a leftover directory in the root is not listed as a container',
  onBed((bed) => {
    mkdirSync(join(bed.root, `${bed.id}-half`), { recursive: true });
    assert.is(bed.runt(['list']).code, 0);
    ok(bed.delete('--force'));
    assert.is(bed.runt(['delete', '--force', `${bed.id}-half`]).code, 0);
  }),
);

test.run();
