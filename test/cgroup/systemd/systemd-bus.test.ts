/** Connections to systemd: peers that answer in both byte orders, in pieces, wrongly, late or never. */
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR, type Message, REPLY } from '../../../src/cgroup/systemd/bus-message.js';
import { BusError, openBus } from '../../../src/cgroup/systemd/systemd-bus.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { dir, type Reply, jobRemoved as removed, withPeer } from './peer.js';

useNodeHost([]);

const failure = async (f: () => Promise<unknown>): Promise<Error & { code?: string; busError?: string }> => {
  try {
    await f();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
};
const at = (path: string, daemon = false) => [{ path, daemon }];

/** `reply` with one string, big-endian. */
function bigEndian(replySerial: number, text: string): Uint8Array {
  const fields = Buffer.alloc(16 + 8);
  fields.set([5, 1, 0x75, 0], 0);
  fields.writeUInt32BE(replySerial, 4);
  fields.set([8, 1, 0x67, 0, 1, 0x73, 0], 8);
  const body = Buffer.alloc(4 + text.length + 1);
  body.writeUInt32BE(text.length, 0);
  body.write(text, 4);
  const head = Buffer.from([0x42, REPLY, 0, 1, 0, 0, 0, body.length, 0, 0, 0, 7, 0, 0, 0, 15]);
  return Buffer.concat([head, fields.subarray(0, 16), body]);
}

test('authentication sends no user name, because the kernel passes the credentials of the peer', () =>
  withPeer({ answer: () => [{ type: REPLY, signature: 's', body: ['x'] }] }, async (path, preamble) => {
    const bus = await openBus(at(path));
    assert.equal(await bus.call('GetUnit', 's', ['a.scope']), ['x']);
    bus.close();
    assert.is(preamble(), '\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n');
  }));

test('a reply in the other byte order is read byte by byte', () =>
  withPeer({ piece: 1, answer: (call) => [bigEndian(call.serial, 'big')] }, async (path) => {
    const bus = await openBus(at(path));
    assert.equal(await bus.call('GetUnit', 's', ['a.scope']), ['big']);
    bus.close();
  }));

test('a daemon gets Hello and AddMatch; other messages are skipped; a job may end before the reply', async () => {
  const calls: string[] = [];
  const answer = (call: Message): Reply[] => {
    calls.push(`${call.destination} ${call.member} ${call.signature}`);
    if (call.member !== 'StopUnit') return [{ type: REPLY }];
    const other = { type: REPLY, replySerial: call.serial + 50, signature: 's', body: ['not mine'] };
    return [
      removed('/job/9', 'failed'),
      removed('/job/1', 'done'),
      other,
      { type: REPLY, signature: 'o', body: ['/job/1'] },
    ];
  };
  await withPeer({ answer, piece: 7 }, async (path) => {
    const bus = await openBus(at(path, true));
    assert.is(await bus.job('StopUnit', 'ss', ['a.scope', 'replace']), 'done');
    bus.close();
  });
  assert.equal(calls, [
    'org.freedesktop.DBus Hello ',
    'org.freedesktop.DBus AddMatch s',
    'org.freedesktop.systemd1 Subscribe ',
    'org.freedesktop.systemd1 StopUnit ss',
  ]);
});

test('an error has the name and the text of the D-Bus error', () =>
  withPeer(
    {
      answer: () => [
        { type: ERROR, error: 'org.freedesktop.systemd1.NoSuchUnit', signature: 's', body: ['no unit a'] },
      ],
    },
    async (path) => {
      const bus = await openBus(at(path));
      const e = await failure(() => bus.call('StopUnit', 'ss', ['a', 'b']));
      assert.instance(e, BusError);
      assert.is(e.busError, 'org.freedesktop.systemd1.NoSuchUnit');
      assert.match(e.message, 'no unit a (org.freedesktop.systemd1.NoSuchUnit)');
      bus.close();
    },
  ));

test('a refused authentication, a closed connection and an invalid message have different errors', async () => {
  const answer = () => [];
  for (const [auth, why] of [
    ['REJECTED EXTERNAL\r\n', /refused the authentication: REJECTED EXTERNAL/],
    ['DATA\r\nERROR "no"\r\n', /refused the authentication: ERROR "no"/],
    [`DATA\r\n${'x'.repeat(5000)}`, /is too long/],
  ] as const) {
    await withPeer({ auth, answer }, async (path) => {
      const e = await failure(() => openBus(at(path)));
      assert.equal([e.code, why.test(e.message)], ['ERR_SYSTEMD', true], e.message);
    });
  }
  await withPeer({ answer: () => [new Uint8Array(64).fill(0x61)] }, async (path) => {
    const bus = await openBus(at(path));
    assert.match((await failure(() => bus.call('X', '', []))).message, /the message is malformed/);
    bus.close();
  });
});

test('a bus without systemd is skipped, and so is a path without a listener', () =>
  withPeer(
    {
      answer: (call) =>
        call.member === 'Subscribe'
          ? [{ type: ERROR, error: 'org.freedesktop.DBus.Error.ServiceUnknown', signature: 's', body: ['nobody'] }]
          : [{ type: REPLY, signature: 'v', body: [{ signature: 's', value: '/here' }] }],
    },
    async (path) => {
      const bus = await openBus([{ path: join(dir, 'not', 'there'), daemon: true }, ...at(path, true), ...at(path)]);
      assert.is(bus.address.daemon, false);
      assert.is(await bus.property('ControlGroup'), '/here');
      bus.close();
      const e = await failure(() => openBus([{ path: join(dir, 'none'), daemon: true }]));
      assert.match(e.message, /connect to systemd: ENOENT/);
    },
  ));

test.run();
