/** The table of unix sockets, in which a passed socket is found. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { socketPath } from '../../src/shim/service-manager.js';

const test = suite('service manager');

const table = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 12345 /run/runt/serve.sock
0000000000000000: 00000003 00000000 00000000 0001 03 123 @abstract
0000000000000000: 00000003 00000000 00000000 0001 03 1234
`;

test('the path of a socket is that of its inode', () => {
  assert.is(socketPath(table, '12345'), '/run/runt/serve.sock');
  for (const inode of ['1234', '123', '2345', '9']) assert.is(socketPath(table, inode), undefined);
});

test.run();
