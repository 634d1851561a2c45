/** docs/coming-from.md: its table has the lines of its snippets, and those of runt run. Types: test/docs.test.ts. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as assert from 'uvu/assert';
import { COMMAND_LIMIT } from '../../deadline.js';
import { needing, onBed } from '../bed/bed.js';
import { top } from '../bed/place.js';

const test = needing('coming from other libraries', 'root');
const page = readFileSync(join(top, 'docs/coming-from.md'), 'utf8');
const block = (text: string, language: string): string =>
  new RegExp(`\`\`\`${language}\\n([\\s\\S]*?)\`\`\``).exec(text)?.[1] ?? '';
const [beginning, ...sections] = page.split('\n## ');
const tasks = sections
  .filter((section) => /^\d+\. /.test(section))
  .map((section) => ({ theirs: block(section, 'text'), ours: block(section, 'ts') }));
const lines = (code: string): number => code.split('\n').length - 1;

test('there are ten tasks, and the table has the lines of each', () => {
  assert.is(tasks.length, 10);
  const rows = [...page.matchAll(/^\| \[(\d+)\]\(.*?\) \| \w+ \| (\d+) \| (\d+) \|/gm)].map((m) =>
    m.slice(1).map(Number),
  );
  assert.equal(
    rows,
    tasks.map(({ theirs, ours }, i) => [i + 1, lines(theirs), lines(ours)]),
  );
});

/** What each snippet prints; undefined for what differs by host. */
const printed: readonly (RegExp | string)[] = [
  '',
  '',
  'ERR_TIMEOUT\n',
  'limited\n0\n',
  /\bbin\n[\s\S]* 0\n$/,
  'web running\n',
  /^\d+\n$/,
  /exit\r\n/,
  '',
  '0\n\n',
];

test(
  'each snippet of runt runs and prints what it should',
  onBed(async (bed) => {
    mkdirSync(join(bed.dir, 'node_modules'));
    symlinkSync(top, join(bed.dir, 'node_modules', 'runt-oci'));
    const run = async (code: string): Promise<string> => {
      const file = join(bed.dir, 'snippet.mjs');
      const changes: [string, string][] = [
        ['/srv/hello/rootfs', bed.rootfs],
        ['/srv/', `${bed.dir}/`],
        ['new Runtime()', `new Runtime({ root: ${JSON.stringify(bed.root)} })`],
      ];
      writeFileSync(
        file,
        changes.reduce((text, [from, to]) => text.replaceAll(from, to), code),
      );
      return (await promisify(execFile)(process.execPath, [file], { timeout: COMMAND_LIMIT })).stdout;
    };
    const web = block(beginning!, 'ts');
    await run(web);
    for (const [i, { ours }] of tasks.entries()) {
      const stdout = await run(ours);
      const wanted = printed[i]!;
      if (typeof wanted === 'string') assert.is(stdout, wanted, `task ${i + 1}`);
      else assert.match(stdout, wanted, `task ${i + 1}`);
      // It has removed all containers.
      if (wanted === 'web running\n') await run(web);
    }
    assert.is(bed.runt(['list', '-q']).stdout, 'web\n');
    assert.is(bed.runt(['delete', '--force', 'web']).code, 0);
  }),
);

test.run();
