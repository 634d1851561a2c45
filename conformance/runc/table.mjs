// runc's tests with runc and with runt, without those that pass with both: table.mjs KNOWN.json runc.tap runt.tap
//
// A test that passes with runc and not with runt counts as failed, unless KNOWN has its reason. A test that does not
// pass with runc is skipped.
import { readFileSync } from 'node:fs';

const [knownFile, ...files] = process.argv.slice(2);
const known = JSON.parse(readFileSync(knownFile, 'utf8'));

/** "file: name" → state and output. */
function results(path) {
  const found = new Map();
  let file = '';
  let last;
  for (const line of readFileSync(path, 'utf8').replaceAll('\r', '').split('\n')) {
    const [, not, name, skip] = /^(not )?ok \d+ (.*?)( # skip.*)?$/.exec(line) ?? [];
    if (/^file \S+$/.test(line)) file = line.slice(5);
    else if (name !== undefined) {
      last = { state: not ? 'failed' : skip ? 'skipped' : 'passed', text: [] };
      found.set(`${file}: ${name.trim()}`, last);
    } else if (line.startsWith('#')) last?.text.push(line.slice(2));
  }
  return found;
}

const [expected, own] = files.map(results);
const sums = { passed: 0, failed: 0, skipped: 0 };
const notes = [];
const used = new Set();
console.log('runc     runt');
for (const [name, { state }] of expected) {
  const { state: with_, text } = own.get(name) ?? { state: 'absent', text: [] };
  const excuse =
    state === 'passed' && with_ !== 'passed' ? known.find((k) => new RegExp(k.test).test(name)) : undefined;
  if (with_ === 'passed') sums.passed++;
  else if (state !== 'passed' || excuse) sums.skipped++;
  else {
    sums.failed++;
    notes.push(`FAILED with runt: ${name}\n    ${text.slice(0, 25).join('\n    ')}`);
  }
  if (excuse) used.add(excuse);
  if (state !== 'skipped' && (state !== 'passed' || with_ !== 'passed'))
    console.log(`${state.padEnd(9)}${with_.padEnd(9)}${name}${excuse ? ` (${known.indexOf(excuse) + 1})` : ''}`);
}
for (const excuse of used) console.log(`(${known.indexOf(excuse) + 1}) ${excuse.why}`);
for (const note of notes) console.log(note);
const count = (tests, state) => [...tests.values()].filter((t) => t.state === state).length;
console.log(
  `runc: ${count(expected, 'passed')} passed, ${count(expected, 'failed')} failed, ${count(expected, 'skipped')} skipped`,
);
console.log(`runt: ${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped`);
process.exitCode = sums.failed === 0 && sums.passed > 0 ? 0 : 1;
