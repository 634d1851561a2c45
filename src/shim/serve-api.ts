/** `runt serve`: the services for scripts and the task service, over gRPC on a unix socket, without containerd. */
import { RuntError } from '../sys/error.js';
import { native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { forget, trimWhenIdle } from '../sys/waiting/loop.js';
import { Publisher } from './containerd/event-publisher.js';
import { loadGrpc } from './grpc/grpc-interface.js';
import { serveGrpc } from './grpc/grpc-loop.js';
import { ServiceManager } from './service-manager.js';
import { outliveErrors } from './shim-log.js';
import { adoptTasks, taskRecords } from './task/recorded-tasks.js';
import { listenAt } from './transport/server-socket.js';
import { TaskService } from './transport/task-service.js';

interface ServeOptions {
  /** `unix:///path`, `unix:path` or an absolute path; absent for the socket of the service manager (LISTEN_FDS). */
  readonly listen?: string;
  /** The state root. */
  readonly root: string;
  /** Also log the warnings of `--debug`. */
  readonly debug: boolean;
}

/**
 * Serves until SIGINT or SIGTERM, or until Shutdown while there is no container. Containers keep running.
 * @throws RuntError ERR_USAGE, ERR_UNSUPPORTED, ERR_SHIM
 */
export async function serve(o: ServeOptions): Promise<void> {
  const manager = new ServiceManager();
  const grpc = await loadGrpc();
  const { path, listener: given } = socketOf(o.listen, manager);
  const listener = given ?? (await listenAt(path));
  outliveErrors();
  trimWhenIdle();
  native.setSubreaper(1);
  let end!: () => void;
  const shutdown = new Promise<void>((settle) => {
    end = settle;
  });
  const publisher = new Publisher('', 'runt');
  const service = new TaskService({
    root: (directory) => directory || o.root,
    publisher,
    debug: o.debug,
    shutdown: () => {
      if (!containers.busy) end();
    },
    records: taskRecords,
  });
  const { ContainersService } = await import('./containers/containers-service.js');
  const containers = new ContainersService({
    root: o.root,
    debug: o.debug,
    deleteTask: (id, force) => service.deleteTask(id, force),
  });
  for (const task of await adoptTasks(o.root, () => publisher, o)) service.add(task);
  containers.adopt();
  const services = new Map([...service.procedures, ...containers.procedures]);
  const { withReflection } = await import('./grpc/reflection.js');
  const { Health } = await import('./containers/health-service.js');
  const health = new Health(services);
  const all = new Map([...services, ...health.procedures]);
  await serveGrpc(grpc, listener, withReflection(all), async (server) => {
    // Before it is ready: a signal right after that must not kill it.
    const signal = server.awaitSignal();
    manager.ready(`the task service is ready at unix://${path}, for the containers below ${o.root}`);
    await Promise.race([shutdown, signal]);
    manager.stopping();
    // The service manager keeps its own socket for the next server.
    if (given === undefined) native.unlinkAt(AT_FDCWD, path, 0);
    forget(listener);
    native.close(listener);
    health.close();
    await containers.close();
  });
}

interface ServerSocket {
  readonly path: string;
  /** The listening socket, if the service manager has made it. */
  readonly listener?: number;
}

/** The socket at `listen`, else the service manager's. @throws RuntError ERR_USAGE, ERR_UNSUPPORTED, ERR_DESCRIPTOR */
export function socketOf(listen: string | undefined, manager: ServiceManager): ServerSocket {
  const given = manager.listener();
  if (!given) return { path: socketPath('listen', listen ?? '') };
  if (listen !== undefined && socketPath('listen', listen) !== given.path)
    throw new RuntError({
      code: 'ERR_USAGE',
      message: `--listen ${listen}: the service manager listens at ${given.path}`,
      hint: 'leave --listen out, or name the same socket in the units of the socket and of the service',
    });
  return { path: given.path, listener: given.fd };
}

/**
 * The path of a socket in the value of a flag: `unix:///path`, `unix:path` or an absolute path.
 * @throws RuntError ERR_USAGE, ERR_UNSUPPORTED
 */
export function socketPath(flag: 'listen' | 'api', url: string): string {
  const [, scheme, rest = ''] = /^(?:([a-z][a-z0-9+.-]*):)?(.*)$/s.exec(url) ?? [];
  if (scheme !== undefined && scheme !== 'unix') {
    throw new RuntError({
      code: 'ERR_UNSUPPORTED',
      message: `serve does not listen at ${url}`,
      hint: 'name a unix socket, such as unix:///run/runt.sock: the mode of its file says who may use it',
    });
  }
  const path = rest.replace(/^\/\/(?=\/)/, '');
  if (path.startsWith('/') && !path.endsWith('/')) return path;
  throw new RuntError({
    code: 'ERR_USAGE',
    message: `--${flag} ${url || "''"}: not an absolute path`,
    hint: 'write it as unix:///run/runt.sock',
  });
}
