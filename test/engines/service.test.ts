/** The restart of an engine: which of its units, how, and what an ended job means. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { containerd } from '../../src/engines/containerd-engine.js';
import { docker } from '../../src/engines/docker-engine.js';
import { HostTree } from '../../src/engines/host-tree.js';
import { activeUnit, restart } from '../../src/engines/service.js';
import { RuntError } from '../../src/sys/error.js';
import { FakeSystemd } from '../cgroup/systemd/fake-systemd.js';
import { FakeKernel } from '../sys/fake-host/fake-kernel.js';

const test = suite('service');

/** A host with these services, by their active states. */
function hostWith(services: Readonly<Record<string, string>>): { kernel: FakeKernel; systemd: FakeSystemd } {
  const kernel = new FakeKernel();
  kernel.tree.directory('/run/systemd/system');
  const systemd = new FakeSystemd(kernel);
  for (const [name, state] of Object.entries(services)) systemd.services.set(name, state);
  return { kernel, systemd };
}

const tree = new HostTree('/');

test('a unit that is loaded and does not run is not the one of the engine', async () => {
  const unitOf = async (services: Readonly<Record<string, string>>, directory?: string) => {
    const { kernel } = hostWith(services);
    if (directory !== undefined) kernel.tree.directory(`/var/lib/rancher/${directory}/agent/etc/containerd`);
    return kernel.finish(activeUnit(tree, containerd));
  };
  assert.is(await unitOf({ 'containerd.service': 'active' }), 'containerd.service');
  assert.is(await unitOf({ 'containerd.service': 'activating' }), 'containerd.service');
  for (const state of ['inactive', 'failed', 'deactivating'])
    assert.is(await unitOf({ 'containerd.service': state }), undefined, state);
  assert.is(await unitOf({}), undefined);
  // k3s and RKE2 have a containerd of their own, also on hosts that have another one.
  const both = { 'containerd.service': 'active', 'k3s-agent.service': 'active', 'k3s.service': 'inactive' };
  assert.is(await unitOf(both, 'k3s'), 'k3s-agent.service');
  assert.is(await unitOf(both), 'containerd.service');
  assert.is(await unitOf({ 'containerd.service': 'active' }, 'rke2'), undefined);
  assert.is(await unitOf({ 'rke2-server.service': 'active' }, 'rke2'), 'rke2-server.service');
});

test('an engine is restarted, or reloads; a job that failed is an error that names the unit', async () => {
  const { kernel, systemd } = hostWith({});
  await kernel.finish(restart(tree, containerd, 'containerd.service'));
  await kernel.finish(restart(tree, docker, 'docker.service'));
  assert.equal(systemd.calls.slice(-2), [
    'RestartUnit containerd.service replace',
    'ReloadOrRestartUnit docker.service replace',
  ]);
  systemd.result = 'failed';
  const error = await kernel.finish(restart(tree, containerd, 'k3s.service').catch((thrown) => thrown));
  assert.instance(error, RuntError);
  assert.is(error.message, 'restart k3s.service: the job ended as failed');
});

test('a host without systemd is an error with a remedy', async () => {
  const kernel = new FakeKernel();
  const error = await kernel.finish(activeUnit(tree, containerd).catch((thrown) => thrown));
  assert.is(error.message, 'restart containerd: systemd does not run on this host');
  assert.match(error.hint, 'restart containerd as it was started');
});

test.run();
