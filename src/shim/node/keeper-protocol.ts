/**
 * Requests to the keeper of a node, on its socket beside that for containerd: one a connection. A request is a list of
 * words, each ended by NUL, with descriptors; the answer one byte.
 */
import { host } from '../../sys/host.js';

/** What a request asks for. */
export type KeeperRequest =
  /** Pass the calls of containerd to this connection from now on, over ttrpc. */
  | 'serve'
  /** Hold the descriptors of the message under these names; `>ID` and `<ID` are streams of containerd's. */
  | 'hold'
  /** Send the descriptor of this name. */
  | 'take'
  /** Close the descriptors of these names. */
  | 'drop'
  /** Hold the standard output of `delete` for the container NAMESPACE/ID; the second word is its bundle's identity. */
  | 'delete'
  /** End, if nothing is held. */
  | 'end';

const requests: readonly string[] = [
  'serve',
  'hold',
  'take',
  'drop',
  'delete',
  'end',
] satisfies readonly KeeperRequest[];

/** Bytes of the answer. */
export const keeperYes = 0x79;
export const keeperNo = 0x6e;

/** The longest message: names of a few streams. */
export const keeperMessage = 8192;
/** The most descriptors of one message. */
export const keeperDescriptors = 16;

export const keeperSocket = (socket: string): string => `${socket}.keeper`;
/** The socket at which containerd calls the keeper over ttrpc. */
export const ttrpcSocket = (socket: string): string => `${socket}.ttrpc`;

/** The words of a message; undefined for anything else. */
export function parseKeeperRequest(
  data: Uint8Array,
): readonly [request: KeeperRequest, ...names: string[]] | undefined {
  const words = host.decode(data, data.length).split('\0');
  const [request = '', ...names] = words.slice(0, -1);
  return words.at(-1) === '' && requests.includes(request) ? [request as KeeperRequest, ...names] : undefined;
}
