/** `start`: finds or starts the shim of the container's group, and prints nothing but its address. */

import { environment } from '../../container/environment.js';
import { callerIds } from '../../sys/caller-ids.js';
import { check, RuntError } from '../../sys/error.js';
import { fdList } from '../../sys/fds.js';
import { makeParents, readLink, stat, tryReadText } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_EMPTY_PATH, AT_FDCWD, O_NONBLOCK, O_WRONLY } from '../../sys/linux.js';
import { nulList } from '../../sys/nul-list.js';
import type { ShimName } from '../shim-main.js';
import { claimSocket, lockSockets } from '../transport/server-socket.js';
import { mountExtensions } from './mount-capabilities.js';
import type { ShimArguments } from './shim-arguments.js';
import { readInput, socketDirectory } from './start-input.js';
import type { StartParameters } from './start-parameters.js';

/** Version of the answer: 2 means the service containerd.task.v2, 3 also v3. Every server serves both. */
const newestVersion = 3;

/** Annotations that name the group, a pod, whose containers share one shim. */
const groupLabels = ['io.containerd.runc.v2.group', 'io.kubernetes.cri.sandbox-id'];

/**
 * The answer of `start` with the address of a running server: JSON if containerd names the version that it accepts
 * (1.7) or sends parameters (2.3), else the bare address, as older ones expect. @throws RuntError ERR_SHIM
 */
export async function startServer(a: ShimArguments, shim: ShimName): Promise<string> {
  const grpc = shim === 'containerd-shim-runt-grpc-v1' ? await import('./grpc-start.js') : undefined;
  const facts = { code: 'ERR_SHIM', message: `start the shim of ${a.id}` };
  const input = await readInput();
  const named = socketDirectory(input, a.id, a.namespace);
  const directory = named ?? `${a.address.slice(0, a.address.lastIndexOf('/')) || '/run/containerd'}/s`;
  const name = digest(`${a.address}/${a.namespace}/${groupOf(a.id)}${grpc ? '/grpc' : ''}`);
  const path = `${directory}/${name}`;
  const latest = Number(host.env.MAX_SHIM_VERSION ?? 0);
  let startParameters: StartParameters | undefined;
  let server = 0;
  // It loads the protobuf code, which is slow: only when needed.
  const readParameters = async (): Promise<StartParameters> => {
    startParameters ??= (await import('./start-parameters.js')).decodeStartInput(input, a.id, a.namespace);
    return startParameters;
  };
  const version =
    latest > 0 ? Math.min(latest, newestVersion) : (await readParameters()).parameters ? newestVersion : 0;
  if (grpc && version === 0) {
    throw new RuntError({
      ...facts,
      code: 'ERR_UNSUPPORTED',
      hint: 'use the runtime type io.containerd.runt.v1: this containerd (1.6) speaks ttrpc alone',
    });
  }
  // containerd does not create the directory that its config names.
  if (named) makeParents(named);
  native.mkdirAt(AT_FDCWD, directory, 0o700);
  const dir = check(native.openAt(AT_FDCWD, directory, 0, 0), { ...facts, path: directory });
  try {
    refuseUnsafeDirectory(dir, directory);
    // If two start at once, the second finds the shim of the first.
    await lockSockets(dir, { ...facts, path: directory });
    const listener = await claimSocket(dir, name, path);
    if (listener !== undefined) {
      const { setUpServer } = await import('./server-setup.js');
      // A new group for this process: the server and all its containers inherit it by fork.
      if (host.env.SCHED_CORE) {
        check(native.schedCoreCreate(), {
          ...facts,
          message: `${facts.message}: make a group of core scheduling (SCHED_CORE)`,
          syscall: 'prctl',
          hint: 'set sched_core = false in the config of containerd, or use Linux 5.14 with CONFIG_SCHED_CORE, and CPUs with SMT on',
        });
      }
      const { options, parameters } = await readParameters();
      const holds = grpc
        ? check(grpc.listenForHolds(dir, grpc.holdSocket(name)), { ...facts, path: grpc.holdSocket(path) })
        : undefined;
      server = serve(a, shim, listener, path, parameters?.containerdTtrpcAddress ?? '', holds);
      native.close(listener);
      if (holds !== undefined) native.close(holds);
      try {
        await setUpServer(server, options);
      } catch (error) {
        // The server was killed, and may take a moment to end: the next start must not find it.
        native.unlinkAt(dir, name, 0);
        if (grpc) native.unlinkAt(dir, grpc.holdSocket(name), 0);
        throw error;
      }
    }
  } finally {
    native.close(dir);
  }
  if (grpc) {
    await grpc.awaitServer(path, a.id).catch((error) => {
      // It is our child, and not reaped yet.
      if (server > 0) native.killProcess(server, 9);
      throw error;
    });
    // Only since 2.3 does containerd say what it is: to all shims 1.7 to 2.2 name version 2.
    const sendsParameters = (await readParameters()).parameters !== undefined;
    const containerd = sendsParameters ? '' : await grpc.containerdVersion(a.address);
    const answer = grpc.grpcAnswer(path, containerd);
    check(native.replaceFile(AT_FDCWD, 'address', 0o600, host.encode(answer)), { ...facts, path: 'address' });
    return answer;
  }
  const address = `unix://${path}`;
  const extensions = version < newestVersion ? undefined : mountExtensions();
  const answer = version === 0 ? address : JSON.stringify({ version, address, protocol: 'ttrpc', extensions });
  // containerd reads this file when it restarts.
  check(native.replaceFile(AT_FDCWD, 'address', 0o600, host.encode(address)), { ...facts, path: 'address' });
  return answer;
}

/**
 * Refuses a directory that other users can write to: they could replace the socket and pose as the shim.
 * @throws RuntError ERR_SHIM
 */
function refuseUnsafeDirectory(dir: number, path: string): void {
  const { mode, uid } = stat('', dir, AT_EMPTY_PATH);
  if ((uid === 0 || uid === callerIds().uid) && (mode & 0o022) === 0) return;
  throw new RuntError({
    code: 'ERR_SHIM',
    message: `use ${path} for the sockets of shims: another user owns it, or may write to it`,
    path,
    hint: `chown it to the user who runs containerd, and chmod it to 0700`,
  });
}

function groupOf(id: string): string {
  const config = JSON.parse(tryReadText('config.json') ?? '{}') as { annotations?: Record<string, string> };
  for (const label of groupLabels) {
    const group = config.annotations?.[label];
    if (group) return group;
  }
  return id;
}

/**
 * Starts the server with the listening socket as its stdin and the bundle's log as its output.
 * @param ttrpc containerd's address for events, unless TTRPC_ADDRESS is set
 * @param holds the listening socket of a gRPC server for `delete` @returns its pid
 */
function serve(
  a: ShimArguments,
  shim: ShimName,
  listener: number,
  socket: string,
  ttrpc: string,
  holds: number | undefined,
): number {
  const program = readLink('/proc/self/exe');
  const args = [
    shim,
    '-namespace',
    a.namespace,
    '-id',
    a.id,
    '-address',
    a.address,
    ...(holds === undefined ? [] : ['-holds', String(holds)]),
    '-socket',
    socket,
    ...(a.debug ? ['-debug'] : []),
  ];
  const eventAddress = { TTRPC_ADDRESS: host.env.TTRPC_ADDRESS || ttrpc.replace(/^unix:\/\//, '') };
  const pidfd = new Uint8Array(8);
  // A fifo that containerd reads; it may not exist.
  const log = native.openAt(AT_FDCWD, 'log', O_WRONLY | O_NONBLOCK, 0);
  const [argv, envp] = [nulList(args), nulList(environment(eventAddress))];
  const pid =
    holds === undefined
      ? native.spawn(program, argv, envp, listener, log, log, pidfd)
      : native.spawnKeeping(program, argv, envp, listener, log, log, fdList([holds]), pidfd);
  if (log >= 0) native.close(log);
  check(pid, { code: 'ERR_SHIM', message: `start the shim of ${a.id}`, path: program });
  native.close(new DataView(pidfd.buffer).getInt32(0, true));
  return pid;
}

/** SHA-256 in hexadecimal. */
function digest(text: string): string {
  const out = new Uint8Array(32);
  native.sha256(host.encode(text), out);
  return [...out].map((b) => b.toString(16).padStart(2, '0')).join('');
}
