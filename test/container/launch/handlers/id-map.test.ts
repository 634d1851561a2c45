/** Id maps that other programs write: newuidmap and newgidmap, and user namespaces for id-mapped mounts. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { runIdMapHelper } from '../../../../src/container/launch/handlers/id-map-helper.js';
import { openIdMaps } from '../../../../src/container/launch/handlers/id-map-namespace.js';
import { E } from '../../../../src/sys/errno.js';
import { CLONE_NEWUSER, SIGKILL } from '../../../../src/sys/linux.js';
import { eachFailure } from '../../../sys/fake-host/each-failure.js';
import { FakeKernel } from '../../../sys/fake-host/fake-kernel.js';
import type { Program } from '../../../sys/fake-host/processes.js';
import { scriptInit } from '../../../sys/fake-host/scripted-init.js';
import { failedLater } from './failed-op.js';

const test = suite('id maps');

const helper = '/usr/bin/newuidmap';
const map = { op: 'idMap', at: '/linux/uidMappings', kind: 'uid', lines: ['0 1000 1', '1 100000 65536'] } as const;

/** Runs the helper as this program. @returns the error; asserts that no process or descriptor remains */
async function helped(program: Program, path = helper): Promise<string | undefined> {
  const kernel = new FakeKernel();
  kernel.processes.programs.set(helper, program);
  const error = await kernel.finish(failedLater(runIdMapHelper(map, path, 77, 'create web')));
  assert.equal(kernel.open, []);
  assert.is(kernel.processes.list.length, 1, 'the helper is reaped');
  return error;
}

const prefix = `ERR_ID_MAP create web: write uid_map with ${helper}: `;

test('the helper gets the pid and the numbers of all lines', async () => {
  let args: readonly string[] = [];
  const error = await helped(({ process, args: given }) => {
    args = given;
    process.exit(0);
    return undefined;
  });
  assert.equal([error, args.join(' ')], [undefined, `${helper} 77 0 1000 1 1 100000 65536`]);
});

test("the error has the helper's output, or its exit status", async () => {
  const said = await helped(({ process, file }) => {
    file(2)?.write(new TextEncoder().encode('newuidmap: range not allowed\n'));
    process.exit(1);
    return undefined;
  });
  assert.is(said, `${prefix}newuidmap: range not allowed`);
  const silent = await helped(({ process }) => {
    process.exit(3);
    return undefined;
  });
  assert.is(silent, `${prefix}it ended with status 3`);
});

test('a helper that hangs is killed', async () => {
  let signals: readonly number[] = [];
  const error = await helped(({ process }) => {
    signals = process.signals;
    return undefined;
  });
  assert.equal([error, signals], [`${prefix}it did not end in time`, [SIGKILL]]);
});

test('a missing helper is an error', async () => {
  assert.is(await helped(() => -E.EACCES), `${prefix}it cannot be run: EACCES (permission denied)`);
  assert.match((await helped(() => 0, '')) ?? '', /with : it is not installed$/);
});

const mapped = { op: 'idMapNamespace', at: '/mounts/0', path: '', uids: ['0 9 1'], gids: ['0 8 1'], slot: 0 } as const;

/** A kernel whose runt-init waits without a plan, until its socket is closed. */
function kernelWithInit(): FakeKernel {
  const kernel = new FakeKernel();
  scriptInit(kernel, []);
  return kernel;
}

test('the maps of a new namespace are written and its process ends, while the descriptor stays open', async () => {
  const kernel = kernelWithInit();
  const [init, texts] = [scriptInit(kernel, []), [] as string[]];
  const fd = await kernel.finish(
    openIdMaps(mapped).then((opened) => {
      texts.push(...kernel.calls.filter((call) => call.startsWith('writeFile')));
      return opened;
    }),
  );
  assert.match(kernel.descriptors.get(fd)?.shown ?? '', /^user:\[/);
  assert.is(init[0]?.flags, BigInt(CLONE_NEWUSER));
  assert.ok(init[0]?.process.end);
  assert.equal(
    texts.map((call) => call.replace(/^.*\/proc\/\d+\/(\w+),.*/, '$1')),
    ['uid_map', 'gid_map'],
  );
  assert.is(kernel.open.length, 1);
});

test('an existing namespace is opened by its path', async () => {
  const kernel = new FakeKernel();
  const op = { ...mapped, path: '/proc/1000/ns/user' };
  const fd = await kernel.finish(openIdMaps(op));
  assert.match(kernel.descriptors.get(fd)?.shown ?? '', /^user:\[/);
  assert.is(await kernel.finish(failedLater(openIdMaps({ ...mapped, path: '/gone' }))), 'ENOENT open /gone');
});

test('each failed call leaves no process and no descriptor', async () => {
  const outcomes = await eachFailure(kernelWithInit, () =>
    failedLater(openIdMaps(mapped)).then(Promise.reject.bind(Promise)),
  );
  for (const { kernel, call, leftOpen, error } of outcomes) {
    const name = call.slice(0, call.indexOf('('));
    if (error !== undefined) assert.equal(leftOpen, [], call);
    if (name !== 'waitPidfd') assert.is(kernel.processes.list.length, 1, call);
  }
  assert.equal(
    outcomes.map(({ error }) => error),
    [
      'EIO socketpair',
      'EIO clone3',
      'EIO write uid_map',
      'EIO write gid_map',
      'EIO open',
      // A failed watch of its end, or a failed read of its status, does not matter.
      undefined,
      undefined,
    ],
  );
});

test.run();
