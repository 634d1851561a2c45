/** The least privilege of runt's own: the environment of the programs that it runs, and the modes of what it makes. */
import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../integration/bed/bed.js';
import { asUser, me } from '../integration/bed/callers.js';
import { programs } from '../integration/bed/place.js';
import { Engine } from '../integration/bed/shim-engine.js';
import { serve } from '../integration/bed/task-client.js';

const test = needing('least privilege', 'root', 'programs', 'cgroups');
const ordinary = needing('the environment of newuidmap', 'root', 'newuidmap', 'setpriv', 'mount', 'unshare');

/** An environment of a caller with secrets, and with what changes other programs. */
const caller = {
  PATH: process.env.PATH ?? '',
  SECRET: 'sesame',
  HOME: '/nowhere',
  LD_PRELOAD_OF_CALLER: '/nowhere.so',
  BASH_ENV: '/nowhere.sh',
};

/** Makes every file that the caller makes open to all users, unless a mode forbids it. */
const openly = ['sh', '-c', 'umask 0; exec "$@"', 'sh'];

/**
 * The paths below a directory that another user can read, write or search; a link has no mode. A path may go meanwhile:
 * the supervisor writes a record beside its place and renames it.
 */
function openPaths(dir: string, at = dir): string[] {
  return readdirSync(at, { withFileTypes: true }).flatMap((entry) => {
    const path = join(at, entry.name);
    const below = entry.isDirectory() ? openPaths(dir, path) : [];
    const mode = lstatSync(path, { throwIfNoEntry: false })?.mode ?? 0;
    const open = !entry.isSymbolicLink() && (mode & 0o077) !== 0;
    return [...(open ? [`${relative(dir, path)} ${(mode & 0o7777).toString(8)}`] : []), ...below];
  });
}

/** A hook that appends its environment to a file. */
const hookTo = (file: string) => ({
  path: '/bin/sh',
  args: ['sh', '-c', `env | grep -vE '^(PWD|SHLVL|_|OLDPWD)=' >>'${file}'; true`],
});

test(
  'a hook with `env` has exactly that environment, and a hook is named by an absolute path',
  onBed((bed) => {
    const file = join(bed.dir, 'environment');
    const env = ['ONE=1', 'PATH=/usr/bin:/bin'];
    const points = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop'] as const;
    bed.config.hooks = Object.fromEntries(points.map((point) => [point, [{ ...hookTo(file), env }]]));
    const r = bed.run([], { env: caller });
    assert.is(r.code, 0, r.stderr);
    assert.is(readFileSync(file, 'utf8'), `${env.join('\n')}\n`.repeat(points.length));
    for (const path of ['sh', './sh', 'bin/sh']) {
      bed.config.hooks = { createRuntime: [{ path }] };
      const refused = bed.run([], { env: caller });
      assert.is(refused.code, 1);
      assert.match(refused.stderr, '/hooks/createRuntime/0/path');
    }
  }),
);

test(
  'a hook in the container never has the environment of runt',
  onBed((bed) => {
    const file = join(bed.dir, 'environment');
    bed.config.hooks = { createContainer: [hookTo(file)] };
    const r = bed.run([], { env: caller });
    assert.is(r.code, 0, r.stderr);
    assert.not.match(readFileSync(file, 'utf8'), /SECRET|nowhere/);
  }),
);

test(
  'criu has PATH alone in its environment, at checkpoint and restore',
  onBed((bed) => {
    const file = join(bed.dir, 'environment');
    const images = join(bed.dir, 'images');
    const env = { ...caller, FAKE_ENV: file };
    const criu = (command: string, ...args: string[]) => {
      const r = bed.runt(['--criu', join(programs, 'fake-criu'), command, '--image-path', images, ...args, bed.id], {
        env,
      });
      assert.is(r.code, 0, r.stderr);
    };
    bed.started();
    criu('checkpoint');
    bed.write();
    criu('restore', '-d', '--bundle', bed.bundle);
    assert.is(bed.delete('--force').code, 0);
    const variables = readFileSync(file, 'utf8').split('\0').filter(Boolean);
    assert.ok(variables.length >= 2);
    for (const variable of variables) assert.match(variable, /^PATH=/);
    const flags = ['--image-path', images, '--bundle', bed.bundle];
    const byName = bed.runt(['--criu', './fake-criu', 'restore', ...flags, bed.id], { env });
    assert.match(byName.stderr, 'is not an absolute path');
  }),
);

ordinary(
  'newuidmap and newgidmap have no environment and an absolute path, and are not searched in PATH',
  onBed((bed) => {
    asUser(bed);
    const bin = join(bed.dir, 'bin');
    mkdirSync(bin);
    const file = join(bed.dir, 'environment');
    writeFileSync(file, '');
    chownSync(file, me, me);
    const names = ['newuidmap', 'newgidmap'];
    for (const name of names) {
      writeFileSync(join(bin, name), `#!/bin/sh\necho "searched in PATH" >>'${file}'\n`, { mode: 0o755 });
      // In the place of the helper, in a mount namespace of its own.
      const real = join(bed.dir, `real-${name}`);
      execFileSync('cp', ['-a', `/usr/bin/${name}`, real]);
      const lines = ['#!/bin/sh', `echo "path $0" >>'${file}'`, `env >>'${file}'`, `exec '${real}' "$@"`];
      writeFileSync(join(bed.dir, name), `${lines.join('\n')}\n`, { mode: 0o755 });
    }
    const binds = names.map((name) => `mount --bind '${bed.dir}/${name}' /usr/bin/${name}`).join(' && ');
    const range = { containerID: 1, hostID: 100000, size: 65536 };
    bed.config.linux.uidMappings = [{ containerID: 0, hostID: me, size: 1 }, range];
    bed.config.linux.gidMappings = structuredClone(bed.config.linux.uidMappings);
    bed.config.process.args = ['/bin/true'];
    bed.write();
    const r = bed.runt(['run', '--bundle', bed.bundle, bed.id], {
      program: join(bed.dir, 'as-user'),
      wrapped: ['unshare', '-m', '--propagation', 'private', 'sh', '-c', `${binds} && exec "$@"`, 'sh'],
      env: { ...caller, PATH: `${bin}:${caller.PATH}`, XDG_RUNTIME_DIR: bed.dir },
    });
    assert.is(r.code, 0, r.stderr);
    const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
    assert.equal(
      lines.filter((line) => !/^(?:PWD|OLDPWD|SHLVL|_)=/.test(line)).sort(),
      names.map((name) => `path /usr/bin/${name}`).sort(),
    );
  }),
);

/** Commands that leave files in the state directory, in order; the modes are checked after each. */
const life = (bed: Bed): string[][] => [
  ['create', '--bundle', bed.bundle, '--supervise', bed.id],
  ['start', bed.id],
  ['exec', '-d', bed.id, 'sleep', '1000'],
  ['update', '--pids-limit', '100', bed.id],
  ['exec', bed.id, 'true'],
  ['kill', bed.id, 'KILL'],
  ['wait', bed.id],
];

for (const name of ['a state root that runt makes', 'one that exists']) {
  test(
    `${name}: another user can read, write or search nothing below it, whatever the umask`,
    onBed((bed) => {
      if (name === 'one that exists') mkdirSync(bed.root, { mode: 0o755 });
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.config.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW' };
      bed.write();
      for (const args of life(bed)) {
        const r = bed.runt(args, { wrapped: openly });
        if (args[0] !== 'wait') assert.is(r.code, 0, `${args.join(' ')}: ${r.stderr}`);
        assert.equal(openPaths(bed.root), [], args.join(' '));
      }
      if (name !== 'one that exists') assert.is(lstatSync(bed.root).mode & 0o077, 0);
      assert.ok(existsSync(join(bed.root, bed.id, 'state.json')));
      assert.is(bed.runt(['delete', bed.id], { wrapped: openly }).code, 0);
      assert.equal(openPaths(bed.root), []);
    }),
  );
}

test(
  "the shim's sockets and their directory, and what it writes into the bundle, are closed to other users",
  onBed(async (bed) => {
    const engine = new Engine(bed);
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const before = new Set(readdirSync(bed.bundle));
    const umask = process.umask(0);
    let path: string;
    try {
      path = engine.start().slice('unix://'.length);
    } finally {
      process.umask(umask);
    }
    await engine.run();
    await engine.exec('sleeper', ['/bin/sleep', '1000']);
    assert.is(lstatSync(dirname(path)).mode & 0o7777, 0o700);
    assert.is(lstatSync(path).mode & 0o7777, 0o600);
    const made = readdirSync(bed.bundle).filter((name) => !before.has(name));
    assert.ok(made.length > 0);
    const open = made.filter((name) => (lstatSync(join(bed.bundle, name)).mode & 0o022) !== 0);
    assert.equal(open, [], 'writable by others');
    await engine.over();
    engine.deaf();
  }),
);

test(
  'the socket of runt serve is closed to other users',
  onBed(async (bed) => {
    const path = join(bed.dir, 'api.sock');
    const umask = process.umask(0);
    const child = await serve(bed, path).finally(() => process.umask(umask));
    try {
      assert.is(lstatSync(path).mode & 0o7777, 0o600);
    } finally {
      child.kill('SIGTERM');
      await new Promise((over) => child.once('exit', over));
    }
  }),
);

test.run();
ordinary.run();
