/** `runt serve --containerd`: pods and containers of a node, for its containerd. */
import { native } from '../../sys/host.js';
import { trimWhenIdle } from '../../sys/waiting/loop.js';
import { socketPathOf } from '../serve-api.js';
import { ServiceManager } from '../service-manager.js';
import { outliveErrors } from '../shim-log.js';
import { reapPeriodically } from '../task/orphan-reaper.js';
import { Keeper } from './keeper-client.js';
import { NodeServer } from './node-server.js';

/** The containerd that drives a server: absolute paths. */
export interface ContainerdAddress {
  /** Its gRPC socket. */
  readonly address: string;
  /** Its directories `root` and `state`. */
  readonly root: string;
  readonly state: string;
}

interface NodeOptions {
  /** As of `serve`. */
  readonly listen?: string;
  /** The directory with a state root for each namespace of containerd's. */
  readonly root: string;
  readonly containerd: ContainerdAddress;
  /** Also log the warnings of `--debug`. */
  readonly debug: boolean;
}

/**
 * Serves until SIGINT or SIGTERM. Pods and containers keep running, and the calls of containerd wait for the next server.
 * @throws RuntError ERR_USAGE, ERR_UNSUPPORTED, ERR_SHIM
 */
export async function serveNode(o: NodeOptions): Promise<void> {
  const manager = new ServiceManager();
  const { path, listener } = socketPathOf(o.listen, manager);
  outliveErrors();
  trimWhenIdle();
  native.setSubreaper(1);
  const { root, debug, containerd } = o;
  const keeper = await Keeper.open(path, listener);
  const node = new NodeServer({ root, socket: path, containerd, debug, keeper });
  await node.adopt();
  await keeper.serve(node.handler);
  const reaping = reapPeriodically();
  manager.ready(`the services of containerd at ${containerd.address} are ready at unix://${path}, below ${root}`);
  await manager.awaitSignal();
  manager.stopping();
  reaping.end();
  await node.close();
  await keeper.end();
}
