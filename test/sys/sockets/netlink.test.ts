/** Messages of rtnetlink(7) as bytes. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { useNodeHost } from '../../../src/sys/node-host.js';
import * as netlink from '../../../src/sys/sockets/netlink.js';

useNodeHost();

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

test('a request has its length, type, flags, structure and padded attributes', () => {
  const bytes = netlink.encodeRequest(netlink.RTM_NEWLINK, 0, netlink.ifinfo(7, 1, 1), [
    [netlink.IFLA_NET_NS_FD, netlink.u32(5)],
    [netlink.IFLA_IFNAME, netlink.name('eth0')],
  ]);
  assert.is(
    hex(bytes),
    // header: 52 bytes, RTM_NEWLINK, REQUEST | ACK
    `34000000${'1000'}${'0500'}0000000000000000` +
      // ifinfomsg: family, type, index, flags, change
      '00000000070000000100000001000000' +
      '08001c0005000000' +
      '09000300' +
      '6574683000000000',
  );
  assert.is(bytes.length, 52);
});

test('a response is split into messages with attributes, and ends with an acknowledgement', () => {
  const link = netlink.encodeRequest(netlink.RTM_NEWLINK, 0, netlink.ifinfo(9, 1), [
    [netlink.IFLA_IFNAME, netlink.name('x')],
    [40, new Uint8Array(5)],
  ]);
  const ack = new Uint8Array(36);
  const view = new DataView(ack.buffer);
  view.setUint32(0, 36, true);
  view.setUint16(4, 2, true);
  const { messages, errno, done } = netlink.decodeAnswer(new Uint8Array([...link, ...ack]));
  assert.equal([messages.length, errno, done], [1, 0, true]);
  const found = netlink.parseAttributes(messages[0]!.body, 16);
  assert.equal(
    found.map(([type, value]) => [type, value.length]),
    [
      [3, 2],
      [40, 5],
    ],
  );
  assert.is(netlink.text(found[0]![1]), 'x');
  assert.equal(netlink.decodeAnswer(link), { ...netlink.decodeAnswer(link), errno: 0, done: false });
});

test('an error has its number and the message of the kernel', () => {
  const words = Buffer.from('no way\0\0');
  const bytes = new Uint8Array(16 + 4 + 16 + 4 + words.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 0x200, true);
  view.setInt32(16, -22, true);
  view.setUint16(36, 4 + words.length, true);
  view.setUint16(38, 1, true);
  bytes.set(words, 40);
  const { errno, errorText: said, done } = netlink.decodeAnswer(bytes);
  assert.equal([errno, said, done], [22, 'no way', true]);
});

test('the flags of an address beyond 8 bits are decoded, and an address is encoded', () => {
  const body = new Uint8Array([2, 24, 0x80, 0, 3, 0, 0, 0, 8, 0, 8, 0, 0x80, 2, 0, 0]);
  const address = netlink.parseAddress(body);
  assert.equal([address.family, address.prefix, address.flags, address.scope, address.index], [2, 24, 0x280, 0, 3]);
  assert.is(hex(netlink.ifaddr({ ...address, index: 4 })), '0218000004000000');
});

test('messages that are truncated or have a wrong length are left out', () => {
  assert.equal(netlink.decodeAnswer(new Uint8Array(15)).messages, []);
  const bytes = netlink.encodeRequest(netlink.RTM_NEWLINK, 0, netlink.ifinfo(1));
  new DataView(bytes.buffer).setUint32(0, 4000, true);
  assert.equal(netlink.decodeAnswer(bytes).messages, []);
  assert.equal(netlink.parseAttributes(new Uint8Array([0, 0, 0, 0]), 0), []);
  assert.equal(netlink.parseAttributes(new Uint8Array([9, 0, 1, 0, 1]), 0), []);
});

test.run();
