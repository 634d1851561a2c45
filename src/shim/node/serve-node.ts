/** `runt serve --containerd`: pods and containers of a node, for its containerd. */
import { RuntError } from '../../sys/error.js';
import { exists } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { trimWhenIdle } from '../../sys/waiting/loop.js';
import { grpcLastAnswersTime } from '../../sys/waiting/time-limits.js';
import { loadGrpc } from '../grpc/grpc-interface.js';
import { socketOf, socketPath } from '../serve-api.js';
import { ServiceManager } from '../service-manager.js';
import { outliveErrors } from '../shim-log.js';
import { startReaping } from '../task/orphan-reaper.js';
import { listenAt } from '../transport/server-socket.js';
import { Keeper } from './keeper-client.js';
import { keeperSocket, ttrpcSocket } from './keeper-protocol.js';
import { type ContainerdAddress, NodeServer } from './node-server.js';

interface NodeOptions {
  /** As of `serve`. */
  readonly listen?: string;
  /** The socket of the API for scripts, in the form of `listen`; absent for none. */
  readonly api?: string;
  /** The directory with a state root for each namespace of containerd's. */
  readonly root: string;
  readonly containerd: ContainerdAddress;
  /** containerd drives containers over ttrpc, as `io_type = "streaming"` needs. */
  readonly streaming: boolean;
  /** systemd makes the cgroups. */
  readonly systemdCgroup: boolean;
  /** Also log the warnings of `--debug`. */
  readonly debug: boolean;
}

/**
 * Serves until SIGINT or SIGTERM. Pods and containers keep running; calls of containerd wait for the next server.
 * @throws RuntError ERR_USAGE, ERR_UNSUPPORTED, ERR_SHIM
 */
export async function serveNode(o: NodeOptions): Promise<void> {
  const manager = new ServiceManager();
  const { path, listener } = socketOf(o.listen, manager);
  outliveErrors();
  trimWhenIdle();
  native.setSubreaper(1);
  const { root, debug, containerd, systemdCgroup } = o;
  const address = o.streaming ? `ttrpc+unix://${ttrpcSocket(path)}` : `grpc+${path}`;
  const grpc = await loadGrpc();
  const apiPath = o.api === undefined ? undefined : socketPath('api', o.api);
  const apiListener = apiPath === undefined ? -1 : await listenAt(apiPath);
  const keeper = await Keeper.open(path, listener);
  const node = new NodeServer({ root, address, containerd, systemdCgroup, debug, keeper, api: apiListener >= 0 });
  await node.adopt();
  await keeper.serve(node.handler);
  if (o.streaming) checkTtrpc(path);
  const reaping = startReaping();
  const api = apiPath === undefined ? undefined : await loadApi(node, apiPath, apiListener);
  // The keeper serves containerd: without an API, gRPC is only for signals.
  const server = grpc.serve(api?.services ?? new Map());
  // Before it is ready: a signal right after that must not kill it.
  const signal = server.awaitSignal();
  api?.accept(server);
  manager.ready(
    `the service for containerd (${containerd.address}) is ready at unix://${path}, with its state below ${root}`,
  );
  await signal;
  manager.stopping();
  reaping.end();
  api?.close();
  await node.close();
  await server.close(grpcLastAnswersTime);
  await keeper.end();
}

/** @throws RuntError ERR_SHIM if the keeper was started by an older runt */
function checkTtrpc(path: string): void {
  const socket = ttrpcSocket(path);
  if (exists(socket)) return;
  throw new RuntError({
    code: 'ERR_SHIM',
    message: `serve with --streaming: the keeper at ${keeperSocket(path)} has no socket ${socket}`,
    path: socket,
    hint: 'stop the pods of the node, the server and its keeper, which an older runt has started; then start the server',
  });
}

const loadApi = async (node: NodeServer, path: string, listener: number) =>
  (await import('./node-api.js')).NodeApi.of(node, path, listener);
