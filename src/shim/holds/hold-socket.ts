/** The socket of a gRPC server for `start` and `delete` of the shim, beside the one for containerd. */
import { host, native } from '../../sys/host.js';
import { nulList } from '../../sys/nul-list.js';
import { Protocol } from '../../sys/protocol.js';
import { connectTo } from '../../sys/sockets/unix-socket.js';
import { readable } from '../../sys/waiting/loop.js';

/** What a request asks for, for one id. */
type HoldRequest =
  /** containerd has run `start`, so that Create follows: is the server ready? */
  | 'expect'
  /** containerd has run `delete`: does the server have the container? */
  | 'hold'
  /** The same of a further container of a pod, which has no `start`: containerd 2.4 runs `delete` before its Create. */
  | 'await';

const requests: readonly string[] = ['expect', 'hold', 'await'] satisfies readonly HoldRequest[];

/** Bytes of the answer. */
export const holdYes: number = Protocol.HOLD_YES;
export const holdNo: number = Protocol.HOLD_NO;

/** Its path: as long as the server's, which an address must have room for. */
export const holdSocket = (socket: string): string => `${socket.slice(0, -5)}.hold`;

/** Listens there, in a directory that the caller has locked. @param name the file name of the path */
export function listenForHolds(dir: number, name: string): number {
  // A killed server may have left it.
  native.unlinkAt(dir, name, 0);
  return native.unixListen(dir, name, 128);
}

/** A request that was sent. */
interface SentRequest {
  /** The caller closes it. */
  readonly connection: number;
  /** Undefined: there is none yet. */
  readonly answer: boolean | undefined;
}

/**
 * Sends a request to the server at `socket`.
 * @param ms the server connects and answers in this many milliseconds
 * @returns undefined if no server of ours is there
 */
export async function requestHold(
  socket: string,
  request: HoldRequest,
  id: string,
  ms: number,
): Promise<SentRequest | undefined> {
  const connection = await connectTo(holdSocket(socket), ms);
  if (connection < 0) return undefined;
  if (native.trustedPeer(connection) === 1 && native.write(connection, nulList([request, id])) >= 0) {
    if (!(await arrives(connection, ms))) return { connection, answer: undefined };
    const byte = new Uint8Array(1);
    if (native.read(connection, byte) === 1) return { connection, answer: byte[0] === holdYes };
  }
  native.close(connection);
  return undefined;
}

/** Whether data arrive in time. A process that had no CPU meanwhile sees the timeout first, and then the data. */
export const arrives = async (fd: number, ms: number): Promise<boolean> =>
  (await readable(fd, ms)) || native.isReadable(fd) === 1;

/** Request and id of a message; undefined for anything else. */
export function parseRequest(data: Uint8Array): readonly [request: HoldRequest, id: string] | undefined {
  const [request, id, end] = host.decode(data, data.length).split('\0');
  return requests.includes(request as string) && id && end === '' ? [request as HoldRequest, id] : undefined;
}

/**
 * The rest of an answer whose first byte was written (Protocol.HOLD_HEAD): a field that containerd does not know. An
 * answer that is never completed is an error to containerd (exit status 255, unknown), not a DeleteResponse of zeros.
 * @param response an encoded DeleteResponse
 */
export function restOfAnswer(response: Uint8Array): Uint8Array {
  const rest = new Uint8Array(4 + response.length);
  rest.set(response, 4);
  return rest;
}
