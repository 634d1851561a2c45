/** Writable cgroups by the shim's option and by the annotation: what the container can do, and cannot. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { runtimeOptions, task } from '../../../src/shim/transport/protos.js';
import { type Bed, needing } from '../bed/bed.js';
import { onEngine, readAll, refused } from '../bed/shim-engine.js';

const v1 = needing('writable cgroups on v1', 'root', 'cgroup-v1');
const v2 = needing('writable cgroups', 'root', 'cgroup-v2');
const systemd = needing('writable cgroups in a unit', 'root', 'cgroup-v2', 'systemctl', 'systemd');
const annotation = 'io.runt.cgroup-writable';

const toml = (text: string) => ({
  type_url: 'runtimeoptions.v1.Options',
  value: runtimeOptions.Options.encode({ configBody: new TextEncoder().encode(text) }).finish(),
});

/** A container of the kind that Kubernetes makes: its cgroup is mounted read-only, in a cgroup namespace. */
function pod(bed: Bed, script: string): void {
  const { config } = bed;
  config.process.args = ['/bin/sh', '-c', script];
  config.linux.cgroupsPath = `/${bed.id}`;
  config.linux.resources = { memory: { limit: 64 << 20 }, pids: { limit: 50 } };
  config.linux.namespaces = [...config.linux.namespaces!.filter((n) => n.type !== 'cgroup'), { type: 'cgroup' }];
  config.mounts = config.mounts!.filter((m) => m.destination !== '/sys/fs/cgroup');
  config.mounts.push({ destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: ['nosuid', 'ro'] });
}

/** Moves all processes to a leaf, and sets a limit of its own beside it. */
const manage = `cd /sys/fs/cgroup && mkdir leaf sub && for p in $(cat cgroup.procs); do echo $p >leaf/cgroup.procs || :; done 2>/dev/null
  echo "+memory +pids" >cgroup.subtree_control && echo 7 >sub/pids.max && cat sub/pids.max`;
/** Tries to change the limits that hold for it, which are not in its view, and to make more cgroups than allowed. */
const attack = `
  echo max >../pids.max 2>/dev/null && echo escaped
  echo max >/sys/fs/cgroup/../pids.max 2>/dev/null; i=0; while [ $i -lt 300 ]; do mkdir n$i 2>/dev/null || break; i=$((i+1)); done
  [ $i -lt 300 ] && echo bounded`;

for (const user of ['root', 'an ordinary user', 'root of a user namespace'] as const) {
  v2(
    `CgroupWritable: ${user} of the container manages cgroups below the limits, and cannot change these`,
    onEngine(async (engine, bed) => {
      pod(bed, `${manage} && ${attack}`);
      const uid = user === 'root' ? 0 : user === 'an ordinary user' ? 1000 : 100000;
      if (user === 'an ordinary user') bed.config.process.user = { uid: 1000, gid: 1000 };
      if (user === 'root of a user namespace') {
        bed.config.linux.namespaces!.push({ type: 'user' });
        bed.config.linux.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
        bed.config.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
      }
      bed.write();
      const { id, bundle } = bed;
      engine.start();
      const stdout = engine.fifo('out');
      const out = readAll(stdout);
      const options = toml('CgroupWritable = true');
      await engine.call('Create', task.CreateTaskRequest.encode({ id, bundle, stdout, options }));
      const cgroup = join('/sys/fs/cgroup', id);
      assert.equal(
        ['container', 'container/cgroup.procs', 'container/cgroup.subtree_control', ''].map(
          (name) => statSync(join(cgroup, name)).uid,
        ),
        [uid, uid, uid, 0],
      );
      await engine.call('Start', task.StartRequest.encode({ id }));
      assert.is(await engine.wait(), 0);
      assert.is(await out, '7\nbounded\n');
      assert.is(readFileSync(join(cgroup, 'pids.max'), 'utf8'), '50\n');
      assert.is(readFileSync(join(cgroup, 'memory.max'), 'utf8'), `${64 << 20}\n`);
      await engine.over();
    }),
  );
}

v2(
  'the annotation does the same if the policy allows it, and with deny Create refuses it by name',
  onEngine(async (engine, bed) => {
    pod(bed, manage);
    bed.config.annotations = { [annotation]: 'true' };
    bed.write();
    engine.start();
    const { id, bundle } = bed;
    const denied = toml('UnsafeAnnotations = "deny"');
    const error = await refused(engine.call('Create', task.CreateTaskRequest.encode({ id, bundle, options: denied })));
    assert.is(error.code, 3);
    assert.match(error.message, `the annotation ${annotation} is denied: it lets the container manage a cgroup`);
    const stdout = engine.fifo('out');
    const out = readAll(stdout);
    await engine.run({ stdout, options: toml('UnsafeAnnotations = "allow"') });
    assert.is(await engine.wait(), 0);
    assert.is(await out, '7\n');
    await engine.over();
  }),
);

systemd(
  'CgroupWritable with SystemdCgroup: the cgroup is below that of the unit',
  onEngine(async (engine, bed) => {
    pod(bed, manage);
    bed.config.linux.cgroupsPath = `system.slice:runt:${bed.id}`;
    bed.write();
    const { id, bundle } = bed;
    engine.start();
    const stdout = engine.fifo('out');
    const out = readAll(stdout);
    const options = toml('SystemdCgroup = true\nCgroupWritable = true');
    await engine.call('Create', task.CreateTaskRequest.encode({ id, bundle, stdout, options }));
    const unit = `/sys/fs/cgroup/system.slice/runt-${id}.scope`;
    assert.is(readFileSync(`${unit}/cgroup.max.descendants`, 'utf8'), '250\n');
    assert.is(readFileSync(`${unit}/pids.max`, 'utf8'), '50\n');
    await engine.call('Start', task.StartRequest.encode({ id }));
    assert.is(await engine.wait(), 0);
    assert.is(await out, '7\n');
    await engine.over();
  }),
);

v2(
  'without either the cgroup is read-only',
  onEngine(async (engine, bed) => {
    pod(bed, 'mkdir /sys/fs/cgroup/sub 2>&1; cat /proc/self/cgroup');
    bed.write();
    engine.start();
    const stdout = engine.fifo('out');
    const out = readAll(stdout);
    await engine.run({ stdout });
    await engine.wait();
    assert.match(await out, /Read-only file system\n0::\/\n$/);
    await engine.over();
  }),
);

v1(
  'CgroupWritable is refused by name on cgroup v1',
  onEngine(async (engine, bed) => {
    pod(bed, 'true');
    bed.write();
    engine.start();
    const { id, bundle } = bed;
    const options = toml('CgroupWritable = true');
    const error = await refused(engine.call('Create', task.CreateTaskRequest.encode({ id, bundle, options })));
    assert.is(error.code, 3);
    assert.match(error.message, 'the option CgroupWritable needs cgroup v2 alone');
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id }));
  }),
);

v1.run();
v2.run();
systemd.run();
