/** Calls that outlive the server of a node. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { NodeServer } from '../../../src/shim/node/node-server.js';
import { Relay, relayedPaths } from '../../../src/shim/node/relay.js';
import type { Unary, UnaryCall } from '../../../src/shim/transport/rpc.js';
import { Code, type StatusError } from '../../../src/shim/transport/status-code.js';
import type { Connection } from '../../../src/shim/transport/ttrpc.js';
import { RuntError } from '../../../src/sys/error.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';

const test = suite('relay');

/** A server whose calls the test answers. */
class FakeServer {
  readonly calls: {
    service: string;
    method: string;
    settle: (answer: Uint8Array) => void;
    fail: (e: Error) => void;
  }[] = [];
  private over!: () => void;
  private readonly ended = new Promise<void>((settle) => {
    this.over = settle;
  });

  serve(): Promise<void> {
    return this.ended;
  }

  call(service: string, method: string): Promise<Uint8Array> {
    return new Promise((settle, fail) => this.calls.push({ service, method, settle, fail }));
  }

  kill(): void {
    this.over();
    for (const { fail } of this.calls) fail(new RuntError({ code: 'ERR_IO', message: 'the connection has ended' }));
  }
}

const clientOf = (namespace = 'ns'): UnaryCall => ({
  header: (name) => (name === 'containerd-namespace' ? namespace : undefined),
  cancelled: new Promise(() => {}),
  onCancel: undefined,
});
const task = 'containerd.task.v3.Task';
const bytes = new Uint8Array([1, 2]);

function relayed(relay: Relay) {
  const procedures = relay.procedures();
  return (path: string, call: UnaryCall = clientOf()): Promise<Uint8Array> =>
    (procedures.get(path) as { unary: Unary }).unary(bytes, call);
}
const attach = (relay: Relay, server: FakeServer) => relay.attach(server as unknown as Connection, () => {});
const turn = () => new Promise<void>((settle) => setImmediate(settle));

test('the relayed calls are those that the server answers', async () => {
  const kernel = new FakeKernel();
  const keeper = { hold: async () => {}, take: async () => undefined, drop: async () => {}, give: async () => {} };
  const containerd = { address: '/c.sock', root: '/r', state: '/s' };
  const server = new NodeServer({
    root: kernel.root,
    address: 'grpc+/n.sock',
    containerd,
    keeper,
    systemdCgroup: false,
    api: false,
    debug: false,
  });
  for (const path of relayedPaths) {
    const [service, method] = path.split('/') as [string, string];
    const failure = await server.handler(`ns/${service}`, method, new Uint8Array(), clientOf()).catch((error) => error);
    assert.is.not((failure as StatusError).code, Code.UNIMPLEMENTED, path);
  }
  const failure = await server.handler(`ns/${task}`, 'Nothing', bytes, clientOf()).catch((error) => error);
  assert.is(failure.code, Code.UNIMPLEMENTED);
});

test('a call waits for a server, and has its namespace', async () => {
  const relay = new Relay();
  const answer = relayed(relay)(`${task}/Create`);
  await turn();
  const server = new FakeServer();
  attach(relay, server);
  await turn();
  assert.equal([server.calls[0]?.service, server.calls[0]?.method], [`ns/${task}`, 'Create']);
  server.calls[0]?.settle(new Uint8Array([7]));
  assert.equal([...(await answer)], [7]);
});

test('a call whose server ends is made again, unless its effect would be there twice', async () => {
  const relay = new Relay();
  const call = relayed(relay);
  const [first, second] = [new FakeServer(), new FakeServer()];
  attach(relay, first);
  const [state, kill] = [call(`${task}/State`), call(`${task}/Kill`)];
  await turn();
  first.kill();
  const failure = (await kill.catch((error) => error)) as StatusError;
  assert.is(failure.code, Code.UNAVAILABLE);
  assert.match(failure.message, /the server ended during Kill/);
  attach(relay, second);
  await turn();
  second.calls[0]?.settle(bytes);
  assert.equal(await state, bytes);
});

test('equal waits are one call, however many clients begin and cancel them', async () => {
  const relay = new Relay();
  const call = relayed(relay);
  const server = new FakeServer();
  attach(relay, server);
  const clients = Array.from({ length: 100 }, () => clientOf());
  const waits = clients.map((client) => call(`${task}/Wait`, client).catch((error: StatusError) => error.code));
  await turn();
  assert.is(server.calls.length, 1);
  for (const client of clients.slice(1)) client.onCancel?.();
  server.calls[0]?.settle(bytes);
  const [kept, ...cancelled] = await Promise.all(waits);
  assert.equal(kept, bytes);
  assert.equal([...new Set(cancelled)], [Code.CANCELLED]);
  assert.ok(relay.idle);
});

test.run();
