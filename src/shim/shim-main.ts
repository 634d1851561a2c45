/** The main function of the static binary under the names of a shim. */
import { remove } from '../container/delete.js';
import { awaitExit, type Exit, readExit } from '../container/state/exit-records.js';
import { statusOf } from '../container/state/recorded-process.js';
import { type ContainerRecord, loadRecord } from '../container/state/state-store.js';
import { host, native } from '../sys/host.js';
import { version } from '../sys/runt-version.js';
import { trimWhenIdle, withTimeout } from '../sys/waiting/loop.js';
import { exitRecordTime } from '../sys/waiting/time-limits.js';
import { parseArguments, type ShimArguments } from './containerd/shim-arguments.js';
import { logText } from './shim-log.js';

/** The shim over ttrpc, and the shim over gRPC. */
export type ShimName = 'containerd-shim-runt-v1' | 'containerd-shim-runt-grpc-v1';

/** Executes the command line. @param program its name, of any version of the shim @returns the exit status */
export async function shim(program: string): Promise<number> {
  const isGrpc = program.startsWith('containerd-shim-runt-grpc-');
  const name: ShimName = isGrpc ? 'containerd-shim-runt-grpc-v1' : 'containerd-shim-runt-v1';
  try {
    const a = parseArguments(host.args);
    if (a.version) {
      put(`${name}:\n  Version:  ${version()}\n`);
      return 0;
    }
    if (a.info) {
      const { encodeRuntimeInfo } = await import('./containerd/runtime-info.js');
      const { decodeStartInput } = await import('./containerd/start-parameters.js');
      const { readInput } = await import('./containerd/start-input.js');
      native.write(1, encodeRuntimeInfo(name, decodeStartInput(await readInput(), '', '').options));
      return 0;
    }
    if (a.action === 'start') {
      const { startServer } = await import('./containerd/shim-bootstrap.js');
      put(await startServer(a, name));
      return 0;
    }
    if (a.action === 'delete' && name === 'containerd-shim-runt-grpc-v1') {
      const { holdDelete } = await import('./holds/delete-holder.js');
      const isHeld = await holdDelete(a).catch((error: unknown) => {
        // Then containerd would wait for ever: it is deleted at once.
        native.write(2, host.encode(`${name}: ${logText(error)}\n`));
        return false;
      });
      if (isHeld) return 0;
    }
    if (a.action !== '') return await cleanUp(a);
    trimWhenIdle();
    const { serve } = await import('./shim-server.js');
    return await serve(a, name);
  } catch (error) {
    native.write(2, host.encode(`${name}: ${logText(error)}\n`));
    return 1;
  }
}

const put = (text: string): void => {
  native.write(1, host.encode(text));
};

/** The exit record; waits for it briefly, because the supervisor writes it after the process becomes a zombie. */
async function exitOf(root: string, id: string): Promise<Exit | undefined> {
  const directory = `${root}/${id}`;
  const exit = readExit(directory);
  if (exit) return exit;
  let record: ContainerRecord;
  try {
    record = loadRecord(root, id);
  } catch {
    // The removal reports the error.
    return undefined;
  }
  if (!record.supervisor || statusOf(root, record) !== 'stopped') return undefined;
  return await withTimeout(awaitExit(directory), exitRecordTime);
}

/** `delete`, `delete-held`: removes what is left of a container whose shim has ended. Idempotent. */
async function cleanUp(a: ShimArguments): Promise<number> {
  const { handOverDelete } = await import('./node/hand-over-delete.js');
  if (await handOverDelete(a)) return 0;
  const { task } = await import('./transport/protos.js');
  const { unmountRootfs } = await import('./task/rootfs-mounts.js');
  const { timestampOf } = await import('./containerd/proto-timestamp.js');
  const { storedRoot } = await import('./task/state-root.js');
  const { storedAnswer, storeAnswer } = await import('./holds/stored-answer.js');
  const root = storedRoot(a.bundle, a.namespace);
  // An unreadable record must not prevent the removal.
  const exit = await exitOf(root, a.id).catch(() => undefined);
  const answer =
    (exit ? undefined : storedAnswer(a.bundle)) ??
    task.DeleteResponse.encode({
      pid: exit?.pid ?? 0,
      exitStatus: exit?.status ?? 137,
      exitedAt: timestampOf(exit?.exitedAtNs ?? native.realtime()),
    }).finish();
  const isHeld = a.action === 'delete-held';
  if (exit && isHeld) storeAnswer(a.bundle, answer);
  await remove({ root, id: a.id, force: true });
  unmountRootfs(`${a.bundle || '.'}/rootfs`);
  native.write(1, isHeld ? (await import('./holds/hold-socket.js')).restOfAnswer(answer) : answer);
  return 0;
}
