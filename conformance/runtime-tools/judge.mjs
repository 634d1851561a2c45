// The OCI's validation programs with runt, crun and runc: judge.mjs [OPTION] DIRECTORY [PROGRAM…], as root; see `run`.
//
//   --vm=DRIVER        in the machine of hack/vm (only cgroup v2), with the cgroup manager DRIVER: cgroupfs or systemd
//   --inside=DRIVER    the part of it that runs in the machine: prints only the results, for machine.mjs
//
// Prints a Markdown table, each assertion that runt loses, and a sum for each runtime. results.json in DIRECTORY has
// every assertion. Exits with 1 in two cases: an assertion fails with runt and passes with crun or runc, or a failure
// has no entry in known.json. An entry excuses the first case if it has the clause of the spec that demands otherwise,
// says that the program is broken there, or that the kernel is too old for runt.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { inMachine, line } from './machine.mjs';
import { table } from './table.mjs';
import { entryOf, excuse, failures, isFor, losses, majority } from './verdict.mjs';
import { run, stop } from './world.mjs';

const [, where, driver = 'cgroupfs'] = /^--(vm|inside)=(cgroupfs|systemd)$/.exec(process.argv[2]) ?? [];
const [place, ...wanted] = process.argv.slice(where ? 3 : 2);
const directory = resolve(place);
/** Runs of a program after it reported a loss of runt: the majority counts, because some programs are flaky. */
const RUNS = 3;
const cgroup = where || existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1;
const entries = JSON.parse(readFileSync(new URL('known.json', import.meta.url), 'utf8'));
const knownOn = (kernel) => entries.filter((entry) => isFor(entry, { cgroup, driver, kernel }));
let known = knownOn(release());
const names = ['runt', 'crun', 'runc'];
const all = readdirSync(join(directory, 'programs')).sort();
for (const name of wanted) if (!all.includes(name)) throw new Error(`no program ${name}`);
const programs = wanted.length > 0 ? wanted : all;

let stopped = false;
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    stopped = true;
    stop();
  });
}

const found = where === 'vm' ? inMachine(driver, directory, programs) : here();
let versions;
const judged = [];
for await (const one of found) {
  if (where === 'inside') {
    process.stdout.write(line(one));
    continue;
  }
  if (one.versions) {
    versions = one.versions;
    // The kernel of the machine.
    known = knownOn(one.kernel);
    continue;
  }
  const { program, results } = one;
  const lost = losses(results).map((assertion) => ({ assertion, entry: excuse(known, program, assertion) }));
  const failed = failures(results).map((assertion) => ({ assertion, entry: entryOf(known, program, assertion) }));
  judged.push({ ...one, lost, failed });
  const said = names.map((name, i) => `${name} ${results[i].outcome}`).join(', ');
  process.stderr.write(`judge: ${program}: ${said}\n`);
}
if (where === 'inside') process.exit(0);

// All assertions and the stderr, to examine a failure.
const asArray = (_, value) =>
  value instanceof Map ? [...value].map(([assertion, state]) => `${state}: ${assertion}`) : value;
writeFileSync(join(directory, 'results.json'), JSON.stringify(judged, asArray, 2));

process.stdout.write(table(judged, names, versions));
const without = (of) => judged.filter((one) => one[of].some(({ entry }) => !entry)).map(({ program }) => program);
const [lost, failed] = [without('lost'), without('failed')];
if (lost.length > 0)
  process.stdout.write(`What another runtime passes, with no clause in known.json: ${lost.join(', ')}\n\n`);
if (failed.length > 0) process.stdout.write(`Failures with no reason in known.json: ${failed.join(', ')}\n\n`);
for (const [i, name] of [...names.entries()].reverse()) {
  const count = (outcome) => judged.filter(({ results }) => results[i].outcome === outcome).length;
  process.stdout.write(`${name}: ${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped\n`);
}
process.exitCode = lost.length + failed.length > 0 ? 1 : 0;

/** The versions, then the results of each program with each runtime, on this kernel. */
async function* here() {
  // A copy, so that a build meanwhile changes nothing; a script if systemd must make the cgroups.
  const files = [];
  process.on('exit', () => {
    for (const file of files) rmSync(file, { force: true });
  });
  const file = (name) => files[files.push(join(directory, `${name}-${process.pid}`)) - 1];
  const copy = file('runt');
  copyFileSync('dist/runt', copy);
  const runtimes = names.map((name) => {
    const path = name === 'runt' ? copy : which(name);
    let command = path;
    if (driver === 'systemd') {
      command = file(`${name}-systemd`);
      writeFileSync(command, `#!/bin/sh\nexec ${path} --systemd-cgroup "$@"\n`);
      chmodSync(command, 0o755);
    }
    return { name, path, command, unified: name !== 'crun', systemd: driver === 'systemd', slow: where === 'inside' };
  });
  yield {
    kernel: release(),
    versions: runtimes.map(({ path }) => execFileSync(path, ['--version'], { encoding: 'utf8' }).split('\n')[0]),
  };
  const each = async (program) => {
    const results = [];
    for (const runtime of runtimes) {
      if (stopped) process.exit(130);
      results.push(await run(program, runtime, directory));
      if (stopped) process.exit(130);
    }
    return results;
  };
  for (const program of programs) {
    let results = await each(program);
    let flaky = [];
    if (losses(results).some((assertion) => !excuse(known, program, assertion))) {
      const runs = [results];
      while (runs.length < RUNS) runs.push(await each(program));
      ({ results, flaky } = majority(runs, names));
    }
    yield { program, results, flaky };
  }
}

function which(name) {
  for (const path of (process.env.PATH ?? '').split(delimiter))
    if (existsSync(join(path, name))) return join(path, name);
  throw new Error(`${name} is not in PATH`);
}
