/** The form of README.md and docs/ (docs/testing.md): an index, how pages begin, line length, blocks, examples. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { blocks } from './integration/docs/page.js';

const test = suite('docs');

const docs = readdirSync('docs', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'));
const pages = ['README.md', ...docs.map((name) => `docs/${name}`)].map((name) => {
  const text = readFileSync(name, 'utf8');
  return { name, text, list: blocks(text) };
});

/** Lines of a page outside of its fenced blocks. */
function prose(text: string): string[] {
  let inside = false;
  return text.split('\n').filter((line) => {
    if (!/^```/.test(line)) return !inside;
    inside = !inside;
    return false;
  });
}

test('every page is in the index', () => {
  const index = readFileSync('docs/README.md', 'utf8');
  assert.equal(
    docs.filter((name) => name !== 'README.md' && !index.includes(`](${name})`)),
    [],
  );
});

/** Pages that are read, not typed. */
const withoutCommand = ['docs/README.md', 'docs/architecture.md', 'docs/internals.md'];

test('a page begins with what it is for, then a command', () => {
  for (const { name, text } of pages) {
    assert.match(text, /^# .+\n\n/, name);
    const beginning = text.split('\n## ')[0]!;
    if (!withoutCommand.includes(name)) assert.ok(beginning.includes('\n```'), `${name}: no block before a section`);
    const first = prose(beginning.replaceAll(/<!--[\s\S]*?-->/g, ''))
      .slice(1)
      .join('\n')
      .trim()
      .split('\n\n')[0]!;
    assert.ok(first.split(/\s+/).length <= 75, `${name}: the first paragraph has ${first.split(/\s+/).length} words`);
  }
});

test('README.md has at most 700 words, docs/conformance.md at most 120 lines', () => {
  const text = readFileSync('README.md', 'utf8').replaceAll(/<!--[\s\S]*?-->/g, '');
  const words = text.split(/\s+/).length;
  assert.ok(words <= 700, `${words} words`);
  const lines = readFileSync('docs/conformance.md', 'utf8').split('\n').length;
  assert.ok(lines <= 121, `${lines} lines`);
});

/** Pages whose tables are lists of their own: of codes, of results. */
const longCells = ['docs/errors.md', 'docs/conformance.md'];

test('no line is longer than 120 columns, no cell than 120', () => {
  const long: string[] = [];
  for (const { name, text } of pages) {
    for (const [i, line] of text.split('\n').entries()) {
      const cell = line.startsWith('|');
      const tooLong = cell
        ? !longCells.includes(name) &&
          line.split(/(?<!\\)\|/).some((c) => c.replaceAll(/\]\([^)]*\)/g, ']').length > 120)
        : line.length > 120 && !/^(?:# |\$ )/.test(line) && !(name === 'docs/conformance.md' && line.startsWith('* '));
      if (tooLong) long.push(`${name}:${i + 1}`);
    }
  }
  assert.equal(long, []);
});

const languages = ['sh', 'console', 'text', 'json', 'toml', 'yaml', 'ts', 'python', 'setup'];

test('every block has a language, and a comment above it is one that the runner knows', () => {
  const bad: string[] = [];
  for (const { name, text, list } of pages) {
    for (const { language, line, note } of list) {
      if (!languages.includes(language)) bad.push(`${name}:${line}: language "${language}"`);
      if (note && !/^(?:(?:not run|needs|page needs): .+|as \w+|fails|engine)$/.test(note))
        bad.push(`${name}:${line}: "${note}"`);
    }
    const outside = prose(text);
    for (const [i, line] of outside.entries())
      if (/^ {4}\S/.test(line) && (outside[i - 1] === '' || outside[i - 1] === undefined)) bad.push(`${name}: ${line}`);
  }
  assert.equal(bad, []);
});

/** Blocks of a page that show code of this repository's tests. */
const isOfTests = (text: string): boolean => text.startsWith('// a test of this repository');

test('the examples in TypeScript type-check with the published types, under --strict', () => {
  const dir = mkdtempSync(join(tmpdir(), 'runt-examples-'));
  try {
    mkdirSync(join(dir, 'node_modules'));
    symlinkSync(resolve('.'), join(dir, 'node_modules', 'runt-oci'));
    for (const name of ['@types', '@grpc']) symlinkSync(resolve('node_modules', name), join(dir, 'node_modules', name));
    writeFileSync(join(dir, 'package.json'), '{"type": "module"}');
    const names: string[] = [];
    for (const { name, list } of pages) {
      for (const { language, text, line } of list) {
        if (language !== 'ts' || isOfTests(text)) continue;
        names.push(`${name.replaceAll(/\W/g, '-')}-${line}.ts`);
        writeFileSync(join(dir, names.at(-1)!), text);
      }
    }
    assert.ok(names.length >= 5, `${names.length} examples`);
    const options = ['--strict', '--noEmit', '--target', 'es2022', '--module', 'nodenext', '--types', 'node'];
    const tsc = resolve('node_modules/typescript/bin/tsc');
    try {
      execFileSync(process.execPath, [tsc, ...options, '--ignoreConfig', ...names], { cwd: dir, encoding: 'utf8' });
    } catch (error) {
      assert.unreachable((error as { stdout: string }).stdout);
    }
  } finally {
    rmSync(dir, { recursive: true });
  }
});

/** A row of README.md's table of engines, and how docs/conformance.md names it: engine, and by what. */
const engines: Record<string, [engine: string, by: string]> = {
  podman: ['podman', ''],
  Docker: ['docker', ''],
  "containerd, runt's shim": ['containerd', "runt's shim"],
  "containerd, runc's shim": ['containerd', "runc's shim, runt"],
  "Kubernetes' critest, containerd": ['containerd', 'critest'],
  "Kubernetes' critest, CRI-O": ['CRI-O', 'critest'],
};

/** The cells of all rows of a file's tables. */
const rows = (file: string): string[][] =>
  [...readFileSync(file, 'utf8').matchAll(/^\|(.*)\|$/gm)].map((m) => m[1]!.split('|').map((cell) => cell.trim()));

test('the versions in README.md are those that docs/conformance.md has results of', () => {
  const results = rows('docs/conformance.md').filter((cells) => cells.length === 8);
  const claims = rows('README.md').filter(([name]) => name! in engines);
  assert.equal(claims.length, Object.keys(engines).length);
  for (const [name, ...versions] of claims) {
    const [engine, by] = engines[name!]!;
    for (const [i, cell] of versions.entries()) {
      const tested = results
        .filter(([e, b, , at]) => e!.startsWith(`${engine} `) && b!.trim() === by && at!.startsWith(`v${i + 1}`))
        .map(([e]) => /\d+\.\d+/.exec(e!)![0]);
      const claimed: string[] = cell === '–' ? [] : cell!.split(', ');
      assert.equal(claimed.sort(), [...new Set(tested)].sort(), `${name}, cgroup v${i + 1}`);
    }
  }
});

test('the ratios in README.md are those of docs/bench.md', () => {
  const names: Record<string, string> = {
    'create, start, delete of `true`': 'create + start + delete',
    '`run` of `true`': 'run',
    'the same, back to back': 'run, back to back',
    '`exec` of `true`': 'exec',
  };
  const all = rows('docs/bench.md');
  const [, ...heads] = all.find((cells) => cells.includes('crun 1.21'))!;
  const claims = rows('README.md').filter(([name]) => name! in names);
  assert.equal(claims.length, Object.keys(names).length);
  for (const [name, ...ratios] of claims) {
    const [, ...measured] = all.find(([row]) => row === names[name!])!;
    const expected = ['crun 1.8.1', 'runc 1.1.5', 'crun 1.21'].map((head) => measured[heads.indexOf(head)]);
    assert.equal(ratios, expected, name);
  }
});

test.run();
