// Takes the assertions about words out of runc's tests: words.mjs WORDS.json FILE.bats…
//
// Changes the files, and prints how many lines.
import { readFileSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { withoutWords } from './without-words.mjs';

const [list, ...files] = process.argv.slice(2);
const patterns = JSON.parse(readFileSync(list, 'utf8'));
let sum = 0;
for (const file of files) {
  const { text, changed } = withoutWords(readFileSync(file, 'utf8'), basename(file, '.bats'), patterns);
  writeFileSync(file, text);
  sum += changed;
}
console.log(`${sum} assertions about words are left out`);
