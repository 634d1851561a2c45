// ctr has no flag for the address of a task API. This relay between ctr and containerd puts each container into one
// sandbox, and gives each task the address of runt's server: endpoint.mjs SOCKET CONTAINERD ADDRESS
//
// SOCKET is where ctr connects, ADDRESS such as grpc+/run/serve.sock. All other calls pass unchanged. It prints
// "listens" when ctr may connect.
import { once } from 'node:events';
import { connect, constants, createServer } from 'node:http2';
import { createConnection } from 'node:net';
import { buffer } from 'node:stream/consumers';

const [socket, containerd, address] = process.argv.slice(2);
const sandbox = 'node';

/** A field of protobuf with a string or bytes. */
function field(number, value) {
  const bytes = Buffer.from(value);
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
}

function varint(value) {
  const bytes = [];
  for (; value > 0x7f; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return Buffer.from([...bytes, value]);
}

/** The last value of a field of type string, bytes or message; empty if there is none. */
function lastOf(message, wanted) {
  let at = 0;
  const next = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++];
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  let found = Buffer.alloc(0);
  while (at < message.length) {
    const key = next();
    if ((key & 7) === 0) next();
    else if ((key & 7) === 2) {
      const length = next();
      if (key >>> 3 === wanted) found = message.subarray(at, at + length);
      at += length;
    } else throw new Error(`a request has a field of wire type ${key & 7}`);
  }
  return found;
}

// A field that is there twice counts as one: a later string replaces the earlier one, messages are merged.
const changed = {
  '/containerd.services.containers.v1.Containers/Create': (message) =>
    Buffer.concat([message, field(1, field(11, sandbox))]),
  '/containerd.services.tasks.v1.Tasks/Create': (message) => {
    // Up to 2.3 the address is in runc's options, 2.4 has fields for it too; CRI sets both.
    const version = (number) => Buffer.from([...varint(number << 3), 3]);
    const runc = lastOf(lastOf(message, 9), 2);
    const options = Buffer.concat([runc, field(12, address), version(13)]);
    const any = Buffer.concat([field(1, 'containerd.runc.v1.Options'), field(2, options)]);
    return Buffer.concat([message, field(9, any), field(11, address), version(12)]);
  },
};

/** A message of gRPC: a byte for compression, and its length. */
function framed(message) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

function session() {
  const made = connect('http://localhost', { createConnection: () => createConnection(containerd) });
  made.on('error', () => {});
  return made;
}

/** Headers without those of the connection. */
const headersOf = (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'connection'));

async function relay(from, stream, headers) {
  const to = from.request(headersOf(headers));
  let trailers = {};
  to.on('response', (answer, flags) => {
    if (stream.destroyed) return;
    const ends = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    stream.respond(headersOf(answer), ends ? { endStream: true } : { waitForTrailers: true });
    if (!ends) to.pipe(stream);
  });
  to.on('trailers', (last) => {
    trailers = last;
  });
  stream.on('wantTrailers', () => stream.sendTrailers(headersOf(trailers)));
  stream.on('aborted', () => to.close(constants.NGHTTP2_CANCEL));
  stream.on('error', () => to.close(constants.NGHTTP2_CANCEL));
  to.on('error', () => {
    // containerd has ended: UNAVAILABLE.
    if (stream.destroyed) return;
    if (stream.headersSent) stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    else
      stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '14' }, { endStream: true });
  });
  const change = changed[headers[':path']];
  if (change === undefined) stream.pipe(to);
  else to.end(framed(change((await buffer(stream)).subarray(5))));
}

/** Stores the sandbox of all containers, if containerd does not have it. */
async function store() {
  const from = session();
  // containerd does not survive a sandbox without a runtime.
  const runtime = Buffer.concat([field(1, 'io.containerd.runt.v1'), field(2, field(1, 'google.protobuf.Empty'))]);
  const record = Buffer.concat([field(1, sandbox), field(2, runtime), field(10, 'runt')]);
  const call = from.request({
    ':method': 'POST',
    ':path': '/containerd.services.sandbox.v1.Store/Create',
    'content-type': 'application/grpc',
    te: 'trailers',
    'containerd-namespace': 'default',
  });
  let status;
  call.on('response', (answer) => {
    status ??= answer['grpc-status'];
  });
  call.on('trailers', (last) => {
    status ??= last['grpc-status'];
  });
  call.end(framed(field(1, record)));
  call.resume();
  await once(call, 'close');
  from.destroy();
  const exists = '6';
  if (status !== '0' && status !== exists) throw new Error(`storing the sandbox failed with status ${status}`);
}

await store();
const server = createServer();
server.on('session', (client) => {
  const from = session();
  client.on('stream', (stream, headers) => {
    relay(from, stream, headers).catch((error) => {
      process.stderr.write(`endpoint: ${error.stack}\n`);
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    });
  });
  client.on('error', () => {});
  client.on('close', () => from.destroy());
  from.on('close', () => client.destroy());
});
server.listen(socket, () => process.stdout.write('listens\n'));
