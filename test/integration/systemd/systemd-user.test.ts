/**
 * `--systemd-cgroup` without root: a scope of the user's systemd, from its start to its end, and behaviour without a
 * session.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';
import {
  asUser,
  type From,
  managerCgroup,
  runtimeDir,
  startSession,
  stopSession,
  usersBed,
  userUnit,
} from '../bed/user-session.js';

const test = needing('systemd of a user', 'root', 'own-clock', 'cgroup-v2', 'setpriv', 'systemctl', 'systemd');
const MiB = 1 << 20;

/** Runs f during a session. */
async function inSession(bus: boolean, f: () => void): Promise<void> {
  startSession(bus);
  try {
    f();
  } finally {
    stopSession();
  }
}

const directory = (unit: string): string => `${managerCgroup}/user.slice/${unit}`;

/** Without a cgroup namespace, the container sees the path of its cgroup. */
function showCgroup({ config: { linux } }: Bed): void {
  linux.namespaces = linux.namespaces.filter(({ type }) => type !== 'cgroup');
}

function lifecycle(bed: Bed, from: From): void {
  const call = usersBed(bed, from);
  const ok = (...args: string[]) => {
    const r = call(args);
    assert.equal([r.code, r.stderr], [0, ''], args.join(' '));
    return r.stdout;
  };
  bed.config.process.args = ['sleep', '1000'];
  showCgroup(bed);
  bed.config.linux.resources = {
    memory: { limit: 64 * MiB, reservation: MiB },
    cpu: { shares: 1024, quota: 20000, period: 100000 },
    pids: { limit: 77 },
  };
  bed.write();
  ok('--systemd-cgroup', 'create', '--bundle', bed.bundle, bed.id);
  const unit = `runt-${bed.id}.scope`;
  const files = () =>
    ['memory.max', 'memory.low', 'cpu.max', 'pids.max'].map((f) =>
      readFileSync(join(directory(unit), f), 'utf8').trim(),
    );
  ok('start', bed.id);
  const { pid } = JSON.parse(ok('state', bed.id)) as { pid: number };
  assert.is(readFileSync(join(directory(unit), 'cgroup.procs'), 'utf8'), `${pid}\n`, 'the container alone is in it');
  assert.equal(files(), [String(64 * MiB), String(MiB), '20000 100000', '77']);
  assert.equal(userUnit(unit, 'Slice', 'Delegate', 'MemoryMax', 'CPUQuotaPerSecUSec', 'TasksMax', 'SubState'), {
    CPUQuotaPerSecUSec: '200ms',
    Delegate: 'yes',
    MemoryMax: String(64 * MiB),
    Slice: 'user.slice',
    SubState: 'running',
    TasksMax: '77',
  });
  assert.match(ok('exec', bed.id, 'cat', '/proc/self/cgroup'), `/user.slice/${unit}\n`);
  ok('update', '--memory=128m', '--pids-limit=33', bed.id);
  assert.equal(files(), [String(128 * MiB), String(MiB), '20000 100000', '33']);
  assert.equal(userUnit(unit, 'MemoryMax', 'TasksMax'), { MemoryMax: String(128 * MiB), TasksMax: '33' });
  ok('pause', bed.id);
  assert.match(ok('state', bed.id), '"paused"');
  // The environment does not name the session.
  const r = call(['delete', '--force', bed.id], {
    wrapped: ['setpriv', '--reuid=1000', '--regid=1000', '--clear-groups'],
    env: {},
  });
  assert.equal([r.code, r.stderr], [0, '']);
  assert.is(userUnit(unit, 'LoadState').LoadState, 'not-found');
  assert.not.ok(existsSync(directory(unit)));
}

test(
  'from a login, over the bus, systemd moves processes that the user cannot move',
  onBed((bed) => inSession(true, () => lifecycle(bed, 'outside'))),
);

test(
  "from one of the user's own scopes, the scope is made over the manager's socket",
  onBed((bed) => inSession(false, () => lifecycle(bed, 'inside'))),
);

test(
  "in an engine's user namespace, a supervised container and an exec into it work",
  onBed((bed) =>
    inSession(true, () => {
      const call = usersBed(bed, 'outside');
      bed.config.process.args = ['sleep', '1000'];
      showCgroup(bed);
      // As with podman: the user namespace exists already.
      bed.config.linux.namespaces = bed.config.linux.namespaces?.filter(({ type }) => type !== 'user');
      delete bed.config.linux.uidMappings;
      delete bed.config.linux.gidMappings;
      bed.config.linux.resources = { pids: { limit: 44 } };
      bed.config.linux.cgroupsPath = `test-a.slice:pre:${bed.id}`;
      bed.write();
      const place = `${managerCgroup}/test.slice/test-a.slice/pre-${bed.id}.scope`;
      const script = `set -e
        "$@" --systemd-cgroup create --supervise --bundle ${bed.bundle} ${bed.id}
        cat ${place}/pids.max
        "$@" start ${bed.id}
        "$@" exec ${bed.id} cat /proc/self/cgroup
        "$@" kill ${bed.id} KILL
        "$@" wait ${bed.id}
        "$@" delete ${bed.id}`;
      const engine = ['unshare', '--user', '--map-root-user', 'sh', '-c', script, 'sh'];
      const r = call([], { wrapped: [...asUser, ...engine] });
      const path = `/user.slice/user-1000.slice/user@1000.service/test.slice/test-a.slice/pre-${bed.id}.scope`;
      assert.equal([r.code, r.stderr, r.stdout], [0, '', `44\n0::${path}\n137\n`]);
      assert.not.ok(existsSync(place));
    }),
  ),
);

test(
  'a failed create leaves no unit, and the error names a controller that is not delegated to the user',
  onBed((bed) =>
    inSession(false, () => {
      const call = usersBed(bed, 'outside');
      const unit = `runt-${bed.id}.scope`;
      bed.config.mounts.push({ destination: '/x', type: 'bind', source: '/not/there', options: ['bind'] });
      bed.write();
      const create = () => call(['--systemd-cgroup', 'create', '--bundle', bed.bundle, bed.id]);
      assert.is(create().code, 1);
      assert.is(userUnit(unit, 'LoadState').LoadState, 'not-found');
      bed.config.mounts.pop();
      bed.config.linux.resources = { blockIO: { weight: 100 } };
      bed.write();
      const r = create();
      assert.is(r.code, 1);
      assert.match(r.stderr, /cgroup\.subtree_control|io/);
      assert.match(r.stderr, /of the cgroup above|delegate/);
      assert.is(userUnit(unit, 'LoadState').LoadState, 'not-found');
    }),
  ),
);

test(
  'without a session, a container has no cgroup and a warning, and with a limit it is refused',
  onBed((bed) => {
    const call = usersBed(bed, 'outside');
    assert.not.ok(existsSync(`${runtimeDir}/systemd/private`));
    bed.config.process.args = ['true'];
    bed.config.linux.resources = {};
    bed.write();
    const run = () => call(['--systemd-cgroup', 'run', '--bundle', bed.bundle, bed.id]);
    const without = run();
    assert.is(without.code, 0, without.stderr);
    assert.match(without.stderr, /warning: the container has no cgroup of its own: the user has no systemd/);
    bed.config.linux.resources = { pids: { limit: 5 } };
    bed.write();
    const limited = run();
    assert.is(limited.code, 1);
    assert.match(limited.stderr, '/linux/resources/pids/limit');
    assert.match(limited.stderr, /loginctl enable-linger/);
  }),
);

test.run();
