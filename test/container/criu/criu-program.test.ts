/** The search for criu, and its supported versions. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkVersion, findCriu } from '../../../src/container/criu/criu-program.js';
import { RuntError } from '../../../src/sys/error.js';
import { fakeHost } from '../../sys/fake-host.js';

function fault(f: () => unknown): RuntError {
  try {
    f();
  } catch (error) {
    if (error instanceof RuntError) return error;
    throw error;
  }
  throw new Error('no error');
}

const there = (...paths: string[]) => ({ access: (path: string) => (paths.includes(path) ? 0 : -2) });

test('findCriu takes the first criu in PATH and the usual directories, or exactly the named file', () => {
  fakeHost([], there('/opt/criu', '/usr/sbin/criu', '/x/criu'), { PATH: 'relative:/x' });
  assert.is(findCriu('c', undefined), '/x/criu');
  assert.is(findCriu('c', '/opt/criu'), '/opt/criu');
  fakeHost([], there('/usr/sbin/criu'));
  assert.is(findCriu('c', ''), '/usr/sbin/criu');
  const named = fault(() => findCriu('checkpoint x', '/opt/criu'));
  assert.is(named.code, 'ERR_CRIU_MISSING');
  assert.is(named.message, 'checkpoint x: the program criu is not installed: it is not at /opt/criu');
  assert.is(fault(() => findCriu('c', './criu')).code, 'ERR_CRIU_MISSING');
});

test('a missing criu is an error with the searched directories and the package', () => {
  fakeHost([], there(), { PATH: '/x:/x' });
  const { message, hint } = fault(() => findCriu('restore x', undefined));
  assert.match(message, 'it is not in /x, /usr/local/sbin, /usr/local/bin, /usr/sbin');
  assert.match(hint!, 'install the package criu');
});

test('versions before 3.15 are refused; features of 3.16 are refused by name before that version', () => {
  const version = (major_number: number, minor_number: number) => ({ major_number, minor_number });
  for (const [major, minor] of [
    [3, 15],
    [4, 0],
    [3, 17],
  ] as const)
    checkVersion('c', '/criu', version(major, minor));
  const old = fault(() => checkVersion('c', '/criu', version(3, 14)));
  assert.is(old.code, 'ERR_CRIU_VERSION');
  assert.is(old.message, 'c: /criu is criu 3.14, and 3.15 or newer is needed');
  const label = fault(() => checkVersion('c', '/criu', version(3, 15), [3, 16], '--lsm-profile'));
  assert.is(label.message, 'c: /criu is criu 3.15, and --lsm-profile needs 3.16 or newer');
});

test.run();
