/** Descriptors that the caller passes to the container: which are open, and that none of runt's is among them. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { checkPreserved, listenFds, preservedOf } from '../../../src/container/stdio/preserved-descriptors.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';

const test = suite('preserved descriptors');

/** A kernel on which the caller has these open; open(2) returns the lowest free number. */
function callerWith(...open: readonly number[]): { readonly kernel: FakeKernel; readonly filled: number[] } {
  const kernel = new FakeKernel();
  const filled: number[] = [];
  kernel.on('closesOnExec', (fd) => (open.includes(fd) ? 0 : -E.EBADF));
  kernel.on('openAt', () => {
    let fd = 3;
    while (open.includes(fd) || filled.includes(fd)) fd++;
    filled.push(fd);
    return fd;
  });
  kernel.on('close', (fd) => {
    filled.splice(filled.indexOf(fd), 1);
    return 0;
  });
  return { kernel, filled };
}

const refused = (work: () => void): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof RuntError) return `${error.code} ${error.message}`;
    throw error;
  }
  throw new Error('it was allowed');
};

test('every socket of LISTEN_FDS must be open', () => {
  callerWith(3, 4);
  checkPreserved({ listen: { count: 2, names: '' } });
  assert.is(
    refused(() => checkPreserved({ listen: { count: 3, names: '' } })),
    'ERR_DESCRIPTOR LISTEN_FDS=3: descriptor 5 is not open: EBADF (bad file descriptor)',
  );
});

test('--preserve-fds needs at least one of its descriptors open', () => {
  callerWith();
  assert.is(
    refused(() => checkPreserved({ preserveFds: 2 })),
    'ERR_DESCRIPTOR --preserve-fds 2: descriptor 3 is not open: EBADF (bad file descriptor)',
  );
});

test('unused numbers are filled, and the process does not get those', () => {
  const { filled } = callerWith(5, 7);
  checkPreserved({ preserveFds: 5 });
  assert.equal(filled, [3, 4, 6], 'what runt opens from now on has higher numbers');
  assert.equal(preservedOf(5), [5, 7]);
});

test('an unused number that cannot be filled is an error', () => {
  const { kernel } = callerWith(9);
  kernel.on('openAt', () => -E.EMFILE);
  assert.match(
    refused(() => checkPreserved({ preserveFds: 7 })),
    /^ERR_DESCRIPTOR occupy the free descriptors below 9: EMFILE/,
  );
});

test('LISTEN_FDS is used if LISTEN_PID is this process or, for a container, absent', () => {
  new FakeKernel();
  assert.equal(listenFds({ LISTEN_FDS: '2', LISTEN_PID: '1000', LISTEN_FDNAMES: 'a:b' }), { count: 2, names: 'a:b' });
  assert.equal(listenFds({ LISTEN_FDS: '1', LISTEN_PID: '1000' }), { count: 1, names: '' });
  for (const env of [
    {},
    { LISTEN_FDS: '2', LISTEN_PID: '1' },
    { LISTEN_FDS: '0', LISTEN_PID: '1000' },
    { LISTEN_FDS: '-1', LISTEN_PID: '1000' },
  ]) {
    assert.is(listenFds(env), undefined, JSON.stringify(env));
  }
  assert.equal(listenFds({ LISTEN_FDS: '2' }), { count: 2, names: '' });
  assert.is(listenFds({ LISTEN_FDS: '2' }, 'named'), undefined, 'a server listens only on its own');
});

test.run();
