/** Bundles from options: the config, checks of the named paths, and the directories of an overlay. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bundleSpec } from '../../../src/container/bundle/write-bundle.js';
import type { SpecOptions } from '../../../src/spec/options/option-types.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { eachFailure as ofKernel } from '../../sys/fake-host/each-failure.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';

const test = suite('write a bundle');

const caller = {
  uid: 0,
  gid: 0,
  bundle: '/b',
  absolute: (path: string) => (path.startsWith('/') ? path : `/b/${path}`),
  name: (option: string) => `--${option}`,
};

function host(): FakeKernel {
  const kernel = new FakeKernel();
  kernel.tree.directory('/b/rootfs');
  kernel.tree.directory('/srv');
  kernel.tree.file('/srv/file');
  return kernel;
}

const refused = async (kernel: FakeKernel, options: SpecOptions): Promise<string> => {
  try {
    await kernel.finish(bundleSpec(options, caller));
  } catch (error) {
    if (error instanceof RuntError) return `${error.code} ${error.message}`;
    throw error;
  }
  throw new Error('it was accepted');
};

test('bundleSpec makes the config from the options', async () => {
  const kernel = host();
  const spec = await kernel.finish(
    bundleSpec({ rootfs: '/b/rootfs', args: ['ls'], volume: ['/srv:/data:ro'] }, caller),
  );
  assert.equal([spec.root?.path, spec.process?.args], ['/b/rootfs', ['ls']]);
  assert.is(spec.mounts?.find(({ destination }) => destination === '/data')?.source, '/srv');
});

test('a named path must exist, and be a directory where one is needed', async () => {
  const kernel = host();
  const errors = [];
  for (const options of [
    { rootfs: '/none' },
    { rootfs: '/srv/file' },
    { overlay: '/srv/file' },
    { volume: ['/none:/data'] },
  ]) {
    errors.push(await refused(kernel, options));
  }
  assert.equal(errors, [
    'ERR_USAGE spec: --rootfs "/none" does not exist',
    'ERR_USAGE spec: --rootfs "/srv/file" is not a directory',
    'ERR_USAGE spec: --overlay "/srv/file" is not a directory',
    'ERR_USAGE spec: --volume "/none:/data": /none does not exist',
  ]);
});

test('the directories of an overlay are made, and belong to the root of the container', async () => {
  const kernel = host();
  await kernel.finish(bundleSpec({ overlay: '/srv/o' }, caller));
  assert.equal(kernel.tree.list('/srv/o'), ['upper', 'work']);
  assert.is(kernel.tree.at('/srv/o/upper')?.uid, 0);
  await kernel.finish(bundleSpec({ overlay: '/srv/mapped', uidMap: ['0:100000:65536'] }, caller));
  const owners = ['upper', 'work'].map((name) => kernel.tree.at(`/srv/mapped/${name}`));
  assert.equal(
    owners.map((inode) => [inode?.uid, inode?.gid]),
    [
      [100000, 100000],
      [100000, 100000],
    ],
  );
  // A second call: existing directories keep their owner.
  owners[0]!.uid = 5;
  await kernel.finish(bundleSpec({ overlay: '/srv/mapped', uidMap: ['0:100000:65536'] }, caller));
  assert.is(kernel.tree.at('/srv/mapped/upper')?.uid, 5);
});

test('whichever call fails, bundleSpec fails and leaks no descriptor', async () => {
  const outcomes = await ofKernel(host, () =>
    bundleSpec({ overlay: '/srv/mapped', uidMap: ['0:100000:65536'], volume: ['/srv:/data'] }, caller),
  );
  assert.ok(outcomes.length >= 6, `${outcomes.length} calls`);
  for (const { call, error, leftOpen } of outcomes) {
    assert.equal(leftOpen, [], call);
    if (/wideIntegers|jsonError|unknownSyscalls/.test(call)) continue;
    assert.ok(error instanceof RuntError && error.errno === E.EIO, call);
  }
});

test.run();
