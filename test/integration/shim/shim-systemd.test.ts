/** The shim with the option systemd_cgroup: systemd makes, changes and removes the container's scope. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { runcOptions, runtimeOptions, task } from '../../../src/shim/transport/protos.js';
import { needing } from '../bed/bed.js';
import { onEngine } from '../bed/shim-engine.js';

const test = needing('shim systemd', 'root', 'cgroup-v2', 'systemctl', 'systemd');
const MiB = 1 << 20;

const shown = (unit: string, name: string): string =>
  spawnSync('systemctl', ['show', unit, `--property=${name}`, '--value'], { encoding: 'utf8' }).stdout.trim();

const text = new TextEncoder();
const options = {
  'runc.v1.Options': {
    type_url: 'containerd.runc.v1.Options',
    value: runcOptions.Options.encode({ systemdCgroup: true }).finish(),
  },
  "CRI's TOML": {
    type_url: 'runtimeoptions.v1.Options',
    value: runtimeOptions.Options.encode({ configBody: text.encode('SystemdCgroup = true\n') }).finish(),
  },
};

for (const [by, given] of Object.entries(options)) {
  test(
    `with ${by}, the scope has its name and limits, update and exec work, and Delete removes it`,
    onEngine(async (engine, bed) => {
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.config.linux.cgroupsPath = `system.slice:shim:${bed.id}`;
      bed.config.linux.resources = { ...bed.config.linux.resources, memory: { limit: 64 * MiB } };
      bed.write();
      const unit = `shim-${bed.id}.scope`;
      engine.start();
      const pid = await engine.run({ options: given });
      assert.is(readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim(), `0::/system.slice/${unit}`);
      assert.equal([shown(unit, 'ActiveState'), shown(unit, 'MemoryMax')], ['active', String(64 * MiB)]);
      const value = text.encode(JSON.stringify({ memory: { limit: 48 * MiB } }));
      await engine.call('Update', task.UpdateTaskRequest.encode({ id: bed.id, resources: { value } }));
      assert.is(shown(unit, 'MemoryMax'), String(48 * MiB));
      await engine.exec('e', ['/bin/sh', '-c', 'exit 4']);
      await engine.call('Start', task.StartRequest.encode({ id: bed.id, execId: 'e' }));
      assert.is(await engine.wait('e'), 4);
      await engine.over();
      assert.is(shown(unit, 'LoadState'), 'not-found');
    }),
  );
}

test(
  'an OOM kill is reported even though systemd removes the cgroup of an ended container',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'exec tail /dev/zero'];
    bed.config.linux.cgroupsPath = `system.slice:shim:${bed.id}`;
    bed.config.linux.resources = { ...bed.config.linux.resources, memory: { limit: 16 * MiB, swap: 16 * MiB } };
    bed.write();
    engine.start();
    await engine.run({ options: options['runc.v1.Options'] });
    assert.is(await engine.wait(), 137);
    await engine.over();
    const oom = engine.topics.indexOf('/tasks/oom');
    assert.ok(oom > 0 && oom < engine.topics.indexOf('/tasks/exit'), engine.topics.join(' '));
  }),
);

test.run();
