/** `start` of a shim on the fake host: the server that it starts or finds, its response, and each error. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { mountExtensions } from '../../../src/shim/containerd/mount-capabilities.js';
import { parseArguments } from '../../../src/shim/containerd/shim-arguments.js';
import { startServer } from '../../../src/shim/containerd/shim-bootstrap.js';
import { holdSocket, holdYes } from '../../../src/shim/holds/hold-socket.js';
import type { ShimName } from '../../../src/shim/shim-main.js';
import { bootstrap, google, runcOptions } from '../../../src/shim/transport/protos.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { S_IFIFO, S_IFSOCK } from '../../../src/sys/linux.js';
import { mountCgroups } from '../../sys/fake-host/cgroups.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import type { Spawned } from '../../sys/fake-host/processes.js';
import { answersVersion } from './version-server.js';

const test = suite('shim bootstrap');

const shimPath = '/usr/bin/containerd-shim-runt-v1';
const usualArguments = ['-namespace', 'ns', '-id', 'web', '-address', '/run/containerd/containerd.sock', 'start'];

/** containerd's side: a bundle that is the working directory, the program of a shim, and the started servers. */
class Engine {
  readonly kernel: FakeKernel;
  readonly servers: Spawned[] = [];
  /** Of `start` to a gRPC server. */
  readonly requests: string[] = [];

  constructor(env: Record<string, string> = { MAX_SHIM_VERSION: '3' }, input?: Uint8Array) {
    const kernel = new FakeKernel({ env });
    this.kernel = kernel;
    kernel.tree.file('/b/config.json', '{}');
    kernel.tree.cwd = kernel.tree.directory('/b');
    kernel.tree.directory('/run/containerd');
    kernel.tree.file(shimPath);
    const own = kernel.processes.own.pid;
    kernel.tree.symlink(`/proc/${own}/exe`, shimPath);
    kernel.tree.file(`/proc/${own}/status`, 'Name:\trunt\nPPid:\t1\n');
    kernel.tree.file('/proc/1/oom_score_adj', '-999\n');
    mountCgroups(kernel, '/sys/fs/cgroup', { controllers: '' });
    kernel.tree.directory('/sys/fs/cgroup/shims');
    kernel.processes.programs.set(shimPath, (child) => {
      this.servers.push(child);
      return undefined;
    });
    const [stat, read, left] = [kernel.performs('stat'), kernel.performs('read'), [...(input ?? [])]];
    kernel.on('stat', (dirfd, path, flags, data) => {
      if (dirfd !== 0 || path !== '') return stat(dirfd, path, flags, data);
      new DataView(data.buffer).setBigInt64(0, BigInt(S_IFIFO | 0o600), true);
      return input ? 0 : -E.EBADF;
    });
    kernel.on('read', (fd, data) => {
      if (fd !== 0) return read(fd, data);
      const part = left.splice(0, data.length);
      data.set(part);
      return part.length;
    });
  }

  start(args = usualArguments, shim: ShimName = 'containerd-shim-runt-v1'): Promise<string> {
    return this.kernel.finish(startServer(parseArguments(args), shim));
  }

  async failure(args?: readonly string[], shim?: ShimName): Promise<RuntError> {
    try {
      await this.start(args ? [...args] : undefined, shim);
    } catch (error) {
      assert.instance(error, RuntError);
      return error as RuntError;
    }
    throw new Error('it was started');
  }

  /** The environment of a server. */
  env(n = 0): Record<string, string> {
    return Object.fromEntries((this.servers[n]?.env ?? []).map((word) => word.split(/=(.*)/s).slice(0, 2)));
  }
}

test('start runs a server on its own socket, with its arguments, and prints the address', async () => {
  const engine = new Engine();
  engine.kernel.fifo('/b/log').reader();
  const answer = JSON.parse(await engine.start()) as {
    version: number;
    address: string;
    protocol: string;
    extensions: { value: { type_url: string; value: string } }[];
  };
  assert.equal([answer.version, answer.protocol], [3, 'ttrpc']);
  const [{ value: any }] = answer.extensions as [{ value: { type_url: string; value: string } }];
  assert.is(any.type_url, 'containerd.types.MountCapabilities');
  const capabilities = bootstrap.MountCapabilities.decode(Buffer.from(any.value, 'base64'));
  assert.equal([capabilities.types, capabilities.transforms], [[], ['mkdir']]);
  const path = answer.address.replace(/^unix:\/\//, '');
  assert.match(path, /^\/run\/containerd\/s\/[0-9a-f]{64}$/);
  const [server] = engine.servers;
  assert.equal(server?.args, ['containerd-shim-runt-v1', ...usualArguments.slice(0, -1), '-socket', path]);
  assert.is(server?.file(0)?.shown, path, 'its standard input is the listening socket');
  assert.equal([server?.file(1)?.shown, server?.file(2)?.shown], ['/b/log', '/b/log']);
  assert.is(engine.kernel.tree.text('/b/address'), answer.address);
  assert.equal(engine.kernel.open, []);
  const directory = engine.kernel.tree.at('/run/containerd/s');
  assert.is((directory?.mode ?? 0) & 0o777, 0o700);
});

test('the OOM score of the server is one above that of containerd', async () => {
  const engine = new Engine();
  await engine.start();
  const { pid } = engine.servers[0]!.process;
  assert.is(engine.kernel.tree.text(`/proc/${pid}/oom_score_adj`), '-998');
});

test('the same container, and another of its pod, find the running server', async () => {
  const engine = new Engine();
  const first = await engine.start();
  assert.is(await engine.start(), first);
  const group = { annotations: { 'io.kubernetes.cri.sandbox-id': 'web' } };
  engine.kernel.tree.file('/b/config.json', JSON.stringify(group));
  const other = usualArguments.map((word) => (word === 'web' ? 'other' : word));
  assert.is(await engine.start(other), first);
  assert.is(engine.servers.length, 1);
});

test('a container of another group, namespace or containerd gets a separate server', async () => {
  const engine = new Engine();
  const answers = new Set([await engine.start()]);
  for (const [from, to] of [
    ['web', 'other'],
    ['ns', 'other'],
    ['/run/containerd/containerd.sock', '/run/containerd/other.sock'],
  ]) {
    answers.add(await engine.start(usualArguments.map((word) => (word === from ? to! : word))));
  }
  assert.equal([answers.size, engine.servers.length], [4, 4]);
});

test('the response has the form of each containerd version', async () => {
  for (const [env, shape] of [
    [{}, 'bare'],
    [{ MAX_SHIM_VERSION: '2' }, '2'],
    [{ MAX_SHIM_VERSION: '3' }, '3'],
    [{ MAX_SHIM_VERSION: '9' }, '3'],
  ] as const) {
    const answer = await new Engine(env).start();
    const version = answer.startsWith('{') ? String((JSON.parse(answer) as { version: number }).version) : 'bare';
    assert.is(version, shape);
  }
});

test('parameters of containerd 2.3 set the directory of the socket and the event address', async () => {
  const input = bootstrap.BootstrapParams.encode({
    instanceId: 'web',
    namespace: 'ns',
    containerdTtrpcAddress: 'unix:///run/c/ttrpc.sock',
    socketDir: '/run/named/deep',
  }).finish();
  const engine = new Engine({}, input);
  const answer = JSON.parse(await engine.start()) as { version: number; address: string };
  assert.is(answer.version, 3);
  assert.match(answer.address, /^unix:\/\/\/run\/named\/deep\/[0-9a-f]{64}$/);
  assert.is(engine.env().TTRPC_ADDRESS, '/run/c/ttrpc.sock');
});

const withOptions = (options: runcOptions.Options.$Properties): Uint8Array =>
  google.protobuf.Any.encode({
    type_url: 'containerd.runc.v1.Options',
    value: runcOptions.Options.encode(options).finish(),
  }).finish();

test('shim_cgroup receives the server; if it is missing, the server is ended', async () => {
  const engine = new Engine({ MAX_SHIM_VERSION: '2' }, withOptions({ shimCgroup: '/shims' }));
  await engine.start();
  const { pid } = engine.servers[0]!.process;
  assert.match(engine.kernel.tree.text('/sys/fs/cgroup/shims/cgroup.procs'), new RegExp(`^${pid}$`, 'm'));

  const other = new Engine({ MAX_SHIM_VERSION: '2' }, withOptions({ shimCgroup: '/none' }));
  const error = await other.failure();
  assert.equal([error.code, error.message], ['ERR_SHIM', 'put the shim into the cgroup /none']);
  assert.ok(other.servers[0]?.process.end);

  const wrong = new Engine({ MAX_SHIM_VERSION: '2' }, withOptions({ root: 'relative' }));
  await wrong.start();
  assert.not.ok(wrong.servers[0]?.process.end, 'Create reports the invalid options');
});

test('with SCHED_CORE a core scheduling group is made before the server, or start fails', async () => {
  const engine = new Engine({ MAX_SHIM_VERSION: '3', SCHED_CORE: '1' });
  engine.kernel.on('schedCoreCreate', () => 0);
  await engine.start();
  const names = engine.kernel.names;
  assert.ok(names.indexOf('schedCoreCreate') < names.indexOf('spawn'));
  const without = new Engine({ MAX_SHIM_VERSION: '3', SCHED_CORE: '1' });
  without.kernel.on('schedCoreCreate', () => -E.ENODEV);
  const error = await without.failure();
  assert.equal([error.code, error.errno, without.servers.length], ['ERR_SHIM', E.ENODEV, 0]);
  assert.equal(
    without.kernel.open.filter((shown) => !shown.includes('/s/')),
    [],
  );
});

test('a socket directory that another user may write is refused', async () => {
  for (const change of [{ uid: 1000 }, { mode: 0o40777 }]) {
    const engine = new Engine();
    Object.assign(engine.kernel.tree.directory('/run/containerd/s', 0o700), change);
    const error = await engine.failure();
    assert.match(error.message, /another user owns it, or may write to it/);
    assert.equal([error.code, error.path, engine.servers.length], ['ERR_SHIM', '/run/containerd/s', 0]);
    assert.equal(engine.kernel.open, []);
  }
});

test('a failed spawn, a failed socket and a failed write of the address are errors', async () => {
  for (const [call, errno, message] of [
    ['spawn', E.ENOMEM, 'start the shim of web'],
    ['openAt', E.EACCES, 'start the shim of web'],
    ['unixListen', E.ENOSPC, 'listen at'],
    ['replaceFile', E.EROFS, 'start the shim of web'],
  ] as const) {
    const engine = new Engine();
    engine.kernel.failAt(call, 1, errno);
    const error = await engine.failure();
    assert.equal([error.code, error.errno], ['ERR_SHIM', errno], call);
    assert.ok(error.message.startsWith(message), error.message);
  }
});

test('gRPC: containerd 1.6 is refused by name', async () => {
  const shim = 'containerd-shim-runt-grpc-v1';
  assert.is((await new Engine({}).failure(usualArguments, shim)).code, 'ERR_UNSUPPORTED');
});

/** An engine whose server answers the requests of `start` and `delete` after half a second. */
function withServer(env: Record<string, string>, answers: boolean, input?: Uint8Array): Engine {
  const engine = new Engine(env, input);
  engine.kernel.processes.programs.set(shimPath, (child) => {
    engine.servers.push(child);
    const { args } = child;
    engine.kernel.sockets.serve(child.file(Number(args[args.indexOf('-holds') + 1]))!, (end) => {
      end.onMessage = () => {
        engine.requests.push(end.text());
        if (answers) engine.kernel.clock.after(500, () => end.send(new Uint8Array([holdYes])));
      };
    });
    return undefined;
  });
  return engine;
}

const grpcShim = 'containerd-shim-runt-grpc-v1';

test('gRPC: start answers once the server expects the id, in the version that this containerd accepts', async () => {
  for (const [containerd, version] of [
    ['v1.7.24', 2],
    ['2.1.9', 3],
    ['', 3],
  ] as const) {
    const engine = withServer({ MAX_SHIM_VERSION: '2' }, true);
    if (containerd) engine.kernel.sockets.listen('/run/containerd/containerd.sock', answersVersion(containerd));
    const answer = await engine.start(usualArguments, grpcShim);
    const { address, ...rest } = JSON.parse(answer) as { version: number; protocol: string; address: string };
    const extensions = version === 3 && { extensions: mountExtensions() };
    assert.equal(rest, { version, protocol: 'grpc', ...extensions }, 'as over ttrpc');
    assert.match(address, /^\/run\/containerd\/s\/[0-9a-f]{64}$/);
    assert.equal(engine.requests, ['expect\0web\0']);
    assert.equal(engine.servers[0]?.args.slice(0, 2), [grpcShim, '-namespace']);
    assert.is(engine.kernel.tree.text('/b/address'), answer, 'what `delete` and containerd 1.7 read');
    assert.is(engine.kernel.tree.at(`${holdSocket(address)}`)?.mode, S_IFSOCK | 0o600);
    assert.equal(engine.kernel.open, []);
  }
});

test('gRPC: a containerd that sends parameters (2.3) is not asked for its version', async () => {
  const input = bootstrap.BootstrapParams.encode({ instanceId: 'web', namespace: 'ns' }).finish();
  const engine = withServer({}, true, input);
  const asked: string[] = [];
  engine.kernel.sockets.listen('/run/containerd/containerd.sock', () => asked.push('version'));
  const answer = await engine.start(usualArguments, grpcShim);
  assert.equal([(JSON.parse(answer) as { version: number }).version, asked], [3, []]);
});

test('gRPC: the second container of a group is expected by the server of the first', async () => {
  const engine = withServer({ MAX_SHIM_VERSION: '2' }, true);
  engine.kernel.tree.file('/b/config.json', '{"annotations":{"io.containerd.runc.v2.group":"pod"}}');
  await engine.start(usualArguments, grpcShim);
  await engine.start(
    usualArguments.map((word) => (word === 'web' ? 'db' : word)),
    grpcShim,
  );
  assert.equal([engine.servers.length, engine.requests], [1, ['expect\0web\0', 'expect\0db\0']]);
});

test('gRPC: a server that does not answer is an error after a minute, and killed; one that ends is an error at once', async () => {
  const silent = withServer({ MAX_SHIM_VERSION: '2' }, false);
  const before = silent.kernel.clock.now;
  const error = await silent.failure(usualArguments, grpcShim);
  assert.equal([error.code, error.message], ['ERR_SHIM', 'start the gRPC shim of web: it has ended, or is not ready']);
  assert.equal(silent.servers[0]?.process.signals, [9]);
  assert.ok(silent.kernel.clock.now - before >= 60_000);
  const ended = withServer({ MAX_SHIM_VERSION: '2' }, false);
  ended.kernel.processes.programs.set(shimPath, ({ process }) => {
    process.exit(1);
    return undefined;
  });
  const start = ended.kernel.clock.now;
  assert.is((await ended.failure(usualArguments, grpcShim)).code, 'ERR_SHIM');
  assert.ok(ended.kernel.clock.now - start < 1000);
});

test.run();
