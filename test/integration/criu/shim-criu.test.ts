/** Checkpoint and restore through the shim with the real criu. The requests to criu: shim-checkpoint.test.ts. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { runcOptions, task } from '../../../src/shim/transport/protos.js';
import { hasEnded } from '../../leaks/leftovers.js';
import { eventually, needing } from '../bed/bed.js';
import { onEngine } from '../bed/shim-engine.js';

const test = needing('shim and criu', 'root', 'cgroups', 'criu');

test(
  'a restored container is a child of its supervisor, which records statuses even after the shim was killed',
  onEngine(async (engine, bed) => {
    bed.config.mounts = bed.config.mounts?.filter((m: { type?: string }) => m.type !== 'cgroup');
    bed.config.process.args = ['/bin/sh', '-c', 'trap "exit 9" TERM; while :; do sleep 0.2; done'];
    bed.write();
    const { id, bundle } = bed;
    engine.start();
    await engine.run();
    const images = join(bed.dir, 'images');
    mkdirSync(images);
    const value = runcOptions.CheckpointOptions.encode({ exit: true, imagePath: images }).finish();
    const options = { type_url: 'containerd.runc.v1.CheckpointOptions', value };
    const wait = engine.wait();
    await engine.call('Checkpoint', task.CheckpointTaskRequest.encode({ id, options }));
    await wait;
    await engine.call('Delete', task.DeleteRequest.encode({ id }));

    await engine.call('Create', task.CreateTaskRequest.encode({ id, bundle, checkpoint: images }));
    const { pid } = await engine.call('Start', task.StartRequest.encode({ id }), task.StartResponse);
    const state = JSON.parse(readFileSync(`/run/containerd/runt/${engine.namespace}/${id}/state.json`, 'utf8'));
    assert.match(readFileSync(`/proc/${pid}/status`, 'utf8'), `PPid:\t${state.supervisor.pid}\n`);
    await engine.exec('e', ['/bin/sh', '-c', 'exit 5']);
    await engine.call('Start', task.StartRequest.encode({ id, execId: 'e' }));
    assert.is(await engine.wait('e'), 5);
    const { shimPid } = await engine.call('Connect', task.ConnectRequest.encode({ id }), task.ConnectResponse);
    process.kill(shimPid, 'SIGKILL');
    await eventually('the end of the shim', () => hasEnded(shimPid));
    process.kill(pid, 'SIGTERM');
    await eventually('the end of the container', () => hasEnded(pid));
    const { exitStatus, pid: told } = task.DeleteResponse.decode(engine.action('delete'));
    assert.equal([told, exitStatus], [pid, 9]);
  }),
);

test.run();
