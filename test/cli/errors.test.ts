/** docs/errors.md lists exactly the error codes of the source. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

function top(): string {
  for (let dir = process.cwd(); ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'docs', 'errors.md'))) return dir;
    if (dir === '/') throw new Error('run the tests inside the checkout');
  }
}

const listed = [...readFileSync(join(top(), 'docs/errors.md'), 'utf8').matchAll(/^\| `(ERR_[A-Z0-9_]+)` \|/gm)].map(
  (m) => m[1]!,
);

/** The codes in string literals, each with one file that has it. */
function used(): Map<string, string> {
  const codes = new Map<string, string>();
  for (const file of readdirSync(join(top(), 'src'), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const text = readFileSync(join(top(), 'src', file), 'utf8');
    for (const m of text.matchAll(/['"`](ERR_[A-Z0-9_]+)['"`]/g)) codes.set(m[1]!, file);
  }
  return codes;
}

test('docs/errors.md lists every code of the source', () => {
  const codes = used();
  assert.ok(codes.size > 20, 'the search found the codes');
  for (const [code, file] of codes) assert.ok(listed.includes(code), `${code} of src/${file} is not in docs/errors.md`);
});

test('every code of docs/errors.md is in the source, and is listed once', () => {
  const codes = used();
  for (const code of listed) assert.ok(codes.has(code), `${code} of docs/errors.md is not used`);
  assert.equal(listed, [...new Set(listed)]);
});

test.run();
