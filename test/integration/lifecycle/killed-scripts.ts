/**
 * `kill -9` of each script and program of docs/recipes/jobs.md, at moments spread over its length: no process, mount,
 * cgroup or unit is left, and at most state records, which `delete --force` removes.
 *
 * RUNT_KILL_MOMENTS is the number of moments (1; `make test-all`: 10). RUNT_KILL_SCRIPTS, a regular expression, selects
 * scripts. At each moment the process group is killed, as CI runners do, or the script alone: then what it has
 * started besides runt goes on, and has its own end.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { DEADLINE } from '../../deadline.js';
import type { needing } from '../bed/bed.js';
import { top } from '../bed/place.js';
import { blocks } from '../docs/page.js';
import { Machine } from '../docs/shell.js';
import { writeProgram } from '../library/page-program.js';

type Manager = 'cgroupfs' | 'systemd';

const moments = Number(process.env.RUNT_KILL_MOMENTS ?? 1);
const chosen = new RegExp(process.env.RUNT_KILL_SCRIPTS ?? '');
/** Names of containers, which are those of their cgroups: regular expressions, by what a script with such ones has. */
const names: Readonly<Record<string, string>> = {
  'build build': 'build',
  'slow slow': 'slow',
  'large large': 'large',
  'flaky flaky': 'flaky',
  'many-': 'many-[0-9]+',
  'log-': 'log-[ab]',
  'matrix-': 'matrix-(alpine|debian)-(18|20)',
  "'debian'": '(alpine|debian)-(18|20)',
  'pack pack': 'pack',
  answer: 'answer',
  'late late': 'late',
  'ci-job': 'ci-job',
  "'east'": 'east|west|north',
};
/** Seconds until a script is killed that runs until then; User Mode Linux takes some to start a container. */
const endless: { readonly [M in Manager]: number } = { cgroupfs: 1.5, systemd: 8 };

interface Script {
  readonly name: string;
  readonly command: string;
  /** A regular expression for the names of its containers. */
  readonly containers: string;
  readonly isEndless: boolean;
}

/** The commands and programs of the page, which create containers by this manager. */
function pageFor(manager: Manager): string {
  const page = readFileSync(join(top, 'docs/recipes/jobs.md'), 'utf8');
  if (manager === 'cgroupfs') return page;
  return page
    .replace(/\brunt run\b/g, 'runt --systemd-cgroup run')
    .replaceAll('new Runtime()', 'new Runtime({ systemdCgroup: true })');
}

/** The heading above a line of the page, with a number if it has several scripts. */
function nameAt(page: string, line: number, named: Map<string, number>): string {
  const above = page.split('\n').slice(0, line - 1);
  const heading = above
    .reverse()
    .find((text) => /^###? /.test(text))!
    .replace(/^#+ /, '');
  const n = (named.get(heading) ?? 0) + 1;
  named.set(heading, n);
  return n > 1 ? `${heading} (${n})` : heading;
}

function containersOf(text: string): string {
  const found = Object.entries(names).flatMap(([mark, pattern]) => (text.includes(mark) ? [pattern] : []));
  if (found.length === 0) throw new Error(`which containers has this script?\n${text}`);
  return found.join('|');
}

/** Each block as a script of its own, after the bundles that the blocks above have made. */
function scriptsOfPage(page: string, dir: string): { setup: string; head: string; scripts: Script[] } {
  const all = blocks(page);
  const named = new Map<string, number>();
  const setup = all.find(({ language }) => language === 'setup')!.text;
  const [head, ...rest] = all.filter(({ language }) => language === 'sh');
  let bundles = head!.text;
  const scripts = rest.map(({ line, text }): Script => {
    // A script in the block, which the block starts and kills, is the one to kill.
    const inner = /<<'END'\n([\s\S]*?)END\n/.exec(text)?.[1];
    const path = join(dir, `line-${line}.sh`);
    writeFileSync(path, `${bundles}\n${inner === undefined ? '' : 'mkdir ci\n'}${inner ?? text}\n`);
    bundles += `\n${text
      .split('\n')
      .filter((each) => /^mkdir .* && bundle /.test(each))
      .join('\n')}`;
    return {
      name: nameAt(page, line, named),
      command: `bash ${path}`,
      containers: containersOf(text),
      isEndless: inner !== undefined,
    };
  });
  const programs = all
    .filter(({ language }) => language === 'ts')
    .map(({ line, text }): Script => {
      const path = writeProgram(dir, text, `line-${line}.mjs`);
      const name = nameAt(page, line, named);
      return {
        name: `${name} (TypeScript)`,
        command: `${process.execPath} ${path}`,
        containers: containersOf(text),
        isEndless: name.startsWith('Ctrl-C'),
      };
    });
  return { setup, head: head!.text, scripts: [...scripts, ...programs] };
}

/** Adds the tests to a suite. */
export function testKilledScripts(test: ReturnType<typeof needing>, manager: Manager): void {
  const dir = mkdtempSync(join(top, 'build', 'killed-scripts-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  const { setup, head, scripts } = scriptsOfPage(pageFor(manager), dir);
  const run = manager === 'systemd' ? 'runt --systemd-cgroup run' : 'runt run';
  const table: string[] = [];
  let machine: Machine | undefined;

  /** The lines of moment.sh, without the status. */
  async function leftAfter(
    { command, containers }: Pick<Script, 'command' | 'containers'>,
    at: string,
    target: string,
    wait = DEADLINE,
  ): Promise<string[]> {
    const { root } = machine!;
    await root.type('cd / && find /srv -mindepth 1 -maxdepth 1 ! -name image -exec rm -rf {} +');
    // systemd moves processes by the numbers that it sees.
    const apart = manager === 'cgroupfs' ? 'unshare --pid --fork --kill-child --mount-proc' : 'env OF=cgroup';
    const moment = `bash ${join(top, 'test/integration/lifecycle/moment.sh')} ${at} ${target} ${command}`;
    const { lines } = await root.type(`CGROUPS='${containers}' WAIT=${wait / 1000} ${apart} ${moment}`);
    // bash reports before that what it has seen killed.
    const status = lines.findIndex((line) => /^status \d+$/.test(line));
    assert.ok(status >= 0, lines.join('\n'));
    return lines.slice(status + 1);
  }

  test('a machine with an image is made', async () => {
    assert.ok(scripts.length >= 15);
    machine = await Machine.make({}, manager === 'systemd' ? ['/run/systemd', '/run/dbus'] : []);
    await machine.root.type(setup);
  });

  test('a container without --die-with-parent is seen, with its cgroups', async () => {
    const path = join(dir, 'left.sh');
    writeFileSync(path, `${head}\nmkdir ci && bundle ci -- sleep 1000\n${run} --bundle ci ci-job\n`);
    const at = String(endless[manager]);
    const left = await leftAfter({ command: `bash ${path}`, containers: 'ci-job' }, at, 'group', 1000);
    assert.ok(
      left.some((line) => /^process sleep 1000/.test(line)) && left.some((line) => /^cgroup .*ci-job/.test(line)),
      left.join('\n'),
    );
    assert.is(manager === 'systemd', left.includes('unit runt-ci-job.scope'), left.join('\n'));
    assert.equal(
      left.filter((line) => line.startsWith('record ')),
      ['record ci-job'],
    );
    assert.equal(
      left.filter((line) => line.startsWith('kept ')),
      [],
    );
  });

  for (const script of scripts.filter(({ name }) => chosen.test(name))) {
    test(`after kill -9 of "${script.name}" there is at most a state record`, async () => {
      let length = endless[manager];
      if (!script.isEndless) {
        const start = performance.now();
        assert.equal(await leftAfter(script, 'end', 'group'), [], 'after its own end');
        length = (performance.now() - start) / 1000;
      }
      let records = 0;
      for (let i = 0; i < moments; i++) {
        const at = ((length * (i + 0.5)) / moments).toFixed(3);
        for (const target of ['group', 'script']) {
          const left = await leftAfter(script, at, target);
          const others = left.filter((line) => !line.startsWith('record '));
          assert.equal(others, [], `${target} killed after ${at} of ${length.toFixed(3)} s`);
          if (left.length > 0) records++;
        }
      }
      table.push(`| ${script.name} | ${length.toFixed(1)} s | ${2 * moments} | 0 | ${records} |`);
    });
  }

  test('the machine ends', async () => {
    await machine?.end();
    // On lines of their own, below the dots of uvu.
    console.log(['', ...table.map((row) => `# note ${row}`)].join('\n'));
  });
}
