/** Host facts for the plan, and errors that must not be taken for an answer. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { compilePlan } from '../../../src/container/launch/compile-bundle.js';
import { readHostFacts, withoutRoot } from '../../../src/container/launch/read-host-facts.js';
import type { CompileOptions } from '../../../src/plan/host-facts.js';
import { processOps } from '../../../src/plan/process/process-compile.js';
import type { Spec } from '../../../src/spec/config-types.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { CAP_LAST, SELINUX_MAGIC } from '../../../src/sys/linux.js';
import type { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { BundleHost, config } from './bundle-host.js';

const test = suite('host facts');

const hostOf = (uid = 0): FakeKernel => new BundleHost(config(), [], { uid }).kernel;

test('withoutRoot tells root of the host from an ordinary user and root of a user namespace', () => {
  const root = hostOf();
  assert.is(withoutRoot(), false);
  assert.is(withoutRoot('true'), true);
  root.tree.at('/proc/1000/uid_map')?.hooks.write?.('0 1000 1\n');
  assert.is(withoutRoot(), true);
  assert.is(withoutRoot('false'), false);
  const maps = Array.from({ length: 2000 }, (_, i) => `${i} ${1000 + i} 1\n`).join('');
  root.tree.at('/proc/1000/uid_map')?.hooks.write?.(maps);
  assert.is(withoutRoot(), true, 'a long map');
  root.failAt('readFile', 1, E.EIO);
  assert.throws(() => withoutRoot(), /read \/proc\/self\/uid_map: EIO/);
  root.failAt('readFile', 1, E.ENOENT);
  assert.is(withoutRoot(), false, 'a kernel without user namespaces');
  hostOf(1000);
  assert.is(withoutRoot(), true);
});

test('newuidmap and newgidmap are looked up only without root', () => {
  const user = hostOf(1000);
  user.tree.file('/usr/local/bin/newuidmap', '', 0o755);
  const { newuidmap, newgidmap, rootless, euid } = readHostFacts();
  assert.equal([newuidmap, newgidmap, rootless, euid], ['/usr/local/bin/newuidmap', '', true, 1000]);
  const root = hostOf();
  root.tree.file('/usr/bin/newuidmap', '', 0o755);
  assert.is(readHostFacts().newuidmap, '');
});

test('the last capability is read from /proc, with a default for kernels without that file', () => {
  const kernel = hostOf();
  assert.is(readHostFacts().lastCapability, CAP_LAST);
  kernel.tree.file('/proc/sys/kernel/cap_last_cap', '37\n');
  assert.is(readHostFacts().lastCapability, 37);
});

test('the last capability is read once, and not at all for those that every kernel has', () => {
  const kernel = hostOf();
  kernel.tree.file('/proc/sys/kernel/cap_last_cap', '39\n');
  const read = (names: string[]): [bigint | undefined, number] => {
    const facts = readHostFacts();
    kernel.calls.length = 0;
    const process = { args: ['x'], cwd: '/', capabilities: { bounding: names, effective: names } };
    const ops = processOps({ process } as Spec, facts, {} as CompileOptions, 1);
    const bounding = ops.find((op) => op.op === 'bounding');
    return [BigInt(bounding?.mask ?? 0), kernel.calls.filter((call) => call.includes('cap_last_cap')).length];
  };
  assert.equal(read(['CAP_CHOWN', 'CAP_AUDIT_READ']), [(1n << 37n) | 1n, 0]);
  assert.equal(read(['CAP_CHOWN', 'CAP_BPF', 'CAP_CHECKPOINT_RESTORE']), [(1n << 39n) | 1n, 1]);
});

test('a security module is on, off, without a policy, or unknown', () => {
  const kernel = hostOf();
  const facts = readHostFacts();
  assert.equal([facts.apparmor(), facts.selinux()], [false, false]);
  kernel.tree.file('/sys/module/apparmor/parameters/enabled', 'Y\n');
  kernel.tree.mount('/sys/fs/selinux', { magic: SELINUX_MAGIC });
  kernel.tree.file('/proc/1000/attr/current', 'kernel\0');
  assert.equal([facts.apparmor(), facts.selinux()], [true, false]);
  kernel.tree.file('/proc/1000/attr/current', 'system_u:system_r:init_t:s0\n');
  assert.is(facts.selinux(), true);
  kernel.failAt('statfsType', 1, E.EIO);
  assert.throws(() => facts.selinux(), /look at \/sys\/fs\/selinux: EIO/);
});

test('mayClone clones a mount to find out whether that is allowed', () => {
  const kernel = hostOf();
  const { mayClone } = readHostFacts();
  const open = kernel.open;
  assert.is(mayClone(), true);
  kernel.failAt('openTree', 1, E.EPERM);
  assert.is(mayClone(), false);
  assert.equal(kernel.open, open);
});

test("the runtime's own cgroup namespace is recognized by any path", () => {
  const kernel = hostOf();
  const { ownCgroupNamespace } = readHostFacts();
  kernel.tree.symlink('/b/ns', '/proc/1000/ns/cgroup');
  assert.is(ownCgroupNamespace('/b/ns'), true);
  assert.is(ownCgroupNamespace('/proc/1000/ns/uts'), false);
  assert.is(ownCgroupNamespace('/gone'), false);
});

test('resctrl is found in mountinfo', () => {
  const kernel = hostOf();
  const { resctrl } = readHostFacts();
  kernel.tree.file('/proc/1000/mountinfo', '30 1 0:5 / /sys/fs/resctrl rw - resctrl none rw\n');
  assert.is(resctrl(), '/sys/fs/resctrl');
});

test('without procfs the error says how to mount it', () => {
  const kernel = hostOf();
  kernel.tree.at('/proc/1000')?.entries?.delete('cgroup');
  try {
    assert.unreachable(`it has facts: ${readHostFacts().cgroup.layout}`);
  } catch (error) {
    assert.instance(error, RuntError);
    assert.match((error as RuntError).hint ?? '', /mount -t proc proc \/proc/);
  }
});

test('compilePlan changes nothing on the host', async () => {
  const host = new BundleHost();
  const plan = await host.kernel.finish(compilePlan(host.options()));
  assert.ok([...plan.ops].some(({ op }) => op === 'cgroupCreate'));
  assert.equal(host.left, []);
  const changing = /^(?:mkdir|write|replace|unlink|remove|spawn|chown|mount)/;
  assert.equal(
    host.kernel.names.filter((name) => changing.test(name)),
    [],
  );
});

test('annotations that weaken a container cause a warning, are refused, or are allowed', async () => {
  const annotations = { 'run.oci.keep_original_groups': '1' };
  const compiled = async (unsafeAnnotations?: 'allow' | 'warn' | 'deny') => {
    const host = new BundleHost(config({ annotations }));
    const options = host.options(unsafeAnnotations ? { unsafeAnnotations } : {});
    const error = await host.failure(() => compilePlan(options));
    return [error?.code, host.warnings.length];
  };
  assert.equal(await compiled(), [undefined, 1]);
  assert.equal(await compiled('allow'), [undefined, 0]);
  assert.equal(await compiled('deny'), ['ERR_ANNOTATION_DENIED', 0]);
});

test('compilePlan warns of missing limits and devices without effect, and with --debug of the version', async () => {
  const newer = config({ ociVersion: '1.99.0' });
  const warnings = async (spec: typeof newer, over: object, uid = 0): Promise<readonly string[]> => {
    const host = new BundleHost(spec, [], { uid });
    await host.kernel.finish(compilePlan(host.options(over)));
    return host.warnings;
  };
  assert.equal(await warnings(newer, {}), []);
  assert.is((await warnings(newer, { debug: true })).length, 1);
  const devices = [{ allow: false, access: 'rwm' }];
  const disabled = config({ linux: { namespaces: [{ type: 'mount' }], resources: { devices } } });
  assert.equal(await warnings(disabled, { cgroupManager: 'disabled' }), []);
  assert.match(
    (await warnings(disabled, { cgroupManager: 'disabled', debug: true }))[0] ?? '',
    /^\/linux\/resources\/devices is not applied/,
  );
});

test.run();
