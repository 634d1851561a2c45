/** D-Bus messages as bytes, in both byte orders. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { decodeMessage, encodeMessage, messageLength, SIGNAL } from '../../../src/cgroup/systemd/bus-message.js';
import { useNodeHost } from '../../../src/sys/node-host.js';

useNodeHost([]);

test('every type is decoded to the value that was encoded, with its alignment', () => {
  const m = {
    type: SIGNAL,
    serial: 7,
    path: '/org/x',
    interface: 'org.X',
    member: 'Y',
    signature: 'ybnqiuxtdsoga(sv)(yt)a{su}at',
    body: [
      1n,
      true,
      -2n,
      3n,
      -4n,
      5n,
      -6n,
      (1n << 64n) - 1n,
      1.5,
      'é',
      '/o',
      'a(ss)',
      [['name', { signature: 'a(ss)', value: [['a', 'b']] }]],
      [8n, 9n],
      [['k', 10n]],
      [],
    ],
  };
  const bytes = encodeMessage(m);
  assert.is(messageLength(bytes.subarray(0, 16)), bytes.length);
  assert.equal(decodeMessage(bytes), m);
});

test('the bytes of a call are those of the D-Bus specification', () => {
  const bytes = encodeMessage({ type: 1, serial: 1, path: '/', member: 'M', signature: 's', body: ['hi'] });
  assert.is(
    Buffer.from(bytes).toString('hex'),
    [
      '6c010001' + '07000000' + '01000000' + '27000000',
      '01016f00' + '01000000' + '2f000000' + '00000000',
      '03017300' + '01000000' + '4d000000' + '00000000',
      '08016700' + '01730000',
      '02000000' + '686900',
    ].join(''),
  );
});

test('a big-endian message is decoded', () => {
  // Header: one field, the signature "u"; padded to 8; body: one number.
  const bytes = Uint8Array.from(
    Buffer.concat([
      Buffer.from('42040001' + '00000004' + '00000009' + '00000007', 'hex'),
      Buffer.from('0801670001750000', 'hex'),
      Buffer.from('01020304', 'hex'),
    ]),
  );
  assert.is(messageLength(bytes.subarray(0, 16)), bytes.length);
  const m = decodeMessage(bytes);
  assert.equal([m.serial, m.signature, m.body], [9, 'u', [0x01020304n]]);
});

test('a truncated or invalid message is refused, wherever it is cut', () => {
  const bytes = encodeMessage({
    type: SIGNAL,
    serial: 1,
    path: '/',
    member: 'M',
    signature: 'as',
    body: [['one', 'two']],
  });
  for (let n = 16; n < bytes.length; n++) {
    assert.throws(
      () => decodeMessage(bytes.slice(0, n)),
      (e: { code?: string }) => e.code === 'ERR_SYSTEMD',
      String(n),
    );
  }
  const other = bytes.slice();
  other[0] = 0x78;
  assert.throws(() => messageLength(other.subarray(0, 16)), /the message is malformed/);
});

test.run();
