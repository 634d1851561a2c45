/** Addresses at which runt connects to systemd. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseAddresses, userAddresses } from '../../../src/cgroup/systemd/bus-address.js';
import { useNodeHost } from '../../../src/sys/node-host.js';

useNodeHost([]);

test('a list of addresses gives its unix paths, with escapes as bytes, and skips other transports', () => {
  assert.equal(parseAddresses('unix:path=/run/user/1000/bus'), ['/run/user/1000/bus']);
  assert.equal(parseAddresses('unix:abstract=/tmp/x,guid=1;tcp:host=h,port=1;unix:guid=2,path=/a%20b/%c3%a9%2f'), [
    '/a b/é/',
  ]);
  assert.equal(parseAddresses(''), []);
  assert.equal(parseAddresses('unix:path=relative'), []);
});

test('a user has the session bus, the bus of the runtime directory, then the socket of the manager', () => {
  assert.equal(userAddresses({ DBUS_SESSION_BUS_ADDRESS: 'unix:path=/x/bus', XDG_RUNTIME_DIR: '/run/user/7' }), [
    { path: '/x/bus', daemon: true },
    { path: '/run/user/7/bus', daemon: true },
    { path: '/run/user/7/systemd/private', daemon: false },
  ]);
  assert.equal(userAddresses({ DBUS_SESSION_BUS_ADDRESS: 'unix:path=/r/bus', XDG_RUNTIME_DIR: '/r' }), [
    { path: '/r/bus', daemon: true },
    { path: '/r/systemd/private', daemon: false },
  ]);
  const [bus] = userAddresses({});
  assert.match(bus!.path, /^\/run\/user\/\d+\/bus$/);
});

test.run();
