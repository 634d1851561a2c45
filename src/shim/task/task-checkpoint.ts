/** Checkpoint of the task service, and restore of a container whose Create names images; loaded on demand. */
import { checkpoint } from '../../container/criu/checkpoint.js';
import type { CriuFlags } from '../../container/criu/criu-flag-types.js';
import { restore } from '../../container/criu/restore.js';
import type { Stdio } from '../../container/launch/spawn-init.js';
import { typeName } from '../containerd/any-message.js';
import { policyOf, type RuntimeOptions } from '../containerd/runtime-options.js';
import { type google, linuxRunc, runcOptions, type task } from '../transport/protos.js';
import { Code, decodeMessage, StatusError } from '../transport/status-code.js';

/** The container of a checkpoint or restore. */
interface CheckpointedTask {
  readonly root: string;
  readonly id: string;
  readonly bundle: string;
  readonly options: RuntimeOptions;
  readonly debug: boolean;
  readonly warn: (sentence: string) => void;
}

const flags: CriuFlags = {
  tcpEstablished: false,
  extUnixSk: false,
  shellJob: false,
  fileLocks: false,
  autoDedup: false,
  lazyPages: false,
};
const modes = ['soft', 'full', 'strict', 'ignore'] as const;

/** Decodes checkpoint options of either type. @throws StatusError */
export function checkpointOptions(
  any: google.protobuf.Any.$Properties | null | undefined,
): runcOptions.CheckpointOptions | linuxRunc.CheckpointOptions {
  const name = typeName(any);
  const value = any?.value ?? new Uint8Array();
  if (name === 'containerd.runc.v1.CheckpointOptions' || value.length === 0)
    return decodeMessage(runcOptions.CheckpointOptions, value);
  // containerd up to 1.7 sends these for a runtime type other than runc's: the same fields, other field numbers.
  if (name === 'containerd.linux.runc.CheckpointOptions') return decodeMessage(linuxRunc.CheckpointOptions, value);
  throw new StatusError(Code.INVALID_ARGUMENT, `checkpoint options of type ${name} are not supported`);
}

/**
 * Writes the images. If the checkpoint ends the container, its state stays for Delete.
 * @returns directory of the images @throws RuntError ERR_CRIU*, ERR_CONTAINER_STATUS, ERR_UNSUPPORTED; StatusError
 */
export async function takeCheckpoint(c: CheckpointedTask, request: task.CheckpointTaskRequest): Promise<string> {
  const o = checkpointOptions(request.options);
  const imagePath = absolute('the path of the images', o.imagePath || request.path);
  const mode = modes.find((m) => m === o.cgroupsMode);
  if (o.cgroupsMode && !mode) throw invalidError(`cgroups_mode is one of ${modes.join(', ')}, not ${o.cgroupsMode}`);
  // The network namespace is always left empty; no other namespace can be.
  for (const namespace of o.emptyNamespaces)
    if (namespace !== 'network') throw invalidError(`empty_namespaces takes network, not ${namespace}`);
  const parentPath = 'parentPath' in o ? o.parentPath : '';
  await checkpoint({
    ...flags,
    root: c.root,
    id: c.id,
    imagePath,
    workPath: o.workPath ? absolute('work_path', o.workPath) : workPath(c),
    ...(c.options.criuPath && { criu: c.options.criuPath }),
    ...policyOf(c.options),
    leaveRunning: !o.exit,
    keepState: true,
    preDump: false,
    linkRemap: false,
    tcpSkipInFlight: false,
    tcpEstablished: o.openTcp,
    extUnixSk: o.externalUnixSockets,
    shellJob: o.terminal,
    fileLocks: o.fileLocks,
    ...(mode && { manageCgroupsMode: mode }),
    ...(parentPath && { parentPath }),
    warn: c.warn,
  });
  return imagePath;
}

/**
 * Restores the container from its images, below a supervisor as for a created container.
 * @throws RuntError ERR_CRIU*, …; StatusError
 */
export async function restoreContainer(
  c: CheckpointedTask,
  imagePath: string,
  stdio: Stdio,
  consoleSocket: { readonly consoleSocket?: string },
): Promise<void> {
  await restore({
    ...flags,
    root: c.root,
    id: c.id,
    bundle: c.bundle,
    imagePath,
    workPath: workPath(c),
    ...(c.options.criuPath && { criu: c.options.criuPath }),
    ...(c.options.systemdCgroup && { cgroupManager: 'systemd' as const }),
    supervise: true,
    stdio,
    ...consoleSocket,
    tcpClose: false,
    detach: true,
    noSubreaper: false,
    ...policyOf(c.options),
    ...(c.options.cgroupWritable && { cgroupWritable: true }),
    noPivot: c.options.noPivot,
    noNewKeyring: c.options.noNewKeyring,
    debug: c.debug,
    warn: c.warn,
  });
}

/** Directory of criu's logs: not that of the images, which engines archive. */
const workPath = (c: CheckpointedTask): string => c.options.criuWorkPath || `${c.bundle}/criu`;

function absolute(what: string, path: string): string {
  if (path.startsWith('/')) return path;
  throw invalidError(path === '' ? `${what} is missing` : `${what} is not an absolute path: ${path}`);
}

const invalidError = (message: string): StatusError => new StatusError(Code.INVALID_ARGUMENT, message);
