/** The shim's events and their order, requests in the wrong state, and the cgroup and OOM score of the shim. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { google, runcOptions, task, types } from '../../../src/shim/transport/protos.js';
import { hasEnded } from '../../leaks/leftovers.js';
import { eventually, needing } from '../bed/bed.js';
import { onEngine, readAll, refused } from '../bed/shim-engine.js';

const test = needing('shim', 'root', 'cgroups');

test(
  'a process that ends at once has the events create, start and exit in this order',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/true'];
    bed.write();
    engine.start();
    await engine.run();
    await engine.wait();
    await engine.over();
    assert.equal(engine.topics, ['/tasks/create', '/tasks/start', '/tasks/exit', '/tasks/delete']);
    engine.topics.length = 0;

    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    engine.start();
    await engine.run();
    for (let i = 0; i < 5; i++) {
      await engine.exec(`e${i}`, ['/bin/true']);
      await engine.call('Start', task.StartRequest.encode({ id: bed.id, execId: `e${i}` }));
      await engine.wait(`e${i}`);
      await engine.told('/tasks/exit', i + 1);
    }
    const one = ['/tasks/exec-added', '/tasks/exec-started', '/tasks/exit'];
    assert.equal(engine.topics.slice(2), [...one, ...one, ...one, ...one, ...one]);
    await engine.over();
  }),
);

test(
  "the status of a process in the host's pid namespace is reported",
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.config.linux.namespaces = bed.config.linux.namespaces?.filter(({ type }) => type !== 'pid') ?? [];
    bed.write();
    engine.start();
    await engine.run();
    await engine.exec('e', ['/bin/sh', '-c', 'exit 7']);
    await engine.call('Start', task.StartRequest.encode({ id: bed.id, execId: 'e' }));
    assert.is(await engine.wait('e'), 7);
    await engine.over();
  }),
);

test(
  'a container that never started is deleted with the status of its end, and an ended one cannot be started',
  onEngine(async (engine, bed) => {
    const { id, bundle } = bed;
    bed.write();
    engine.start();
    await engine.call('Create', task.CreateTaskRequest.encode({ id, bundle }));
    const deleted = await engine.call('Delete', task.DeleteRequest.encode({ id }), task.DeleteResponse);
    assert.is(deleted.exitStatus, 137);
    await engine.told('/tasks/delete');
    assert.equal(engine.topics, ['/tasks/create', '/tasks/exit', '/tasks/delete']);

    bed.config.process.args = ['/bin/sh', '-c', 'until [ -e /go ]; do sleep 0.05; done'];
    bed.write();
    await engine.run();
    await engine.exec('late', ['/bin/true']);
    writeFileSync(join(bed.rootfs, 'go'), '');
    await engine.wait();
    const start = (execId: string) => refused(engine.call('Start', task.StartRequest.encode({ id, execId })));
    assert.equal([(await start('')).code, (await start('late')).code], [9, 9]);
    // Wait returns the status as often as it is called, until Delete.
    assert.equal([await engine.wait(), await engine.wait()], [0, 0]);
    await engine.over();
    assert.is((await refused(engine.call('Wait', task.WaitRequest.encode({ id })))).code, 5);
  }),
);

test(
  'events during an absence of containerd are sent in order when it is back',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    engine.start();
    await engine.run();
    await engine.told('/tasks/start');
    engine.deaf();
    await engine.exec('e', ['/bin/true']);
    await engine.call('Start', task.StartRequest.encode({ id: bed.id, execId: 'e' }));
    await engine.wait('e');
    engine.restart();
    await engine.told('/tasks/exit');
    assert.equal(engine.topics.slice(2), ['/tasks/exec-added', '/tasks/exec-started', '/tasks/exit']);
    await engine.over();
  }),
);

test(
  'the OOM event is sent before the exit event',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'exec tail /dev/zero'];
    bed.config.linux.resources = { ...bed.config.linux.resources, memory: { limit: 16 << 20, swap: 16 << 20 } };
    bed.write();
    engine.start();
    await engine.run();
    assert.is(await engine.wait(), 137);
    await engine.over();
    const oom = engine.topics.indexOf('/tasks/oom');
    assert.ok(oom > 0 && oom < engine.topics.indexOf('/tasks/exit'), engine.topics.join(' '));
  }),
);

test(
  'processes that outlive a container without a pid namespace are killed with it',
  onEngine(async (engine, bed) => {
    bed.config.linux.namespaces = bed.config.linux.namespaces!.filter((n) => n.type !== 'pid');
    bed.config.process.args = ['/bin/sh', '-c', 'sleep 1000 & exit 2'];
    bed.write();
    engine.start();
    const stdout = engine.fifo('out');
    const init = await engine.run({ stdout });
    assert.is(await engine.wait(), 2);
    await engine.told('/tasks/exit');
    const left = async () => {
      const request = task.PidsRequest.encode({ id: bed.id });
      const { processes } = await engine.call('Pids', request, task.PidsResponse);
      return processes.filter(({ pid }) => pid !== init).length;
    };
    // They are killed; the kernel removes them with a delay.
    await eventually('none is left', async () => (await left()) === 0);
    const request = task.ConnectRequest.encode({ id: bed.id });
    const { shimPid } = await engine.call('Connect', request, task.ConnectResponse);
    const children = () => readFileSync(`/proc/${shimPid}/task/${shimPid}/children`, 'utf8');
    await eventually('the shim has no child', () => children() === '');
    await engine.over();
  }),
);

test(
  'the shim uses the state root of the options, and delete finds it',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'exit 6'];
    bed.write();
    engine.start();
    const root = join(bed.dir, 'own');
    const value = runcOptions.Options.encode({ root, ioUid: 7, ioGid: 8 }).finish();
    await engine.run({ options: { type_url: 'containerd.runc.v1.Options', value } });
    const state = join(root, engine.namespace, bed.id);
    assert.ok(existsSync(join(state, 'state.json')));
    await engine.wait();
    const request = task.ConnectRequest.encode({ id: bed.id });
    process.kill((await engine.call('Connect', request, task.ConnectResponse)).shimPid, 'SIGKILL');
    assert.is(task.DeleteResponse.decode(engine.action('delete')).exitStatus, 6);
    assert.not.ok(existsSync(state));
  }),
);

test(
  "the shim has its starter's OOM score plus one, replaces a stale socket, and refuses a missing cgroup",
  onEngine(async (engine, bed) => {
    bed.write();
    const connect = async () => {
      const request = task.ConnectRequest.encode({ id: bed.id });
      return (await engine.call('Connect', request, task.ConnectResponse)).shimPid;
    };
    const address = engine.start();
    const first = await connect();
    const score = (pid: number | 'self') => Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'));
    assert.is(score(first), score('self') + 1);
    process.kill(first, 'SIGKILL');
    await eventually('its end', () => hasEnded(first));
    assert.is(engine.start(), address);
    assert.not.equal(await connect(), first);
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id: bed.id }));
    await eventually('the end of the socket', () => !existsSync(address.slice('unix://'.length)));
    const value = runcOptions.Options.encode({ shimCgroup: '/runt/nowhere' }).finish();
    const nowhere = google.protobuf.Any.encode({ type_url: 'containerd.runc.v1.Options', value }).finish();
    assert.throws(() => engine.start(nowhere), /put the shim into the cgroup \/runt\/nowhere/);
  }),
);

test(
  "the log contains only the warnings of Create and Delete, with the container's id",
  onEngine(async (engine, bed) => {
    const log = join(bed.bundle, 'log');
    execFileSync('mkfifo', [log]);
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.config.hooks = {
      poststop: [{ path: '/bin/sh', args: ['sh', '-c', 'echo no network >&2; exit 3'] }],
    };
    bed.write();
    const text = readAll(log);
    engine.start();
    const value = runcOptions.Options.encode({ binaryName: '/usr/bin/other' }).finish();
    await engine.run({ options: { type_url: 'containerd.runc.v1.Options', value } });
    await engine.over();
    const lines = (await text).trim().split('\n');
    for (const line of lines) assert.match(line, `containerd-shim-runt-v1: ${bed.id}: `);
    assert.match(lines[0] as string, /binary_name \(\/usr\/bin\/other\) has no effect/);
    assert.match(lines[1] as string, /poststop.*no network/);
    assert.is(lines.length, 2);
  }),
);

test(
  'info contains the given options and the features',
  onEngine(async (engine) => {
    const options = {
      type_url: 'containerd.runc.v1.Options',
      value: runcOptions.Options.encode({ ioGid: 3 }).finish(),
    };
    const input = google.protobuf.Any.encode(options).finish();
    const told = types.RuntimeInfo.decode(execFileSync(engine.program, ['-info'], { input }));
    assert.is(told.options?.type_url, options.type_url);
    const features = JSON.parse(new TextDecoder().decode(told.features?.value as Uint8Array));
    assert.ok(features.mountOptions.includes('rro'));
    assert.ok(features.linux.mountExtensions.idmap.enabled);
  }),
);

test.run();
