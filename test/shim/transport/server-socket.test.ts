/** The socket of a server on the fake host: what exists already, and the lock of its directory. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { claimSocket, lockSockets } from '../../../src/shim/transport/server-socket.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { native } from '../../../src/sys/host.js';
import { AT_FDCWD, S_IFMT, S_IFSOCK } from '../../../src/sys/linux.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';

const test = suite('server socket');

const facts = { code: 'ERR_SHIM', message: 'start the shim of web', path: '/run/s' };

function withDirectory(): { kernel: FakeKernel; dir: number } {
  const kernel = new FakeKernel();
  kernel.tree.directory('/run/s');
  return { kernel, dir: native.openAt(AT_FDCWD, '/run/s', 0, 0) };
}

async function failure(kernel: FakeKernel, work: Promise<unknown>): Promise<RuntError> {
  const error = await kernel.finish(
    work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    ),
  );
  assert.instance(error, RuntError);
  return error as RuntError;
}

test('a listening server is found, and the socket of a killed server is replaced', async () => {
  const { kernel, dir } = withDirectory();
  kernel.tree.socket('/run/s/a');
  const listener = await kernel.finish(claimSocket(dir, 'a', '/run/s/a'));
  assert.type(listener, 'number');
  assert.is((kernel.tree.at('/run/s/a')?.mode ?? 0) & 0o777, 0o600);
  assert.is(await kernel.finish(claimSocket(dir, 'a', '/run/s/a')), undefined);
  assert.equal(kernel.open, ['/run/s', '/run/s/a']);
});

test('the socket of another user, and a file that is not a socket, are left alone', async () => {
  const { kernel, dir } = withDirectory();
  kernel.sockets.listen('/run/s/theirs', (end) => {
    end.onHangUp = () => end.drop();
  });
  kernel.on('trustedPeer', () => 0);
  const theirs = await failure(kernel, claimSocket(dir, 'theirs', '/run/s/theirs'));
  assert.match(theirs.message, /another user listens there/);
  kernel.tree.file('/run/s/file', 'text');
  const file = await failure(kernel, claimSocket(dir, 'file', '/run/s/file'));
  assert.is(file.message.startsWith('listen at /run/s/file: the file there is not a socket'), true, file.message);
  assert.is(kernel.tree.text('/run/s/file'), 'text');
  assert.is((kernel.tree.at('/run/s/theirs')?.mode ?? 0) & S_IFMT, S_IFSOCK);
});

test('a failed connect other than ECONNREFUSED leaves the socket', async () => {
  const { kernel, dir } = withDirectory();
  kernel.tree.socket('/run/s/a');
  kernel.failAt('unixConnect', 1, E.EACCES);
  const error = await failure(kernel, claimSocket(dir, 'a', '/run/s/a'));
  assert.equal([error.code, error.errno], ['ERR_SHIM', E.EACCES]);
  assert.ok(kernel.tree.at('/run/s/a'));
});

test('a lock that another server holds is awaited, and then the error says how to find that server', async () => {
  const { kernel, dir } = withDirectory();
  const directory = kernel.tree.directory('/run/s');
  directory.lock = true;
  kernel.clock.after(500, () => {
    directory.lock = undefined;
  });
  await kernel.finish(lockSockets(dir, facts));
  directory.lock = true;
  const error = await failure(kernel, lockSockets(dir, facts));
  assert.equal([error.code, error.errno], ['ERR_SHIM', E.EAGAIN]);
  assert.match(error.hint ?? '', /lsof \/run\/s shows it/);
  kernel.failAt('flock', 1, E.ENOLCK);
  const other = await failure(kernel, lockSockets(dir, facts));
  assert.equal([other.errno, other.hint], [E.ENOLCK, undefined]);
});

test.run();
