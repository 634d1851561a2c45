/** The owners of descriptors 0, 1 and 2, and their restoration; and the socket that receives a pidfd. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { OpFailed } from '../../../src/container/failure/op-failed.js';
import { sendPidfd } from '../../../src/container/stdio/pidfd-socket.js';
import { chownStdio, StdioOwners } from '../../../src/container/stdio/stdio-owner.js';
import { E } from '../../../src/sys/errno.js';
import { putIntegers } from '../../sys/fake-host/buffers.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';

const test = suite('stdio owner');

const op = { op: 'stdioOwner', at: '/process/user', uid: 5, pipes: false } as const;

/** A kernel whose descriptors 0, 1 and 2 have these owners. */
function withOwners(...owners: number[]): { readonly kernel: FakeKernel; readonly owners: number[] } {
  const kernel = new FakeKernel();
  kernel.on('stat', (fd, _path, _flags, data) => {
    const uid = owners[fd];
    if (uid === undefined) return -E.EBADF;
    putIntegers(data, [0o20620, uid, 0, 0, 0, 0, 0, 0]);
    return 0;
  });
  kernel.on('chownAt', (fd, _path, uid) => {
    owners[fd] = Number(uid);
    return 0;
  });
  return { kernel, owners };
}

test('giveBack restores only the owners that have changed', () => {
  const { kernel, owners } = withOwners(1000, 1000, 0);
  const stdio = new StdioOwners();
  owners.splice(0, 3, 5, 1000, 5);
  kernel.calls.length = 0;
  stdio.restore();
  assert.equal(owners, [1000, 1000, 0]);
  assert.is(kernel.names.filter((name) => name === 'chownAt').length, 2, 'unchanged owners are not written');
});

test('a closed descriptor has no owner to restore', () => {
  const { owners } = withOwners(1000);
  const stdio = new StdioOwners();
  owners[0] = 5;
  stdio.restore();
  assert.equal(owners, [1000]);
});

/** Chowns 0 and 1 to uid 5 of a process with this map. @returns the owners, or the error */
function chowned(map: string, ended = false, errno = 0): unknown {
  const { kernel, owners } = withOwners(0, 0, 0);
  const process = kernel.processes.add();
  kernel.tree.at(`/proc/${process.pid}/uid_map`)?.hooks.write?.(map);
  const pidfd = kernel.processes.openPidfd(process);
  if (ended) kernel.before('pidfdSignal', 1, () => process.exit(0));
  if (errno) kernel.on('chownAt', () => -errno);
  try {
    chownStdio(op, { uid: 5, fds: 0b011 }, process.pid, pidfd, [0, 1, 2]);
  } catch (error) {
    if (error instanceof OpFailed) return `${E[error.failed.errno]} ${error.failed.detail}`;
    throw error;
  }
  return owners;
}

test('the new owner is the host uid from the map of the process', () => {
  assert.equal(chowned('  0 100000 5\n  5 200000 1\n'), [200_000, 200_000, 0]);
  assert.equal(chowned('  0 100000 5\n'), [0, 0, 0], 'the uid is not mapped');
  assert.equal(chowned('  0 100000 9\n', true), [0, 0, 0], 'the map may be that of another process');
});

test('a descriptor that may not be chowned is left alone; another failure is an error', () => {
  assert.equal(chowned('  0 100000 9\n', false, E.EROFS), [0, 0, 0]);
  assert.is(chowned('  0 100000 9\n', false, E.EIO), 'EIO stdin');
});

test('the pidfd socket receives the pidfd with its identifying word', async () => {
  const kernel = new FakeKernel();
  const received: unknown[] = [];
  kernel.sockets.listen('/run/pidfd', (end) => {
    end.onMessage = () => {
      const message = end.receive(100);
      if (typeof message === 'number') return;
      received.push(new TextDecoder().decode(message.data), message.files[0]?.shown);
      for (const file of message.files) file.drop();
    };
  });
  const process = kernel.processes.add({ pid: 77 });
  const pidfd = kernel.processes.openPidfd(process);
  const socket = { op: 'pidfdSocket', at: '', path: '/run/pidfd' } as const;
  await kernel.finish(sendPidfd(socket, pidfd, false));
  await kernel.finish(sendPidfd(socket, pidfd, true));
  assert.equal(received, ['standard', 'pidfd 77', 'setns', 'pidfd 77']);
  const failed = async (path: string): Promise<string> => {
    const error = await kernel.finish(sendPidfd({ ...socket, path }, pidfd, true).catch((thrown: OpFailed) => thrown));
    return error ? `${E[error.failed.errno]} ${error.failed.syscall}` : 'none';
  };
  assert.is(await failed('/run/nobody'), 'ENOENT connect');
  kernel.failAt('sendFds', 1, E.EPIPE);
  assert.is(await failed('/run/pidfd'), 'EPIPE sendmsg');
  assert.equal(kernel.open, ['pidfd 77']);
});

test.run();
