#!/usr/bin/env node
// Checks the English of sources, tests and scripts: phrases that readers have to read twice, comments of more than
// 120 columns, commit subjects of more than 72 characters. Prints each place, then the counts; exits 1 if there is one.
//
//     hack/english.mjs [--count] [PATH…]
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const [width, subjectLength] = [120, 72];
/** Earlier subjects are longer, and cannot be changed. */
const firstChecked = '2026-11-29T16:00:00Z';

const phrases = {
  // "There is no cgroup" and "is no longer" are plain.
  'is no NOUN': /(?<!\b(?:[Tt]here|[Ii]t) )\bis no (?!longer\b|more\b)\w+/,
  'that nobody': /\bthat nobody\b/,
  'who calls': /\bwho calls\b/,
  whom: /\bwhom\b/,
  'is told': /\b(?:is|are|was|were|gets?|be) told\b/,
  'without a word': /\bwithout a word\b/,
};

const git = (...args) => execFileSync('git', args, { encoding: 'utf8' });
const countOnly = process.argv.includes('--count');
const paths = process.argv.slice(2).filter((arg) => arg !== '--count');
const rooms = ['src', 'native', 'hack', 'test', 'conformance', 'proto', 'docs', 'README.md', '.ci', 'Makefile'];
const files = git('ls-files', '-co', '--exclude-standard', '--', ...(paths.length ? paths : rooms))
  .trimEnd()
  .split('\n')
  .filter((file) => file !== 'hack/english.mjs' && !/\.(?:json|golden|snap|png|gz|bin)$/.test(file));

const counts = new Map([...Object.keys(phrases), 'long comment', 'long subject'].map((kind) => [kind, 0]));
const report = (kind, where, line) => {
  counts.set(kind, counts.get(kind) + 1);
  if (!countOnly) console.log(`${where}: ${kind}: ${line.trim()}`);
};

for (const file of files) {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    // A file that was removed and is not committed yet; git lists links to directories too.
    if (error.code === 'ENOENT' || error.code === 'EISDIR') continue;
    throw error;
  }
  if (text.includes('\0')) continue;
  for (const [i, line] of text.split('\n').entries()) {
    for (const [kind, pattern] of Object.entries(phrases))
      if (pattern.test(line)) report(kind, `${file}:${i + 1}`, line);
    if (line.length > width && !file.endsWith('.md') && /^\s*(?:\/\/|\/\*|\*|#)/.test(line))
      report('long comment', `${file}:${i + 1}`, line);
  }
}

// A clone of one commit, or an archive, has no history to check.
try {
  for (const line of git('log', '--no-merges', '--format=%h %aI %s').trimEnd().split('\n')) {
    const [hash, date, ...words] = line.split(' ');
    const subject = words.join(' ');
    if (new Date(date) >= new Date(firstChecked) && subject.length > subjectLength)
      report('long subject', hash, subject);
  }
} catch (error) {
  console.log(`commit subjects are not checked: ${error.message.split('\n')[0]}`);
}

const found = [...counts.values()].reduce((sum, n) => sum + n, 0);
if (found > 0 || countOnly) console.log([...counts].map(([kind, n]) => `${kind} ${n}`).join(', '));
process.exit(found > 0 && !countOnly ? 1 : 0);
