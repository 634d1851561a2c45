/** What the library says of documents: validate, compile, explain, features, bundle. Nothing is created. */
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

test('validate: an object or a bundle, with all that is wrong by its pointer', async ({ dir }) => {
  assert.equal(await validate(minimal), { valid: true, violations: [], warnings: [] });
  const wrong = { ...minimal, process: { ...minimal.process, cwd: 'relative' }, hostname: 5 } as never;
  const judged = await validate(wrong);
  assert.is(judged.valid, false);
  const pointers = judged.violations.map(({ pointer }) => pointer);
  assert.ok(pointers.includes('/hostname'), pointers.join());
  writeFileSync(join(dir, 'config.json'), JSON.stringify(wrong));
  assert.equal(await validate(dir), judged);
});

test('validate: what this runtime refuses everywhere is a violation', async () => {
  const unsupported = { ...minimal, vm: { kernel: { path: '/vmlinuz' } } } as unknown as Spec;
  const { valid, violations } = await validate(unsupported);
  assert.equal([valid, violations.length > 0], [false, true]);
});

test('validate: nothing to check is an error', async ({ dir }) => {
  assert.is((await failure(validate(dir))).code, 'ERR_SPEC_MISSING');
  writeFileSync(join(dir, 'config.json'), '{"ociVersion":');
  const error = await failure(validate(dir));
  assert.is(error.code, 'ERR_SPEC_JSON');
});

test('bundle: a config that is valid, changed as asked, in a directory that is made', async ({ dir }) => {
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

test('bundle: an option that is not known is refused, and nothing is written', async ({ dir }) => {
  const error = await failure(bundle(join(dir, 'none'), { nonsense: 1 } as never));
  assert.is(error.code, 'ERR_USAGE');
  assert.not.ok(existsSync(join(dir, 'none', 'config.json')));
});

test('compile and explain: the plan of a bundle, by the id that names its cgroup', async ({ dir }) => {
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

test('features: versions, and what the runtime knows', () => {
  const { ociVersionMin, linux, mountOptions } = features();
  assert.is(ociVersionMin, '1.0.0');
  assert.ok(linux?.namespaces?.includes('user') && mountOptions?.includes('ro'));
});

test('Runtime: a relative root counts from the current directory; none of its containers', async ({ dir }) => {
  const runtime = new Runtime({ root: join(dir, 'none') });
  assert.equal(await runtime.list(), []);
  assert.is((await failure(runtime.state('web'))).code, 'ERR_NO_CONTAINER');
  assert.is(new Runtime({ root: 'here', rootless: false }).root, join(process.cwd(), 'here'));
});

test.run();
