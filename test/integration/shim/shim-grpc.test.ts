/** `containerd-shim-runt-grpc-v1`: the static binary, which serves gRPC without Node.js. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { mountExtensions } from '../../../src/shim/containerd/mount-capabilities.js';
import { task, types } from '../../../src/shim/transport/protos.js';
import { COMMAND_LIMIT, elapse } from '../../deadline.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { hasEnded } from '../bed/leftovers.js';
import { top } from '../bed/place.js';
import { onEngine, readAll } from '../bed/shim-engine.js';
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
    const env = { PATH: path, MAX_SHIM_VERSION: '2', RUNT_SHIM_VERSION: '2' };
    const first = start(bed, env);
    const { version, address, protocol } = JSON.parse(first.out) as Record<string, string>;
    assert.equal([version, protocol], [2, 'grpc']);
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
    assert.not.ok(existsSync(address!) || existsSync(`${address}.spoken`));
  }),
);

test(
  'a server without clients ends after a while and leaves nothing',
  onBed(async (bed) => {
    mkdirSync(join(bed.dir, 's'), { mode: 0o700 });
    const env = { PATH: path, MAX_SHIM_VERSION: '2', RUNT_SHIM_VERSION: '2', RUNT_SHIM_IDLE: '1' };
    const { address } = JSON.parse(start(bed, env).out) as Record<string, string>;
    const client = new TaskClient(address!);
    const { shimPid } = await client.call('Connect', { id: bed.id });
    // Longer than the idle time: the server stays while a client is connected.
    await elapse(1500);
    assert.is((await client.call('Connect', { id: bed.id })).shimPid, shimPid);
    client.close();
    await eventually('the end of the server', () => hasEnded(Number(shimPid)));
    assert.not.ok(existsSync(address!) || existsSync(`${address}.spoken`));
  }),
);

test(
  'the errors name a containerd without gRPC and an unknown protocol',
  onBed((bed) => {
    mkdirSync(join(bed.dir, 's'), { mode: 0o700 });
    for (const [env, words] of [
      [{ PATH: path }, /\(1\.6\) speaks ttrpc alone/],
      [{ PATH: path, RUNT_SHIM_PROTOCOL: 'http' }, /RUNT_SHIM_PROTOCOL must be grpc or ttrpc, not http/],
    ] as const) {
      const r = start(bed, env);
      assert.is(r.code, 1, r.out);
      assert.ok(words.test(r.out), r.out);
    }
  }),
);

test(
  'with RUNT_SHIM_PROTOCOL=ttrpc, it serves ttrpc to any containerd',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'echo out; exit 9'];
    bed.write();
    const stdout = engine.fifo('out');
    const out = readAll(stdout);
    const env = { RUNT_SHIM_PROTOCOL: 'ttrpc' };
    const address = engine.start(undefined, env);
    const json = String(engine.action('start', undefined, { ...env, MAX_SHIM_VERSION: '3' }));
    assert.equal(JSON.parse(json), { version: 3, address, protocol: 'ttrpc', extensions: mountExtensions() });
    const { shimPid } = await engine.call('Connect', task.ConnectRequest.encode({ id: bed.id }), task.ConnectResponse);
    assert.is(readlinkSync(`/proc/${shimPid}/exe`), realpathSync(program));
    await engine.run({ stdout });
    assert.is(await engine.wait(), 9);
    assert.is(await out, 'out\n');
    await engine.over();
    assert.equal(engine.topics, ['/tasks/create', '/tasks/start', '/tasks/exit', '/tasks/delete']);
    await eventually('the end of the server', () => hasEnded(Number(shimPid)));
  }, 'containerd-shim-runt-grpc-v1'),
);

/** The response of `start` under a containerd of that version, and the shim's log. */
async function under(bed: Bed, version: string, env: Record<string, string> = {}) {
  mkdirSync(join(bed.dir, 's'), { mode: 0o700 });
  bed.write();
  const log = join(bed.bundle, 'log');
  execFileSync('mkfifo', [log]);
  const text = readAll(log);
  const r = start(bed, { PATH: path, MAX_SHIM_VERSION: '2', RUNT_SHIM_VERSION: version, RUNT_SHIM_IDLE: '1', ...env });
  return { answer: JSON.parse(r.out) as Record<string, unknown>, log: await text };
}

test(
  'under containerd 2, which takes gRPC shims for ended, it serves ttrpc and logs why',
  onBed(async (bed) => {
    const { answer, log } = await under(bed, '2.1.9');
    assert.equal([answer.version, answer.protocol], [2, 'ttrpc']);
    assert.match(String(answer.address), /^unix:\/\//);
    assert.is(readFileSync(join(bed.bundle, 'address'), 'utf8'), answer.address);
    assert.match(log, /containerd 2\.1\.9 often takes a gRPC shim for dead .*: the shim speaks ttrpc instead/);
    assert.not.ok(existsSync(`${String(answer.address).replace('unix://', '')}.spoken`));
  }),
);

test(
  'without a known version it serves ttrpc, which every containerd supports',
  onBed(async (bed) => {
    const { answer, log } = await under(bed, '');
    assert.is(answer.protocol, 'ttrpc');
    assert.match(log, /version of containerd is unknown; .* the shim speaks ttrpc/);
  }),
);

test(
  'with RUNT_SHIM_PROTOCOL=grpc it serves gRPC to containerd 2 too, and logs that it is unreliable',
  onBed(async (bed) => {
    const { answer, log } = await under(bed, '2.1.9', { RUNT_SHIM_PROTOCOL: 'grpc', MAX_SHIM_VERSION: '3' });
    assert.equal([answer.version, answer.protocol], [3, 'grpc']);
    assert.match(log, /containerd 2\.1\.9 often takes a gRPC shim for dead .*: the shim speaks gRPC all the same/);
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
