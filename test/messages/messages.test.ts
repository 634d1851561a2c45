/** messages.golden.txt has all messages of runt. `RUNT_GOLDEN=write node hack/test.mjs messages/` writes it anew. */
import { readFileSync, writeFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { messageTable } from './message-table.js';

const test = suite('messages');

const golden = 'test/messages/messages.golden.txt';
const table = messageTable();

/** The rows in order of their texts: a renamed value, or a message that moves to another file, is not a change. */
const rows = (text: string): string[] =>
  text
    .replace(/<[^<>|]*>/g, '<>')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .sort();

test('each message is in the table: read it there before you write the table anew', () => {
  if (process.env.RUNT_GOLDEN === 'write') writeFileSync(golden, table);
  const [here, there] = [rows(table), rows(readFileSync(golden, 'utf8'))];
  assert.equal(
    { missing: here.filter((row) => !there.includes(row)), gone: there.filter((row) => !here.includes(row)) },
    { missing: [], gone: [] },
  );
});

/** First words of hints. */
const verbs = new Set(
  `add allow ask bind change choose chown correct create delegate delete empty enable end fetch find free give group
  install join keep kill leave load log look lower make map mount move name put raise read remove repeat replace
  report restart run set shorten split start stop thaw try unmount unpack unset use wait write`.split(/\s+/),
);

test('a hint begins with a verb: what to do stands before the cause', () => {
  const hints = table
    .split('\n')
    .map((line) => line.split(' | ')[2] ?? '')
    .filter((hint) => hint !== '' && !hint.startsWith('<'));
  assert.ok(hints.length > 250, `${hints.length} hints`);
  assert.equal(
    hints.filter((hint) => !verbs.has(/[a-z]+/.exec(hint)?.[0] ?? '')),
    [],
  );
});

test('the table has the messages of each kind', () => {
  for (const row of [
    'ERR_MOUNT | mount <fstype> on <target>',
    'ERR_NO_CONTAINER | container does not exist: <id> |',
    'ERR_SPEC_INVALID | /process/args/0 must name the program |',
    'NOT_FOUND | process already finished |',
  ])
    assert.ok(rows(table).includes(rows(row)[0]!), row);
});

test.run();
