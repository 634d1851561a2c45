/** The protocol of a server of the gRPC shim: how the server chooses it, and the file that tells `start`. */
import { RuntError } from '../sys/error.js';
import { tryReadText } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { sleep } from '../sys/waiting/loop.js';
import { grpcStartPause, grpcStartTime } from '../sys/waiting/time-limits.js';

export type Protocol = 'grpc' | 'ttrpc';

/** The protocol of RUNT_SHIM_PROTOCOL; undefined: the one that suits this containerd. @throws RuntError ERR_SHIM */
export function configuredProtocol(): Protocol | undefined {
  const protocol = host.env.RUNT_SHIM_PROTOCOL;
  if (!protocol) return undefined;
  if (protocol === 'grpc' || protocol === 'ttrpc') return protocol;
  throw new RuntError({ code: 'ERR_SHIM', message: `RUNT_SHIM_PROTOCOL must be grpc or ttrpc, not ${protocol}` });
}

/** The server's protocol; for gRPC with the version of `start`'s answer: containerd 1.7 accepts 2, 2.x accepts 3. */
const serverProtocols = ['grpc 2', 'grpc 3', 'ttrpc'] as const;
type ServerProtocol = (typeof serverProtocols)[number];

/**
 * The protocol for a version of containerd or of `start`'s answer; the empty string is an unknown version.
 * @param forceGrpc the user demands gRPC
 */
export const chooseProtocol = (containerd: string, forceGrpc: boolean): ServerProtocol =>
  /^(2$|v?1\.)/.test(containerd) ? 'grpc 2' : forceGrpc ? 'grpc 3' : 'ttrpc';

/** The warning for a containerd other than 1.7: 2.x watches a gRPC connection before it is established. */
export function protocolWarning(version: string, what: ServerProtocol): string {
  const client = /^v?2\./.test(version) ? `containerd ${version}` : 'containerd 2';
  const done =
    what === 'ttrpc'
      ? 'the shim speaks ttrpc instead, unless RUNT_SHIM_PROTOCOL=grpc'
      : 'the shim speaks gRPC all the same, because of RUNT_SHIM_PROTOCOL=grpc';
  return `${version ? '' : 'the version of containerd is unknown; '}${client} often takes a gRPC shim for dead before it is connected: ${done}`;
}

/** The file beside the server's socket that holds the server's protocol. */
export const protocolFile = (socket: string): string => `${socket}.spoken`;

export function writeProtocol(socket: string, what: ServerProtocol): void {
  native.replaceFile(AT_FDCWD, protocolFile(socket), 0o600, host.encode(what));
}

/** Waits until the server has written that file. @throws RuntError ERR_SHIM */
export async function awaitProtocol(socket: string): Promise<ServerProtocol> {
  for (let waited = 0; waited < grpcStartTime; waited += grpcStartPause) {
    const text = tryReadText(protocolFile(socket));
    const what = serverProtocols.find((s) => s === text);
    if (what) return what;
    await sleep(grpcStartPause);
  }
  throw new RuntError({
    code: 'ERR_SHIM',
    message: 'start the gRPC shim: it is not ready',
    hint: 'look into the log of containerd, which has its output',
  });
}
