/** `network add` and `network del`: the network of a container, for the hooks that `spec --net` writes. */
import { check, RuntError } from '../../sys/error.js';
import { exists, tryStat, writeFile } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { O_CREAT } from '../../sys/linux.js';
import { isAlive, recordProcess } from '../state/recorded-process.js';
import { addAttachment, deleteAttachment } from './cni-plugins.js';
import { type NetworkList, networkList, pluginProgram } from './network-list.js';
import {
  loadNetwork,
  type NetworkDirectory,
  type NetworkRecord,
  namespaceName,
  removeNetwork,
  saveNetwork,
  withNetwork,
} from './network-record.js';
import { connect, disconnect } from './user-space.js';

/**
 * Connects a container that is created. After an error, nothing of the network is left, or a warning has the reason.
 * @param network `bridge`, `cni:NAME`, `cni:FILE`, `pasta` or `slirp4netns`
 * @param pid the container's first process
 * @throws RuntError ERR_NETWORK, ERR_STATE …
 */
export async function addNetwork(
  network: string,
  id: string,
  pid: number,
  warn: (sentence: string) => void,
): Promise<void> {
  await withNetwork(id, true, async (directory) => {
    const earlier = loadNetwork(directory);
    if (earlier && isAlive(earlier.process)) {
      throw new RuntError({
        code: 'ERR_NETWORK',
        message: `connect ${id}: a running container of that name has the network ${earlier.network}`,
        hint: 'choose another id: those of connected containers are unique on a host, whatever their --root',
      });
    }
    // A killed command, or an engine that did not run the poststop hooks, has left it.
    if (earlier) await undoOrWarn(id, directory, earlier, warn);
    const process = recordProcess(pid);
    checkNamespace(id, pid);
    const isUserSpace = network === 'pasta' || network === 'slirp4netns';
    let record: NetworkRecord | undefined;
    try {
      const list = isUserSpace ? undefined : usableList(network);
      record = { network, process, ...(list && { list, begun: 0 }) };
      // First: whoever finds a killed add knows by it what to undo.
      saveNetwork(directory, record);
      if (isUserSpace) await connect(network, id, pid, directory);
      if (!list) return;
      const namespace = bindNamespace(id, pid, directory);
      const result = await addAttachment({ id, list, namespace }, (begun, result) => {
        record = { network, process, list, begun, ...(result !== undefined && { result }) };
        saveNetwork(directory, record);
      });
      saveNetwork(directory, { ...record, result });
    } catch (error) {
      if (record) await undoOrWarn(id, directory, record, warn);
      removeNetwork(id, directory);
      throw error;
    }
  });
}

/** The list, whose plugins are all installed: one without changes nothing. @throws RuntError ERR_NETWORK, ERR_IO */
function usableList(network: string): NetworkList {
  const list = networkList(network);
  for (const { type } of list.plugins) pluginProgram(type);
  return list;
}

/**
 * Disconnects a container; one that is not connected is not an error.
 * @param pid its first process; undefined if that has ended
 * @throws RuntError ERR_NETWORK, ERR_STATE …: the record stays, and a second call tries again
 */
export async function deleteNetwork(id: string, pid?: number): Promise<void> {
  await withNetwork(id, false, async (directory) => {
    const record = loadNetwork(directory);
    // A container of another state root, to which `add` has refused the id.
    if (record && record.process.pid !== pid && isAlive(record.process)) return;
    if (record) await undo(id, directory, record);
    removeNetwork(id, directory);
  });
}

/** A plugin that refuses its config at ADD may refuse it at DEL too: that must not keep the id from being used. */
async function undoOrWarn(
  ...[id, directory, record, warn]: [...Parameters<typeof undo>, (sentence: string) => void]
): Promise<void> {
  try {
    await undo(id, directory, record);
  } catch (error) {
    warn(`not all of the network of ${id} was removed: ${error instanceof Error ? error.message : error}`);
  }
}

async function undo(id: string, directory: NetworkDirectory, { list, begun, result }: NetworkRecord): Promise<void> {
  if (!list) return disconnect(id, directory);
  const namespace = `${directory.path}/${namespaceName}`;
  // An empty file that was not bound is of the file system of /run, not of nsfs.
  const isBound = exists(namespace) && tryStat(namespace)?.dev !== tryStat(directory.path)?.dev;
  const plugins = list.plugins.slice(0, begun);
  await deleteAttachment({ id, list: { ...list, plugins }, ...(isBound && { namespace }) }, result);
}

/** The network of the host, or of another container, is not changed for a container that shares it. */
function checkNamespace(id: string, pid: number): void {
  const [own, theirs] = ['self', String(pid)].map((process) => tryStat(`/proc/${process}/ns/net`));
  if (!theirs) throw new RuntError({ code: 'ERR_NETWORK', message: `connect ${id}: its process ${pid} has ended` });
  if (own?.ino !== theirs.ino) return;
  throw new RuntError({
    code: 'ERR_NETWORK',
    message: `connect ${id}: it shares the network of the host`,
    hint: 'add {"type": "network"} to linux.namespaces',
  });
}

/** Keeps the namespace after the end of its processes: bridge's DEL reads there which rules to remove. */
function bindNamespace(id: string, pid: number, { path, fd }: NetworkDirectory): string {
  const target = `${path}/${namespaceName}`;
  writeFile(namespaceName, '', O_CREAT, 0o600, fd);
  check(native.mountBind(`/proc/${pid}/ns/net`, 0, 0, target), {
    code: 'ERR_NETWORK',
    message: `connect ${id}: bind its network namespace to ${target}`,
    path: target,
    syscall: 'mount',
  });
  return target;
}
