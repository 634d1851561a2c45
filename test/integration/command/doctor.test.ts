/** `runt doctor`: what it tries is true, each problem is found with its remedy, and nothing is left. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { asUser } from '../bed/callers.js';
import { mounting } from '../bed/mount-namespace.js';

const test = needing('doctor', 'root', 'setpriv', 'unshare', 'mount', 'user-namespaces');

interface Check {
  class: string;
  name: string;
  status: string;
  found: string;
  remedy?: string;
}

interface Report {
  version: number;
  ok: boolean;
  failed: string[];
  checks: Check[];
}

/** Directories and cgroups of trials. Those of other tests vanish while find(1) reads them. */
const remains = (): string[] =>
  spawnSync('find', ['/sys/fs/cgroup', '-name', 'doctor-[0-9]*'], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter(Boolean);

const call = (bed: Bed, ...wrapped: string[]): [number | null, Report] => {
  const env = { PATH: process.env.PATH ?? '', TMPDIR: bed.dir };
  const r = bed.runt(['doctor', '--format', 'json'], { env, ...(wrapped.length > 0 && { wrapped }) });
  assert.is(r.stderr, '');
  return [r.code, JSON.parse(r.stdout) as Report];
};
const found = ({ checks }: Report, of: string, name: string): Check => {
  const check = checks.find((c) => c.class === of && c.name === name);
  assert.ok(check, `${of}/${name} among ${checks.map((c) => `${c.class}/${c.name}`).join(' ')}`);
  return check!;
};

test(
  'doctor creates containers for root, exits with 0 if none fails, and leaves nothing',
  onBed(async (bed) => {
    const before = remains();
    const [code, report] = call(bed);
    assert.equal([report.version, report.ok, report.failed], [1, code === 0, report.failed]);
    assert.equal(code, report.checks.some(({ status }) => status === 'failed') ? 1 : 0);
    assert.match(found(report, 'container', 'plain').found, /^created, started and deleted in \d+ ms$/);
    for (const name of ['user', 'network']) assert.is(found(report, 'namespaces', name).status, 'ok', name);
    assert.is(found(report, 'security', 'seccomp').status, 'ok');
    assert.is(found(report, 'ids', 'subordinate').status, 'skipped');
    for (const { status, remedy, name } of report.checks)
      if (status === 'failed' || status === 'warning') assert.ok(remedy, `${name} has a remedy`);
    // A test beside this one may run doctor too.
    await eventually('no cgroup of a trial', () => remains().every((path) => before.includes(path)));
    assert.equal(
      readdirSync(bed.dir).filter((name) => name.startsWith('runt-doctor')),
      [],
    );
    const text = bed.runt(['doctor', '--all']);
    assert.is(text.code, code);
    assert.match(text.stdout, /^kernel\n {2}ok {7}release +Linux \d/);
    assert.match(text.stdout, /\ndoctor: .*; \d+ warnings?\n$/);
  }),
);

test(
  'doctor finds a state root that cannot be written, and names its class',
  onBed((bed) => {
    mkdirSync(bed.root, { mode: 0o700 });
    const [code, report] = call(bed, ...mounting(`mount -t tmpfs -o ro none '${bed.root}'`));
    assert.equal([code, report.failed], [1, ['state']]);
    assert.match(found(report, 'state', 'root').found, /^write into .*: EROFS/);
  }),
);

test(
  'doctor finds that no cgroup is mounted, and still tries the rest',
  onBed((bed) => {
    const [code, report] = call(bed, ...mounting('mount -t tmpfs none /sys/fs/cgroup'));
    assert.equal([code, report.failed], [1, ['cgroups']]);
    assert.is(found(report, 'cgroups', 'layout').found, 'no cgroup hierarchy is mounted');
    assert.is(found(report, 'container', 'plain').status, 'ok');
  }),
);

/** For a script that mounts over directories, of which one may have the program. */
const withOpenProgram = 'exec 9<"$1"; shift; set -- /proc/self/fd/9 "$@"';
const otherDirectory = /^set TMPDIR to a directory that this user can write/;

test(
  'doctor passes over a directory on "noexec", and names the remedy where there is no other',
  onBed((bed) => {
    const noexec = (path: string): string => `mount -t tmpfs -o noexec none '${path}'`;
    const [, elsewhere] = call(bed, ...mounting(noexec(bed.dir)));
    assert.is(found(elsewhere, 'container', 'plain').status, 'ok');
    const all = ['/tmp', '/var/tmp'].map(noexec).join(' && ');
    const wrapped = mounting(`${withOpenProgram}; ${all} && mkdir -p '${bed.dir}'`);
    const [code, report] = call(bed, ...wrapped);
    assert.equal([code, report.failed], [1, ['container']]);
    assert.match(found(report, 'container', 'all').found, /^execute .*: EACCES/);
    assert.match(found(report, 'container', 'all').remedy!, otherDirectory);
  }),
);

test(
  'doctor names the remedy where no directory can be written',
  onBed((bed) => {
    const readOnly = ['/tmp', '/var/tmp'].map((path) => `mount -t tmpfs -o ro none ${path}`);
    const [code, report] = call(bed, ...mounting(`${withOpenProgram}; ${readOnly.join(' && ')}`));
    assert.is(code, 1);
    assert.match(found(report, 'container', 'all').found, /^make the directory .*: E/);
    assert.match(found(report, 'container', 'all').remedy!, otherDirectory);
  }),
);

test(
  'doctor names no remedy of overlays where another mount of the trial fails',
  onBed((bed) => {
    const [, report] = call(bed, ...mounting('umount -l /sys'));
    const overlay = found(report, 'mounts', 'overlay-in-user-namespace');
    assert.match(overlay.found, /^mount sysfs on \/sys /);
    assert.match(overlay.remedy!, /^bind \/sys recursively/);
  }),
);

test(
  'doctor reports that it cannot remove its directory, and still prints the rest',
  onBed((bed) => {
    const [code, report] = call(bed, 'prlimit', '--nofile=8');
    assert.is(code, 1);
    assert.ok(report.checks.some((c) => c.class === 'container' && /^remove .*runt-doctor-.*: EMFILE/.test(c.found)));
    assert.ok(report.checks.some((c) => c.class === 'state'));
  }),
);

test(
  'doctor tells an ordinary user what works, and a missing range of ids with its remedy',
  onBed((bed) => {
    const report = JSON.parse(asUser(bed)('doctor', '--format', 'json').stdout) as Report;
    assert.equal(report.failed, []);
    assert.is(found(report, 'namespaces', 'user').status, 'ok');
    const helpers = found(report, 'ids', 'helpers');
    if (helpers.status === 'ok') {
      assert.is(found(report, 'ids', 'subordinate').found, 'a container has two ids');
      const without = JSON.parse(asUser(bed, '')('doctor', '--format', 'json').stdout) as Report;
      assert.match(found(without, 'ids', 'ranges').remedy!, /^run "usermod --add-subuids /);
    }
    assert.equal(
      readdirSync('/tmp').filter((name) => name.startsWith('runt-doctor')),
      [],
    );
  }),
);

test(
  'doctor names the sysctl that forbids user namespaces, and tries no other container',
  onBed((bed) => {
    const script = 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"';
    const env = { PATH: process.env.PATH ?? '', XDG_RUNTIME_DIR: bed.dir, TMPDIR: bed.dir };
    const wrapped = ['unshare', '--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh'];
    const r = bed.runt(['doctor', '--format', 'json'], { env, wrapped });
    const report = JSON.parse(r.stdout) as Report;
    assert.equal([r.code, report.failed], [1, ['container']]);
    assert.match(found(report, 'container', 'plain').remedy!, 'sysctl -w user.max_user_namespaces=');
    assert.is(found(report, 'namespaces', 'all').status, 'skipped');
  }),
);

test(
  'a signal ends doctor with 128 + its number, and leaves nothing',
  onBed(async (bed) => {
    const env = { PATH: process.env.PATH ?? '', TMPDIR: bed.dir };
    const running = bed.spawn(['doctor'], { env });
    await eventually('a trial', () => readdirSync(bed.dir).some((name) => name.startsWith('runt-doctor')));
    running.child.kill('SIGTERM');
    const { code } = await running.exit;
    // It may have been at its end already.
    assert.ok(code === 143 || code === 0, String(code));
    assert.equal(
      readdirSync(bed.dir).filter((name) => name.startsWith('runt-doctor')),
      [],
    );
  }),
);

test.run();
