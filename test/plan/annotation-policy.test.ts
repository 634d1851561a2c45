/** The table of annotations is complete: it has every name that the sources read, and `features` lists it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { annotationPolicy, findUnsafe, refuseDenied, unsafeSentence } from '../../src/plan/annotation-policy.js';
import { annotationNames, unsafeAnnotations } from '../../src/spec/annotation-names.js';
import type { RuntError } from '../../src/sys/error.js';
import { host } from '../../src/sys/host.js';
import { useNodeHost } from '../../src/sys/node-host.js';

useNodeHost([]);

test('every annotation in src/ is in the table, or in the table of those without an effect in runt', () => {
  const others = readFileSync('src/spec/rules/annotation-rules.ts', 'utf8');
  const names = annotationNames();
  const files = readdirSync('src', { recursive: true }).map(String);
  let seen = 0;
  for (const file of files.filter((f) => f.endsWith('.ts') && f !== 'spec/rules/annotation-rules.ts')) {
    for (const [, name] of readFileSync(join('src', file), 'utf8').matchAll(
      /'((?:run\.oci|io\.runt|org\.(?:criu|systemd))\.[^']+)'/g,
    )) {
      // A bus name of systemd is not an annotation.
      if (/^org\.systemd\.property\.$|^run\.oci|^io\.runt|^org\.criu/.test(name!)) {
        assert.ok(names.includes(name!) || others.includes(`'${name}'`), `${file}: ${name}`);
        seen++;
      }
    }
  }
  assert.ok(seen >= names.length, `${seen} names were seen`);
});

test('unsafe annotations are found by their use and by prefix, with an escaped pointer', () => {
  const annotations = {
    'org.systemd.property.CPUWeight': 'uint64 1',
    'org.systemd.property.a/b~c': 'x',
    'run.oci.hooks.stdout': '/x',
    'run.oci.hooks.stdout.not': '/x',
    'org.criu.config': '/x',
    harmless: 'x',
  };
  const pointers = (...uses: Parameters<typeof findUnsafe>[1]) => findUnsafe(annotations, uses).map((f) => f.at);
  assert.equal(pointers('create'), ['/annotations/run.oci.hooks.stdout', '/annotations/org.criu.config']);
  assert.equal(pointers('systemd'), [
    '/annotations/org.systemd.property.CPUWeight',
    '/annotations/org.systemd.property.a~1b~0c',
  ]);
  assert.equal(pointers('checkpoint'), ['/annotations/org.criu.config']);
  assert.equal(pointers('exec'), []);
  assert.equal(findUnsafe(undefined, ['create']), []);
  for (const { effect } of unsafeAnnotations) assert.match(effect, /^(leaves|replaces|names|sets|moves|lets) /);
});

test('the policy is that of the option, else of the environment, else "warn"; another word is refused', () => {
  const env = host.env as Record<string, string | undefined>;
  delete env.RUNT_UNSAFE_ANNOTATIONS;
  assert.is(annotationPolicy(), 'warn');
  env.RUNT_UNSAFE_ANNOTATIONS = '';
  assert.is(annotationPolicy(), 'warn');
  env.RUNT_UNSAFE_ANNOTATIONS = 'deny';
  assert.is(annotationPolicy(), 'deny');
  assert.is(annotationPolicy('allow'), 'allow');
  env.RUNT_UNSAFE_ANNOTATIONS = 'Deny';
  assert.throws(
    () => annotationPolicy(),
    (e: RuntError) => e.code === 'ERR_USAGE' && /"Deny"/.test(e.message),
  );
  delete env.RUNT_UNSAFE_ANNOTATIONS;
});

test('a denied annotation is named with its pointer and value, and with the number of others', () => {
  const found = findUnsafe({ 'run.oci.hooks.stdout': '/x', 'run.oci.delegate-cgroup': 'a' }, ['create']);
  refuseDenied(found, 'warn');
  refuseDenied([], 'deny');
  assert.throws(
    () => refuseDenied(found, 'deny'),
    (e: RuntError) =>
      e.code === 'ERR_ANNOTATION_DENIED' &&
      e.pointer === '/annotations/run.oci.hooks.stdout' &&
      e.value === '/x' &&
      / \(and 1 more\)$/.test(e.message),
  );
  assert.match(
    unsafeSentence(found[0]!),
    /^\/annotations\/run\.oci\.hooks\.stdout is an unsafe annotation: it names a file/,
  );
});

test.run();
