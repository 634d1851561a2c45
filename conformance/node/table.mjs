// Compares the reports of handlers with runc's: table.mjs KNOWN.json INSTALL.json runc.json HANDLER.json…
// table.mjs --again KNOWN.json runc.json HANDLER.json…: the names of what differs, for a second attempt.
//
// A scenario whose lines differ, or that has an error, has failed, unless KNOWN has the same lines, with the reason:
// then it is skipped. One that does not end with runc is skipped too. INSTALL.json has problems, not lines to compare.
import { existsSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

const again = process.argv[2] === '--again';
const [knownFile, ...files] = process.argv.slice(again ? 3 : 2);
const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const known = read(knownFile);
const install = again ? undefined : read(files.shift());
/** A report, with the second attempts, which have the same name below again/. */
function attempts(file) {
  const report = read(file);
  const second = join(dirname(file), 'again', basename(file));
  if (existsSync(second)) Object.assign(report.results, read(second).results);
  return report;
}
const [reference, ...others] = files.map(attempts);
/** Why the lines differ as they do; others than the known ones are not excused. */
const excuse = (name, of) =>
  known.find(
    (k) => k.scenarios.includes(name) && k.handlers.includes(of.handler) && k.lines.join('\n') === text(of, name),
  )?.why;
/** That of what measure.mjs gives. */
const unit = (what) => (what.startsWith('memory') ? 'kB' : 'ms');
const text = (of, name) => (of.results[name]?.lines ?? ['it did not run']).join('\n');

if (again) {
  const differ = Object.keys(reference.results).filter((name) =>
    others.some((of) => text(of, name) !== text(reference, name) && !excuse(name, of)),
  );
  console.log(differ.join(' '));
  process.exit();
}

console.log(reference.versions);
const handlers = [reference, ...others];
console.log(['', ...handlers.map(({ handler }) => handler.padStart(9))].join('').concat('  scenario'));
const sums = { passed: 0, failed: 0, skipped: 0 };
const notes = [];
/** The lines of one that the other lacks. */
const lacks = (one, other) => one.split('\n').filter((line) => !other.split('\n').includes(line));
for (const name of Object.keys(reference.results)) {
  const cells = [`${reference.results[name].seconds.toFixed(1)} s`];
  for (const of of others) {
    const [expected, found] = [text(reference, name), text(of, name)];
    const works = !/^NOT REACHED/m.test(expected);
    const why = works ? excuse(name, of) : (excuse(name, reference) ?? 'it does not work with runc here');
    if (found === expected && !/^NOT REACHED|^error: /m.test(expected)) {
      sums.passed++;
      cells.push(`${of.results[name].seconds.toFixed(1)} s`);
      continue;
    }
    sums[why ? 'skipped' : 'failed']++;
    cells.push(why ? 'skipped' : 'FAILED');
    notes.push(`${why ? 'skipped' : 'FAILED'} with ${of.handler}: ${name}${why ? `: ${why}` : ''}`);
    for (const line of lacks(expected, found)) notes.push(`    - ${line}`);
    for (const line of lacks(found, expected)) notes.push(`    + ${line}`);
  }
  console.log(`${cells.map((cell) => cell.padStart(9)).join('')}  ${name}`);
}
for (const [name, { lines }] of Object.entries(install.results)) {
  sums[lines.length === 0 ? 'passed' : 'failed']++;
  console.log(`${lines.length === 0 ? 'passed' : 'FAILED'}  ${name}`);
  notes.push(...lines.map((line) => `FAILED: ${name}: ${line}`));
}
const measured = Object.keys(reference.measured);
if (measured.length > 0) {
  const ratios = others.map(({ handler }) => handler).join(' | ');
  console.log(`\n| runc, and the others as parts of it | runc | ${ratios} |`);
  console.log(`|---|---|${others.map(() => '---|').join('')}`);
}
for (const what of measured) {
  const of = reference.measured[what];
  const parts = others.map(({ measured }) => (measured[what] / of).toFixed(2));
  console.log(`| ${what} | ${of < 10 ? of.toFixed(1) : Math.round(of)} ${unit(what)} | ${parts.join(' | ')} |`);
}
if (notes.length > 0) console.log(`\n${notes.join('\n')}`);
console.log(`runt: ${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped`);
process.exitCode = sums.failed > 0 ? 1 : 0;
