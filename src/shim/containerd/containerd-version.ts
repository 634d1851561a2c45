/** The version of containerd, by one gRPC call: containerd 1.7 accepts a gRPC shim as version 2 alone, 2.x as 3. */
import { host, native } from '../../sys/host.js';
import { connectTo } from '../../sys/sockets/unix-socket.js';
import { now, readable } from '../../sys/waiting/loop.js';
import { clientVersionTime } from '../../sys/waiting/time-limits.js';

// RFC 9113, 4.1 and 6: types and flags of frames.
const [DATA, HEADERS, SETTINGS, GOAWAY] = [0, 1, 4, 7];
const [END_STREAM, END_HEADERS] = [1, 4];
/** Length (24 bits), type, flags, stream. */
const HEAD = 9;
/** Of a message: a flag and its length. */
const MESSAGE_HEAD = 5;
const answerMax = 1 << 16;

const joined = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));
const text = (value: string): number[] => [value.length, ...host.encode(value)];

function frame(type: number, flags: number, stream: number, payload: readonly number[] = []): Uint8Array {
  return new Uint8Array([0, 0, payload.length, type, flags, 0, 0, 0, stream, ...payload]);
}

/** The call `containerd.services.version.v1.Version/Version`, whose request is empty. */
const request = (): Uint8Array =>
  joined([
    host.encode('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(SETTINGS, 0, 0),
    frame(HEADERS, END_HEADERS, 1, [
      // RFC 7541, 6.1 and appendix A: ":method: POST", ":scheme: http".
      ...[0x83, 0x86],
      // 6.2.2: not indexed, the names of ":path", ":authority" and "content-type" by their numbers.
      ...[0x04, ...text('/containerd.services.version.v1.Version/Version')],
      ...[0x01, ...text('localhost')],
      ...[0x0f, 0x10, ...text('application/grpc')],
      ...[0x00, ...text('te'), ...text('trailers')],
    ]),
    frame(
      DATA,
      END_STREAM,
      1,
      Array.from({ length: MESSAGE_HEAD }, () => 0),
    ),
  ]);

/** The version in a VersionResponse, whose first field it is; empty if the answer is anything else. */
function versionIn(message: Uint8Array): string {
  const [tag, length = 0] = message.subarray(MESSAGE_HEAD);
  const at = MESSAGE_HEAD + 2;
  return tag === 0x0a && length < 0x80 && at + length <= message.length
    ? host.decode(message.subarray(at, at + length), length)
    : '';
}

/** The message of an answer, once it is complete. @returns undefined: read on; empty: there is none */
export function messageIn(data: Uint8Array): Uint8Array | undefined {
  const parts: Uint8Array[] = [];
  for (let at = 0; at + HEAD <= data.length; ) {
    const view = new DataView(data.buffer, data.byteOffset + at);
    const end = at + HEAD + (view.getUint32(0) >>> 8);
    if (end > data.length) return undefined;
    const [type, flags] = [view.getUint8(3), view.getUint8(4)];
    if (type === DATA) parts.push(data.subarray(at + HEAD, end));
    if (type === GOAWAY || ((type === DATA || type === HEADERS) && flags & END_STREAM)) return joined(parts);
    at = end;
  }
  return undefined;
}

/** Asks the containerd at a socket. @returns "2.1.9" or "v1.7.24"; empty if it does not answer in two seconds */
export async function containerdVersion(socket: string): Promise<string> {
  const until = now() + clientVersionTime;
  const connection = await connectTo(socket, clientVersionTime);
  if (connection < 0) return '';
  try {
    const data = new Uint8Array(answerMax);
    if (native.trustedPeer(connection) !== 1 || native.write(connection, request()) < 0) return '';
    for (let length = 0; length < answerMax && (await readable(connection, Math.max(0, until - now()))); ) {
      const n = native.read(connection, data.subarray(length));
      if (n <= 0) return '';
      length += n;
      const message = messageIn(data.subarray(0, length));
      if (message) return versionIn(message);
    }
    return '';
  } finally {
    native.close(connection);
  }
}
