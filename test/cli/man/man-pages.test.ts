/** Man pages: one for each command and one for the shim, complete, and clean roff. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CommandName, commands, globals } from '../../../src/cli/command-syntax.js';
import { commandExamples } from '../../../src/cli/help/command-examples.js';
import { flagLines, usageLines } from '../../../src/cli/help/flag-lines.js';
import { environmentVariables } from '../../../src/cli/man/environment-variables.js';
import { manPages } from '../../../src/cli/man/man-pages.js';
import { escaped } from '../../../src/cli/man/roff.js';

const names = Object.keys(commands) as CommandName[];
const pages = manPages('2026-11-29');
const plain = (page: string) =>
  page
    .replaceAll(/\\f[BIR]/g, '')
    .replaceAll('\\-', '-')
    .replaceAll('\\(aq', "'")
    .replaceAll('\\(ha', '^')
    .replaceAll('\\(ti', '~')
    .replaceAll('\\[u2026]', '…');
const has = (program: string): boolean => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

test('there is a page for runt, for each command and for the shim', () => {
  assert.equal(Object.keys(pages), ['runt.1', ...names.map((n) => `runt-${n}.1`), 'containerd-shim-runt-v1.8']);
});

test('each page has the same sections in the same order', () => {
  const sections = 'NAME SYNOPSIS DESCRIPTION OPTIONS EXAMPLES EXIT\xa0STATUS ENVIRONMENT FILES SEE\xa0ALSO';
  const more = sections.replace('OPTIONS', 'COMMANDS OPTIONS VALUES');
  for (const [name, page] of Object.entries(pages)) {
    const found = [...page.matchAll(/^\.SH (.*)$/gm)].map((m) => m[1]!.replace(' ', '\xa0')).join(' ');
    assert.is(found, name === 'runt.1' ? more : sections, name);
  }
});

test('each page has every flag, usage line and example', () => {
  for (const key of Object.keys(globals)) assert.match(plain(pages['runt.1']!), `--${key.split('|')[0]}`);
  for (const name of names) {
    const page = plain(pages[`runt-${name}.1`]!);
    for (const line of usageLines(name)) assert.match(page, `runt [global flags] ${line}\n`);
    for (const { line } of commandExamples[name]) assert.match(page, `\n.EX\n${line}\n.EE\n`);
    for (const flag of flagLines(name)) assert.match(page, `--${flag.name}`);
  }
});

test('only intended requests begin with a dot or a quote, and all is ASCII', () => {
  for (const [name, page] of Object.entries(pages)) {
    assert.match(page, /^[\n\x20-\x7e]*$/, name);
    for (const line of page.split('\n')) {
      if (/^[.']/.test(line)) assert.match(line, /^\.(TH|SH|TP|PP|RS|RE|EX|EE|br)\b/, name);
    }
  }
  assert.is(escaped(".x\n'\\-^~`…"), '\\&.x\n\\(aq\\e\\-\\(ha\\(ti\\(ga\\[u2026]');
});

test('the pages have every variable that the sources read, and no other', () => {
  const read = new Set<string>();
  for (const file of readdirSync('src', { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts') || file.startsWith('cli/man/')) continue;
    const text = readFileSync(join('src', file), 'utf8');
    for (const { 1: name } of text.matchAll(/\b(?:host\.)?env\.([A-Z][A-Z0-9_]+)\b|'((?:RUNT|LISTEN)_[A-Z_]+)'/g))
      if (name) read.add(name);
    for (const { 1: name } of text.matchAll(/\b(?:variable|timeoutVariable) = '([A-Z_]+)'/g)) read.add(name!);
  }
  // RUNT_LIBRARY is for tests of the npm package.
  read.delete('RUNT_LIBRARY');
  const documented = Object.keys(environmentVariables).filter(
    (name) => name !== 'LISTEN_PID' && name !== 'LISTEN_FDNAMES',
  );
  assert.equal([...read].sort(), documented.sort());
  for (const name of documented)
    assert.ok(
      Object.values(pages).some((page) => page.includes(`\\fB${name}\\fR`)),
      name,
    );
});

for (const [program, ...args] of [
  ['groff', '-man', '-ww', '-Tutf8'],
  ['mandoc', '-T', 'lint', '-W', 'style'],
] as const) {
  if (!has(program)) {
    process.stdout.write(`# skip man pages: ${program}: ${program} is not in PATH\n`);
    test.skip(`${program} finds nothing wrong`);
    continue;
  }
  test(`${program} finds nothing wrong`, () => {
    for (const [name, page] of Object.entries(pages)) {
      const { status, stderr, stdout } = spawnSync(program, args, { input: page, encoding: 'utf8' });
      assert.equal([status, stderr, program === 'mandoc' ? stdout : ''], [0, '', ''], name);
    }
  });
}

test.run();
