/** `runt serve` on the fake host: its address, the tasks that it adopts from an earlier server, and its end. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { parseArguments } from '../../src/shim/containerd/shim-arguments.js';
import { type Grpc, setGrpcLoader } from '../../src/shim/grpc/grpc-interface.js';
import { holdNo, holdSocket } from '../../src/shim/holds/hold-socket.js';
import { serve } from '../../src/shim/serve-api.js';
import { serve as serveShim } from '../../src/shim/shim-server.js';
import { task } from '../../src/shim/transport/protos.js';
import type { Services, Unary } from '../../src/shim/transport/rpc.js';
import { E } from '../../src/sys/errno.js';
import { RuntError } from '../../src/sys/error.js';
import { AT_FDCWD } from '../../src/sys/linux.js';
import { nulList } from '../../src/sys/nul-list.js';
import { sleep } from '../../src/sys/waiting/loop.js';
import { FakeKernel } from '../sys/fake-host/fake-kernel.js';
import { callWith } from './call-facts.js';
import { withListener, withSignals } from './listener.js';
import { TaskHost } from './task/task-host.js';

const test = suite('serve api');

/** gRPC as the server uses it: the served handler, and the signal to end. */
class FakeGrpc implements Grpc {
  services!: Services;
  end!: () => void;
  closed = 0;
  readonly taken: number[] = [];

  serve(services: Services) {
    this.services = services;
    return {
      serveConnection: (fd: number, gone: () => void) => {
        this.taken.push(fd);
        gone();
      },
      awaitSignal: () => new Promise<void>((settle) => (this.end = settle)),
      close: async () => {
        this.closed++;
      },
    };
  }

  /** Calls a method of the task service. */
  handler(service: string, method: string, request: Uint8Array): Promise<Uint8Array> {
    return (this.services.get(`${service}/${method}`) as { unary: Unary }).unary(request, callWith());
  }
}

async function refusal(kernel: FakeKernel, listen: string): Promise<string> {
  const error = await kernel.finish(
    serve({ listen, root: kernel.root, debug: false }).then(
      () => undefined,
      (thrown: unknown) => thrown,
    ),
  );
  assert.instance(error, RuntError);
  return `${(error as RuntError).code} ${(error as RuntError).message}`;
}

test('serve in a build without nghttp2 is refused, before it listens', async () => {
  const kernel = new FakeKernel();
  kernel.on('http2Open', () => -E.ENOSYS);
  assert.match(await refusal(kernel, '/run/runt.sock'), /^ERR_UNSUPPORTED this build of runt has no gRPC/);
  assert.equal(kernel.names, ['http2Open']);
});

test('serve refuses an address that is not an absolute path', async () => {
  setGrpcLoader(async () => new FakeGrpc());
  const kernel = new FakeKernel();
  for (const [listen, answer] of [
    ['tcp://localhost:1', 'ERR_UNSUPPORTED serve does not listen at tcp://localhost:1'],
    ['', "ERR_USAGE --listen '': not an absolute path"],
    ['unix:relative', 'ERR_USAGE --listen unix:relative: not an absolute path'],
    ['/run/', 'ERR_USAGE --listen /run/: not an absolute path'],
  ]) {
    assert.is(await refusal(kernel, listen!), answer);
  }
  assert.equal(kernel.open, []);
});

test('a socket in use, another file at its path, and a missing directory are refused', async () => {
  setGrpcLoader(async () => new FakeGrpc());
  const kernel = new FakeKernel();
  kernel.sockets.listen('/run/used', (end) => {
    end.onHangUp = () => end.drop();
  });
  assert.is(await refusal(kernel, '/run/used'), 'ERR_SHIM listen at /run/used: it is in use, a server listens there');
  kernel.tree.file('/run/file');
  assert.match(await refusal(kernel, '/run/file'), /^ERR_SHIM .*\/run\/file/);
  assert.ok(kernel.tree.at('/run/file'));
  assert.match(await refusal(kernel, '/none/socket'), /^ERR_SHIM listen at \/none\/socket: ENOENT/);
  assert.equal(kernel.open, []);
});

test('serve runs until it is stopped, replaces a stale socket, and removes its own', async () => {
  const grpc = new FakeGrpc();
  setGrpcLoader(async () => grpc);
  const kernel = new FakeKernel();
  withSignals(kernel);
  kernel.tree.socket('/run/runt.sock');
  const serving = serve({ listen: 'unix:///run/runt.sock', root: kernel.root, debug: false });
  await kernel.finish(sleep(1000));
  assert.match(kernel.descriptors.written(2), /^runt: the task service is ready at unix:\/\/\/run\/runt.sock/);
  kernel.sockets.connect('/run/runt.sock');
  await kernel.finish(sleep(1000));
  assert.is(grpc.taken.length, 1);
  const answer = await grpc.handler('containerd.task.v3.Task', 'Connect', new Uint8Array());
  assert.is(task.ConnectResponse.decode(answer).shimPid, kernel.processes.own.pid);
  grpc.end();
  await kernel.finish(serving);
  assert.equal([grpc.closed, kernel.tree.at('/run/runt.sock')], [1, undefined]);
  await kernel.finish(sleep(60_000));
});

test('a restarted server adopts the containers of the earlier one', async () => {
  const grpc = new FakeGrpc();
  setGrpcLoader(async () => grpc);
  const host = new TaskHost();
  const { kernel } = host;
  withSignals(kernel);
  const serving = serve({ listen: '/run/runt.sock', root: kernel.root, debug: false });
  await kernel.finish(sleep(1000));
  const ask = (name: string, request: object) =>
    kernel.finish(
      grpc.handler('containerd.task.v3.Task', name, task.CreateTaskRequest.encode({ id: 'web', ...request }).finish()),
    );
  await ask('Create', { bundle: '/b' });
  const text = kernel.tree.text(`${kernel.root}/web/task.json`);
  grpc.end();
  await kernel.finish(serving);
  // The earlier server: its process has ended by now.
  const other = JSON.stringify({ ...(JSON.parse(text) as object), server: { pid: 77, startTime: '1' } });
  kernel.tree.file(`${kernel.root}/web/task.json`, other);
  kernel.tree.file(`${kernel.root}/bad/task.json`, other);
  const again = serve({ listen: '/run/runt.sock', root: kernel.root, debug: false });
  await kernel.finish(sleep(1000));
  assert.match(kernel.descriptors.written(2), /: bad: the state of container bad cannot be used/);
  const state = task.StateResponse.decode(await ask('State', {}));
  assert.equal([state.pid, state.status, state.bundle], [host.main.process.pid, 1, '/b']);
  host.main.process.exit(9);
  await kernel.finish(sleep(1000));
  const deleted = task.DeleteResponse.decode(await ask('Delete', {}));
  assert.equal([deleted.exitStatus, kernel.tree.list(kernel.root)], [9, ['bad']]);
  grpc.end();
  await kernel.finish(again);
  await kernel.finish(sleep(60_000));
});

test('the gRPC shim serves at its socket, and removes it and the one for deletes when it ends', async () => {
  const grpc = new FakeGrpc();
  setGrpcLoader(async () => grpc);
  const kernel = withListener({ RUNT_SHIM_IDLE: '30' });
  const socket = '/run/s/socket';
  const holds = String(kernel.performs('unixListen')(AT_FDCWD, holdSocket(socket), 128));
  const serving = serveShim(
    parseArguments(['-namespace', 'ns', '-id', 'web', '-socket', socket, '-holds', holds]),
    'containerd-shim-runt-grpc-v1',
  );
  await kernel.finish(sleep(1000));
  const end = kernel.sockets.connect(holdSocket(socket));
  const ask = async (request: string): Promise<number | undefined> => {
    end.send(nulList([request, 'web']));
    await kernel.finish(sleep(10));
    return end.text().charCodeAt(0);
  };
  assert.is(await ask('hold'), holdNo, 'it serves deletes');
  assert.equal(kernel.descriptors.written(2), '');
  assert.is(await kernel.finish(serving), 0, 'the server was idle');
  assert.equal([kernel.tree.list('/run/s'), grpc.closed], [[], 1]);
  await kernel.finish(sleep(60_000));
});

test.run();
