/** The server of the gRPC shim, as `start` sees it: a program of Node.js that asks containerd for its version, and writes down what follows. */
import { RuntError } from '../sys/error.js';
import { readLink, tryReadText } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, X_OK } from '../sys/linux.js';
import { sleep } from '../sys/loop.js';

/** ms that Node.js may take to start and to ask, and between two looks. */
const patience = 10_000;
const pause = 5;

/** What it speaks: gRPC, unless RUNT_SHIM_PROTOCOL is ttrpc. @throws RuntError ERR_SHIM */
export function speaksGrpc(): boolean {
  const protocol = host.env.RUNT_SHIM_PROTOCOL || 'grpc';
  if (protocol === 'grpc' || protocol === 'ttrpc') return protocol === 'grpc';
  throw new RuntError({ code: 'ERR_SHIM', message: `RUNT_SHIM_PROTOCOL is neither grpc nor ttrpc: ${protocol}` });
}

/** Program, name and first argument. @throws RuntError ERR_SHIM */
export const nodeServer = (id: string): readonly [string, ...string[]] => [
  nodeProgram(id),
  'containerd-shim-runt-grpc-v1',
  serverOf(id),
];

/** Node.js: RUNT_NODE, or the first in PATH. @throws RuntError ERR_SHIM */
function nodeProgram(id: string): string {
  const places = host.env.RUNT_NODE ? [host.env.RUNT_NODE] : (host.env.PATH ?? '').split(':').map((d) => `${d}/node`);
  const found = places.find((path) => path.startsWith('/') && native.access(path, X_OK) === 0);
  if (found) return found;
  throw new RuntError({
    code: 'ERR_SHIM',
    message: `start the shim of ${id}: there is no Node.js`,
    hint: 'the gRPC shim needs Node.js 20 or newer in the PATH of containerd, or RUNT_NODE; io.containerd.runt.v1 needs none',
  });
}

/** dist/shim.js: RUNT_SHIM, else that of the npm package beside the program (make install), or of the build. @throws RuntError ERR_SHIM */
function serverOf(id: string): string {
  const self = readLink('/proc/self/exe');
  const directory = self.slice(0, self.lastIndexOf('/'));
  const places = [`${directory}/../lib/node_modules/runt/dist/shim.js`, `${directory}/shim.js`];
  const found = (host.env.RUNT_SHIM ? [host.env.RUNT_SHIM] : places).find((path) => native.access(path, 0) === 0);
  if (found) return found;
  throw new RuntError({
    code: 'ERR_SHIM',
    message: `start the shim of ${id}: ${places[0]} is not there`,
    hint: 'the gRPC shim needs the npm package (make install), or RUNT_SHIM, the path of its dist/shim.js',
  });
}

/** Which version of the answer of `start` this containerd takes is written beside the server's socket. */
export const versionFile = (socket: string): string => `${socket}.version`;

/** Writes it down: 1.7 takes the second, others the third. `containerd` is its version, or the answer's. */
export function tellVersion(socket: string, containerd: string): void {
  const version = /^(2$|v?1\.)/.test(containerd) ? '2' : '3';
  native.replaceFile(AT_FDCWD, versionFile(socket), 0o600, host.encode(version));
}

/** 2 or 3. @throws RuntError ERR_SHIM */
export async function versionOf(socket: string): Promise<number> {
  for (let waited = 0; waited < patience; waited += pause) {
    const text = tryReadText(versionFile(socket));
    if (text === '2' || text === '3') return Number(text);
    await sleep(pause);
  }
  throw new RuntError({
    code: 'ERR_SHIM',
    message: 'the gRPC shim did not begin',
    hint: "its words are in containerd's log",
  });
}
