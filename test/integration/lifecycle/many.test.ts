/**
 * Many containers at once, of root and rootless: created, listed, started, deleted, and nothing is left. RUNT_MANY sets
 * the number; `make test-all` sets 500, which exceeds an ordinary user's quota of keyrings.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { DEADLINE } from '../../deadline.js';
import { cgroupsNamed, processesOf } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, ok, onBed, type Result } from '../bed/bed.js';
import type { Config } from '../bed/config.js';
import { runtPath } from '../bed/place.js';

const test = needing('many', 'root');
const many = Number(process.env.RUNT_MANY ?? 24);

/** Runs the calls, four at a time. */
async function each(ids: readonly string[], call: (id: string) => Promise<void>): Promise<void> {
  const queue = [...ids];
  const worker = async () => {
    for (let id = queue.shift(); id !== undefined; id = queue.shift()) await call(id);
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
}

/** The whole life of all of them; `create` returns the flags that a container needed. */
async function life(
  bed: Bed,
  call: (...args: string[]) => Promise<Result>,
  create: (id: string) => Promise<void>,
): Promise<void> {
  const ids = Array.from({ length: many }, (_, i) => `${bed.id}-${String(i).padStart(3, '0')}`);
  const statuses = async () =>
    JSON.parse(ok(await call('list', '--format', 'json')).stdout) as { id: string; status: string }[];
  const all = (status: string) => ids.map((id) => ({ id, status }));
  const said = async () => (await statuses()).map(({ id, status }) => ({ id, status }));
  await each(ids, create);
  assert.equal(await said(), all('created'));
  assert.is(ok(await call('list', '-q')).stdout, ids.map((id) => `${id}\n`).join(''));
  await each(ids, async (id) => void ok(await call('start', id)));
  assert.equal(await said(), all('running'));
  const half = ids.filter((_, i) => i % 2);
  await each(half, async (id) => void ok(await call('kill', id, 'KILL')));
  for (const end = Date.now() + DEADLINE; ; ) {
    const stopped = (await said()).filter((s) => s.status === 'stopped').map((s) => s.id);
    if (stopped.length === half.length) break;
    assert.ok(Date.now() < end, `${stopped.length} of ${half.length} are stopped`);
  }
  await each(ids, async (id) => void ok(await call('delete', ...(half.includes(id) ? [] : ['--force']), id)));
  assert.equal(await said(), []);
  assert.equal(
    readdirSync(bed.root).filter((name) => name !== '.seccomp'),
    [],
  );
  assert.equal(cgroupsNamed(bed.id), []);
  await eventually('no process is left', () => processesOf(bed.mark).length === 0);
}

test(
  `root creates, starts and deletes ${many} containers`,
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '100000'];
    bed.write();
    const call = (...args: string[]) => bed.spawn(args).exit;
    await life(bed, call, async (id) => void ok(await call('create', '--bundle', bed.bundle, id)));
  }),
);

/** A user for this test only: other tests do not use up the user's quotas. */
const uid = 52_000 + (process.pid % 8000);

function mayMakeNamespaces(): boolean {
  try {
    execFileSync(
      'setpriv',
      ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', 'unshare', '-U', 'true'],
      {
        stdio: 'ignore',
      },
    );
    return true;
  } catch {
    return false;
  }
}

/** keyrings(7): the number of keys that an ordinary user may have. */
const quota = existsSync('/proc/sys/kernel/keys/maxkeys')
  ? Number(readFileSync('/proc/sys/kernel/keys/maxkeys', 'utf8'))
  : Number.POSITIVE_INFINITY;

if (mayMakeNamespaces()) {
  test(
    `an ordinary user makes ${many} containers; the error names the keyring quota, which --no-new-keyring avoids`,
    onBed(async (bed) => {
      for (const path of [bed.dir, bed.bundle]) chownSync(path, uid, uid);
      const program = join(bed.dir, 'runt');
      execFileSync('cp', [runtPath, program]);
      chmodSync(program, 0o755);
      rmSync(join(bed.bundle, 'config.json'), { force: true });
      const env = { PATH: process.env.PATH ?? '', XDG_RUNTIME_DIR: bed.dir };
      const call = (...args: string[]) => bed.spawn(args, { uid, gid: uid, program, env }).exit;
      ok(await call('spec', '--rootless', '--bundle', bed.bundle));
      bed.config = JSON.parse(readFileSync(join(bed.bundle, 'config.json'), 'utf8')) as Config;
      bed.config.process.terminal = false;
      bed.config.process.args = ['/bin/sleep', '100000'];
      bed.write();
      let refused = 0;
      await life(bed, call, async (id) => {
        const r = refused > 0 ? undefined : await call('create', '--bundle', bed.bundle, id);
        if (r?.code === 0) return;
        if (r) {
          refused++;
          assert.match(r.stderr, 'EDQUOT');
          assert.match(r.stderr, /kernel\.keys\.maxkeys .* or use --no-new-keyring/);
          assert.not.ok(existsSync(join(bed.root, id)), 'nothing of it is left');
        }
        ok(await call('create', '--no-new-keyring', '--bundle', bed.bundle, id));
      });
      // One key is the user's own; each container has one.
      if (many > quota) assert.ok(refused > 0, `${many} keyrings, the quota is ${quota}`);
    }),
  );
} else {
  process.stdout.write('# note no rootless containers: ordinary users cannot make user namespaces here\n');
}

test.run();
