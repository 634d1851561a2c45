/** The version of containerd: the request, which grpc-js judges, and what is read of any answer. */
import { createServer, type Http2Server } from 'node:http2';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { containerdVersion, messageIn } from '../../../src/shim/containerd/containerd-version.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import type { SocketEnd } from '../../sys/fake-host/sockets.js';
import { answersVersion, frame, versionAnswer } from './version-server.js';

const test = suite('containerd version');
const path = '/run/containerd.sock';

async function ask(onConnect?: (end: SocketEnd) => void) {
  const kernel = new FakeKernel();
  if (onConnect) kernel.sockets.listen(path, onConnect);
  const before = kernel.clock.now;
  const version = await kernel.finish(containerdVersion(path));
  assert.equal(kernel.open, []);
  return { version, ms: kernel.clock.now - before };
}

test('the version is the first field of the answer', async () => {
  assert.is((await ask(answersVersion('2.1.9'))).version, '2.1.9');
  assert.is((await ask(answersVersion('v1.7.24-3+b1'))).version, 'v1.7.24-3+b1');
});

test('an answer may arrive in pieces', () => {
  const answer = versionAnswer('2.1.9');
  for (let n = 0; n < answer.length; n++) assert.is(messageIn(answer.subarray(0, n)), undefined, `${n} bytes`);
  assert.is(messageIn(answer)?.length, 17);
});

test('without an answer the version is unknown, at most two seconds later', async () => {
  assert.equal(await ask(), { version: '', ms: 0 });
  const { version, ms } = await ask((end) => {
    end.onHangUp = () => end.drop();
  });
  assert.is(version, '');
  assert.ok(ms >= 2000 && ms < 2100, `${ms} ms`);
});

test('an answer of another kind is an unknown version', async () => {
  const other = (bytes: readonly number[]) => (end: SocketEnd) => {
    end.onMessage = () => {
      end.text();
      end.onMessage = undefined;
      end.send(new Uint8Array(bytes));
      end.drop();
    };
  };
  const refusal = frame(1, 5, [0x88]);
  const goAway = frame(7, 0, [0, 0, 0, 0, 0, 0, 0, 0]);
  const tooLong = frame(0, 1, [0, 0, 0, 0, 3, 0x0a, 9, 0x32]);
  const otherField = frame(0, 1, [0, 0, 0, 0, 2, 0x12, 0]);
  for (const bytes of [refusal, goAway, tooLong, otherField, [0x48, 0x54, 0x54, 0x50], []])
    assert.is((await ask(other(bytes))).version, '', String(bytes));
});

test("Node.js's HTTP/2 accepts the request: its path, its headers and an empty message", async () => {
  const request: number[] = [];
  await ask((end) => {
    end.onMessage = () => {
      const message = end.receive(1000);
      if (typeof message !== 'number') request.push(...message.data);
      end.drop();
    };
  });
  const server: Http2Server = createServer();
  const seen = new Promise<[Record<string, unknown>, Buffer]>((settle) =>
    server.on('stream', (stream, headers) => {
      const data: Buffer[] = [];
      stream.on('data', (part: Buffer) => data.push(part));
      stream.on('end', () => {
        settle([headers, Buffer.concat(data)]);
        stream.close();
        stream.session?.close();
      });
    }),
  );
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  const { connect } = await import('node:net');
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  client.write(new Uint8Array(request));
  const [headers, data] = await seen;
  client.destroy();
  server.close();
  assert.equal(
    [headers[':method'], headers[':path'], headers['content-type'], headers.te, data],
    [
      'POST',
      '/containerd.services.version.v1.Version/Version',
      'application/grpc',
      'trailers',
      Buffer.from([0, 0, 0, 0, 0]),
    ],
  );
});

test.run();
