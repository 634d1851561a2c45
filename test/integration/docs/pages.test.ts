/** Every command of README.md and docs/ is run, and prints what the page shows; docs/testing.md has the rules. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing } from '../bed/bed.js';
import { hasVeth, which } from '../bed/needs.js';
import { runtPath, top } from '../bed/place.js';
import { type Block, blocks, omission, shows, steps } from './page.js';
import { Machine } from './shell.js';

const test = needing(
  'pages',
  'root',
  'unshare',
  'useradd',
  'setpriv',
  'newuidmap',
  'mount',
  'nsenter',
  'flock',
  'bash',
  'jq',
);

const has = (need: string): boolean => (need === 'veth' ? hasVeth() : which(need) !== undefined);
const runs = (block: Block): boolean => omission(block, has) === undefined;
/** RUNT_DOCS=PART: the pages whose path holds it. */
const pages = ['README.md']
  .concat(readdirSync(join(top, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) => `docs/${name}`))
  .filter((name) => name.endsWith('.md') && name.includes(process.env.RUNT_DOCS ?? ''))
  .map((name) => ({ name, text: readFileSync(join(top, name), 'utf8') }))
  .map(({ name, text }) => ({ name, text, list: steps(text, runs) }))
  .filter(({ name, text, list }) => {
    const needed = /^<!-- page needs: (.+) -->$/m.exec(text)?.[1]?.split(', ') ?? [];
    const lacking = needed.filter((need) => !has(need));
    if (lacking.length > 0) console.log(`# note ${name} is not typed: ${lacking.join(' and ')} is not here`);
    return list.length > 0 && lacking.length === 0;
  });

test('the pages have commands, and `…` matches as documented', () => {
  assert.ok(process.env.RUNT_DOCS || pages.flatMap(({ list }) => list).length > 60);
  assert.ok(shows(['a…c', '…', 'd'], ['abc', 'x', 'y', 'd']) && shows(['…', 'd'], ['d']));
  assert.not.ok(shows(['a'], ['a', 'b']) || shows([], ['a']) || shows(['a.c'], ['abc']) || shows(['a'], []));
});

const rootfs = join(top, 'build', 'rootfs');
/** The files of a release that README.md and docs/install.md install. */
const release = mkdtempSync(join(top, 'build', 'docs-release-'));
process.on('exit', () => rmSync(release, { recursive: true, force: true }));

test('the files of a release and a root file system are made', () => {
  execFileSync(join(top, 'hack', 'rootfs'), [rootfs], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (!pages.some(({ text }) => text.includes('$RELEASE'))) return;
  for (const kind of ['--deb', '--archive']) {
    const args = [join(top, 'hack/release/release.mjs'), kind, release];
    execFileSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  }
});

for (const { name, text } of pages) {
  for (const block of blocks(text)) {
    const why = /^needs: /.test(block.note ?? '') && omission(block, has);
    if (why) console.log(`# note ${name}:${block.line} is not typed: ${why}`);
  }
}

for (const { name, list } of pages) {
  test(`every command of ${name} prints what the page shows`, async () => {
    const machine = await Machine.make({ RELEASE: release, ROOTFS: rootfs });
    try {
      for (const { by, command, output, line, fails } of list) {
        const { lines, status } = await (await machine.shell(by)).type(command);
        const shown = output ? `\nexpected:\n${output.join('\n')}` : '';
        const report = `${name}:${line}: ${command}\nexit ${status}, printed:\n${lines.join('\n')}${shown}\n`;
        assert.ok(!output || shows(output, lines), report);
        assert.ok(status === 0 || fails, report);
      }
      assert.equal((await machine.root.type(`${runtPath} list --quiet`)).lines, [], `${name} leaves containers`);
    } finally {
      await machine.end();
    }
  });
}

test.run();
