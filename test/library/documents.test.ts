/** Functions of the library that create no container: validate, compile, explain, features, bundle. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  bundle,
  compile,
  explain,
  features,
  RuntError,
  Runtime,
  type Spec,
  validate,
} from '../../src/library/index.js';

const test = suite<{ dir: string }>('library documents');

test.before.each((context) => {
  context.dir = mkdtempSync(join(tmpdir(), 'runt-library-'));
});
test.after.each(({ dir }) => {
  rmSync(dir, { recursive: true });
});

async function failure(work: Promise<unknown>): Promise<RuntError> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.instance(error, RuntError);
  return error as RuntError;
}

const minimal: Spec = {
  ociVersion: '1.2.0',
  root: { path: 'rootfs' },
  process: { user: { uid: 0, gid: 0 }, args: ['sh'], cwd: '/' },
};

test('validate checks an object or a bundle, and reports each violation with its pointer', async ({ dir }) => {
  assert.equal(await validate(minimal), { valid: true, violations: [], warnings: [] });
  const wrong = { ...minimal, process: { ...minimal.process, cwd: 'relative' }, hostname: 5 } as never;
  const judged = await validate(wrong);
  assert.is(judged.valid, false);
  const pointers = judged.violations.map(({ pointer }) => pointer);
  assert.ok(pointers.includes('/hostname'), pointers.join());
  writeFileSync(join(dir, 'config.json'), JSON.stringify(wrong));
  assert.equal(await validate(dir), judged);
});

test('validate reports a value that runt refuses on every host as a violation', async () => {
  const unsupported = { ...minimal, vm: { kernel: { path: '/vmlinuz' } } } as unknown as Spec;
  const { valid, violations } = await validate(unsupported);
  assert.equal([valid, violations.length > 0], [false, true]);
});

test('validate rejects if the config is missing or is not JSON', async ({ dir }) => {
  assert.is((await failure(validate(dir))).code, 'ERR_SPEC_MISSING');
  writeFileSync(join(dir, 'config.json'), '{"ociVersion":');
  const error = await failure(validate(dir));
  assert.is(error.code, 'ERR_SPEC_JSON');
});

test("bundle makes the directory and writes a valid config, with the caller's changes", async ({ dir }) => {
  const path = join(dir, 'new');
  const spec = await bundle(path, { rootless: true }, (changed) => {
    changed.hostname = 'box';
  });
  assert.equal([spec.hostname, spec.process?.terminal ?? false], ['box', false]);
  const written = JSON.parse(readFileSync(join(path, 'config.json'), 'utf8')) as Spec;
  assert.is(written.hostname, 'box');
  assert.is((await validate(path)).valid, true);
  await bundle(path, (changed) => {
    changed.hostname = 'again';
  });
  assert.match(readFileSync(join(path, 'config.json'), 'utf8'), /"hostname": "again"/);
});

test('bundle refuses an unknown option and writes nothing', async ({ dir }) => {
  const error = await failure(bundle(join(dir, 'none'), { nonsense: 1 } as never));
  assert.is(error.code, 'ERR_USAGE');
  assert.not.ok(existsSync(join(dir, 'none', 'config.json')));
});

test('compile and explain show the plan of a bundle, with the id in its cgroup path', async ({ dir }) => {
  await bundle(dir, { rootless: true });
  const options = {
    id: 'web',
    root: join(dir, 'state'),
    rootless: true,
    hookTimeout: 5,
    unsafeAnnotations: 'warn' as const,
  };
  const { ops } = await compile(dir, options);
  const names = ops.map(({ op }) => op);
  assert.ok(names.indexOf('clone') > 0 && names.includes('pivotRoot'), names.join());
  const text = await explain(dir, options);
  assert.match(text, /web/);
  assert.not.ok(existsSync(join(dir, 'state')), 'nothing is made');
  assert.not.equal(await explain(dir, { ...options, colour: true }), text);
  assert.is((await failure(compile(join(dir, 'none')))).code, 'ERR_SPEC_MISSING');
});

test('features has the versions and the supported values', () => {
  const { ociVersionMin, linux, mountOptions } = features();
  assert.is(ociVersionMin, '1.0.0');
  assert.ok(linux?.namespaces?.includes('user') && mountOptions?.includes('ro'));
});

test('Runtime resolves a relative root from the current directory, and has no containers there', async ({ dir }) => {
  const runtime = new Runtime({ root: join(dir, 'none') });
  assert.equal(await runtime.list(), []);
  assert.is((await failure(runtime.state('web'))).code, 'ERR_NO_CONTAINER');
  assert.is(new Runtime({ root: 'here', rootless: false }).root, join(process.cwd(), 'here'));
});

test.run();
