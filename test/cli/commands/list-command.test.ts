/** The table of `list`, with runc's columns. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { formatTable } from '../../../src/cli/commands/list-command.js';

test('a column is as wide as 12 or its longest cell, plus three spaces; the last is not padded', () => {
  assert.is(formatTable([['ID', 'PID', 'OWNER']]), 'ID          PID         OWNER\n');
  assert.is(
    formatTable([
      ['ID', 'PID', 'OWNER'],
      ['a-long-container', '1', 'root'],
    ]),
    'ID                 PID         OWNER\na-long-container   1           root\n',
  );
});

test('a line feed, an escape sequence or a byte that is not UTF-8 is escaped in its cell', () => {
  assert.is(
    formatTable([
      ['BUNDLE', 'OWNER'],
      ['/a\nb\x1b[2J\udcff', 'root'],
    ]),
    'BUNDLE                   OWNER\n/a\\u000ab\\u001b[2J\\xff   root\n',
  );
});

test.run();
