// Runs the snippets of the other libraries with $NODE and checks what they print: snippets.mjs PAGE DIR
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from '../../node_modules/esbuild/lib/main.js';

const [page, dir] = process.argv.slice(2);
/** Milliseconds of one snippet. */
const limit = 120_000;

/** For each task the library, what the snippet prints, and what is added to it to print a result that it only takes. */
const expected = [
  ['execa', '{"stdout":"hello","exitCode":3}\n', 'console.log(JSON.stringify({ stdout, exitCode }));'],
  ['execa', '{"stdout":"a\\nb"}\n', 'console.log(JSON.stringify({ stdout }));'],
  ['execa', 'true false\n'],
  ['dockerode', /^limited\r?\n0\n$/],
  ['dockerode', /\bbin\n[\s\S]* 0\n$/],
  ['dockerode', /^[0-9a-f]{64} running\n$/],
  ['dockerode', /^\d+\n$/],
  ['dockerode', /exit\r\n/],
  ['testcontainers', ''],
  ['testcontainers', '0\n\n'],
];

/** Runs a program; its output, or an error that has all of it. */
function run(program, args, env = {}) {
  const done = spawnSync(program, args, { encoding: 'utf8', timeout: limit, env: { ...process.env, ...env } });
  if (done.status === 0) return done.stdout;
  throw new Error(`${program}: ${done.error ?? `status ${done.status ?? done.signal}`}\n${done.stdout}${done.stderr}`);
}

/** Containers there are; "web" is the one that the page's snippets use. */
const containers = () => run('docker', ['ps', '-aq']).split('\n').filter(Boolean);
function onlyWeb() {
  const old = containers();
  if (old.length > 0) run('docker', ['rm', '-f', ...old]);
  run('docker', ['run', '-d', '--name', 'web', 'alpine', 'sleep', '1000']);
}

function snippet(code, number, [, output, more = '']) {
  onlyWeb();
  const file = join(dir, `${number}.mjs`);
  // `await using` is not yet syntax of Node.js 20.
  writeFileSync(file, transformSync(`${code}${more}\n`, { format: 'esm', target: 'node20' }).code);
  // Its reaper is a container of an image in a registry.
  const printed = run(process.env.NODE, [file], { TESTCONTAINERS_RYUK_DISABLED: 'true' });
  const fits = typeof output === 'string' ? printed === output : output.test(printed);
  if (!fits) throw new Error(`it printed ${JSON.stringify(printed)} instead of ${output}`);
  // Task 6 removes "web" too; no other leaves one.
  const left = containers().length - (number === 6 ? 0 : 1);
  if (left !== 0) throw new Error(`${left} containers are left`);
}

const tasks = readFileSync(page, 'utf8')
  .split('\n## ')
  .filter((section) => /^\d+\. /.test(section));
if (tasks.length !== expected.length) throw new Error(`${tasks.length} tasks, and ${expected.length} outputs`);
let failed = 0;
for (const [i, section] of tasks.entries()) {
  const [, name, code] = /\n(\w+):\n\n```text\n([\s\S]*?)```/.exec(section) ?? [];
  const from = performance.now();
  try {
    if (name !== expected[i][0]) throw new Error(`the snippet is of ${name}, not of ${expected[i][0]}`);
    snippet(code, i + 1, expected[i]);
    console.log(`passed  ${i + 1} ${name}, ${((performance.now() - from) / 1000).toFixed(1)} s`);
  } catch (error) {
    failed++;
    console.log(`FAILED  ${i + 1} ${name}\n${error.message.replace(/^/gm, '    ')}`);
  }
}
console.log(`runt: ${tasks.length - failed} passed, ${failed} failed, 0 skipped`);
process.exitCode = failed > 0 ? 1 : 0;
