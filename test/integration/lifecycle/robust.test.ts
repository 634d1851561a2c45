/** Commands under bad conditions: the error is clear, nothing is lost, and `delete --force` always cleans up. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { COMMAND_LIMIT, DEADLINE, elapse } from '../../deadline.js';
import { cgroupsNamed, processesOf } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, ok, onBed, type Result } from '../bed/bed.js';
import { runtPath } from '../bed/place.js';

const test = needing('robust', 'root');
const limited = needing('robust with few descriptors', 'root', 'prlimit');
const small = needing('robust on a small root', 'root', 'mount', 'unshare');

/**
 * Runs a script in which "$runt" is the command with the bed's root, in a mount namespace of its own with a tmpfs as
 * root.
 */
function onSmallRoot(
  bed: Bed,
  options: string,
  script: string,
): { code: number | null; stdout: string; stderr: string } {
  mkdirSync(bed.root, { recursive: true, mode: 0o700 });
  const lines = [
    'set -u',
    `mount -t tmpfs -o mode=700,${options} small "$root" || exit 99`,
    'runt() { "$program" --root "$root" "$@" </dev/null; }',
    // A process that keeps running must not hold the test's pipes open.
    'quietly() { "$program" --root "$root" "$@" </dev/null >"$dir/quiet" 2>&1 || { cat "$dir/quiet" >&2; return 1; }; }',
    'fill() { dd if=/dev/zero of="$root/.fill" bs=4k 2>/dev/null; :; }',
    script,
  ];
  const r = spawnSync('unshare', ['--mount', '--propagation', 'private', '/bin/sh', '-c', lines.join('\n')], {
    env: { PATH: process.env.PATH, program: runtPath, root: bed.root, bundle: bed.bundle, id: bed.id, dir: bed.dir },
    encoding: 'utf8',
    timeout: COMMAND_LIMIT,
  });
  assert.ok(r.status !== 99 && r.signal === null, r.stderr);
  return { code: r.status, stdout: r.stdout, stderr: r.stderr };
}

test(
  'with closed stdio the container has /dev/null, and output that cannot be printed is an error',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'ls -l /proc/$$/fd >/out/fds; exec sleep 1000'];
    bed.config.mounts.push({ destination: '/out', type: 'bind', source: join(bed.dir, 'o'), options: ['bind'] });
    mkdirSync(join(bed.dir, 'o'));
    bed.write();
    const call = (redirect: string, ...args: string[]) =>
      spawnSync('/bin/sh', ['-c', `exec "$@" ${redirect}`, 'sh', runtPath, '--root', bed.root, ...args], {
        timeout: COMMAND_LIMIT,
        stdio: ['ignore', 'ignore', 'ignore'],
      }).status;
    for (const redirect of ['<&-', '>&-', '2>&-', '<&- >&-', '<&- >&- 2>&-']) {
      for (const args of [['create'], ['run', '--detach']]) {
        assert.is(call(redirect, ...args, '--bundle', bed.bundle, bed.id), 0, redirect);
        if (args[0] === 'create') assert.is(call(redirect, 'start', bed.id), 0, redirect);
        let fds: string[] = [];
        for (const end = Date.now() + DEADLINE; fds.length < 3; ) {
          assert.ok(Date.now() < end, `${redirect}: ${fds.join('\n')}`);
          const path = join(bed.dir, 'o', 'fds');
          if (existsSync(path))
            fds = readFileSync(path, 'utf8')
              .split('\n')
              .filter((l) => / \/dev\/null$/.test(l));
        }
        // 0, 1 and 2 are /dev/null, and the only other descriptor is the shell's.
        assert.is(
          readdirSync(`/proc/${bed.state().pid}/fd`)
            .map(Number)
            .sort((a, b) => a - b)
            .slice(0, 3)
            .join(' '),
          '0 1 2',
        );
        rmSync(join(bed.dir, 'o', 'fds'));
        assert.is(call(redirect, 'state', bed.id), redirect.includes('>&-') && !redirect.startsWith('2') ? 1 : 0);
        assert.is(call(redirect, 'exec', bed.id, '/true'), 0, redirect);
        assert.is(call(redirect, 'kill', bed.id, 'KILL'), 0, redirect);
        assert.is(call(redirect, 'delete', '--force', bed.id), 0, redirect);
        assert.is(call(redirect, 'state', bed.id), 1);
      }
    }
  }),
);

small(
  'on a root without free blocks, create fails and leaves nothing, and a created container works to its end',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const r = onSmallRoot(
      bed,
      'size=64k',
      `quietly create --bundle "$bundle" "$id" || exit 1
fill
runt create --bundle "$bundle" "$id-2" && exit 2
[ -e "$root/$id-2" ] && exit 3
runt --log "$root/log" --log-format json state none && exit 4
quietly start "$id" || exit 5
runt state "$id" | grep -q running || exit 6
quietly exec "$id" /true || exit 7
quietly kill "$id" KILL || exit 8
i=0; until quietly delete "$id" 2>/dev/null; do i=$((i+1)); [ $i -lt 1200 ] || exit 9; sleep 0.05; done
[ "$(ls "$root")" = log ]`,
    );
    assert.is(r.code, 0, r.stderr);
    assert.match(r.stderr, /^runt: write the state \/.*\/state\.json: ENOSPC \(no space left on device\)$/m);
    assert.match(r.stderr, 'runt: container does not exist: none');
    assert.match(r.stderr, /runt: the log \S+\/log was not written: ENOSPC/);
  }),
);

small(
  'on a root without free inodes, create fails and leaves nothing',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    for (const inodes of [1, 2, 3, 4]) {
      const r = onSmallRoot(
        bed,
        `nr_inodes=${inodes}`,
        `runt create --bundle "$bundle" "$id" >/dev/null; echo "$?"; runt delete --force "$id"; ls -A "$root"`,
      );
      const [status, ...left] = r.stdout.split('\n').filter(Boolean);
      assert.equal(left, [], `${inodes}: ${r.stderr}`);
      if (status !== '0') assert.match(r.stderr, /^runt: .*ENOSPC/);
      if (inodes < 4) assert.is(status, '1', String(inodes));
    }
  }),
);

small(
  'create undoes the container if the pid file or the trace cannot be written to a full disk',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    for (const flag of ['pid-file', 'trace']) {
      const r = onSmallRoot(
        bed,
        'size=64k',
        `mkdir "$dir/s" 2>/dev/null; fill
"$program" --root "$dir/s" create --bundle "$bundle" --${flag} "$root/f" "$id" </dev/null >/dev/null; echo $?; ls -A "$dir/s"`,
      );
      assert.is(r.stdout, '1\n', r.stderr);
      assert.match(r.stderr, /ENOSPC/);
    }
    rmSync(join(bed.dir, 's'), { recursive: true });
  }),
);

small(
  'on a read-only root, create and delete fail, other commands work, and nothing is lost',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const r = onSmallRoot(
      bed,
      'size=1m',
      `quietly create --bundle "$bundle" "$id" || exit 1
mount -o remount,ro "$root" || exit 99
runt create --bundle "$bundle" "$id-2" && exit 2
quietly start "$id" || exit 3
runt state "$id" | grep -q running || exit 4
[ "$(runt list -q)" = "$id" ] || exit 5
quietly exec "$id" /true || exit 6
quietly pause "$id" && quietly resume "$id" || exit 7
quietly kill "$id" KILL || exit 8
runt delete --force "$id" && exit 9
[ "$(runt list -q)" = "$id" ] || exit 10
mount -o remount,rw "$root" || exit 99
quietly delete --force "$id" || exit 11
ls -A "$root"`,
    );
    assert.equal([r.code, r.stdout], [0, ''], r.stderr);
    assert.match(r.stderr, new RegExp(`make the state directory .*/${bed.id}-2: EROFS \\(read-only file system\\)`));
    assert.match(r.stderr, new RegExp(`remove the state /\\S*/${bed.id}: EROFS`));
  }),
);

test(
  'commands work after the bundle was deleted, and the error names a program that cannot be executed',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    ok(bed.create());
    const aside = `${bed.bundle}-gone`;
    renameSync(bed.bundle, aside);
    ok(bed.start());
    assert.is(bed.state().status, 'running');
    for (const args of [['ps', bed.id], ['pause', bed.id], ['resume', bed.id], ['kill', bed.id, '0'], ['list']]) {
      assert.is(bed.runt(args).code, 0, args[0]);
    }
    ok(bed.runt(['exec', bed.id, 'true']));
    ok(bed.delete('--force'));
    renameSync(aside, bed.bundle);
    writeFileSync(join(bed.rootfs, 'plain'), 'no program\n', { mode: 0o755 });
    bed.config.process.args = ['/plain'];
    ok(bed.create());
    renameSync(bed.bundle, aside);
    const start = bed.start();
    assert.is(start.code, 1);
    assert.match(start.stderr, /^runt: start \S+: exec "\/plain": ENOEXEC/);
    assert.match(start.stderr, '\n  at  /process/args in config.json  ["/plain"]\n');
    ok(bed.delete('--force'));
    renameSync(aside, bed.bundle);
  }),
);

test(
  'in a deleted working directory, commands without relative paths work, and others name the cause',
  onBed((bed) => {
    const dir = join(bed.dir, 'w');
    const inGone = (...args: string[]) => {
      mkdirSync(dir);
      return spawnSync('/bin/sh', ['-c', 'cd "$0" && rmdir "$0" && exec "$@"', dir, runtPath, ...args], {
        encoding: 'utf8',
      });
    };
    mkdirSync(bed.root, { mode: 0o700 });
    assert.is(inGone('--root', bed.root, 'list', '-q').status, 0);
    const r = inGone('--root', 'relative', 'list');
    assert.is(r.status, 1);
    assert.match(r.stderr, 'find the current directory: ENOENT');
  }),
);

/** The path of state.json. */
const stateOf = (bed: Bed): string => join(bed.root, bed.id, 'state.json');

/** A running container whose state.json was changed by `damage`; returns its pid. */
function damaged(bed: Bed, flags: string[], damage: (text: string) => string): number {
  bed.config.process.args = ['/bin/sh', '-c', 'sleep 1000 & exec sleep 1001'];
  ok(bed.create(flags));
  ok(bed.start());
  const { pid } = bed.state();
  writeFileSync(stateOf(bed), damage(readFileSync(stateOf(bed), 'utf8')));
  return pid;
}

/** Asserts that every command reports the damage, that `list` warns, and that `delete --force` removes everything. */
async function refusedAndRemoved(bed: Bed, text: string | RegExp, when: string): Promise<void> {
  const calls: string[][] = [
    ['state', bed.id],
    ['start', bed.id],
    ['kill', bed.id],
    ['exec', bed.id, '/true'],
    ['ps', bed.id],
    ['delete', bed.id],
  ];
  for (const args of calls) {
    const r = bed.runt(args);
    assert.ok(r.code !== 0, `${when}: ${args[0]}`);
    assert.match(r.stderr, text, `${when}: ${args[0]}`);
  }
  const list = bed.runt(['list', '-q']);
  assert.equal([list.code, list.stdout], [0, '']);
  assert.match(list.stderr, /^runt: warning: the state of container/);
  const r = bed.delete('--force');
  assert.is(r.code, 0, `${when}: ${r.stderr}`);
  assert.not.ok(existsSync(join(bed.root, bed.id)), when);
  await eventually(`nothing runs: ${when}`, () => processesOf(bed.mark).length === 0);
  assert.equal(cgroupsNamed(bed.id), [], when);
}

test(
  'a truncated state.json is refused, and delete --force ends the container',
  onBed(async (bed) => {
    bed.config.annotations = { note: 'x'.repeat(300), trap: '"pid":1,"startTime":"1"' };
    for (const flags of [[], ['--supervise']]) {
      let [from, length] = [0, 0];
      for (let i = 0; i < 5; i++) {
        damaged(bed, flags, (text) => {
          from = text.indexOf('"bundle"');
          length = text.length;
          return text.slice(0, Math.round(from + ((length - 1 - from) * i) / 4));
        });
        await refusedAndRemoved(bed, /cannot be used: SyntaxError/, `cut ${i} of 4 ${flags}`);
      }
    }
  }),
);

test(
  'a corrupt state.json is refused, and delete --force uses its valid parts',
  onBed(async (bed) => {
    const edit = (f: (o: Record<string, unknown>) => void) => (text: string) => {
      const o = JSON.parse(text);
      f(o);
      return JSON.stringify(o);
    };
    for (const [name, damage, text] of [
      ['bytes before it', (t: string) => `\0\xff${t}`, /cannot be used/],
      ['status', edit((o) => Object.assign(o, { status: 7 })), /a field has the wrong type/],
      ['id', edit((o) => Object.assign(o, { id: 'other' })), /a field has the wrong type/],
      ['cgroups', edit((o) => Object.assign(o, { cgroups: null })), /a field has the wrong type/],
      ['a list', (t: string) => `[${t}]`, /it has no format version/],
    ] as const) {
      damaged(bed, [], damage);
      await refusedAndRemoved(bed, text, name);
    }
  }),
);

test(
  'delete --force removes a state.json without content, and warns that it cannot end any process',
  onBed((bed) => {
    for (const text of ['', '{}', 'null', '\0'.repeat(100), '"pid":1']) {
      mkdirSync(join(bed.root, bed.id), { recursive: true });
      writeFileSync(stateOf(bed), text);
      assert.match(bed.runt(['state', bed.id]).stderr, /the state of container \S+ cannot be used/);
      const r = bed.delete('--force');
      assert.is(r.code, 0);
      assert.match(r.stderr, /^runt: warning: .* it names no process/);
      assert.not.ok(existsSync(join(bed.root, bed.id)));
    }
    mkdirSync(stateOf(bed), { recursive: true });
    assert.match(bed.runt(['state', bed.id]).stderr, 'it is not a regular file');
    assert.is(bed.delete('--force').code, 0);
  }),
);

/** A running container whose state contains no readable process. */
function withoutProcess(bed: Bed, cgroupsPath: string | undefined, text: (state: string) => string): number {
  if (cgroupsPath === undefined) delete bed.config.linux.cgroupsPath;
  else bed.config.linux.cgroupsPath = cgroupsPath;
  return damaged(bed, [], text);
}

const noPids = (text: string) => text.replace(/"pid":\d+/g, '"pid":"?"');

/** Removes the cgroups above the container's, which delete leaves because they are the engine's. */
function removeParents(bed: Bed): void {
  for (const path of cgroupsNamed(bed.id).reverse()) rmdirSync(path);
}

test(
  'if state.json has no process, delete --force ends the processes in cgroups named by the id',
  onBed(async (bed) => {
    for (const [path, text] of [
      [`/${bed.id}`, () => ''],
      [`/runt-test-${bed.id}/x-${bed.id}`, () => '{}'],
      [`runt-test-${bed.id}/${bed.id}`, () => '\0'.repeat(100)],
      [undefined, () => ''],
      [`/${bed.id}`, noPids],
    ] as const) {
      const when = `${path} ${text('"pid":7')}`;
      withoutProcess(bed, path, text);
      const r = bed.delete('--force');
      assert.is(r.code, 0, `${when}: ${r.stderr}`);
      assert.match(r.stderr, 'it names no process: runt killed what was in its cgroup');
      assert.not.ok(existsSync(join(bed.root, bed.id)), when);
      await eventually(`nothing runs: ${when}`, () => processesOf(bed.mark).length === 0);
      assert.equal(
        cgroupsNamed(bed.id).filter((each) => !each.endsWith(`runt-test-${bed.id}`)),
        [],
        when,
      );
    }
    removeParents(bed);
  }),
);

test(
  'if state.json has no process and the container is frozen, delete --force thaws and ends it',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'sleep 1000 & exec sleep 1001'];
    ok(bed.create());
    ok(bed.start());
    ok(bed.runt(['pause', bed.id]));
    writeFileSync(stateOf(bed), '');
    const r = bed.delete('--force');
    assert.is(r.code, 0, r.stderr);
    await eventually('nothing runs', () => processesOf(bed.mark).length === 0);
  }),
);

test(
  'if the process in a truncated state.json has ended, delete --force ends the others in its cgroups',
  onBed(async (bed) => {
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter(({ type }) => type !== 'pid');
    bed.config.process.args = ['/bin/sh', '-c', 'sleep 1000 & exit 0'];
    ok(bed.create());
    ok(bed.start());
    bed.until('stopped');
    const text = readFileSync(stateOf(bed), 'utf8');
    const list = text.indexOf('"cgroups":[');
    const process = /"pid":\d+,"startTime":"\d+"/.exec(text)![0];
    // After its first entry, with the process before it.
    writeFileSync(stateOf(bed), `{${process},${text.slice(list, text.indexOf(',', list))}`);
    const r = bed.delete('--force');
    assert.is(r.code, 0, r.stderr);
    await eventually('nothing runs', () => processesOf(bed.mark).length === 0);
    assert.equal(cgroupsNamed(bed.id), []);
  }),
);

test(
  'if state.json has no process and the cgroup may belong to others, delete --force fails and removes nothing',
  onBed((bed) => {
    const other = `/runt-other-${process.pid}`;
    const configOf = join(bed.root, bed.id, 'config.json');
    for (const [name, path, damage, why] of [
      ['a path without the id', other, () => {}, /does not have its id/],
      ['a config that is damaged too', `/${bed.id}`, () => writeFileSync(configOf, '{"linux":'), /config\.json cannot/],
      [
        'a relative path of another creator',
        `/${other}-${bed.id}/${bed.id}`,
        () => writeFileSync(configOf, JSON.stringify({ linux: { cgroupsPath: `elsewhere/${bed.id}` } })),
        /may belong to it/,
      ],
    ] as const) {
      const pid = withoutProcess(bed, path, (text) => text);
      const state = readFileSync(stateOf(bed), 'utf8');
      const config = readFileSync(configOf, 'utf8');
      writeFileSync(stateOf(bed), '');
      damage();
      const r = bed.delete('--force');
      assert.is(r.code, 1, `${name}: ${r.stderr}`);
      assert.match(r.stderr, why, name);
      assert.ok(existsSync(`/proc/${pid}`), name);
      assert.ok(existsSync(stateOf(bed)), name);
      writeFileSync(stateOf(bed), state);
      writeFileSync(configOf, config);
      ok(bed.delete('--force'));
    }
    removeParents(bed);
  }),
);

test(
  'exec refuses a stored config that is damaged, by pointer, and works when it is whole again',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    ok(bed.create());
    ok(bed.start());
    const stored = join(bed.root, bed.id, 'config.json');
    const whole = readFileSync(stored, 'utf8');
    const config = JSON.parse(whole);
    const changed = (process: object) => JSON.stringify({ ...config, process: { ...config.process, ...process } });
    for (const [text, said] of [
      [whole.slice(0, 100), /ERR_SPEC_JSON|is not JSON|JSON/],
      ['[]', /an object/],
      [changed({ cwd: 5 }), /\/process\/cwd/],
      [changed({ args: 'sleep 1000' }), /\/process\/args/],
      [changed({ capabilities: { bounding: [7] } }), /\/process\/capabilities\/bounding\/0/],
      [changed({ user: { uid: -1, gid: 0 } }), /\/process\/user\/uid/],
    ] as const) {
      writeFileSync(stored, text);
      const r = bed.runt(['exec', bed.id, '/bin/true']);
      assert.is(r.code, 255, text);
      assert.match(r.stderr, said, text);
      assert.not.match(r.stderr, /internal error/, text);
    }
    writeFileSync(stored, whole);
    ok(bed.runt(['exec', bed.id, '/bin/true']));
    ok(bed.delete('--force'));
  }),
);

test(
  'a state.json of another format version is refused by name, and delete --force ends the container',
  onBed(async (bed) => {
    for (const version of [2, 0, 17]) {
      damaged(bed, [], (text) => text.replace('"version":1', `"version":${version}`));
      const said = `has format version ${version}, and this runt reads version 1`;
      await refusedAndRemoved(bed, said, `version ${version}`);
    }
  }),
);

test(
  'a state.json of version 1 with unknown members, and without newer ones, is read',
  onBed((bed) => {
    bed.started();
    const o = JSON.parse(readFileSync(stateOf(bed), 'utf8'));
    for (const later of ['config', 'noNewKeyring', 'supervisor', 'hooks']) delete o[later];
    writeFileSync(stateOf(bed), JSON.stringify({ ...o, unknown: { a: [1] } }));
    assert.is(bed.state().status, 'running');
    ok(bed.runt(['exec', bed.id, '/true']));
    ok(bed.delete('--force'));
  }),
);

test(
  'if another process has the pid, the container is stopped, and kill and delete --force do not touch it',
  onBed((bed) => {
    for (const damage of [(t: string) => t, (t: string) => t.slice(0, -10)]) {
      const pid = bed.started();
      ok(bed.kill('KILL'));
      bed.until('stopped');
      const bystander = spawnSync('/bin/sh', ['-c', 'sleep 1000 >/dev/null 2>&1 & echo $!'], { encoding: 'utf8' });
      const number = Number(bystander.stdout);
      const text = readFileSync(stateOf(bed), 'utf8').replace(`"pid":${pid}`, `"pid":${number}`);
      writeFileSync(stateOf(bed), damage(text));
      const said = bed.kill('KILL').stderr;
      assert.match(said, /is stopped|cannot be used/);
      ok(bed.delete('--force'));
      process.kill(number, 0);
      process.kill(number, 'SIGKILL');
    }
  }),
);

/** Counts the results with status 0; the others must be refusals with a message. */
function winners(results: Result[], refusal: RegExp): number {
  for (const r of results) if (r.code !== 0) assert.match(r.stderr, refusal);
  return results.filter((r) => r.code === 0).length;
}

test(
  'of eight concurrent calls on one id, one creates, one starts and one deletes; the others report why not',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const eight = (...args: string[]) => Promise.all(Array.from({ length: 8 }, () => bed.spawn(args).exit));
    for (let round = 0; round < 3; round++) {
      const created = await eight('create', '--bundle', bed.bundle, bed.id);
      assert.is(winners(created, /^runt: container with given ID already exists: /), 1);
      assert.is(bed.state().status, 'created');
      const started = await eight('start', bed.id);
      assert.is(
        winners(started, /^runt: cannot start a(n already running container| container in the \S+ state): /),
        1,
      );
      assert.is(bed.state().status, 'running');
      assert.is(winners(await eight('exec', bed.id, '/true'), /never/), 8);
      assert.is(winners(await eight('pause', bed.id), /^runt: container not running: \S+ is paused/), 1);
      assert.is(winners(await eight('resume', bed.id), /^runt: container not paused: \S+ is running/), 1);
      assert.is(winners(await eight('update', '--pids-limit', '50', bed.id), /never/), 8);
      assert.ok(winners(await eight('kill', bed.id, 'KILL'), /container not running/) >= 1);
      bed.until('stopped');
      assert.is(winners(await eight('delete', bed.id), /^runt: container does not exist: /), 1);
      assert.is(winners(await eight('delete', '--force', bed.id), /never/), 8);
    }
  }),
);

test(
  'different concurrent calls on one id each end, failures have a message, and delete --force cleans up',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const calls = [
      ['run', '--detach', '--bundle', bed.bundle, bed.id],
      ['create', '--bundle', bed.bundle, bed.id],
      ['start', bed.id],
      ['state', bed.id],
      ['exec', bed.id, '/true'],
      ['kill', bed.id, 'KILL'],
      ['delete', bed.id],
      ['delete', '--force', bed.id],
      ['pause', bed.id],
      ['resume', bed.id],
      ['ps', bed.id],
      ['list'],
    ];
    for (let round = 0; round < 6; round++) {
      const mixed = Array.from({ length: 8 }, (_, i) => calls[(round * 5 + i * (1 + (round % 3))) % calls.length]!);
      const running = Promise.all(mixed.map((args) => bed.spawn(args).exit));
      // An exec that is interrupted by a pause waits until resume, like the container.
      let done = false;
      void running.then(() => {
        done = true;
      });
      for (let i = 0; !done; i++) {
        // Resumes every 400 ms while they run.
        await elapse(20);
        if (i % 20 === 19) await bed.spawn(['resume', bed.id]).exit;
      }
      const results = await running;
      for (const [i, r] of results.entries()) {
        const name = mixed[i]![0];
        assert.is(
          r.signal,
          null,
          `${name} hangs; beside it ${mixed.map(([n], j) => `${n} ${results[j]!.code}`).join(', ')}`,
        );
        // An exec ends with its process when the container is killed.
        if (r.code !== 0 && !(name === 'exec' && r.code === 137)) assert.match(r.stderr, /^runt: /, name);
        assert.not.match(r.stderr, 'internal error');
      }
    }
    // A paused container that was killed is stopped by then.
    assert.is(bed.delete('--force').code, 0);
    assert.is(bed.runt(['state', bed.id]).code, 1);
  }),
);

for (const flags of [[], ['--supervise']]) {
  limited(
    `with a limit of 32 open files the commands work${flags.map((flag) => `, and with ${flag}`).join('')}`,
    onBed((bed) => {
      const wrapped = ['prlimit', '--nofile=32:4096'];
      bed.config.process.rlimits = [];
      bed.config.process.args = ['/bin/sh', '-c', 'ulimit -n; exit 7'];
      const r = bed.run(flags, { wrapped });
      assert.equal([r.code, r.stdout, r.stderr], [7, '32\n', '']);
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.write();
      const runt = (...args: string[]) => ok(bed.runt(args, { wrapped }));
      runt('create', ...flags, '-b', bed.bundle, bed.id);
      runt('start', bed.id);
      assert.is(runt('exec', bed.id, '/bin/sh', '-c', 'ulimit -n').stdout, '32\n');
      runt('kill', bed.id, 'KILL');
      if (flags.length > 0) assert.is(runt('wait', bed.id).stdout, '137\n');
      runt('delete', '--force', bed.id);
    }),
  );
}

test.run();
limited.run();
small.run();
