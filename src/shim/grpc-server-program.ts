/** The server of the gRPC shim, as `start` sees it: a program of Node.js that asks containerd for its version, and writes down what follows. */
import { RuntError } from '../sys/error.js';
import { readLink, tryReadText } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, X_OK } from '../sys/linux.js';
import { sleep } from '../sys/waiting/loop.js';
import { grpcStartPause, grpcStartTime } from '../sys/waiting/time-limits.js';

export type Protocol = 'grpc' | 'ttrpc';

/** RUNT_SHIM_PROTOCOL, what it is to speak; undefined: what this containerd is served well with. @throws RuntError ERR_SHIM */
export function wantedProtocol(): Protocol | undefined {
  const protocol = host.env.RUNT_SHIM_PROTOCOL;
  if (!protocol) return undefined;
  if (protocol === 'grpc' || protocol === 'ttrpc') return protocol;
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

/** What the server speaks, and over gRPC the version of the answer of `start` that this containerd takes: 1.7 the second, 2.x the third. */
const all = ['grpc 2', 'grpc 3', 'ttrpc'] as const;
type Spoken = (typeof all)[number];

/** Of containerd's version, or of the answer's that it takes; the empty string when it told none. `insists` on gRPC. */
export const spoken = (containerd: string, insists: boolean): Spoken =>
  /^(2$|v?1\.)/.test(containerd) ? 'grpc 2' : insists ? 'grpc 3' : 'ttrpc';

/** What is said where containerd is not 1.7: 2.x watches a gRPC connection from before its begin. */
export function unreliable(version: string, what: Spoken): string {
  const who = /^v?2\./.test(version) ? `containerd ${version}` : 'containerd 2';
  const done =
    what === 'ttrpc'
      ? 'ttrpc is spoken in its place, unless RUNT_SHIM_PROTOCOL=grpc'
      : 'RUNT_SHIM_PROTOCOL=grpc insists on it';
  return `${version ? '' : 'containerd told no version; '}${who} often takes a gRPC shim for ended before its connection has begun: ${done}`;
}

/** The file beside the server's socket in which the server writes that down. */
export const spokenFile = (socket: string): string => `${socket}.spoken`;

export function tellSpoken(socket: string, what: Spoken): void {
  native.replaceFile(AT_FDCWD, spokenFile(socket), 0o600, host.encode(what));
}

/** What the server wrote there. @throws RuntError ERR_SHIM */
export async function heardSpoken(socket: string): Promise<Spoken> {
  for (let waited = 0; waited < grpcStartTime; waited += grpcStartPause) {
    const text = tryReadText(spokenFile(socket));
    const what = all.find((s) => s === text);
    if (what) return what;
    await sleep(grpcStartPause);
  }
  throw new RuntError({
    code: 'ERR_SHIM',
    message: 'the gRPC shim did not begin',
    hint: "its words are in containerd's log",
  });
}
