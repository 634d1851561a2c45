/** The address of a server as a bundle records it. */
import { tryReadText } from '../../sys/fs.js';

/**
 * The socket in a record, which is an answer of `start`; undefined for none, or for another protocol.
 * @throws RuntError ERR_IO
 */
export function recordedSocket(path: string, wanted: 'grpc' | 'ttrpc' = 'grpc'): string | undefined {
  const text = tryReadText(path);
  if (text === undefined) return undefined;
  let record: { readonly address?: unknown; readonly protocol?: unknown } | null;
  try {
    record = JSON.parse(text);
  } catch {
    // The bare address of a ttrpc server.
    return undefined;
  }
  const { address, protocol } = record ?? {};
  const socket = typeof address === 'string' ? address.replace(/^unix:\/\//, '') : '';
  return protocol === wanted && socket.startsWith('/') ? socket : undefined;
}
