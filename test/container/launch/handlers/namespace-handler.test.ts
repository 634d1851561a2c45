/** Namespaces that a container joins: their files, and the id maps of a user namespace. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openNamespace, verifyIdMap } from '../../../../src/container/launch/handlers/namespace-handler.js';
import type { NamespaceType, Spec } from '../../../../src/spec/config-types.js';
import { E } from '../../../../src/sys/errno.js';
import { RuntError } from '../../../../src/sys/error.js';
import { FakeKernel } from '../../../sys/fake-host/fake-kernel.js';
import { unshare } from '../../../sys/fake-host/namespaces.js';
import { failed } from './failed-op.js';

const test = suite('joined namespaces');

const input = (spec: Partial<Spec> = {}) => ({
  command: 'create',
  record: { id: 'web' },
  spec: { ociVersion: '1.2.0', ...spec } as Spec,
});
const join = (type: NamespaceType, path: string, spec?: Partial<Spec>): number =>
  openNamespace({ op: 'namespaceOpen', at: '/linux/namespaces/0/path', type, path, slot: 0 }, input(spec));

/** The error; asserts that no descriptor was left open. */
function refused(kernel: FakeKernel, type: NamespaceType, path: string, spec?: Partial<Spec>): RuntError {
  const open = kernel.open;
  try {
    join(type, path, spec);
  } catch (error) {
    assert.equal(kernel.open, open);
    if (error instanceof RuntError) return error;
    throw error;
  }
  throw new Error('it was joined');
}

test('a namespace of the right type is opened', () => {
  const kernel = new FakeKernel();
  const process = kernel.processes.add();
  unshare(kernel, process, 'net');
  const fd = join('network', `/proc/${process.pid}/ns/net`);
  assert.match(kernel.descriptors.get(fd)?.shown ?? '', /^net:\[/);
});

test('a namespace of another type, or another file, is refused', () => {
  const kernel = new FakeKernel();
  const { pid } = kernel.processes.add();
  const type = refused(kernel, 'network', `/proc/${pid}/ns/uts`);
  assert.is(type.message, `create web: join the network namespace /proc/${pid}/ns/uts: it is a uts namespace`);
  assert.match(type.hint ?? '', /\/proc\/PID\/ns\/net, or correct/);
  kernel.tree.file('/b/file');
  const file = refused(kernel, 'mount', '/b/file');
  assert.is(file.message, 'create web: join the mount namespace /b/file: it is not a namespace');
  assert.match(file.hint ?? '', /\/proc\/PID\/ns\/mnt/);
});

test('a file that cannot be opened is reported with the reason', () => {
  const kernel = new FakeKernel();
  const gone = refused(kernel, 'ipc', '/proc/77/ns/ipc');
  assert.equal([gone.errno, gone.hint], [E.ENOENT, 'name the namespace of a running process: this one has ended']);
  assert.match(refused(kernel, 'ipc', '/run/netns/x').hint ?? '', /^make the namespace before the container/);
  kernel.failAt('namespaceOpen', 1, E.EACCES);
  assert.match(refused(kernel, 'ipc', '/proc/1/ns/ipc').hint ?? '', /^run runt as root/);
  kernel.failAt('namespaceOpen', 1, E.EIO);
  assert.is(refused(kernel, 'ipc', '/proc/1/ns/ipc').hint, undefined);
});

test("the runtime's own namespace is refused if the config would change it", () => {
  const kernel = new FakeKernel();
  const own = (type: NamespaceType, file: string, spec?: Partial<Spec>): string =>
    refused(kernel, type, `/proc/1000/ns/${file}`, spec).message.replace(/^.*host, and /, '');
  assert.is(own('mount', 'mnt'), 'a container without mounts of its own would change the host');
  assert.is(own('uts', 'uts', { hostname: 'box' }), 'hostname would change the host');
  assert.is(own('uts', 'uts', { domainname: 'box' }), 'domainname would change the host');
  assert.is(own('network', 'net', { linux: { netDevices: { eth9: {} } } }), 'netDevices would change the host');
  const sysctl = { 'net.ipv4.ip_forward': '1' };
  assert.is(own('network', 'net', { linux: { sysctl } }), 'sysctl net.ipv4.ip_forward would change the host');
  assert.ok(join('network', '/proc/1000/ns/net') > 0, 'the config does not change it');
  assert.ok(join('uts', '/proc/1000/ns/uts', { linux: { sysctl } }) > 0);
});

test('the id map of a joined namespace is compared in any order', () => {
  const kernel = new FakeKernel();
  const process = kernel.processes.add({ pid: 2500 });
  kernel.tree
    .at(`/proc/${process.pid}/uid_map`)
    ?.hooks.write?.('         0     100000       10\n        20      5   1\n');
  const verify = (lines: readonly string[], kind: 'uid' | 'gid' = 'uid'): string | undefined =>
    failed(() => verifyIdMap({ op: 'idMapVerify', at: '/linux/uidMappings', kind, lines }, 2500, input()));
  assert.is(verify(['20 5 1', '0 100000 10']), undefined);
  assert.is(
    verify(['0 100000 11']),
    'ERR_ID_MAP create web: join the user namespace: it maps uids as 0 100000 10, 20 5 1, not as 0 100000 11',
  );
  kernel.tree.at('/proc/2500/gid_map')?.hooks.write?.('');
  assert.match(verify(['0 1 1'], 'gid') ?? '', /maps gids as none, not as 0 1 1$/);
  kernel.failAt('readFile', 1, E.EIO);
  assert.is(verify(['0 1 1']), 'EIO read /proc/2500/uid_map');
});

test.run();
