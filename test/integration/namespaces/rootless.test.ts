/** An ordinary user's containers: with only the user's own id, and with a range of /etc/subuid and /etc/subgid. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed, type Result } from '../bed/bed.js';
import { asUser, me } from '../bed/callers.js';
import type { Config } from '../bed/config.js';

const test = needing('rootless', 'root', 'newuidmap', 'setpriv', 'mount', 'unshare');
/** In a user namespace. */
const stacking = needing('rootless overlay', 'root', 'newuidmap', 'setpriv', 'mount', 'unshare', 'linux-5.11');

const range = { containerID: 1, hostID: 100000, size: 65536 };

/** Runs a shell script, requires success, and returns its stdout. */
function out(bed: Bed, call: (...args: string[]) => Result, script: string): string {
  bed.config.process.args = ['/bin/sh', '-c', script];
  bed.write();
  const r = call('run', '--bundle', bed.bundle, bed.id);
  if (r.code !== 0) throw new Error(`exit ${r.code}: ${r.stderr}\n${r.stdout}`);
  return r.stdout;
}

const withRange = (config: Config): void => {
  config.linux.uidMappings = [{ containerID: 0, hostID: me, size: 1 }, range];
  config.linux.gidMappings = structuredClone(config.linux.uidMappings);
};

test(
  'with one id, setgroups is denied and the map is written without a helper',
  onBed((bed) => {
    const call = asUser(bed, '');
    assert.equal(out(bed, call, 'cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -G').split(/\s+/), [
      ...['', '0', `${me}`, '1', '0', `${me}`, '1', 'deny', '0', ''],
    ]);
    bed.config.process.user.additionalGids = [5];
    bed.write();
    const r = call('run', '--bundle', bed.bundle, bed.id);
    assert.is(r.code, 1);
    assert.match(r.stderr, /setgroups|additionalGids/);
    assert.match(r.stderr, /fix /);
  }),
);

test(
  "with a range, users and groups of the container are mapped to the host's",
  onBed((bed) => {
    const call = asUser(bed);
    withRange(bed.config);
    const shared = join(bed.dir, 'shared');
    mkdirSync(shared);
    chmodSync(shared, 0o777);
    bed.config.mounts.push({ destination: '/tmp', source: shared, options: ['bind'] });
    assert.is(out(bed, call, 'touch /tmp/root; cat /proc/self/setgroups'), 'allow\n');
    bed.config.process.user = { uid: 7, gid: 8, additionalGids: [9, 10] };
    assert.is(
      out(bed, call, 'touch /tmp/seven; id -u; id -G; stat -c %u:%g /tmp/root /tmp/seven'),
      '7\n8 9 10\n0:0\n7:8\n',
    );
    const owner = (name: string) => [statSync(join(shared, name)).uid, statSync(join(shared, name)).gid];
    assert.equal(owner('root'), [me, me]);
    assert.equal(owner('seven'), [100006, 100007]);
  }),
);

test(
  'with a range, create, start, exec as another user and delete work',
  onBed((bed) => {
    const call = asUser(bed);
    withRange(bed.config);
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.config.process.user = { uid: 5, gid: 5 };
    bed.write();
    for (const args of [
      ['create', '--bundle', bed.bundle, bed.id],
      ['start', bed.id],
    ]) {
      const r = call(...args);
      assert.is(r.code, 0, r.stderr);
    }
    const { pid } = JSON.parse(call('state', bed.id).stdout) as { pid: number };
    assert.is(statSync(`/proc/${pid}/stat`).uid, 100004);
    const r = call('exec', '-u', '6:7', bed.id, '/bin/id');
    assert.match(r.stdout, /^uid=6 gid=7/);
    assert.is(call('delete', '--force', bed.id).code, 0);
  }),
);

for (const [what, subordinate, size] of [
  ['no range', '', 65536],
  ['a smaller range', `${me}:100000:1000\n`, 65536],
  ['a range of another user', '1001:100000:65536\n', 65536],
] as const) {
  test(
    `with ${what}, newuidmap refuses the maps, and the error has a hint`,
    onBed((bed) => {
      const call = asUser(bed, subordinate);
      withRange(bed.config);
      bed.config.linux.uidMappings![1]!.size = size;
      bed.config.process.args = ['/true'];
      bed.write();
      const r = call('run', '--bundle', bed.bundle, bed.id);
      assert.is(r.code, 1);
      assert.match(r.stderr, /new[ug]idmap/);
      assert.match(r.stderr, /\/etc\/sub[ug]id/);
    }),
  );
}

stacking(
  'a writable overlay on / works',
  onBed((bed) => {
    const call = asUser(bed);
    withRange(bed.config);
    for (const name of ['upper', 'work']) mkdirSync(join(bed.bundle, name));
    execFileSync('chown', ['-R', `${me}:${me}`, bed.rootfs, bed.bundle]);
    bed.config.root.readonly = false;
    const options = ['lowerdir=rootfs', 'upperdir=upper', 'workdir=work', 'userxattr'];
    bed.config.mounts.unshift({ destination: '/', type: 'overlay', source: 'overlay', options });
    assert.is(out(bed, call, 'echo x >/made; rm /true; ls /true 2>/dev/null || echo gone'), 'gone\n');
    assert.ok(readdirSync(bed.rootfs).includes('true'));
    assert.is(statSync(join(bed.bundle, 'upper', 'made')).uid, me);
  }),
);

test(
  "a source below the user's own closed directory can be bind-mounted, and id-mapped mounts are refused",
  onBed((bed) => {
    const call = asUser(bed);
    withRange(bed.config);
    const closed = join(bed.dir, 'closed');
    mkdirSync(join(closed, 'data'), { recursive: true });
    writeFileSync(join(closed, 'data', 'f'), 'inner\n');
    execFileSync('chown', ['-R', `${me}:${me}`, closed, bed.bundle]);
    chmodSync(closed, 0o700);
    bed.config.mounts.push({ destination: '/data', source: join(closed, 'data'), options: ['bind', 'ro'] });
    assert.is(out(bed, call, 'cat /data/f'), 'inner\n');
    bed.config.mounts.at(-1)!.options = ['bind', 'idmap'];
    bed.write();
    const r = call('run', '--bundle', bed.bundle, bed.id);
    assert.is(r.code, 1);
    assert.match(r.stderr, /map the ids of a bind mount: the kernel lets only root/);
  }),
);

test(
  'a foreground run gives pipes to a user of the container, but no file that the caller could not take back',
  onBed((bed) => {
    const call = asUser(bed);
    out(bed, call, 'exit 0');
    bed.config.linux.uidMappings = [{ containerID: 0, hostID: me, size: 1 }, range];
    bed.config.linux.gidMappings = [{ containerID: 0, hostID: me, size: 1 }, range];
    bed.config.process.user = { uid: 7, gid: 7 };
    bed.config.process.args = ['/bin/sh', '-c', 'echo pipe > /dev/stderr; echo file > /dev/stdout'];
    bed.write();
    const file = join(bed.dir, 'mine');
    writeFileSync(file, '');
    chownSync(file, me, me);
    const [program, env] = [join(bed.dir, 'as-user'), { PATH: process.env.PATH ?? '', XDG_RUNTIME_DIR: bed.dir }];
    // The pipe belongs to the user too: one without a mapped owner could not be given to another user.
    const become = `setpriv --reuid ${me} --regid ${me} --clear-groups`;
    const wrapped = [
      '/bin/sh',
      '-c',
      `${become} mkfifo ${file}.pipe; cat <${file}.pipe & "$@" 2>${file}.pipe >>${file}`,
      'sh',
    ];
    const run = bed.runt(['run', '--bundle', bed.bundle, bed.id], { program, env, wrapped });
    assert.is(statSync(file).uid, me);
    assert.match(run.stdout, /^pipe\n.*can't create \/dev\/stdout/);
  }),
);

test(
  'a cgroup that the config names and the user cannot make is an error, and without cgroupsPath there is none',
  onBed((bed) => {
    const call = asUser(bed);
    bed.config.process.args = ['true'];
    const run = () => {
      bed.write();
      const r = call('run', '--bundle', bed.bundle, bed.id);
      return [r.code, r.stderr] as const;
    };
    assert.equal(run(), [0, '']);
    bed.config.linux.cgroupsPath = `/${bed.id}`;
    const [code, stderr] = run();
    assert.is(code, 1);
    assert.match(
      stderr,
      new RegExp(`make the cgroup /.*/${bed.id}: the user may not write there\n  at  /linux/cgroupsPath`),
    );
    assert.equal(call('--cgroup-manager', 'disabled', 'run', '--bundle', bed.bundle, bed.id).code, 0);
  }),
);

test(
  'neither a cgroup nor a pid namespace causes a warning, as processes may outlive the container',
  onBed((bed) => {
    const call = asUser(bed);
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter(({ type }) => type !== 'pid');
    bed.config.mounts = bed.config.mounts.map((m) =>
      m.destination === '/proc' ? { destination: '/proc', source: '/proc', options: ['rbind'] } : m,
    );
    bed.config.process.args = ['true'];
    bed.write();
    const r = call('run', '--bundle', bed.bundle, bed.id);
    assert.is(r.code, 0, r.stderr);
    assert.match(
      r.stderr,
      /^runt: warning: \/linux\/namespaces: the container has neither a cgroup nor a pid namespace/,
    );
  }),
);

test.run();
stacking.run();
