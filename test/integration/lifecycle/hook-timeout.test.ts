/** Hooks without a timeout of their own: the default, the flag that changes it, and the warning about a slow one. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Bed, needing, onBed } from '../bed/bed.js';

const test = needing('timeouts of hooks', 'root');
const points = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const;
type Point = (typeof points)[number];

/** Adds a script that the host and the container find at the same path. */
function addScript(bed: Bed, body: string): string {
  const dir = join(bed.dir, 'scene');
  mkdirSync(dir);
  bed.config.mounts.push({ destination: dir, source: dir, type: 'bind', options: ['bind'] });
  const path = join(dir, 'hook');
  writeFileSync(path, `#!/bin/sh\n${body}\n`);
  chmodSync(path, 0o755);
  return path;
}

function setHook(bed: Bed, point: Point, hook: object): void {
  bed.config.hooks = { [point]: [hook] } as never;
  bed.config.process.args = ['/bin/true'];
  bed.write();
}

const env = [`PATH=${process.env.PATH}`];
const run = (bed: Bed, ...globals: string[]): string[] => [...globals, 'run', '--bundle', bed.bundle, bed.id];

test(
  '--hook-timeout ends a hook without a timeout at each point, and the error has the elapsed time',
  onBed((bed) => {
    const path = addScript(bed, 'exec sleep 1000');
    for (const point of points) {
      setHook(bed, point, { path, env });
      const { code, stderr } = bed.runt(run(bed, '--hook-timeout', '1'));
      assert.is(code, point === 'poststop' ? 0 : 1, stderr);
      assert.match(
        stderr,
        new RegExp(`error running ${point} hook #0: .*: not done after \\d\\.\\d s, its timeout is 1 s; it was killed`),
      );
    }
  }),
);

test(
  "a hook's own timeout overrides --hook-timeout, 0 means no limit, and create's flag holds for later commands",
  onBed((bed) => {
    const path = addScript(bed, 'sleep 1.5');
    setHook(bed, 'createRuntime', { path, env, timeout: 60 });
    assert.is(bed.runt(run(bed, '--hook-timeout', '1')).code, 0);
    setHook(bed, 'createContainer', { path, env });
    assert.is(bed.runt(run(bed, '--hook-timeout', '0')).code, 0);
    bed.config.hooks = Object.fromEntries(
      (['poststart', 'poststop'] as const).map((point) => [point, [{ path, env }]]),
    ) as never;
    bed.write();
    for (const args of [
      ['--hook-timeout', '60', 'create', '--bundle', bed.bundle, bed.id],
      ['--hook-timeout', '1', 'start', bed.id],
      ['--hook-timeout', '1', 'delete', '--force', bed.id],
    ]) {
      const { code, stderr } = bed.runt(args);
      assert.is(code, 0, stderr);
      assert.is(stderr, '');
    }
  }),
);

test(
  'RUNT_HOOK_TIMEOUT sets the timeout, the flag overrides it, and both accept whole seconds only',
  onBed((bed) => {
    const path = addScript(bed, 'sleep 1.5');
    setHook(bed, 'createRuntime', { path, env });
    const inEnv = (value: string) => ({ env: { PATH: process.env.PATH ?? '', RUNT_HOOK_TIMEOUT: value } });
    for (const one of ['1', '1s', '1000ms'])
      assert.match(bed.runt(run(bed), inEnv(one)).stderr, /its timeout is 1 s/, one);
    assert.is(bed.runt(run(bed, '--hook-timeout', '1m'), inEnv('1')).code, 0);
    assert.is(bed.runt(run(bed), inEnv('')).code, 0);
    for (const wrong of ['soon', '-1', '1.5', '1d', '9999999999'])
      assert.match(
        bed.runt(run(bed), inEnv(wrong)).stderr,
        /RUNT_HOOK_TIMEOUT must be a duration in whole seconds, such as 90s or 10m, not "/,
        wrong,
      );
    for (const wrong of ['soon', '-1', '500ms'])
      assert.match(
        bed.runt(run(bed, '--hook-timeout', wrong)).stderr,
        /run: flag --hook-timeout needs a duration in whole seconds/,
        wrong,
      );
  }),
);

test(
  'explain shows ten minutes, or the configured timeout',
  onBed((bed) => {
    setHook(bed, 'createContainer', { path: '/bin/true' });
    const shown = (...globals: string[]): string =>
      bed.runt([...globals, 'explain', '--format', 'json', bed.bundle]).stdout;
    assert.match(shown(), /"timeout": ?600\b/);
    assert.match(shown('--hook-timeout', '5'), /"timeout": ?5\b/);
    setHook(bed, 'createContainer', { path: '/bin/true', timeout: 7 });
    assert.match(shown('--hook-timeout', '5'), /"timeout": ?7\b/);
  }),
);

test('a warning names a hook that takes longer than 30 s, at each point', async () => {
  const beds = points.map(() => new Bed());
  let failed = true;
  try {
    const ended = points.map(async (point, i) => {
      const bed = beds[i] as Bed;
      const path = addScript(bed, 'exec sleep 31');
      setHook(bed, point, { path, env, ...(i % 2 && { timeout: 900 }) });
      const { code, stderr } = await bed.spawn(run(bed), { timeout: 120_000 }).exit;
      assert.is(code, 0, stderr);
      const end = `it is killed after ${i % 2 ? 900 : 600} s`;
      assert.ok(stderr.includes(`run ${bed.id}: hook ${point} 0, ${path}: not done after 30 s; ${end}`), stderr);
    });
    await Promise.all(ended);
    failed = false;
  } finally {
    for (const bed of beds) bed.end(failed);
  }
});

test.run();
