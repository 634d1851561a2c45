/** The tables of docs/security.md: each advisory is in the title of a test, and each variable RUNT_… is listed. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const page = readFileSync('docs/security.md', 'utf8');

/** The cells of each row of the tables below a heading. */
function rows(heading: string): string[][] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return [...section.matchAll(/^\| (.+) \|$/gm)].map(([, row]) => row!.split(' | '));
}

/** The titles of the tests in a file: string literals that are first arguments of calls, or members `title`. */
function titles(name: string): string[] {
  const path = name.includes('/') ? `test/${name}.test.ts` : `test/security/${name}.test.ts`;
  assert.ok(existsSync(path), path);
  const text = readFileSync(path, 'utf8');
  return [...text.matchAll(/(?:\w+\(|title:)\s*(?:'((?:[^'\\]|\\.)+)'|"([^"]+)"|`([^`]+)`)/g)].map(
    ([, single, double, back]) => single ?? double ?? back ?? '',
  );
}

const named = (cell: string): string[] => [...cell.matchAll(/`([\w/-]+)`/g)].map(([, name]) => name!);

test('each advisory in the table is in the title of a test in each file that its row names', () => {
  const found = rows('Advisories').filter(([first]) => first?.startsWith('CVE-'));
  assert.ok(found.length > 20, `${found.length} rows`);
  for (const [advisories = '', , , tests = ''] of found) {
    const files = named(tests);
    assert.ok(files.length > 0, advisories);
    for (const advisory of advisories.split(', ')) {
      assert.ok(
        files.some((file) => titles(file).some((title) => title.includes(advisory))),
        `${advisory} in ${files.join(', ')}`,
      );
    }
  }
});

test('each of the others has a test with the title of its row', () => {
  const found = rows('Advisories').filter(([, , , last]) => /^`[\w-]+`: /.test(last ?? ''));
  assert.is(found.length, 5);
  for (const [what, , , cell = ''] of found) {
    const [file = '', title = ''] = cell.split(/: (.*)/s);
    assert.ok(titles(named(file)[0]!).includes(title), `${what}: ${title}`);
  }
});

test('each advisory in the title of a test of security is in the table', () => {
  const listed = rows('Advisories')
    .map(([first]) => first)
    .join();
  const files = readdirSync('test/security').filter((name) => name.endsWith('.test.ts') && !name.startsWith('http2'));
  const all = files.flatMap((name) => titles(name.slice(0, -'.test.ts'.length)));
  const advisories = new Set(all.join().match(/CVE-\d{4}-\d+/g));
  assert.ok(advisories.size > 30, `${advisories.size} advisories`);
  assert.equal(
    [...advisories].filter((advisory) => !listed.includes(advisory)),
    [],
  );
});

/** Names that are no variables: fields of the journal, a code of a warning, macros of C and of the build. */
const others =
  /^RUNT_(?:CODE|PATH|STATE|HTTP2|INIT_PATH|PAUSE_PATH|LAYER_PATH|COMMIT|DATE|VERSION|WEAK(?:_[A-Z]+)?|[A-Z0-9_]+_H)$/;

test('each variable RUNT_… that a program or a test names is in the tables, and each in the tables is read', () => {
  const files = ['src', 'native', 'hack', 'test', 'conformance', '.ci']
    .filter((room) => existsSync(room))
    .flatMap((room) => readdirSync(room, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && !/\.(?:md|json|txt)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
  const read = new Set(
    [...files, 'Makefile'].flatMap(
      (file) => readFileSync(file, 'latin1').match(/\bRUNT_[A-Z][A-Z0-9_]*[A-Z0-9]\b/g) ?? [],
    ),
  );
  const variables = [...read].filter((name) => !others.test(name)).sort();
  const listed = rows('Variables of the environment').flatMap(([first]) => first?.match(/RUNT_[A-Z0-9_]+/g) ?? []);
  assert.equal([...listed].sort(), variables);
});

test('no source of the product reads a variable of the build or of the tests', () => {
  const product = ['src', 'native/core', 'native/init', 'native/pause', 'native/quickjs'].flatMap((room) =>
    readdirSync(room, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /\.(?:ts|c|h)$/.test(entry.name))
      .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')),
  );
  const named = new Set(product.join('\n').match(/(?<!__)\bRUNT_[A-Z][A-Z0-9_]*[A-Z0-9]\b/g));
  const of = rows('Variables of the environment').filter((row) => row.length === 3);
  const listed = of.flatMap(([first]) => first?.match(/RUNT_[A-Z0-9_]+/g) ?? []);
  assert.equal([...named].filter((name) => !others.test(name)).sort(), listed.sort());
});

test.run();
