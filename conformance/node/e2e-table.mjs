// Compares the reports of Kubernetes' node tests with runc's: e2e-table.mjs KNOWN.json runc.json HANDLER.json…
//
// A test that passes with runc and not with the handler has failed, unless KNOWN excuses it. One that does not pass
// with runc either is skipped.
import { readFileSync } from 'node:fs';

const [knownFile, ...files] = process.argv.slice(2);
const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const known = read(knownFile);
const [reference, ...others] = files.map(read);
const count = (of, state) => Object.values(of.results).filter((result) => result.state === state).length;

console.log(`containerd ${reference.versions}`);
for (const of of [reference, ...others])
  console.log(
    `${of.handler.padEnd(9)} ${count(of, 'passed')} passed, ${count(of, 'failed')} failed, ${count(of, 'skipped')} skipped, in ${of.seconds} s`,
  );
const sums = { passed: 0, failed: 0, skipped: 0 };
const notes = [];
for (const of of others) {
  const names = new Set([...Object.keys(reference.results), ...Object.keys(of.results)]);
  for (const name of names) {
    const expected = reference.results[name]?.state ?? 'not run';
    const { state: found = 'not run', why = '' } = of.results[name] ?? {};
    const excuse = known.find((k) => k.handlers.includes(of.handler) && k.tests.some((part) => name.includes(part)));
    const verdict = found === 'passed' ? 'passed' : expected !== 'passed' || excuse ? 'skipped' : 'failed';
    sums[verdict]++;
    if (found !== expected)
      notes.push(`${verdict} with ${of.handler}: ${name}: ${found}, with runc ${expected}: ${excuse?.why ?? why}`);
  }
}
for (const [name, { state, why }] of Object.entries(reference.results))
  if (state !== 'passed' && state !== 'skipped') notes.push(`${state} with runc: ${name}: ${why}`);
if (notes.length > 0) console.log(`\n${notes.join('\n')}`);
console.log(`runt: ${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped`);
process.exitCode = sums.failed > 0 || sums.passed === 0 ? 1 : 0;
