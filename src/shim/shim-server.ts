/** The shim's server, one process for each group of containers, over ttrpc or gRPC. */

import { onStateWarning } from '../container/state/state-directory.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, LOCK_EX, LOCK_NB } from '../sys/linux.js';
import { forget, readable, sleep } from '../sys/waiting/loop.js';
import { clientPollTime, idleServerSeconds, lastAnswerTime } from '../sys/waiting/time-limits.js';
import { Publisher } from './containerd/event-publisher.js';
import type { ShimArguments } from './containerd/shim-arguments.js';
import { loadGrpc } from './grpc/grpc-interface.js';
import { IdleTimer } from './idle-end.js';
import { log, outliveErrors } from './shim-log.js';
import type { ShimName } from './shim-main.js';
import { startReaping } from './task/orphan-reaper.js';
import { stateRoot } from './task/state-root.js';
import { Clients } from './transport/client-limits.js';
import { TaskService } from './transport/task-service.js';
import { acceptConnections, Connection, type Handler } from './transport/ttrpc.js';

/** The listening socket is stdin (shim/containerd/shim-bootstrap.ts). */
const LISTENER = 0;

/** Serves until Shutdown when no container is left, or until the server has been idle too long. */
export async function serve(a: ShimArguments, name: ShimName): Promise<number> {
  outliveErrors();
  onStateWarning((sentence) => log(a.id, sentence));
  // Reap hooks and supervisors whose parent has ended.
  native.setSubreaper(1);
  // Files beside the socket that are removed with it.
  const files: string[] = [];
  let finish!: () => void;
  const shutdown = new Promise<void>((settle) => {
    finish = () => {
      // containerd starts another shim for a container that it creates from now on.
      for (const file of [...files, ...(a.socket ? [a.socket] : [])]) native.unlinkAt(AT_FDCWD, file, 0);
      forget(LISTENER);
      native.close(LISTENER);
      settle();
    };
  });
  const publisher = new Publisher(host.env.TTRPC_ADDRESS ?? '', a.namespace);
  const speaksGrpc = name === 'containerd-shim-runt-grpc-v1';
  const holds = speaksGrpc ? new (await import('./holds/held-deletes.js')).HeldDeletes() : undefined;
  const service = new TaskService({
    root: (directory) => stateRoot(a.namespace, directory),
    publisher,
    debug: a.debug,
    shutdown: finish,
    ...(holds && { holds }),
  });
  const handler: Handler = (name, method, payload, call) => service.call(name, method, payload, call);
  const seconds = Number(host.env.RUNT_SHIM_IDLE) || idleServerSeconds;
  const idleTimer = new IdleTimer(1000 * seconds, async () => {
    if (!a.socket || service.busy || publisher.queueLength > 0 || !(await isUnused(a.socket, idleTimer))) return false;
    log(a.id, `the shim ends: it has had no container and no client for ${seconds} s`);
    finish();
    return true;
  });
  if (holds) {
    const grpc = await loadGrpc();
    const { serveGrpc } = await import('./grpc/grpc-loop.js');
    const { withReflection } = await import('./grpc/reflection.js');
    if (a.holds) {
      const { holdSocket } = await import('./holds/hold-socket.js');
      files.push(holdSocket(a.socket));
      // A duplicate, which closes on exec.
      holds.serve(native.duplicate(Number(a.holds)));
      native.close(Number(a.holds));
    }
    const client = () => idleTimer.addClient();
    await serveGrpc(grpc, LISTENER, withReflection(new Map(service.procedures)), () => shutdown, client);
    return 0;
  }
  const reaping = startReaping();
  const clients = new Clients((line) => log('ttrpc', line));
  void acceptConnections(LISTENER, (fd) => {
    if (!clients.connect()) {
      native.close(fd);
      return;
    }
    const removeClient = idleTimer.addClient();
    void new Connection(fd, handler, clients).serve().finally(() => {
      clients.disconnect();
      removeClient();
    });
  });
  await shutdown;
  // The answer to Shutdown is still being sent.
  await sleep(lastAnswerTime);
  reaping.end();
  return 0;
}

/**
 * Whether no client connects. `start` checks under this lock whether the socket answers
 * (shim/containerd/shim-bootstrap.ts). The lock is released when this process exits.
 */
async function isUnused(socket: string, idleTimer: IdleTimer): Promise<boolean> {
  const dir = native.openAt(AT_FDCWD, socket.slice(0, socket.lastIndexOf('/')), 0, 0);
  const listener = native.duplicate(LISTENER);
  const isAlone =
    native.flock(dir, LOCK_EX | LOCK_NB) >= 0 && !(await readable(listener, clientPollTime)) && idleTimer.clients === 0;
  native.close(listener);
  if (!isAlone) native.close(dir);
  return isAlone;
}
