// runc's tests with runc and with runt, without those that pass with both: table.mjs KNOWN.json AS DIR
//
// DIR has runc.tap and runt.tap, and runc-words.tap and runt-words.tap of the tests that failed there, without their
// assertions about words. KNOWN.json has the tests that may fail with runt while they pass with runc.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { results, unended } from './bats.mjs';
import { excuseOf, objection, outcome } from './verdict.mjs';

const [knownFile, as, directory] = process.argv.slice(2);
const known = JSON.parse(readFileSync(knownFile, 'utf8'));
const text = (name) => readFileSync(join(directory, `${name}.tap`), 'utf8');
const read = (name) => results(text(name));
const [runc, runt, runcAgain, runtAgain] = ['runc', 'runt', 'runc-words', 'runt-words'].map(read);

const tests = [...runc].map(([name, expected]) => {
  const own = runt.get(name) ?? { state: 'absent', text: [] };
  const ownAgain = runtAgain.get(name) ?? own;
  return {
    name,
    written: [expected.state, own.state],
    without: [(runcAgain.get(name) ?? expected).state, ownAgain.state],
    text: ownAgain.state === 'passed' ? own.text : ownAgain.text,
    excuse: excuseOf(known, name, as),
  };
});

const used = new Set();
const objections = ['runc', 'runt'].flatMap((name) =>
  unended(text(name)).map((file) => `DID NOT END with ${name}: ${file}`),
);
console.log('as written        without words');
console.log('runc     runt     runc     runt');
for (const { name, written, without, text, excuse } of tests) {
  const why = objection(written, without, excuse);
  if (why) objections.push(`${why}: ${name}\n    ${text.slice(0, 15).join('\n    ')}`);
  if (written.every((state) => state === 'passed') || written.every((state) => state === 'skipped')) continue;
  const excused = excuse && !why && outcome(written) === 'failed';
  if (excused) used.add(excuse);
  const states = [...written, ...without].map((state) => state.padEnd(9)).join('');
  console.log(`${states}${name}${excused ? ` (${known.indexOf(excuse) + 1})` : ''}`);
}
for (const excuse of used) console.log(`(${known.indexOf(excuse) + 1}) ${excuse.why}`);
for (const line of objections) console.log(line);

let passed = 0;
for (const [column, what] of Object.entries({ written: 'as written', without: 'without words' })) {
  const count = (list, wanted) => list.filter((item) => item === wanted).length;
  const expected = tests.map((test) => test[column][0]);
  const own = tests.map((test) => outcome(test[column]));
  passed += count(own, 'passed');
  console.log(
    `runc as ${as}, ${what}: ${count(expected, 'passed')} passed, ${count(expected, 'failed')} failed, ${count(expected, 'skipped')} skipped`,
  );
  console.log(
    `runt as ${as}, ${what}: ${count(own, 'passed')} passed, ${count(own, 'failed')} failed (runc passes), ${count(own, 'both')} failed with both, ${count(own, 'skipped')} skipped`,
  );
}
process.exitCode = objections.length === 0 && passed > 0 ? 0 : 1;
