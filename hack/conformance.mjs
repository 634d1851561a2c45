// The tables of docs/conformance.md, from the logs of hack/test-all: conformance.mjs LOGS OUT.md
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { join } from 'node:path';

const [logs, out] = process.argv.slice(2);
const text = (name) => (existsSync(join(logs, name)) ? readFileSync(join(logs, name), 'utf8') : '');

/** When a part ran, how long, and whether it passed; undefined when it never did. */
function ending(name) {
  const [status, seconds, date] = text(`${name}.status`).trim().split(' ');
  return (
    date && { passed: status === '0', seconds, date, how: status === '0' ? 'passed' : `**failed** (status ${status})` }
  );
}

/** Path → what its line in the log of hack/test.mjs says. */
function results(name) {
  const lines = [...text(name).matchAll(/^(ok {2}|FAIL) (test\/\S+) (\d+)\/(\d+) /gm)];
  return new Map(
    lines.map(([, mark, path, passed, total]) => [
      path,
      total === '0' && mark !== 'FAIL' ? 'skipped' : `${passed}/${total}${mark === 'FAIL' ? ' **failed**' : ''}`,
    ]),
  );
}

const here = results('tests');
const vm = results('vm');
const sum = (name) => /^\d+ passed, \d+ failed, \d+ skipped$/m.exec(text(name))?.[0] ?? 'did not end';
const lines = [
  '# Conformance',
  '',
  '<!-- Written by `make test-all`; do not edit. -->',
  '',
  'What ran where the last time that `make test-all` did, and how it went.',
  '',
  `Here is Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model ?? 'a CPU'}.`,
  '',
  '| part | when | seconds | result |',
  '|---|---|---|---|',
];
const parts = {
  tests: 'all tests, here',
  vm: 'kernel tests on cgroup v2 alone, User Mode Linux',
  fuzz: 'fuzzing',
  bench: 'bench',
};
for (const [name, what] of Object.entries(parts)) {
  const end = ending(name);
  const more = end && (name === 'tests' || name === 'vm') ? `: ${sum(name)}` : '';
  lines.push(
    end ? `| ${what} | ${end.date} | ${end.seconds} | ${end.how}${more} |` : `| ${what} | – | – | did not run |`,
  );
}

lines.push('', '## Tests', '', '| passed of all | here | cgroup v2 |', '|---|---|---|');
for (const path of [...new Set([...here.keys(), ...vm.keys()])].sort()) {
  lines.push(`| ${path.slice('test/'.length)} | ${here.get(path) ?? '–'} | ${vm.get(path) ?? '–'} |`);
}
for (const name of ['tests', 'vm']) {
  const skipped = /^skipped:\n((?: {2}.*\n)+)/m.exec(text(name))?.[1];
  if (skipped)
    lines.push('', `Skipped ${name === 'vm' ? 'on cgroup v2' : 'here'}:`, '', '```', skipped.trimEnd(), '```');
}

const kills = [...text('tests').matchAll(/^ +(create|run|start|exec|delete): (\d+) of (\d+) killed .*$/gm)];
if (kills.length > 0) {
  lines.push('', '## Killed at random moments', '', '| command | moments | still ran | left |', '|---|---|---|---|');
  for (const [line, command, cuts, all] of kills) {
    const left = Object.entries(JSON.parse(line.slice(line.indexOf('{')))).map(([status, n]) => `${n} ${status}`);
    lines.push(`| ${command} | ${all} | ${cuts} | ${left.join(', ')} |`);
  }
}
const fuzz = text('fuzz')
  .split('\n')
  .filter((l) => /^(fuzz|decode_fuzz|json_fuzz):/.test(l));
if (fuzz.length > 0) lines.push('', '## Fuzzing', '', '```', ...fuzz, '```');
const bench = text('bench')
  .trimEnd()
  .split('\n')
  .filter((l) => !l.startsWith('bench: written'));
if (bench.length > 1) lines.push('', '## Bench', '', 'See [bench.md](bench.md).', '', '```', ...bench, '```');
writeFileSync(out, `${lines.join('\n').replaceAll(/\n{3,}/g, '\n\n')}\n`);
