/** The input of `start`, read without protobuf code. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { socketDirectory } from '../../../src/shim/containerd/start-input.js';
import { bootstrap, google } from '../../../src/shim/transport/protos.js';
import { useNodeHost } from '../../../src/sys/node-host.js';

useNodeHost([]);

const encode = (changes: Partial<bootstrap.BootstrapParams.$Properties>): Uint8Array =>
  bootstrap.BootstrapParams.encode({
    instanceId: 'c',
    namespace: 'n',
    logLevel: -4,
    containerdVersion: '2.4.2',
    extensions: [{ value: { type_url: 'x', value: new Uint8Array(300) } }],
    socketDir: '/run/s',
    ...changes,
  }).finish();

test('the socket directory is found after a negative log level and long options', () => {
  assert.is(socketDirectory(encode({}), 'c', 'n'), '/run/s');
  assert.is(socketDirectory(encode({ logLevel: 8, extensions: [] }), 'c', 'n'), '/run/s');
});

test('other parameters, an Any and an empty input have no socket directory', () => {
  assert.is(socketDirectory(encode({ socketDir: '' }), 'c', 'n'), undefined);
  assert.is(socketDirectory(encode({}), 'other', 'n'), undefined);
  assert.is(socketDirectory(encode({}), 'c', 'other'), undefined);
  const any = google.protobuf.Any.encode({ type_url: 'c', value: new TextEncoder().encode('n') }).finish();
  assert.is(socketDirectory(any, 'c', 'n'), undefined);
  assert.is(socketDirectory(new Uint8Array(), 'c', 'n'), undefined);
});

test('truncated and random data have no socket directory', () => {
  const whole = encode({});
  for (let end = 0; end < whole.length; end++)
    assert.is(socketDirectory(whole.subarray(0, end), 'c', 'n'), undefined, `${end} of ${whole.length}`);
  for (let i = 0; i < 256; i++) assert.is(socketDirectory(Uint8Array.of(i, i, i, i), 'c', 'n'), undefined);
});

test.run();
