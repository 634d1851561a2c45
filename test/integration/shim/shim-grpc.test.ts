/** `containerd-shim-runt-grpc-v1`: the static binary, which serves gRPC without Node.js. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { holdSocket } from '../../../src/shim/holds/hold-socket.js';
import { types } from '../../../src/shim/transport/protos.js';
import { COMMAND_LIMIT, elapse } from '../../deadline.js';
import { hasEnded } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { top } from '../bed/place.js';
import { TaskClient } from '../bed/task-client.js';

const test = needing('gRPC shim', 'root');
const program = join(top, 'dist', 'containerd-shim-runt-grpc-v1');

/** Runs `start` as containerd does; returns its output and status. */
function start(bed: Bed, env: Record<string, string>) {
  bed.write();
  const args = ['-namespace', bed.id, '-id', bed.id, '-address', join(bed.dir, 'containerd.sock'), 'start'];
  const r = spawnSync(program, args, { cwd: bed.bundle, env, encoding: 'utf8', input: '', timeout: COMMAND_LIMIT });
  return { code: r.status, out: r.stdout + r.stderr };
}

const path = process.env.PATH!;

test(
  'start prints a bare path, the protocol and the version, and the task service runs until Shutdown',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'exit 9'];
    mkdirSync(join(bed.dir, 's'), { mode: 0o700 });
    const env = { PATH: path, MAX_SHIM_VERSION: '2' };
    const first = start(bed, env);
    const { version, address, protocol } = JSON.parse(first.out) as Record<string, string>;
    assert.equal([version, protocol], [3, 'grpc'], 'no containerd says that it is 1.7');
    assert.match(address!, new RegExp(`^${bed.dir}/s/[0-9a-f]{64}$`));
    assert.is(
      readFileSync(join(bed.bundle, 'address'), 'utf8'),
      first.out,
      'what containerd reads when it starts again',
    );
    assert.equal(start(bed, env), first, 'the second finds the server of the first');
    const client = new TaskClient(address!);
    const call = (method: string, request: object) => client.call(method, request);
    const { id, bundle } = bed;
    const { pid } = await call('Create', { id, bundle });
    assert.ok(Number(pid) > 0);
    await call('Start', { id });
    assert.is((await call('Wait', { id })).exitStatus, 9);
    assert.is((await call('Delete', { id })).exitStatus, 9);
    const { shimPid } = await call('Connect', { id });
    await call('Shutdown', { id });
    client.close();
    await eventually('the end of the server', () => hasEnded(Number(shimPid)));
    assert.not.ok(existsSync(address!) || existsSync(holdSocket(address!)));
  }),
);

test(
  'a server without clients ends after a while and leaves nothing',
  onBed(async (bed) => {
    mkdirSync(join(bed.dir, 's'), { mode: 0o700 });
    const env = { PATH: path, MAX_SHIM_VERSION: '2', RUNT_SHIM_IDLE: '1' };
    const { address } = JSON.parse(start(bed, env).out) as Record<string, string>;
    const client = new TaskClient(address!);
    const { shimPid } = await client.call('Connect', { id: bed.id });
    // Longer than the idle time: the server stays while a client is connected.
    await elapse(1500);
    assert.is((await client.call('Connect', { id: bed.id })).shimPid, shimPid);
    client.close();
    await eventually('the end of the server', () => hasEnded(Number(shimPid)));
    assert.not.ok(existsSync(address!) || existsSync(holdSocket(address!)));
  }),
);

test(
  'the errors name a containerd without gRPC and an unknown protocol',
  onBed((bed) => {
    mkdirSync(join(bed.dir, 's'), { mode: 0o700 });
    for (const [env, words] of [[{ PATH: path }, /\(1\.6\) speaks ttrpc alone/]] as const) {
      const r = start(bed, env);
      assert.is(r.code, 1, r.out);
      assert.ok(words.test(r.out), r.out);
    }
  }),
);

test('info names the runtime type under which the shim was called', () => {
  for (const [name, type] of [
    ['containerd-shim-runt-grpc-v1', 'io.containerd.runt-grpc.v1'],
    ['containerd-shim-runt-v1', 'io.containerd.runt.v1'],
  ] as const) {
    const said = execFileSync(join(top, 'dist', name), ['-info'], { input: '', timeout: COMMAND_LIMIT });
    assert.is(types.RuntimeInfo.decode(said).name, type);
  }
});

test.run();
