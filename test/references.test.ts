/** References in comments and docs: the files, sections of docs and error codes that they name exist. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('references');

const rooms = ['src', 'native', 'hack', 'test', 'docs', 'conformance', 'proto', 'schemas'];
const tree = rooms.flatMap((room) =>
  readdirSync(room, { recursive: true, encoding: 'utf8' }).map((name) => `${room}/${name}`),
);
/** Every file, and each suffix of its path that begins at a directory, because comments shorten paths. */
const ends = new Set(tree.flatMap((path) => path.split('/').map((_, i, parts) => parts.slice(i).join('/'))));

/**
 * Files of other projects: the headers and sources of the kernel, criu's, sqlite's. The build makes those below build/.
 */
const foreign =
  /^(?:(?:linux|sys|fs|criu|build)\/.*|(?:if_addr|capability|ioprio|mempolicy|resource|sched|signal|quickjs)\.h|sqlite3-binding\.c)$/;

interface Text {
  readonly file: string;
  readonly text: string;
}

/** The comments of programs, and whole pages of docs. */
const texts: Text[] = tree
  .filter((file) => /^(?:src|native|hack|test|docs)\/.*\.(?:ts|mjs|c|h|md)$/.test(file))
  .concat('README.md')
  .map((file) => {
    const text = readFileSync(file, 'utf8');
    if (file.endsWith('.md')) return { file, text };
    return { file, text: (text.match(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm) ?? []).join('\n') };
  });

const each = (pattern: RegExp): [file: string, ...groups: (string | undefined)[]][] =>
  texts.flatMap(({ file, text }) =>
    [...text.matchAll(pattern)].map((m): [string, ...(string | undefined)[]] => [file, ...m.slice(1)]),
  );

/** The anchors of a page's headings, as GitHub makes them. */
function anchors(page: string): string[] {
  return [...readFileSync(page, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test('the search finds texts, files and anchors', () => {
  assert.ok(texts.length > 300, `${texts.length} texts`);
  assert.ok(ends.has('plan/compile.ts') && anchors('docs/errors.md').includes('exit-status'));
});

test('every file that a comment or a page of the docs names is in the tree', () => {
  const named = each(
    /(?<![\w@:/.<>*$~-])((?:\.\.?\/)*(?:[\w.-]+\/)+[\w.-]+\.(?:ts|mjs|c|h)|docs\/(?:[\w-]+\/)*[\w-]+\.md|[\w-]+\.(?:ts|mjs|c|h))\b(?!\()/g,
  );
  assert.ok(named.length > 50, `${named.length} files are named`);
  const lost = named
    .map(([file, name]) => [file, name!.replace(/^(?:\.\.?\/)+/, '')] as const)
    .filter(([, name]) => !foreign.test(name) && !ends.has(name));
  assert.equal(
    lost.map(([file, name]) => `${file}: ${name}`),
    [],
  );
});

test('no comment refers to a document that is not in the tree', () => {
  assert.equal(
    each(/\b(DESIGN|HOUSE|STYLE|COMPAT|FEATURES)(?:\.md| §)/g).map(([file, name]) => `${file}: ${name}`),
    [],
  );
});

test('every section of the docs that a comment or a link names exists', () => {
  const lost = [
    ...each(/\b(docs\/(?:[\w-]+\/)*[\w-]+\.md)#([\w-]+)/g),
    ...each(/\]\(([\w./-]*\.md)?(?:#([\w-]+))?\)/g)
      .filter(([file, page, anchor]) => file.endsWith('.md') && (page || anchor))
      .map(([file, page, anchor]) => [file, page ? normalize(join(dirname(file), page)) : file, anchor] as const),
  ].filter(([, page, anchor]) => !existsSync(page!) || (anchor !== undefined && !anchors(page!).includes(anchor)));
  assert.equal(
    lost.map(([file, page, anchor]) => `${file}: ${page}#${anchor ?? ''}`),
    [],
  );
});

test('every error code in a comment or in the docs is listed in docs/errors.md', () => {
  const listed = new Set(
    [...readFileSync('docs/errors.md', 'utf8').matchAll(/^\| `(ERR_\w+)`/gm)].map(([, code]) => code!),
  );
  assert.ok(listed.size > 50, `${listed.size} codes`);
  const lost = each(/\b(ERR_[A-Z_]*[A-Z])\b/g).filter(([, code]) => !listed.has(code!));
  assert.equal(
    lost.map(([file, code]) => `${file}: ${code}`),
    [],
  );
  const code = tree.filter((file) => /^src\/.*\.ts$/.test(file)).map((file) => readFileSync(file, 'utf8'));
  const unthrown = [...listed].filter((name) => !code.some((text) => text.includes(`'${name}'`)));
  assert.equal(unthrown, [], 'nothing throws these codes');
});

test.run();
