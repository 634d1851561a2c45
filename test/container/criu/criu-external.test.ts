/** Resources that criu leaves to runt, under opaque names (CVE-2026-115520), and those that cannot be restored. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  bindMounts,
  cgroupMounts,
  fileKey,
  isInheritable,
  mountIdOf,
  mountLines,
  mountName,
  refuseUnrestorable,
  submounts,
} from '../../../src/container/criu/criu-external.js';
import type { Spec } from '../../../src/spec/config-types.js';
import { RuntError } from '../../../src/sys/error.js';
import { fakeHost } from '../../sys/fake-host.js';

const spec = (rest: Partial<Spec>): Spec => ({ ociVersion: '1.2.0', ...rest }) as Spec;

function refused(rest: Partial<Spec>): string | undefined {
  try {
    refuseUnrestorable('checkpoint x', spec(rest));
    return undefined;
  } catch (error) {
    assert.instance(error, RuntError);
    assert.is((error as RuntError).code, 'ERR_UNSUPPORTED');
    return (error as RuntError).pointer;
  }
}

test("CVE-2026-115520: a destination cannot break out of criu's grammar, and two never share a name", () => {
  fakeHost([]);
  for (const path of ['/a]:/etc', '/x[1]', '/ä', '/a:b', '/a,b']) assert.match(mountName(path), /^m[0-9a-f]+$/);
  assert.is(mountName('/a/./b/'), mountName('/a/b'));
  assert.is.not(mountName('/a/b'), mountName('/a_b'));
});

test('a bind mount is external with its source on the host; so are devices in a user namespace', () => {
  fakeHost([]);
  const mounts = [
    { destination: '/proc', type: 'proc', source: 'proc' },
    { destination: '/data/', source: 'data', options: ['rbind'] },
    { destination: '/data', options: ['remount', 'bind', 'ro'] },
  ];
  const one = bindMounts(spec({ mounts }), '/b');
  const data = { at: '/mounts/1', destination: '/data', source: '/b/data', name: mountName('/data'), recursive: true };
  assert.equal(one, [data]);
  const user = bindMounts(spec({ mounts, linux: { namespaces: [{ type: 'user' }] } }), '/b');
  assert.is(user.length, 7);
  assert.is(user.find((b) => b.destination === '/dev/null')?.source, '/dev/null');
});

test('a cgroup v1 mount becomes one external mount of each hierarchy, with a separate name', () => {
  fakeHost([]);
  const mounts = [
    { destination: '/sys/fs/cgroup/', type: 'cgroup', source: 'cgroup' },
    { destination: '/v2', type: 'cgroup2', source: 'cgroup2' },
  ];
  const shown = [
    { directory: 'pids', source: '/sys/fs/cgroup/pids/x' },
    { directory: 'cpu,cpuacct', source: '/sys/fs/cgroup/cpu,cpuacct/x' },
  ];
  const found = cgroupMounts(spec({ mounts }), shown);
  assert.equal(
    found.map(({ at, destination, source }) => [at, destination, source]),
    [
      ['/mounts/0', '/sys/fs/cgroup/pids', '/sys/fs/cgroup/pids/x'],
      ['/mounts/0', '/sys/fs/cgroup/cpu,cpuacct', '/sys/fs/cgroup/cpu,cpuacct/x'],
    ],
  );
  assert.is(found[1]?.name, mountName('/sys/fs/cgroup/cpu,cpuacct'));
  assert.equal(cgroupMounts(spec({}), shown), []);
});

test('mounts below the source of a recursive bind are external too, with separate names', () => {
  fakeHost([]);
  const mounts = [
    { destination: '/data', source: '/srv', options: ['rbind'] },
    { destination: '/one', source: '/srv', options: ['bind'] },
    { destination: '/data/own', source: '/own', options: ['bind'] },
  ];
  const host = ['/', '/srv', '/srv/a', '/srv/a/b', '/srvx', '/srv/own', '/srv/a'].map((point, i) => ({
    id: `${i}`,
    point,
    shows: `0:${i} /`,
  }));
  const found = submounts(bindMounts(spec({ mounts }), '/b'), host, (source) => source);
  assert.equal(
    found.map((s) => [s.destination, s.source, s.name, s.shows]),
    [
      ['/data/a', '/srv/a', mountName('/data/a'), '0:6 /'],
      ['/data/a/b', '/srv/a/b', mountName('/data/a/b'), '0:3 /'],
    ],
  );
  assert.equal(
    submounts(bindMounts(spec({ mounts }), '/b'), host, () => ''),
    [],
    'a missing source has no mounts below',
  );
});

test('a config that cannot be restored is refused with its pointer', () => {
  assert.is(refused({ mounts: [{ destination: '/a', source: '/a', options: ['bind', 'idmap'] }] }), '/mounts/0');
  const join = (type: string) => refused({ linux: { namespaces: [{ type, path: '/p' }] } } as never);
  assert.is(join('mount'), '/linux/namespaces/0/path');
  assert.is(join('network'), undefined);
  assert.is(refused({ linux: { intelRdt: {} } }), '/linux/intelRdt');
  assert.is(refused({ linux: { netDevices: { eth0: {} } } }), '/linux/netDevices');
});

test('mountinfo and fdinfo are parsed with their ids and the escapes of the kernel', () => {
  const lines = mountLines('23 1 0:5 / / rw - ext4 x rw\n24 23 0:6 /a /a\\040b\\134c rw - tmpfs x rw\n');
  assert.equal(lines, [
    { id: '23', point: '/', shows: '0:5 /' },
    { id: '24', point: '/a b\\c', shows: '0:6 /a' },
  ]);
  assert.is(mountIdOf('pos:\t0\nflags:\t02\nmnt_id:\t15\nino:\t7\n'), '15');
  assert.is(mountIdOf(''), '');
  assert.is(fileKey('31', 255n), 'file[1f:ff]');
});

test('only pipes, sockets and external files of descriptors.json are inherited', () => {
  for (const key of ['pipe:[1]', 'socket:[22]', 'file[1f:ff]']) assert.ok(isInheritable(key), key);
  for (const key of ['/etc/passwd', 'pipe:[1]x', 'extRootNetNS', 'file[1f:ff]:x', 'pipe:[]', 7, null]) {
    assert.not.ok(isInheritable(key), String(key));
  }
});

test.run();
