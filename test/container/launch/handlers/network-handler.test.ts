/** Network devices: the namespaces in which the runtime acts when it moves devices back. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { NetDevices } from '../../../../src/container/launch/handlers/network-handler.js';
import { E } from '../../../../src/sys/errno.js';
import * as netlink from '../../../../src/sys/sockets/netlink.js';
import { fakeHost } from '../../../sys/fake-host.js';

const test = suite('network devices');

const op = { op: 'netDevice', at: '/linux/netDevices/eth9', name: 'eth9', target: 'eth0' } as const;

/** A message without flags: NLMSG_ERROR (2) with an errno, NLMSG_DONE (3) or a device. */
function message(type: number, body: Uint8Array): Uint8Array {
  const bytes = netlink.encodeRequest(type, 0, body);
  new DataView(bytes.buffer).setUint16(6, 0, true);
  return bytes;
}
const ended = (errno: number): Uint8Array => message(2, new Uint8Array(new Int32Array([-errno, 0, 0, 0, 0]).buffer));

/**
 * A host with eth9 and eth0, and a container (descriptor 20) without devices, which is gone when `lost` returns true.
 * The number of a socket is that of its namespace plus 100; that of the host is 99. @returns the requests to each
 * socket
 */
function network(lost: () => boolean): [socket: number, type: number][] {
  const asked: [number, number][] = [];
  let answer = new Uint8Array(0);
  let arrived = false;
  const view = (data: Uint8Array) => new DataView(data.buffer, data.byteOffset, data.length);
  fakeHost([], {
    namespaceOpen: (path) => (path.includes('thread-self') ? 30 : lost() ? -E.ENOENT : 20),
    netlinkOpen: (namespace) => (namespace < 0 ? 99 : namespace + 100),
    write: (fd, data) => {
      const type = view(data).getUint16(4, true);
      asked.push([fd, type]);
      if (type === netlink.RTM_GETADDR) answer = new Uint8Array(message(3, new Uint8Array(4)));
      else if (type === netlink.RTM_GETLINK && (fd === 99 || arrived)) {
        answer = new Uint8Array([...message(netlink.RTM_NEWLINK, netlink.ifinfo(7)), ...ended(0)]);
      } else answer = new Uint8Array(ended(type === netlink.RTM_GETLINK ? E.ENODEV : 0));
      if (type === netlink.RTM_NEWLINK) arrived = true;
      return data.length;
    },
    read: (_fd, data) => {
      data.set(answer);
      return answer.length;
    },
  });
  return asked;
}

test('a device is moved back from the namespace that it was moved to', () => {
  const asked = network(() => false);
  const devices = new NetDevices();
  devices.move(op, 5);
  asked.length = 0;
  devices.returnAll(5);
  assert.equal(
    asked.filter(([, type]) => type === netlink.RTM_NEWLINK).map(([socket]) => socket),
    [120],
  );
});

test("no device of the host is renamed if the container's namespace is gone", () => {
  let gone = false;
  const asked = network(() => gone);
  const devices = new NetDevices();
  devices.move(op, 5);
  devices.release();
  gone = true;
  asked.length = 0;
  devices.returnAll(5);
  assert.equal(asked, []);
});

test.run();
