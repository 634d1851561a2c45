/** Mount flags of the host's that are locked in a user namespace: options that would clear them cause a warning. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed, type Result } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';
import { runtPath } from '../bed/place.js';

const test = needing('locked flags', 'root', 'setpriv', 'unshare');
const me = 1000;

/**
 * Runs a container of an ordinary user with the volume on /v. The host has mounted the volume with `flags`, and its
 * `sub` with `below`.
 */
function run(bed: Bed, flags: string, below: string, options: string[], script: string): Result {
  const volume = join(bed.dir, 'volume');
  mkdirSync(volume, { recursive: true });
  execFileSync('cp', [runtPath, join(bed.dir, 'runt')]);
  const { config } = bed;
  withUserNamespace(config, me, 1);
  config.linux.namespaces = config.linux.namespaces.filter((n) => n.type !== 'network');
  config.linux.resources = {};
  config.mounts = config.mounts
    .filter((m) => m.type !== 'sysfs' && m.type !== 'cgroup')
    .map((m) => ({ ...m, options: m.options?.filter((o) => o !== 'gid=5') ?? [] }));
  config.mounts.push({ destination: '/v', source: volume, options });
  config.process.args = ['/bin/sh', '-c', script];
  return again(bed, flags, below);
}

/** The same with the current config. */
function again(bed: Bed, flags: string, below: string): Result {
  const volume = join(bed.dir, 'volume');
  bed.write();
  execFileSync('chown', ['-R', `${me}:${me}`, bed.dir]);
  const made = `mount -t tmpfs -o mode=777 t '${volume}'; mkdir '${volume}/sub'; mount -t tmpfs -o mode=777 t '${volume}/sub'`;
  const flagged = [
    [flags, ''],
    [below, '/sub'],
  ].map(([f, place]) => (f === '' ? ':' : `mount -o remount,bind,${f} '${volume}${place}'`));
  const program = join(bed.dir, 'as-user');
  const become = `exec setpriv --reuid ${me} --regid ${me} --clear-groups env XDG_RUNTIME_DIR='${bed.dir}' '${bed.dir}/runt' "$@"`;
  const inside = `${made}; ${flagged.join('; ')}; ${become}`;
  writeFileSync(program, `#!/bin/sh\nexec unshare -m --propagation private sh -ec ${quoted(inside)} sh "$@"\n`, {
    mode: 0o755,
  });
  return bed.runt(['run', '--bundle', bed.bundle, bed.id], { program });
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
/** Prints the mounts of the volume with their flags. */
const show = `sed -n 's,^[^ ]* [^ ]* [^ ]* [^ ]* /v,/v,p' /proc/self/mountinfo | cut -d ' ' -f 1,2 | sort`;
const shown = (...lines: string[]): string => lines.map((line) => `${line}\n`).join('');

for (const [flags, option, name] of [
  ['ro', 'rw', 'rw'],
  ['nosuid', 'suid', 'suid'],
  ['nodev', 'dev', 'dev'],
  ['noexec', 'exec', 'exec'],
  ['noatime', 'atime', 'relatime'],
  ['noatime', 'relatime', 'relatime'],
  ['nodiratime', 'diratime', 'diratime'],
] as const) {
  const seen = { ro: 'ro,relatime', noatime: 'rw,noatime', nodiratime: 'rw,nodiratime,relatime' } as const;
  const expected = seen[flags as keyof typeof seen] ?? `rw,${flags},relatime`;
  test(
    `${option} does not clear ${flags} of the host's mount, and a warning says so`,
    onBed((bed) => {
      const warning = new RegExp(`/mounts/\\d+: ${name} has no effect on the mount on /v: .* locked`);
      const tree = run(bed, flags, '', ['rbind', option], show);
      assert.equal([tree.stdout, tree.code], [shown(`/v ${expected}`, '/v/sub rw,relatime'), 0], tree.stderr);
      assert.match(tree.stderr, warning);
      bed.config.mounts.at(-1)!.source += '/sub';
      bed.config.mounts.at(-1)!.options = ['bind', option];
      const one = again(bed, '', flags);
      assert.equal([one.stdout, one.code], [shown(`/v ${expected}`), 0], one.stderr);
      assert.match(one.stderr, warning);
    }),
  );

  test(
    `r${option} does not clear ${flags} of any of the host's mounts`,
    onBed((bed) => {
      const r = run(bed, flags, flags, ['rbind', `r${option}`], show);
      assert.equal([r.stdout, r.code], [shown(`/v ${expected}`, `/v/sub ${expected}`), 0], r.stderr);
      assert.match(r.stderr, new RegExp(`: r${name} has no effect on the mount on /v: `));
    }),
  );
}

test(
  'options clear flags that are not locked, and set flags',
  onBed((bed) => {
    const r = run(bed, 'ro,nosuid', '', ['rbind', 'rw', 'nodev', 'noexec', 'dev', 'exec', 'nodev'], show);
    assert.equal([r.stdout, r.code], [shown('/v ro,nosuid,nodev,relatime', '/v/sub rw,relatime'), 0], r.stderr);
    assert.match(r.stderr, /: rw has no effect on the mount on \/v: /);
  }),
);

test(
  'an option that clears nothing causes no warning, since podman and containerd always write rw',
  onBed((bed) => {
    const r = run(bed, '', '', ['rbind', 'rw', 'suid', 'dev', 'exec', 'relatime'], show);
    assert.equal([r.stdout, r.stderr, r.code], [shown('/v rw,relatime', '/v/sub rw,relatime'), '', 0]);
  }),
);

test(
  'a locked noexec stays in a bind with other flags, without a warning, since no option asks for exec',
  onBed((bed) => {
    const r = run(bed, 'noexec', '', ['rbind', 'ro', 'nodev'], show);
    assert.equal([r.stdout, r.stderr, r.code], [shown('/v ro,nodev,noexec,relatime', '/v/sub rw,relatime'), '', 0]);
  }),
);

test(
  'a remount does not clear locked flags either',
  onBed((bed) => {
    run(bed, 'ro', '', ['rbind'], show);
    bed.config.mounts.push({ destination: '/v', options: ['remount', 'bind', 'rw', 'nosuid'] });
    const r = again(bed, 'ro', '');
    assert.equal([r.stdout, r.code], [shown('/v ro,nosuid,relatime', '/v/sub rw,relatime'), 0], r.stderr);
    assert.match(r.stderr, /: rw has no effect on the mount on \/v: /);
  }),
);

test(
  'changing a locked atime option is an error with its cause',
  onBed((bed) => {
    const r = run(bed, 'noatime', '', ['rbind', 'strictatime'], show);
    assert.is(r.code, 1);
    assert.match(r.stderr, /keep the flags that the host has set/);
  }),
);

test.run();
