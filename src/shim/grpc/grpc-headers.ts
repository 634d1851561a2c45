/** The headers of a gRPC call (grpc: PROTOCOL-HTTP2, "Requests"). */
import { host } from '../../sys/host.js';
import { type CallStatus, Code, StatusError } from '../transport/status-code.js';
import { base64Text } from './base64.js';

export interface CallHeaders {
  /** `package.Service/Method`. */
  readonly path: string;
  /** ms until the client's deadline; -1 for none. */
  readonly timeout: number;
  /** The other headers by name, the first value of each: the call keeps them. Undefined for none. */
  readonly metadata: ReadonlyMap<string, string> | undefined;
}

/** ms of the units of grpc-timeout. */
const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * The call of a header list, names and values in turn, or the HTTP status of a request that is not gRPC.
 * @throws StatusError UNIMPLEMENTED for compressed messages, INTERNAL for a malformed deadline
 */
export function readCallHeaders(list: readonly string[]): CallHeaders | number {
  // nghttp2 refuses a request without the four pseudo-headers.
  if (list.length === 0) return 431;
  const headers = new Map<string, string>();
  for (let i = 0; i + 1 < list.length; i += 2) {
    const [name, value] = [list[i] as string, list[i + 1] as string];
    if (!headers.has(name)) headers.set(name, value);
  }
  if (headers.get(':method') !== 'POST') return 405;
  if (!/^application\/grpc($|[+;])/.test(headers.get('content-type') ?? '')) return 415;
  const encoding = headers.get('grpc-encoding') ?? 'identity';
  if (encoding !== 'identity') {
    throw new StatusError(Code.UNIMPLEMENTED, `messages compressed with ${encoding} are not supported`);
  }
  const [path, timeout] = [(headers.get(':path') ?? '').slice(1), timeoutOf(headers.get('grpc-timeout'))];
  for (const name of headers.keys()) if (isReserved.test(name)) headers.delete(name);
  return { path, timeout, metadata: headers.size > 0 ? headers : undefined };
}

/** Names of headers that are not metadata of the caller: of HTTP/2 and gRPC. */
const isReserved = /^(:.*|grpc-.*|content-type|te|user-agent)$/;

function timeoutOf(text: string | undefined): number {
  if (text === undefined) return -1;
  const [, number, unit = ''] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
  const factor = units[unit];
  if (factor === undefined) throw new StatusError(Code.INTERNAL, `malformed grpc-timeout: ${text}`);
  return Number(number) * factor;
}

/** The headers before messages. */
export const answerHeaders = [':status', '200', 'content-type', 'application/grpc', 'grpc-accept-encoding', 'identity'];

/** The headers that end a call: all of the answer if no message precedes them, else its trailers. */
export function statusHeaders({ code, message, details }: CallStatus): readonly (string | number)[] {
  return [
    ...['grpc-status', code],
    ...(message ? ['grpc-message', percentEncoded(message)] : []),
    ...(details ? ['grpc-status-details-bin', base64Text(details)] : []),
  ];
}

/** Encodes all bytes but the printable ones of ASCII, and the percent sign. */
function percentEncoded(text: string): string {
  let encoded = '';
  for (const byte of host.encode(text)) {
    const isPlain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25;
    encoded += isPlain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return encoded;
}
