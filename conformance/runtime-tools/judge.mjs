// The OCI's validation programs with runt, crun and runc: judge.mjs DIRECTORY [PROGRAM…], as root; see `run`.
//
// Prints a table in Markdown, what each loss is, and a sum for each runtime. Ends with 1 when an assertion fails with runt
// that crun or runc passes, unless known.json has the clause of the spec that says otherwise or says that the program itself
// is broken there; or when a failure has no reason in it. results.json in DIRECTORY has every assertion.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { table } from './table.mjs';
import { entryOf, excuse, failures, losses, majority } from './verdict.mjs';
import { run, stop } from './world.mjs';

const [place, ...wanted] = process.argv.slice(2);
const directory = resolve(place);
/** Runs of a program when one says that runt loses: what most of them say counts, since some programs guess at times. */
const RUNS = 3;
const cgroup = existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1;
const known = JSON.parse(readFileSync(new URL('known.json', import.meta.url), 'utf8')).filter(
  (entry) => (entry.cgroup ?? cgroup) === cgroup,
);
// A copy, so that a build meanwhile changes nothing.
const copy = join(directory, `runt-${process.pid}`);
copyFileSync('dist/runt', copy);
process.on('exit', () => rmSync(copy, { force: true }));
const runtimes = [
  { name: 'runt', command: copy, unified: true },
  { name: 'crun', command: which('crun'), unified: false },
  { name: 'runc', command: which('runc'), unified: true },
];
const names = runtimes.map(({ name }) => name);
const programs = readdirSync(join(directory, 'programs')).sort();
for (const name of wanted) if (!programs.includes(name)) throw new Error(`no program ${name}`);

let stopped = false;
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    stopped = true;
    stop();
  });
}

const judged = [];
for (const program of wanted.length > 0 ? wanted : programs) {
  let results = await all(program);
  let flaky = [];
  if (losses(results).some((assertion) => !excuse(known, program, assertion))) {
    const runs = [results];
    while (runs.length < RUNS) runs.push(await all(program));
    ({ results, flaky } = majority(runs, names));
  }
  const lost = losses(results).map((assertion) => ({ assertion, entry: excuse(known, program, assertion) }));
  const failed = failures(results).map((assertion) => ({ assertion, entry: entryOf(known, program, assertion) }));
  judged.push({ program, results, flaky, lost, failed });
  const said = runtimes.map(({ name }, i) => `${name} ${results[i].outcome}`).join(', ');
  process.stderr.write(`judge: ${program}: ${said}\n`);
}

// All that was asserted and written to stderr, for who looks into a failure.
const asArray = (_, value) =>
  value instanceof Map ? [...value].map(([assertion, state]) => `${state}: ${assertion}`) : value;
writeFileSync(join(directory, 'results.json'), JSON.stringify(judged, asArray, 2));

const versions = runtimes.map(
  ({ command }) => execFileSync(command, ['--version'], { encoding: 'utf8' }).split('\n')[0],
);
process.stdout.write(
  table(
    judged,
    runtimes.map(({ name }) => name),
    versions,
  ),
);
const without = (of) => judged.filter((one) => one[of].some(({ entry }) => !entry)).map(({ program }) => program);
const [lost, failed] = [without('lost'), without('failed')];
if (lost.length > 0)
  process.stdout.write(`What another runtime passes, with no clause in known.json: ${lost.join(', ')}\n\n`);
if (failed.length > 0) process.stdout.write(`Failures with no reason in known.json: ${failed.join(', ')}\n\n`);
for (const [i, { name }] of [...runtimes.entries()].reverse()) {
  const count = (outcome) => judged.filter(({ results }) => results[i].outcome === outcome).length;
  process.stdout.write(`${name}: ${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped\n`);
}
process.exitCode = lost.length + failed.length > 0 ? 1 : 0;

async function all(program) {
  const results = [];
  for (const runtime of runtimes) {
    if (stopped) process.exit(130);
    results.push(await run(program, runtime, directory));
    if (stopped) process.exit(130);
  }
  return results;
}

function which(name) {
  for (const path of (process.env.PATH ?? '').split(delimiter))
    if (existsSync(join(path, name))) return join(path, name);
  throw new Error(`${name} is not in PATH`);
}
