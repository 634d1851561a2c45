/**
 * Attacks on the state root: another user writes files below `--root` that root reads, executes and removes. A
 * vulnerable runtime fails these tests: RUNT_BIN=… node hack/test.mjs test/security/state-root.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed, type Result } from '../integration/bed/bed.js';
import { missing } from '../integration/bed/needs.js';
import { programs, runtPath, top } from '../integration/bed/place.js';

const test = needing('state root', 'root', 'setpriv');
const testRace = needing('state root, raced', 'root', 'setpriv', 'programs');

const attacker = 1000;
const refused = /use .* for the state of containers: /;
const asAttacker = ['setpriv', '--reuid', `${attacker}`, '--regid', `${attacker}`, '--clear-groups'];

/** Evidence of a successful attack: the owner of this file is the user that ran the hook. */
const marker = (bed: Bed): string => join(bed.dir, 'executed');

/** A record of an ended container with a poststop hook, which `delete` would run. */
function forgedRecord(bed: Bed, id: string): string {
  const hook = { path: '/bin/sh', args: ['sh', '-c', `id -u >${marker(bed)}`] };
  return JSON.stringify({
    version: 1,
    ociVersion: '1.0.2',
    id,
    status: 'created',
    pid: 0,
    startTime: '',
    bundle: bed.bundle,
    rootfs: bed.rootfs,
    created: '2026-01-01T00:00:00Z',
    owner: 0,
    hooks: { startContainer: [hook], poststart: [hook], poststop: [hook] },
    cgroups: [],
    pidNamespace: true,
  });
}

/** Makes a directory with such a record, owned by the user `uid`. */
function forge(bed: Bed, dir: string, uid: number, id = bed.id): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  writeFileSync(join(dir, 'state.json'), forgedRecord(bed, id), { mode: 0o600 });
  chownSync(join(dir, 'state.json'), uid, uid);
  chownSync(dir, uid, uid);
}

function rootOf(bed: Bed, uid: number, mode = 0o700): string {
  mkdirSync(bed.root);
  chmodSync(bed.root, mode);
  chownSync(bed.root, uid, uid);
  return bed.root;
}

/** Every command on a container, and `list`. */
const commands = (bed: Bed): string[][] => [
  ['list'],
  ['state', bed.id],
  ['start', bed.id],
  ['kill', bed.id],
  ['kill', '--all', bed.id, 'KILL'],
  ['kill', '--regex', '.'],
  ['delete', bed.id],
  ['delete', '--force', bed.id],
  ['delete', '--force', '--regex', '.'],
  ['exec', bed.id, '/bin/true'],
  ['ps', bed.id],
  ['pause', bed.id],
  ['resume', bed.id],
  ['update', '--memory', '64m', bed.id],
  ['events', '--stats', bed.id],
  ['wait', bed.id],
  ['debug', bed.id],
  ['checkpoint', '--image-path', bed.dir, bed.id],
  ['create', '--bundle', bed.bundle, `${bed.id}-new`],
  ['run', '--bundle', bed.bundle, `${bed.id}-new`],
];

function isRefused(bed: Bed, r: Result, what: string): void {
  assert.is(r.code, what.startsWith('exec ') ? 255 : 1, `${what}: ${r.stdout}`);
  assert.match(r.stderr, refused, what);
  assert.not.ok(existsSync(marker(bed)), what);
}

test(
  'every command refuses a root of another user, and no hook of its records runs',
  onBed((bed) => {
    rootOf(bed, attacker);
    forge(bed, join(bed.root, bed.id), attacker);
    bed.write();
    for (const args of commands(bed)) {
      const r = bed.runt(args);
      isRefused(bed, r, args.join(' '));
    }
    assert.equal(readdirSync(bed.root), [bed.id], 'nothing was added');
    assert.ok(existsSync(join(bed.root, bed.id, 'state.json')), 'nothing was removed');
    // Its owner may use it.
    const program = join(bed.dir, 'runt');
    execFileSync('cp', [runtPath, program]);
    const own = bed.runt(['list'], { program, uid: attacker, gid: attacker });
    assert.equal([own.code, own.stderr], [0, '']);
    rmSync(bed.root, { recursive: true });
  }),
);

test(
  "a container of another user in root's own root is refused, and the others are listed",
  onBed((bed) => {
    rootOf(bed, 0);
    const evil = `${bed.id}-evil`;
    forge(bed, join(bed.root, evil), attacker, evil);
    assert.is(bed.create().code, 0);
    const listed = bed.runt(['list', '-q']);
    assert.equal([listed.code, listed.stdout], [0, `${bed.id}\n`]);
    assert.match(listed.stderr, new RegExp(`warning: use ${bed.root}/${evil} .*it belongs to user 1000`));
    for (const args of [['state'], ['start'], ['delete'], ['delete', '--force'], ['kill']]) {
      isRefused(bed, bed.runt([...args, evil]), args.join(' '));
    }
    assert.is(bed.delete('--force').code, 0);
    rmSync(join(bed.root, evil), { recursive: true });
  }),
);

test(
  'records below .deleted that await their poststop hooks are checked too, and .deleted itself',
  onBed((bed) => {
    rootOf(bed, 0);
    const waiting = join(bed.root, '.deleted', bed.id);
    mkdirSync(join(bed.root, '.deleted'), { mode: 0o700 });
    forge(bed, waiting, attacker);
    isRefused(bed, bed.delete(), 'of another user');
    isRefused(bed, bed.delete('--force'), 'of another user, --force');
    rmSync(join(bed.root, '.deleted'), { recursive: true });
    const elsewhere = join(bed.dir, 'elsewhere');
    forge(bed, join(elsewhere, bed.id), 0);
    symlinkSync(elsewhere, join(bed.root, '.deleted'));
    isRefused(bed, bed.delete('--force'), 'behind a link');
    rmSync(join(bed.root, '.deleted'));
    // A record of root's own has its hooks run, as the forged one would.
    mkdirSync(join(bed.root, '.deleted'), { mode: 0o700 });
    forge(bed, waiting, 0);
    assert.is(bed.delete().code, 0);
    assert.is(readFileSync(marker(bed), 'utf8'), '0\n');
    // An unusable record is removed, and a warning names the lost hooks.
    const lost: readonly (readonly [(path: string) => void, RegExp])[] = [
      [(path) => execFileSync('mkfifo', ['-m', '600', path]), /it is not a regular file/],
      [(path) => writeFileSync(path, '{"version":1,', { mode: 0o600 }), /SyntaxError/],
      [(path) => writeFileSync(path, '{"version":2}', { mode: 0o600 }), /has format version 2/],
    ];
    for (const [make, why] of lost) {
      mkdirSync(waiting, { recursive: true, mode: 0o700 });
      make(join(waiting, 'state.json'));
      const r = bed.runt(['delete', bed.id], { timeout: 10_000 });
      assert.is(r.code, 0);
      assert.match(r.stderr, new RegExp(`^runt: warning: the poststop hooks of ${bed.id} were lost: `));
      assert.match(r.stderr, why);
      assert.not.ok(existsSync(waiting));
    }
  }),
);

test(
  "an id that is a symbolic link to a directory of root's does not lead to removals there",
  onBed((bed) => {
    rootOf(bed, 0);
    const precious = join(bed.dir, 'precious');
    mkdirSync(precious, { mode: 0o700 });
    for (const name of ['config.json', 'state.json', 'start.sock', 'more']) writeFileSync(join(precious, name), 'kept');
    symlinkSync(precious, join(bed.root, bed.id));
    for (const args of commands(bed)) {
      const r = bed.runt(args);
      if (['create', 'run'].includes(args[0] ?? '') || args[0] === 'list' || args.includes('--regex')) continue;
      isRefused(bed, r, args.join(' '));
    }
    assert.equal(readdirSync(precious).sort(), ['config.json', 'more', 'start.sock', 'state.json']);
    rmSync(join(bed.root, bed.id));
    bed.runt(['delete', '--force', `${bed.id}-new`]);
  }),
);

test(
  'a cache of seccomp programs that is a symbolic link is ignored: no file behind it is removed or written',
  onBed((bed) => {
    rootOf(bed, 0);
    const precious = join(bed.dir, 'precious');
    mkdirSync(precious, { mode: 0o700 });
    // More than the cache holds: the oldest would be removed.
    for (let i = 0; i < 100; i++) writeFileSync(join(precious, `file-${i}`), '');
    symlinkSync(precious, join(bed.root, '.seccomp'));
    bed.config.linux.seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['acct'], action: 'SCMP_ACT_ERRNO' }],
    };
    assert.is(bed.out('echo works'), 'works\n');
    assert.is(readdirSync(precious).length, 100);
    rmSync(join(bed.root, '.seccomp'));
  }),
);

test(
  'an unsafe state.json (FIFO, device, link, of another user, writable) blocks nothing and hides no container',
  onBed(async (bed) => {
    rootOf(bed, 0);
    bed.write();
    assert.is(bed.create().code, 0);
    const odd: Record<string, (path: string) => void> = {
      fifo: (path) => execFileSync('mkfifo', ['-m', '600', path]),
      link: (path) => symlinkSync('/proc/kmsg', path),
      null: (path) => execFileSync('cp', ['-a', '/dev/null', path]),
      foreign: (path) => {
        writeFileSync(path, forgedRecord(bed, `${bed.id}-foreign`), { mode: 0o600 });
        chownSync(path, attacker, attacker);
      },
      open: (path) => {
        writeFileSync(path, forgedRecord(bed, `${bed.id}-open`));
        chmodSync(path, 0o666);
      },
    };
    for (const [name, make] of Object.entries(odd)) {
      mkdirSync(join(bed.root, `${bed.id}-${name}`), { mode: 0o700 });
      make(join(bed.root, `${bed.id}-${name}`, 'state.json'));
    }
    execFileSync('mkfifo', [join(bed.root, `${bed.id}-entry`)]);
    const timeout = 10_000;
    const listed = bed.runt(['list', '-q'], { timeout });
    assert.equal([listed.code, listed.stdout], [0, `${bed.id}\n`]);
    for (const name of Object.keys(odd)) {
      const id = `${bed.id}-${name}`;
      assert.match(listed.stderr, new RegExp(`warning: the state of container ${id} cannot be used: `));
      const r = bed.runt(['state', id], { timeout });
      assert.is(r.code, 1, name);
      assert.match(r.stderr, /cannot be used: it (is|belongs)|cannot be used: other users may write to it/, name);
      // The directory is root's own: it can be removed, and the file's content is ignored.
      const removed = bed.runt(['delete', '--force', id], { timeout });
      assert.is(removed.code, 0, `${name}: ${removed.stderr}`);
      assert.not.ok(existsSync(join(bed.root, id)), name);
      assert.not.ok(existsSync(marker(bed)), name);
    }
    // Other files of a state directory: the exit record of a supervised container, the last error.
    for (const name of ['exit.json', 'error.json']) execFileSync('mkfifo', [join(bed.root, bed.id, name)]);
    assert.is(bed.runt(['debug', bed.id], { timeout }).code, 0);
    rmSync(join(bed.root, `${bed.id}-entry`));
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'a record with invalid processes hides no other container, and can be removed',
  onBed((bed) => {
    rootOf(bed, 0);
    bed.write();
    assert.is(bed.create().code, 0);
    const odd = `${bed.id}-odd`;
    const whole = JSON.parse(forgedRecord(bed, odd));
    for (const wrong of [
      { pid: 2 ** 31, startTime: '1' },
      { pid: 9999999999, startTime: '1' },
      { supervisor: 'none' },
      { supervisor: { pid: 2 ** 32, startTime: '1' } },
      { status: 'creating', creator: { pid: 2 ** 31, startTime: '1' } },
      { status: 'creating', creator: { pid: 1 } },
    ]) {
      mkdirSync(join(bed.root, odd), { mode: 0o700 });
      writeFileSync(join(bed.root, odd, 'state.json'), JSON.stringify({ ...whole, ...wrong }), { mode: 0o600 });
      const listed = bed.runt(['list', '-q']);
      assert.equal([listed.code, listed.stdout], [0, `${bed.id}\n`], listed.stderr);
      for (const command of ['state', 'start', 'kill', 'wait', 'ps', 'delete']) {
        const r = bed.runt([command, odd]);
        assert.is(r.code, 1, `${command} ${JSON.stringify(wrong)}`);
        assert.match(r.stderr, /cannot be used: a field has the wrong type/, command);
      }
      const removed = bed.runt(['delete', '--force', odd]);
      assert.is(removed.code, 0, removed.stderr);
      assert.not.ok(existsSync(join(bed.root, odd)));
    }
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'wait names a damaged exit record, which does not block delete of the shim',
  onBed((bed) => {
    rootOf(bed, 0);
    bed.config.process.args = ['/bin/true'];
    bed.write();
    const shim = join(top, 'dist', 'containerd-shim-runt-v1');
    writeFileSync(join(bed.bundle, 'state-root'), bed.root);
    for (const text of ['{"pid":', '{}', 'null', '{"pid":1,"status":3,"signal":0,"exitedAtNs":"x"}']) {
      assert.is(bed.runt(['create', '--supervise', '--bundle', bed.bundle, bed.id]).code, 0);
      assert.is(bed.start().code, 0);
      assert.is(bed.runt(['wait', bed.id]).stdout, '0\n');
      const path = join(bed.root, bed.id, 'exit.json');
      writeFileSync(path, text, { mode: 0o600 });
      const waited = bed.runt(['wait', bed.id]);
      assert.is(waited.code, 1);
      assert.match(waited.stderr, `read the exit status of a process: ${path} is damaged`);
      const args = ['-namespace', 'attack', '-id', bed.id, '-bundle', bed.bundle, 'delete'];
      const deleted = spawnSync(shim, args, { cwd: bed.bundle, encoding: 'utf8', timeout: 20_000 });
      assert.is(deleted.status, 0, deleted.stderr);
      assert.not.ok(existsSync(join(bed.root, bed.id)));
    }
  }),
);

for (const [mode, why] of [
  [0o777, 'every user may write to it'],
  [0o1777, 'every user may write to it'],
  [0o703, 'every user may write to it'],
  [0o770, 'its group may write to it'],
  [0o2775, 'its group may write to it'],
] as const) {
  test(
    `root refuses a root of mode ${mode.toString(8)}, and a container's directory of that mode`,
    onBed((bed) => {
      bed.write();
      rootOf(bed, 0, mode);
      for (const args of [['list'], ['create', '--bundle', bed.bundle, bed.id], ['delete', '--force', bed.id]]) {
        const r = bed.runt(args);
        isRefused(bed, r, args.join(' '));
        assert.match(r.stderr, why);
      }
      chmodSync(bed.root, 0o711);
      assert.is(bed.create().code, 0);
      chmodSync(join(bed.root, bed.id), mode);
      const r = bed.start();
      isRefused(bed, r, 'start');
      assert.match(r.stderr, why);
      chmodSync(join(bed.root, bed.id), 0o700);
      assert.is(bed.delete('--force').code, 0);
    }),
  );
}

test(
  'roots of earlier versions and of engines work: modes 0755 and 0711, and one made with its parents',
  onBed((bed) => {
    for (const mode of [0o755, 0o711, 0o700]) {
      rootOf(bed, 0, mode);
      assert.is(bed.out('echo works'), 'works\n', mode.toString(8));
      rmSync(bed.root, { recursive: true });
    }
    const made = join(bed.dir, 'made', 'below', 'it');
    bed.write();
    assert.is(bed.runt(['--root', made, 'run', '--bundle', bed.bundle, bed.id]).code, 0);
    assert.is(statSync(made).mode & 0o777, 0o700);
  }),
);

test(
  "an ordinary user is warned of a group-writable root, common with umask 0002, but not in an engine's log",
  onBed((bed) => {
    rootOf(bed, attacker, 0o775);
    const program = join(bed.dir, 'runt');
    execFileSync('cp', [runtPath, program]);
    const o = { program, uid: attacker, gid: attacker };
    const listed = bed.runt(['list', '-q'], o);
    assert.equal([listed.code, listed.stdout], [0, '']);
    assert.match(listed.stderr, /^runt: warning: the group of .* may change the state/);
    assert.is(listed.stderr.split('\n').length, 2, 'once');
    const log = join(bed.dir, 'log');
    writeFileSync(log, '');
    chownSync(log, attacker, attacker);
    const failed = bed.runt(['--log', log, '--log-format', 'json', 'state', bed.id], o);
    assert.is(failed.code, 1);
    assert.match(JSON.parse(readFileSync(log, 'utf8')).msg, /does not exist/);
    // Without write permission for others it is a warning only; with it, the user's own root is refused too.
    chmodSync(bed.root, 0o757);
    assert.match(bed.runt(['list'], o).stderr, refused);
    chmodSync(bed.root, 0o755);
    assert.is(bed.runt(['list'], o).stderr, '');
    chownSync(bed.root, 1001, 1001);
    assert.match(bed.runt(['list'], o).stderr, refused);
  }),
);

test(
  "a root may be a symbolic link of root's or the caller's own, and its target is checked",
  onBed((bed) => {
    rootOf(bed, 0);
    const link = join(bed.dir, 'link');
    symlinkSync('state', link);
    bed.write();
    assert.is(bed.runt(['--root', link, 'run', '--bundle', bed.bundle, bed.id]).code, 0);
    // As a component of the path, and several of them.
    symlinkSync(bed.dir, join(bed.dir, 'again'));
    assert.is(bed.runt(['--root', join(bed.dir, 'again', 'link'), 'list']).code, 0);
    symlinkSync('around', join(bed.dir, 'around'));
    assert.match(bed.runt(['--root', join(bed.dir, 'around'), 'list']).stderr, /ELOOP/);
    const theirs = join(bed.dir, 'theirs');
    mkdirSync(theirs);
    chownSync(theirs, attacker, attacker);
    rmSync(link);
    symlinkSync(theirs, link);
    isRefused(bed, bed.runt(['--root', link, 'list']), "a link of root's to a directory of another user");
    execFileSync('setpriv', [...asAttacker.slice(1), 'ln', '-s', bed.root, join(theirs, 'link')]);
    isRefused(bed, bed.runt(['--root', join(theirs, 'link'), 'list']), 'a link of another user');
  }),
);

test(
  "a root below a directory that another user can rename is refused: an image's files could become the state",
  onBed((bed) => {
    // Extracted by root, or made by a container's root: owned by root, not writable by others.
    const image = join(bed.rootfs, 'opt', 'state');
    forge(bed, join(image, bed.id), 0);
    chmodSync(image, 0o755);
    const home = join(bed.dir, 'home');
    mkdirSync(join(home, 'a', 'state'), { recursive: true });
    for (const path of [home, join(home, 'a')]) chownSync(path, attacker, attacker);
    const args = ['--root', join(home, 'a', 'state'), 'delete', bed.id];
    isRefused(bed, bed.runt(args), "root's directory in another user's");
    execFileSync('setpriv', [...asAttacker.slice(1), 'mv', join(home, 'a'), join(home, 'away')]);
    execFileSync('setpriv', [...asAttacker.slice(1), 'ln', '-s', join(bed.rootfs, 'opt'), join(home, 'a')]);
    isRefused(bed, bed.runt(args), 'through a link to an image');
    // A directory in which every user may rename.
    const open = join(bed.dir, 'open');
    mkdirSync(join(open, 'state'), { recursive: true, mode: 0o700 });
    chmodSync(open, 0o777);
    isRefused(bed, bed.runt(['--root', join(open, 'state'), 'list']), 'mode 777');
    chmodSync(open, 0o775);
    chownSync(open, 0, attacker);
    isRefused(bed, bed.runt(['--root', join(open, 'state'), 'list']), "a group's");
    for (const [mode, group] of [
      [0o1777, 0],
      [0o1775, attacker],
      [0o775, 0],
    ] as const) {
      chmodSync(open, mode);
      chownSync(open, 0, group);
      assert.is(bed.runt(['--root', join(open, 'state'), 'list']).code, 0, `${mode.toString(8)} of group ${group}`);
    }
    rmSync(join(bed.rootfs, 'opt'), { recursive: true });
  }),
);

const userNamespaces = spawnSync(asAttacker[0]!, [...asAttacker.slice(1), 'unshare', '-Ur', 'true']).status === 0;
if (userNamespaces) {
  test(
    'root of a user namespace, as under podman, can use its own root below directories without a mapped owner',
    onBed((bed) => {
      // / and the system's temporary directory have no mapped owner there.
      for (const mode of [0o700, 0o775]) {
        rootOf(bed, attacker, mode);
        const program = join(bed.dir, 'runt');
        execFileSync('cp', [runtPath, program]);
        const inside = [...asAttacker, 'unshare', '-Ur'];
        const listed = bed.runt(['list', '-q'], { program, wrapped: inside });
        assert.equal([listed.code, listed.stdout], [0, ''], listed.stderr);
        assert.is(/warning: the group of/.test(listed.stderr), mode === 0o775);
        chownSync(bed.root, 1001, 1001);
        assert.match(bed.runt(['list'], { program, wrapped: inside }).stderr, refused);
        rmSync(bed.root, { recursive: true });
      }
    }),
  );
} else process.stdout.write('# note ordinary users cannot make user namespaces here\n');

testRace(
  "a container swapped 300 times for a link to a directory of root's does not lead to removals there",
  onBed(async (bed) => {
    // A root that was once writable by everyone: the attacker has a directory and a link in it.
    rootOf(bed, 0);
    const precious = join(bed.dir, 'precious');
    forge(bed, precious, 0);
    const own = join(bed.root, bed.id);
    const link = join(bed.root, `${bed.id}-link`);
    symlinkSync(precious, link);
    const third = join(bed.root, `${bed.id}-third`);
    for (const path of [own, third]) mkdirSync(path, { mode: 0o700 });
    // Three names and two pairs: the final state of each is random.
    const pairs = [
      [own, link],
      [link, third],
    ];
    const children = pairs.map((pair) =>
      spawn(join(programs, 'exchange'), pair, { stdio: ['ignore', 'pipe', 'inherit'] }),
    );
    const ended = Promise.all(
      children.map(
        (child) =>
          new Promise<number>((settle) => {
            let text = '';
            child.stdout.on('data', (d) => {
              text += d;
            });
            child.once('close', () => settle(Number(text)));
          }),
      ),
    );
    const codes = new Map<string, number>();
    try {
      for (let i = 0; i < 300; i++) {
        const r = spawnSync(runtPath, ['--root', bed.root, 'state', bed.id], { encoding: 'utf8' });
        const said = refused.test(r.stderr)
          ? 'link'
          : /cannot be used: it has no state.json|does not exist/.test(r.stderr)
            ? 'own'
            : r.stderr;
        codes.set(said, (codes.get(said) ?? 0) + 1);
        assert.is(r.status, 1, `round ${i}: ${r.stdout}`);
        // Under the lock, where it removes.
        spawnSync(runtPath, ['--root', bed.root, 'delete', bed.id]);
        assert.ok(existsSync(join(precious, 'state.json')), `round ${i}`);
        assert.not.ok(existsSync(marker(bed)), `round ${i}`);
        await new Promise((next) => setImmediate(next));
      }
    } finally {
      for (const child of children) child.kill('SIGTERM');
    }
    const exchanged = Math.min(...(await ended));
    assert.ok(exchanged > 300, `${exchanged} exchanges`);
    assert.equal(
      [...codes.keys()].filter((said) => said !== 'link' && said !== 'own'),
      [],
    );
    process.stdout.write(`\n# note ${exchanged} exchanges; ${JSON.stringify([...codes])}\n`);
    for (const path of [own, link, third]) rmSync(path, { recursive: true, force: true });
  }),
);

testRace(
  "a root that its owner swaps 200 times for a directory of root's runs none of the owner's hooks",
  onBed(async (bed) => {
    rootOf(bed, attacker);
    forge(bed, join(bed.root, bed.id), attacker);
    const other = join(bed.dir, 'other');
    mkdirSync(other, { mode: 0o700 });
    mkdirSync(join(other, bed.id), { mode: 0o700 });
    const child = spawn(join(programs, 'exchange'), [bed.root, other], { stdio: ['ignore', 'ignore', 'inherit'] });
    try {
      for (let i = 0; i < 200; i++) {
        spawnSync(runtPath, ['--root', bed.root, 'delete', bed.id]);
        assert.not.ok(existsSync(marker(bed)), `round ${i}`);
      }
    } finally {
      child.kill('SIGTERM');
      await new Promise((over) => child.once('close', over));
    }
    for (const path of [bed.root, other]) rmSync(path, { recursive: true });
  }),
);

test(
  'the library and runt serve refuse it as the command does',
  onBed((bed) => {
    rootOf(bed, attacker);
    forge(bed, join(bed.root, bed.id), attacker);
    writeFileSync(join(bed.root, bed.id, 'task.json'), '{"version":1}');
    const script = `
      const { Runtime } = await import(${JSON.stringify(join(top, 'dist', 'index.js'))});
      const runtime = new Runtime({ root: ${JSON.stringify(bed.root)} });
      const codes = [];
      for (const f of [() => runtime.list(), () => runtime.state('${bed.id}'), () => runtime.container('${bed.id}').delete({ force: true })])
        codes.push(await f().then(() => 'worked', (e) => e.code));
      console.log(codes.join(' '));`;
    const library = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    assert.is(library.stdout, 'ERR_STATE_UNSAFE ERR_STATE_UNSAFE ERR_STATE_UNSAFE\n', library.stderr);
    const served = bed.runt(['serve', '--listen', `unix://${bed.dir}/api.sock`], {
      program: process.execPath,
      timeout: 20_000,
      wrapped: ['sh', '-c', `exec "$0" '${join(top, 'dist', 'cli.js')}' "$@"`],
    });
    assert.is(served.code, 1);
    assert.match(served.stderr, refused);
    assert.not.ok(existsSync(marker(bed)));
    rmSync(bed.root, { recursive: true });
  }),
);

test(
  'a long-running library notices that its root was removed and made again',
  onBed((bed) => {
    const script = `
      import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
      const { Runtime } = await import(${JSON.stringify(join(top, 'dist', 'index.js'))});
      const root = ${JSON.stringify(bed.root)};
      const runtime = new Runtime({ root });
      const known = async () => (await runtime.list()).map((c) => c.id).join();
      const make = () => {
        mkdirSync(root + '/web', { recursive: true, mode: 0o700 });
        writeFileSync(root + '/web/state.json', ${JSON.stringify(forgedRecord(bed, 'web'))}, { mode: 0o600 });
      };
      make();
      const seen = [await known()];
      rmSync(root, { recursive: true });
      seen.push(await known());
      make();
      seen.push(await known(), (await runtime.state('web')).status);
      console.log(JSON.stringify(seen));`;
    const r = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    assert.is(r.stdout, '["web","","web","stopped"]\n', r.stderr);
    rmSync(bed.root, { recursive: true });
  }),
);

/** Other runtimes under the same attack: their result is printed, not asserted. */
for (const peer of ['runc', 'crun'] as const) {
  if (missing(peer) !== undefined) continue;
  test(
    `${peer} --root of another user, for comparison`,
    onBed(async (bed) => {
      rootOf(bed, attacker);
      const fifo = join(bed.root, bed.id);
      mkdirSync(fifo, { mode: 0o700 });
      chownSync(fifo, attacker, attacker);
      execFileSync('mkfifo', [join(fifo, peer === 'runc' ? 'state.json' : 'status')]);
      const r = spawnSync(peer, ['--root', bed.root, 'state', bed.id], { encoding: 'utf8', timeout: 3000 });
      const how = r.error ? 'waits for the FIFO' : `exit ${r.status}: ${r.stderr.trim().split('\n').at(-1)}`;
      process.stdout.write(`\n# note ${peer} state, with a FIFO in another user's root: ${how}\n`);
      rmSync(bed.root, { recursive: true });
    }),
  );
}

test.run();
testRace.run();
