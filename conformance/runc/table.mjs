// A peer's tests with the peer and with runt, without those that pass with both: table.mjs KNOWN.json AS DIR [CGROUP]
//
// The peer is runc, or PEER of the environment. DIR has runc.tap and runt.tap; of runc also runc-words.tap and
// runt-words.tap of the tests that failed there, without their assertions about words. KNOWN.json has the tests that
// may fail with runt while they pass with the peer. CGROUP is the version and the manager of cgroups ("v2 systemd"), v1
// otherwise. With FAST in the environment runc.tap has only tests that do not pass with runt.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { results, unended } from './bats.mjs';
import { excuseOf, objection, outcome } from './verdict.mjs';

const [knownFile, as, directory, cgroup] = process.argv.slice(2);
const { FAST, PEER = 'runc' } = process.env;
const known = JSON.parse(readFileSync(knownFile, 'utf8'));
const hasWords = existsSync(join(directory, 'runt-words.tap'));
const text = (name) =>
  existsSync(join(directory, `${name}.tap`)) ? readFileSync(join(directory, `${name}.tap`), 'utf8') : '';
const read = (name) => results(text(name));
const [peer, runt, peerAgain, runtAgain] = [PEER, 'runt', `${PEER}-words`, 'runt-words'].map(read);

const tests = [...new Set([...peer.keys(), ...runt.keys()])].map((name) => {
  const expected = peer.get(name) ?? { state: FAST ? 'passed' : 'absent' };
  const own = runt.get(name) ?? { state: 'absent', text: [] };
  const ownAgain = runtAgain.get(name) ?? own;
  return {
    name,
    written: [expected.state, own.state],
    without: [(peerAgain.get(name) ?? expected).state, ownAgain.state],
    text: ownAgain.state === 'passed' ? own.text : ownAgain.text,
    excuse: excuseOf(known, name, as, cgroup),
  };
});

const used = new Set();
/** Whether an excused test keeps the file from its end with runt. */
const mayHang = (name, file) =>
  name === 'runt' &&
  tests.some((test) => test.name.startsWith(`${file}: `) && test.written[1] === 'absent' && test.excuse);
const objections = [PEER, 'runt'].flatMap((name) =>
  unended(text(name)).flatMap((file) => (mayHang(name, file) ? [] : [`DID NOT END with ${name}: ${file}`])),
);
const columns = { written: 'as written', ...(hasWords && { without: 'without words' }) };
if (hasWords) console.log('as written        without words');
console.log(`${PEER}     runt     `.repeat(Object.keys(columns).length).trimEnd());
for (const { name, written, without, text, excuse } of tests) {
  const why = objection(written, without, excuse);
  if (why) objections.push(`${why}: ${name}\n    ${text.slice(0, 15).join('\n    ')}`);
  if (written.every((state) => state === 'passed') || written.every((state) => state === 'skipped')) continue;
  const excused = excuse && !why && outcome(written) === 'failed';
  if (excused) used.add(excuse);
  const states = [...written, ...(hasWords ? without : [])].map((state) => state.padEnd(9)).join('');
  console.log(`${states}${name}${excused ? ` (${known.indexOf(excuse) + 1})` : ''}`);
}
for (const excuse of used) console.log(`(${known.indexOf(excuse) + 1}) ${excuse.why}`);
for (const line of objections) console.log(line);

const label = cgroup === undefined ? as : `${as} on cgroup ${cgroup}`;
let passed = 0;
for (const [column, what] of Object.entries(columns)) {
  const count = (list, wanted) => list.filter((item) => item === wanted).length;
  const expected = tests.map((test) => test[column][0]);
  const own = tests.map((test) => outcome(test[column]));
  passed += count(own, 'passed');
  if (!FAST)
    console.log(
      `${PEER} as ${label}, ${what}: ${count(expected, 'passed')} passed, ${count(expected, 'failed')} failed, ${count(expected, 'skipped')} skipped`,
    );
  console.log(
    `runt as ${label}, ${what}: ${count(own, 'passed')} passed, ${count(own, 'failed')} failed (${PEER} passes), ${count(own, 'both')} failed with both, ${count(own, 'skipped')} skipped`,
  );
}
if (passed === 0) objections.push('nothing passed');
process.exitCode = objections.length === 0 ? 0 : 1;
