/** The server: one process for each group of containers, until Shutdown. Under Node.js it speaks gRPC, else ttrpc. */
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { forget, sleep } from '../sys/loop.js';
import type { ShimArguments } from './arguments.js';
import { outliveErrors } from './log.js';
import { reapOrphans } from './orphans.js';
import { Publisher } from './publisher.js';
import { TaskService } from './service.js';
import { stateRoot } from './state-root.js';
import { accept, Connection, type Handler } from './ttrpc.js';

/** Its listening socket is its stdin (bootstrap.ts). */
const LISTENER = 0;
/** ms that containerd has to tell its version. */
const patience = 2000;

/** Serves until containerd says Shutdown and no container is left. */
export async function serve(a: ShimArguments): Promise<number> {
  outliveErrors();
  // A hook, or the supervisor of a container, may lose its parent.
  native.setSubreaper(1);
  let finish!: () => void;
  const over = new Promise<void>((settle) => {
    finish = () => {
      // A container that comes now gets a shim of its own.
      if (a.socket) native.unlinkAt(AT_FDCWD, a.socket, 0);
      forget(LISTENER);
      native.close(LISTENER);
      settle();
    };
  });
  const publisher = new Publisher(host.env.TTRPC_ADDRESS ?? '', a.namespace);
  const service = new TaskService({
    root: (directory) => stateRoot(a.namespace, directory),
    publisher,
    debug: a.debug,
    shutdown: finish,
  });
  const handler: Handler = (name, method, payload) => service.call(name, method, payload);
  if (host.grpc) {
    const [grpc, { serveGrpc }, { tellVersion, versionFile }] = await Promise.all([
      host.grpc(),
      import('./grpc-loop.js'),
      import('./node-server.js'),
    ]);
    tellVersion(a.socket, host.env.RUNT_SHIM_VERSION ?? (await grpc.containerdVersion(a.address, patience)));
    await serveGrpc(grpc, LISTENER, handler, async () => {
      await over;
      native.unlinkAt(AT_FDCWD, versionFile(a.socket), 0);
    });
    return 0;
  }
  void reapOrphans();
  void accept(LISTENER, (fd) => void new Connection(fd, handler).serve());
  await over;
  // The answer to Shutdown is on its way.
  await sleep(20);
  return 0;
}
