/** The server: one process for each group of containers, until Shutdown. */
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { forget, sleep } from '../sys/loop.js';
import type { ShimArguments } from './arguments.js';
import { reapOrphans } from './orphans.js';
import { Publisher } from './publisher.js';
import { TaskService } from './service.js';
import { stateRoot } from './state-root.js';
import { listen } from './ttrpc.js';

/** Its listening socket is its stdin (bootstrap.ts). */
const LISTENER = 0;

/** Serves until containerd says Shutdown and no container is left. */
export async function serve(a: ShimArguments): Promise<number> {
  // A hook, or the supervisor of a container, may lose its parent.
  native.setSubreaper(1);
  void reapOrphans();
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
  void listen(LISTENER, (name, method, payload) => service.call(name, method, payload));
  await over;
  // The answer to Shutdown is on its way.
  await sleep(20);
  return 0;
}
