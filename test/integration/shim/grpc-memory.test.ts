/** Anonymous memory, as in shim-memory.test.ts, of the gRPC servers: a shim with a container, a server with 100. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { COMMAND_LIMIT, elapse } from '../../deadline.js';
import { anonymous } from '../../leaks/process-use.js';
import { eventually, needing, onBed } from '../bed/bed.js';
import { top } from '../bed/place.js';
import { serve, TaskClient } from '../bed/task-client.js';

const test = needing('gRPC memory', 'root', 'cgroups');

/** kB of a shim with one container, and of a server with `many`. */
const shimLimit = 3000;
const serverLimit = 8000;
const many = 100;

/** It in kB once it is at most `limit`, or after a while. */
async function settled(pid: number, limit: number): Promise<number> {
  // The server must be idle for a while.
  await elapse(1000);
  await eventually('less memory', () => anonymous(pid) <= limit).catch(() => {});
  const kB = anonymous(pid);
  assert.ok(kB <= limit, `${kB} kB`);
  return kB;
}

const note = (what: string): void => console.log(`\n# note ${what}`);

test(
  'a gRPC shim with a container has at most 3 MB of its own',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const { id, bundle } = bed;
    mkdirSync(join(bed.dir, 's'), { mode: 0o700 });
    const r = spawnSync(
      join(top, 'dist', 'containerd-shim-runt-grpc-v1'),
      ['-namespace', id, '-id', id, '-address', join(bed.dir, 'containerd.sock'), 'start'],
      {
        cwd: bundle,
        env: { PATH: process.env.PATH, MAX_SHIM_VERSION: '2' },
        encoding: 'utf8',
        input: '',
        timeout: COMMAND_LIMIT,
      },
    );
    const { address } = JSON.parse(r.stdout) as { address: string };
    const client = new TaskClient(address);
    try {
      const { shimPid } = await client.call('Connect', { id });
      await client.call('Create', { id, bundle });
      await client.call('Start', { id });
      const wait = client.call('Wait', { id });
      // If the memory fails the test, the connection ends.
      wait.catch(() => {});
      note(`kB: ${await settled(Number(shimPid), shimLimit)}`);
      await client.call('Kill', { id, signal: 9 });
      await wait;
      await client.call('Delete', { id });
      await client.call('Shutdown', { id });
    } finally {
      client.close();
    }
  }),
);

test(
  `a server with ${many} containers, each with a Wait, has at most 8 MB of its own`,
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const socket = join(bed.dir, 'api.sock');
    const server = await serve(bed, socket);
    const pid = server.pid as number;
    const client = new TaskClient(socket);
    const ids = Array.from({ length: many }, (_, i) => `${bed.id}-${i}`);
    try {
      const empty = anonymous(pid);
      for (const id of ids) {
        await client.call('Create', { id, bundle: bed.bundle });
        await client.call('Start', { id });
      }
      const waits = ids.map((id) => client.call('Wait', { id }));
      for (const wait of waits) wait.catch(() => {});
      note(`kB: empty ${empty}, with ${many} containers ${await settled(pid, serverLimit)}`);
      for (const id of ids) await client.call('Kill', { id, signal: 9 });
      const statuses = await Promise.all(waits);
      assert.ok(statuses.every(({ exitStatus }) => exitStatus === 137));
      for (const id of ids) await client.call('Delete', { id });
    } finally {
      client.close();
      server.kill('SIGTERM');
      for (const id of ids) bed.runt(['delete', '--force', id]);
    }
  }),
);

test.run();
