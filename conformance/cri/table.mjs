// critest's tests, one a line, with runc and with the other handlers: table.mjs KNOWN.json runc.json HANDLER.json…
// table.mjs --shorten REPORT.json: the parts that a table needs, on one line.
//
// A test that passes with runc and not with a handler counts as failed, unless KNOWN has its reason. A test that does
// not pass with runc is skipped.
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

if (process.argv[2] === '--shorten') {
  const [suite] = JSON.parse(readFileSync(process.argv[3], 'utf8'));
  const keys = ['LeafNodeType', 'LeafNodeText', 'ContainerHierarchyTexts', 'State', 'Failure', 'Message'];
  process.stdout.write(`${JSON.stringify([{ SpecReports: suite.SpecReports }], ['SpecReports', ...keys])}\n`);
  process.exit();
}

const [knownFile, ...files] = process.argv.slice(2);
const known = JSON.parse(readFileSync(knownFile, 'utf8'));

/** Name → state and message. */
function results(file) {
  const [suite] = JSON.parse(readFileSync(file, 'utf8'));
  const tests = suite.SpecReports.filter((s) => s.LeafNodeType === 'It');
  return new Map(
    tests.map((s) => [
      [...(s.ContainerHierarchyTexts ?? []), s.LeafNodeText].join(' ').replace(/^\[k8s\.io\] /, ''),
      { state: s.State, message: s.Failure?.Message ?? '' },
    ]),
  );
}

const handlers = files.map((file) => ({ name: basename(file, '.json'), tests: results(file) }));
const [reference, ...others] = handlers;
const sums = { passed: 0, failed: 0, skipped: 0 };
const notes = [];
/** What is excused, and the handlers for which it was. */
const excuses = new Map();

console.log(handlers.map(({ name }) => name.padEnd(9)).join(''));
for (const [name, expected] of [...reference.tests].sort(([a], [b]) => (a < b ? -1 : 1))) {
  const states = [expected.state];
  for (const { name: handler, tests } of others) {
    const { state, message } = tests.get(name) ?? { state: 'absent', message: '' };
    states.push(state);
    const excuse =
      state === 'passed'
        ? undefined
        : known.find((k) => k.handlers.includes(handler) && new RegExp(k.reason).test(message));
    if (state === 'passed') sums.passed++;
    else if (expected.state !== 'passed' || excuse) {
      if (excuse) excuses.set(excuse.why, new Set([...(excuses.get(excuse.why) ?? []), handler]));
      sums.skipped++;
    } else {
      sums.failed++;
      notes.push(`FAILED with ${handler}: ${name}\n    ${message.slice(0, 1500).replaceAll('\n', '\n    ')}`);
    }
  }
  console.log(states.map((s) => s.padEnd(9)).join('') + name);
}
for (const { name, tests } of handlers) {
  const count = (state) => [...tests.values()].filter((t) => t.state === state).length;
  console.log(`with ${name}: ${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} skipped`);
}
const reasons = [...reference.tests].filter(([, t]) => t.state === 'failed');
for (const [name, { message }] of reasons)
  notes.push(`fails with runc: ${name}\n    ${message.slice(0, 300).replaceAll('\n', '\n    ')}`);
for (const [why, whose] of excuses) notes.push(`excused with ${[...whose].join(', ')}: ${why}`);
for (const note of notes) console.log(note);
console.log(`critest: ${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped`);
process.exitCode = sums.failed === 0 && sums.passed > 0 ? 0 : 1;
