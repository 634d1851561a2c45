/** The Node.js server of the gRPC shim: how `start` finds it, and the file that names the protocol it chose. */
import { RuntError } from '../sys/error.js';
import { readLink, tryReadText } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, X_OK } from '../sys/linux.js';
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

/** Program, argv[0] and first argument. @throws RuntError ERR_SHIM */
export const nodeServer = (id: string): readonly [string, ...string[]] => [
  nodeProgram(id),
  'containerd-shim-runt-grpc-v1',
  serverScript(id),
];

/** Path of Node.js: RUNT_NODE, or the first `node` in PATH. @throws RuntError ERR_SHIM */
function nodeProgram(id: string): string {
  const paths = host.env.RUNT_NODE ? [host.env.RUNT_NODE] : (host.env.PATH ?? '').split(':').map((d) => `${d}/node`);
  const found = paths.find((path) => path.startsWith('/') && native.access(path, X_OK) === 0);
  if (found) return found;
  throw new RuntError({
    code: 'ERR_SHIM',
    message: `start the shim of ${id}: there is no Node.js`,
    hint: 'install Node.js 20 or newer in the PATH of containerd, or name it in RUNT_NODE (io.containerd.runt.v1 needs none)',
  });
}

/**
 * Path of dist/shim.js: RUNT_SHIM, else the npm package beside the program (make install), else the build's.
 * @throws RuntError ERR_SHIM
 */
function serverScript(id: string): string {
  const self = readLink('/proc/self/exe');
  const directory = self.slice(0, self.lastIndexOf('/'));
  const paths = [`${directory}/../lib/node_modules/runt-oci/dist/shim.js`, `${directory}/shim.js`];
  const found = (host.env.RUNT_SHIM ? [host.env.RUNT_SHIM] : paths).find((path) => native.access(path, 0) === 0);
  if (found) return found;
  throw new RuntError({
    code: 'ERR_SHIM',
    message: `start the shim of ${id}: ${paths[0]} is not there`,
    hint: 'install the Debian package runt-serve, run make install, or set RUNT_SHIM to the path of dist/shim.js',
  });
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
