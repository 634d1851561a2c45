/** `delete` of the gRPC shim on the fake host: held by runt-init if the server has the container, else done at once. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { makeStateDir } from '../../../src/container/state/claim-id.js';
import { saveRecord } from '../../../src/container/state/stored-files.js';
import { serverSocket } from '../../../src/shim/holds/delete-holder.js';
import { holdNo, holdSocket, holdYes } from '../../../src/shim/holds/hold-socket.js';
import { shim } from '../../../src/shim/shim-main.js';
import { task } from '../../../src/shim/transport/protos.js';
import { E } from '../../../src/sys/errno.js';
import { S_IFREG } from '../../../src/sys/linux.js';
import { Protocol } from '../../../src/sys/protocol.js';
import { recordOf } from '../../container/state/records.js';
import { mountCgroups } from '../../sys/fake-host/cgroups.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { reports, ScriptedInit, type Step } from '../../sys/fake-host/scripted-init.js';
import { SocketEnd } from '../../sys/fake-host/sockets.js';

const test = suite('delete holder');

const socket = `/run/s/${'0'.repeat(64)}`;
const address = JSON.stringify({ version: 3, address: socket, protocol: 'grpc' });
const name = 'containerd-shim-runt-grpc-v1';
const flags = ['-namespace', 'ns', '-id', 'web', '-bundle', '/b'];
let rounds = 0;

/**
 * Runs an action with a stopped container, or with one that is deleted already (lost).
 * @param answer of the server; undefined for none
 */
async function run(
  action: string,
  answer: number | undefined | 'untrusted' | 'no server',
  {
    files = { address } as Record<string, string>,
    steps = [reports('created')] as readonly Step[],
    lost = false,
    state = '',
  } = {},
) {
  // A separate root, because the earlier one is still open.
  const root = `/run/hold${++rounds}/ns`;
  const kernel = new FakeKernel({ args: [...flags, action], env: { PATH: '/bin', X: 'y' } });
  const out: number[] = [];
  const write = kernel.performs('write');
  kernel.on('write', (fd, data) => {
    if (fd !== 1) return write(fd, data);
    out.push(...data);
    return data.length;
  });
  const duplicate = kernel.performs('duplicate');
  const stdout = new SocketEnd('stdout');
  kernel.on('duplicate', (fd) => (fd === 1 ? kernel.descriptors.open(stdout) : duplicate(fd)));
  mountCgroups(kernel, '/sys/fs/cgroup', { controllers: '' });
  kernel.tree.directory('/b/rootfs');
  kernel.tree.file('/b/state-root', root);
  kernel.tree.file('/usr/bin/shim');
  kernel.tree.symlink(`/proc/${kernel.processes.own.pid}/exe`, '/usr/bin/shim');
  kernel.tree.file(`/proc/${kernel.processes.own.pid}/cmdline`, `/bin/${name}\0${[...flags, action].join('\0')}\0`);
  for (const [path, text] of Object.entries(files)) kernel.tree.file(`/b/${path}`, text);
  if (!lost) {
    makeStateDir(root, 'web');
    saveRecord(root, recordOf('web'));
    const exit = { pid: 2500, status: 3, signal: 0, exitedAtNs: '1700000000000000000', oom: false };
    kernel.tree.file(`${root}/web/exit.json`, JSON.stringify(exit));
  }
  const requests: string[] = [];
  if (answer !== 'no server')
    kernel.sockets.listen(holdSocket(socket), (end) => {
      end.onMessage = () => {
        requests.push(end.text());
        if (typeof answer === 'number') end.send(new Uint8Array([answer]));
      };
    });
  if (answer === 'untrusted') kernel.on('trustedPeer', () => 0);
  const inits: ScriptedInit[] = [];
  kernel.processes.init = ({ process, file, flags: namespaces }) => {
    inits.push(new ScriptedInit(kernel, process, file(3) as SocketEnd, file, steps, namespaces));
    return undefined;
  };
  if (state) {
    // A process that ends while /proc is read, before the server is found.
    kernel.tree.file('/proc/1/cmdline', 'gone');
    const readFile = kernel.performs('readFile');
    kernel.on('readFile', (dir, path, data) => (path === '/proc/1/cmdline' ? -E.ESRCH : readFile(dir, path, data)));
    const server = kernel.processes.add({ name: 'server' });
    kernel.tree.file(`/proc/${server.pid}/cmdline`, `server\0-socket\0${socket}\0`);
    server.state = state;
  }
  const before = kernel.clock.now;
  const code = await kernel.finish(shim(name));
  const exists = kernel.tree.at(`${root}/web`) !== undefined;
  // The state root stays open.
  const open = kernel.open.filter((shown) => shown !== root);
  const ms = kernel.clock.now - before;
  return {
    kernel,
    code,
    out: new Uint8Array(out),
    exists,
    open,
    requests,
    inits,
    ms,
    error: kernel.descriptors.written(2),
  };
}

test("the delete of a pod's further container, which has a file `sandbox`, awaits its Create", async () => {
  const { code, exists, requests, inits } = await run('delete', holdYes, { files: { address, sandbox: 'pod' } });
  assert.equal([code, exists, requests, inits.length], [0, true, ['await\0web\0'], 1]);
});

test('the delete of a container that the server has is held: nothing is deleted, and stdout goes to the holder', async () => {
  const { code, out, exists, requests, inits, error, open } = await run('delete', holdYes);
  assert.equal([code, out.length, exists, error, requests], [0, 0, true, '', ['hold\0web\0']]);
  const [magic, server, answer, program, count, ...words] = inits[0]!.frame;
  assert.is(magic, Protocol.HOLD_MAGIC);
  assert.match(inits[0]!.files(Number(server))!.shown, /connection to .*\.hold/);
  assert.is(inits[0]!.files(Number(answer))!.shown, 'stdout');
  assert.is(inits[0]!.files(Number(program))!.inode?.path, '/usr/bin/shim');
  assert.equal(words.slice(0, Number(count)), [`/bin/${name}`, ...flags, 'delete-held']);
  assert.equal(words.slice(Number(count)), ['PATH=/bin', 'X=y']);
  assert.equal(open, []);
});

for (const [what, answer] of [
  ['that the server does not have', holdNo],
  ['whose server has ended', 'no server'],
  ['whose socket belongs to another user', 'untrusted'],
] as const) {
  test(`the delete of a container ${what} is done at once`, async () => {
    const { code, out, exists, inits, open } = await run('delete', answer);
    assert.equal([code, exists, inits.length, open], [0, false, 0, []]);
    assert.is(task.DeleteResponse.decode(out).exitStatus, 3);
  });
}

test('the delete of a container whose server does not answer within a second is done at once', async () => {
  const { exists, out, ms } = await run('delete', undefined);
  assert.equal([exists, task.DeleteResponse.decode(out).exitStatus], [false, 3]);
  assert.ok(ms >= 1000 && ms < 1500, `${ms} ms`);
});

for (const [state, held] of [
  ['R', true],
  ['D', true],
  ['S', false],
  ['T', false],
] as const) {
  test(`a silent server in state ${state} is ${held ? 'busy: the holder waits for its answer' : 'given up'}`, async () => {
    const { exists, inits, open } = await run('delete', undefined, { state });
    assert.equal([exists, inits.length, open], [held, held ? 1 : 0, []]);
  });
}

test('if the holder cannot be started the container is deleted, and the error is printed', async () => {
  const steps = [reports('error', { index: 0, errno: E.ENOMEM, syscall: 'open', detail: '/dev/null' })];
  const { code, out, exists, error } = await run('delete', holdYes, { steps });
  assert.equal([code, exists, task.DeleteResponse.decode(out).exitStatus], [0, false, 3]);
  assert.match(error, /^containerd-shim-runt-grpc-v1: hold the delete of web: open \/dev\/null: ENOMEM/);
});

test('delete-held deletes, and completes the answer of which containerd already has the first byte', async () => {
  const { code, out, exists, kernel } = await run('delete-held', 'no server');
  const whole = task.DeleteResponse.decode(new Uint8Array([Protocol.HOLD_HEAD as number, ...out]));
  assert.equal([code, exists, whole.pid, whole.exitStatus], [0, false, 2500, 3]);
  assert.is(kernel.tree.at('/b/delete-response')?.mode, S_IFREG | 0o600);
});

test('if containerd was killed before it had that answer, the next one gets the same', async () => {
  const { out, exists } = await run('delete', 'no server', { files: { 'delete-response': '\b*\x10\x07' }, lost: true });
  const { pid, exitStatus } = task.DeleteResponse.decode(out);
  assert.equal([exists, pid, exitStatus], [false, 42, 7]);
});

test('the first byte of an answer alone is not a DeleteResponse', () => {
  assert.throws(() => task.DeleteResponse.decode(new Uint8Array([Protocol.HOLD_HEAD as number])));
});

test('the socket of a server is that of start, or in a pod that of containerd; ttrpc has none', () => {
  const kernel = new FakeKernel();
  kernel.use();
  for (const [files, expected] of [
    [{ address }, socket],
    [{ 'bootstrap.json': address }, socket],
    [{ address: 'unix:///run/s/x', 'bootstrap.json': address }, socket],
    [{ address: 'unix:///run/s/x' }, undefined],
    [{ address: JSON.stringify({ version: 3, address: 'unix:///x', protocol: 'ttrpc' }) }, undefined],
    [{ address: JSON.stringify({ address: 'relative', protocol: 'grpc' }) }, undefined],
    [{ address: 'null' }, undefined],
    [{}, undefined],
  ] as const) {
    kernel.tree.directory('/c');
    for (const file of ['address', 'bootstrap.json']) kernel.tree.at('/c')?.entries?.delete(file);
    for (const [file, text] of Object.entries(files)) kernel.tree.file(`/c/${file}`, text);
    assert.is(serverSocket('/c'), expected, JSON.stringify(files));
  }
});

test('the socket for deletes is no longer than the one for containerd', () => {
  assert.is(holdSocket(socket).length, socket.length);
});

test.run();
