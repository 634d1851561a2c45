/** Handlers of the operations that the runtime performs itself. */
import { opsNamed } from '../../../plan/op-list.js';
import { type Op, type OpName, type OpOf, ops } from '../../../plan/plan-ops.js';
import { E } from '../../../sys/errno.js';
import { fdPair, OwnedFd } from '../../../sys/fds.js';
import { host, native } from '../../../sys/host.js';
import { AT_FDCWD, AT_RECURSIVE } from '../../../sys/linux.js';
import { checkOp, OpFailed } from '../../failure/op-failed.js';
import { claimId } from '../../state/claim-id.js';
import { recordProcess } from '../../state/recorded-process.js';
import { withState } from '../../state/state-directory.js';
import { startSocket } from '../../state/state-store.js';
import type { LaunchResources } from '../launch-resources.js';
import { applyCgroupOp, type CgroupOp } from './cgroup-handler.js';
import { clone } from './clone-handler.js';
import type { RdtOp } from './rdt-handler.js';
import { openSlot, type SlotOp } from './slot-handler.js';

type RuntimeOpName = Exclude<
  { [N in OpName]: (typeof ops)[N]['by'] extends 'runtime' ? N : never }[OpName],
  'hostHook'
>;
type RuntimeOp = OpOf<RuntimeOpName>;

/**
 * Total: an operation without a handler does not compile. A handler notes in the launch's resources what it made.
 * `hostHook` has none: src/container/hooks/run-hooks.ts runs it when runt-init reports, or later.
 */
type Handlers = {
  readonly [N in RuntimeOpName]: (op: OpOf<N>, launch: LaunchResources) => Promise<void> | undefined;
};

/** Whether the runtime performs this operation while it performs the plan. */
export const isRuntimeOp = (op: Op): op is RuntimeOp => ops[op.op].by === 'runtime' && op.op !== 'hostHook';

/** Performs one operation. Returns a promise if it waits. @throws OpFailed, RuntError */
export function perform(op: RuntimeOp, launch: LaunchResources): Promise<void> | undefined {
  return handlers[op.op](op as never, launch);
}

function fillSlot(op: SlotOp, launch: LaunchResources): Promise<void> | undefined {
  const opened = openSlot(op, launch.input.record);
  if (typeof opened !== 'number') return opened.then((fd) => launch.fillSlot(op.slot, fd));
  launch.fillSlot(op.slot, opened);
  return undefined;
}

function applyCgroup(op: CgroupOp, { cgroups, valueFile, input }: LaunchResources): undefined {
  const failed = applyCgroupOp(op, cgroups, valueFile);
  if (!failed) return;
  // v1: a cgroup may have no device that its parent forbids, as in a container that runs containers.
  if (op.op === 'cgroupWrite' && op.at === '' && failed.errno === E.EPERM && op.path.endsWith('/devices.allow')) {
    input.warn?.(
      `the container has no access to the device ${op.value}: a cgroup above its own forbids this default rule`,
    );
  } else throw new OpFailed(failed);
}

async function applyRdt(op: RdtOp, { pid, rdt }: LaunchResources): Promise<void> {
  (await import('./rdt-handler.js')).applyRdt(op, pid, rdt);
}

async function applyScheduling(op: OpOf<'scheduler' | 'ioPriority'>, { pid }: LaunchResources): Promise<void> {
  (await import('./scheduling-handler.js')).applyScheduling(op, pid);
}

function writeProc(op: Op, pid: number, file: string, value: string): void {
  checkOp(op, native.writeFile(AT_FDCWD, `/proc/${pid}/${file}`, 0, 0, host.encode(value)), 'write');
}

const handlers: Handlers = {
  stateDir(_op, launch) {
    const { root, record } = launch.input;
    claimId(root, record, () => {
      launch.stateDirectory = true;
    });
    return undefined;
  },
  startSocket(op, launch) {
    const { root, record } = launch.input;
    const listen = (dir: number) => (dir < 0 ? dir : native.unixListen(dir, startSocket, 8));
    launch.startSocket = new OwnedFd(checkOp(op, withState(root, record.id, listen), 'bind'));
    return undefined;
  },
  async supervise(_op, launch) {
    const { startSupervisor } = await import('../supervisor.js');
    launch.supervisor = await startSupervisor(launch.directory);
    const { record, followed } = launch.input;
    record.supervisor = recordProcess(launch.supervisor.pid);
    if (followed) await (await import('../followed-processes.js')).follow(launch.directory, followed, record);
  },
  clone,
  // Slots: descriptors for runt-init.
  openTree: fillSlot,
  mountTemplate: fillSlot,
  hookFile: fillSlot,
  cgroupOpen: fillSlot,
  cgroupDirectory: fillSlot,
  consoleConnect: fillSlot,
  initProcess: fillSlot,
  processRoot: fillSlot,
  consolePair(op, launch) {
    const pair = new Uint8Array(16);
    checkOp(op, native.socketPair(pair), 'socketpair');
    const [ours, theirs] = fdPair(pair);
    launch.console = new OwnedFd(ours);
    launch.fillSlot(op.slot, theirs);
    return undefined;
  },
  async claimLayer(op, { input }) {
    await (await import('../../state/layer-record.js')).claimLayer(op, input);
  },
  async makeLayer(op, { input, layers }) {
    layers.push(op.path);
    await (await import('../../state/layer-record.js')).makeLayer(op, input);
  },
  async seccompData(op, launch) {
    const { openProgramData } = await import('./seccomp-data.js');
    launch.fillSlot(op.slot, openProgramData(op));
  },
  async seccompProgram(op, launch) {
    const { openProgram } = await import('./seccomp-cache.js');
    launch.fillSlot(op.slot, openProgram(op, launch.input.root, launch.input.facts.euid));
  },
  async namespaceOpen(op, launch) {
    const { openNamespace } = await import('./namespace-handler.js');
    launch.fillSlot(op.slot, openNamespace(op, launch.input));
  },
  async idMapNamespace(op, launch) {
    const { openIdMaps } = await import('./id-map-namespace.js');
    launch.fillSlot(op.slot, await openIdMaps(op));
  },
  idMapTree(op, { slots }) {
    const number = (slot: number | bigint) => slots[Number(slot)]?.number ?? -1;
    const flags = op.recursive ? AT_RECURSIVE : 0;
    checkOp(op, native.idMapTree(number(op.tree), number(op.slot), flags), 'mount_setattr', op.source);
    return undefined;
  },
  // The cgroup, before the process starts in it.
  async systemdScope(op, launch) {
    const { mayMoveInto, Placeholder, startScope } = await import('../../cgroups/systemd-unit.js');
    const { record, plan, spec } = launch.input;
    const user = record.unit?.bus;
    launch.placeholder = await Placeholder.start();
    await startScope(op, user, launch.placeholder.pid, undefined, spec.annotations);
    launch.unitStarted = true;
    if (user && !mayMoveInto(op.path)) launch.unitCgroup = opsNamed(plan.ops, 'clone')[0]?.cgroup ?? '';
    launch.cgroups.push(op.path);
  },
  cgroupCreate(op, launch) {
    applyCgroup(op, launch);
    // A cgroup below the unit's. The unit's cgroup must be empty to enable controllers.
    launch.placeholder?.moveTo(op);
    return undefined;
  },
  cgroupWrite: applyCgroup,
  cgroupWriteFirst: applyCgroup,
  cgroupRealtime: applyCgroup,
  cgroupInherit: applyCgroup,
  cgroupControllers: applyCgroup,
  cgroupDevices: applyCgroup,
  cgroupOwner: applyCgroup,
  rdtGroup: applyRdt,
  rdtMonitor: applyRdt,
  // The process, once it exists.
  rdtAssign: applyRdt,
  setGroupsPolicy(op, { pid }) {
    writeProc(op, pid, 'setgroups', op.value);
    return undefined;
  },
  idMap(op, { pid, input }) {
    const { helper } = op;
    const what = `create ${input.record.id}`;
    if (helper) return import('./id-map-helper.js').then((m) => m.runIdMapHelper(op, helper, pid, what));
    writeProc(op, pid, `${op.kind}_map`, `${op.lines.join('\n')}\n`);
    return undefined;
  },
  async idMapVerify(op, { pid, input }) {
    (await import('./namespace-handler.js')).verifyIdMap(op, pid, input);
  },
  async netDevice(op, launch) {
    const { NetDevices } = await import('./network-handler.js');
    launch.netDevices ??= new NetDevices();
    launch.netDevices.move(op, launch.pid);
  },
  oomScoreAdj(op, { pid }) {
    writeProc(op, pid, 'oom_score_adj', String(op.value));
    return undefined;
  },
  prlimit(op, { pid }) {
    const { resource, soft, hard } = op;
    const wide = (n: number | bigint) => BigInt.asIntN(64, BigInt(n));
    checkOp(op, native.prlimit(pid, Number(resource), wide(soft), wide(hard)), 'prlimit');
    return undefined;
  },
  scheduler: applyScheduling,
  ioPriority: applyScheduling,
  async notifyDirectory(op, launch) {
    const { makeNotifyDirectory, bindNotify } = await import('../../stdio/notify-socket.js');
    checkOp(op, makeNotifyDirectory(op.path), 'mkdir');
    if (op.bind) launch.notify = new OwnedFd(checkOp(op, bindNotify(op.path), 'bind'));
  },
  async pidfdSocket(op, { process, input }) {
    const { sendPidfd } = await import('../../stdio/pidfd-socket.js');
    await sendPidfd(op, process?.pidfd.number ?? -1, input.exec !== undefined);
  },
};
