/** URIs of loggers as a program and its arguments. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { loggerCommand } from '../../../src/shim/streams/log-program.js';

test('names and values of the query are arguments, in order', () => {
  assert.equal(loggerCommand('binary:///bin/a'), { path: '/bin/a', args: [], writes: false });
  assert.equal(loggerCommand('binary:///bin/a%20b?-f=x=y&z&c=d+e%26'), {
    path: '/bin/a b',
    args: ['-f', 'x=y', 'z', 'c', 'd e&'],
    writes: false,
  });
});

test('with binary-v2:// the logger writes a byte when it is ready', () => {
  assert.equal(loggerCommand('binary-v2:///bin/a?b=c'), { path: '/bin/a', args: ['b', 'c'], writes: true });
});

test.run();
