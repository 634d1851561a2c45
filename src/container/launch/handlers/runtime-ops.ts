/**
 * The runtime's operations of a plan (`by: 'runtime'` in src/plan/plan-ops.ts): each is performed here, in this process, and what it made is
 * kept for the launch that goes on with it, or takes it back.
 */

import { encodePlan } from '../../../plan/encode-plan.js';
import type { HostFacts } from '../../../plan/host-facts.js';
import { type Op, type OpName, type OpOf, ops, type Plan } from '../../../plan/plan-ops.js';
import type { Spec } from '../../../spec/config-types.js';
import { fdPair } from '../../../sys/fds.js';
import { host, native } from '../../../sys/host.js';
import { AT_FDCWD, AT_RECURSIVE } from '../../../sys/linux.js';
import type { Placeholder } from '../../cgroups/systemd-unit.js';
import { checkOp, OpFailed } from '../../failure/op-failed.js';
import type { Executed } from '../../state/exit-records.js';
import { recorded } from '../../state/recorded-process.js';
import { withState } from '../../state/state-directory.js';
import { type ContainerRecord, makeStateDir, save, startSocket } from '../../state/state-store.js';
import { Reports, sendFrame } from '../init-channel.js';
import { type Stdio, spawnInit } from '../spawn-init.js';
import type { Supervisor } from '../supervisor.js';
import { applyCgroupOp, type CgroupOp } from './cgroup-handler.js';
import { runIdMapHelper } from './id-map-helper.js';
import type { NetDevices } from './network-handler.js';
import type { RdtOp } from './rdt-handler.js';
import { openSlot, type SlotOp } from './slot-handler.js';

/** Performed in this process while the plan is; `hostHook` is run when runt-init reports, or later (src/container/hooks/run-hooks.ts). */
type RuntimeOpName = Exclude<
  { [N in OpName]: (typeof ops)[N]['by'] extends 'runtime' ? N : never }[OpName],
  'hostHook'
>;
export type RuntimeOp = OpOf<RuntimeOpName>;

/** How each operation is done. Total: one without a handler does not compile. */
type Handlers = {
  readonly [N in RuntimeOpName]: (this: RuntimeOps, op: OpOf<N>) => Promise<void> | undefined;
};

/** Whether the runtime performs this operation while it performs the plan. */
export const isRuntimeOp = (op: Op): op is RuntimeOp => ops[op.op].by === 'runtime' && op.op !== 'hostHook';

/** Whether a process with this operation ends, and a sibling that it makes goes on. */
const goesOn = ({ op }: Op): boolean => op === 'fork' || op === 'cgroupFork';

interface LaunchInput {
  readonly command: string;
  readonly root: string;
  readonly record: ContainerRecord;
  readonly spec: Spec;
  readonly facts: HostFacts;
  readonly plan: Plan;
  /** The config as it was read, to be kept. */
  readonly config?: Uint8Array;
  readonly trace: boolean;
  readonly preserveFds: number;
  /** The cgroup that systemd has to move the process into, because its user may not. */
  readonly place?: string;
  /** `exec`: the container is there, its record stays as it is. */
  readonly exec?: boolean;
  /** Takes what a poststop hook that failed says. */
  readonly warn?: (sentence: string) => void;
  /** Where the kernel counts what it killed for memory; empty for nowhere. */
  readonly oomFile: string;
  /** Descriptors that become 0, 1 and 2; those of this process when absent. Only a supervisor can give them. */
  readonly stdio?: Stdio;
  /** The container has a supervisor, and it is to be the parent. */
  readonly supervised?: boolean;
}

/** What the runtime's operations of one launch have made so far. */
export class RuntimeOps {
  pid = 0;
  pidfd = -1;
  /** Where the master of a terminal that is not for a console socket comes from (op `consolePair`). */
  console = -1;
  /** The socket on which the process says that it is ready (op `notifyDirectory`). */
  notify = -1;
  protected sync = -1;
  protected reports = new Reports(-1);
  protected startSocket = -1;
  protected stateDir = false;
  protected supervisor: Supervisor | undefined;
  protected netDevices: NetDevices | undefined;
  protected placeholder: Placeholder | undefined;
  /** systemd has started the record's unit. */
  protected unitStarted = false;
  /** Where systemd moves the process (`LaunchInput.place`). */
  private place: string;
  protected readonly cgroups: string[] = [];
  /** resctrl groups that were made, those below first. */
  protected readonly rdt: string[] = [];
  protected readonly slots: number[] = [];

  /** How many times the process will still go on as a sibling. */
  protected successors: number;
  /** Of an exec that a supervisor keeps: the key of its record. */
  executed: Executed | undefined;

  constructor(readonly input: LaunchInput) {
    this.successors = input.plan.ops.filter(goesOn).length;
    this.place = input.place ?? '';
  }

  /** Path of the state directory. */
  protected get directory(): string {
    return `${this.input.root}/${this.input.record.id}`;
  }

  /** Does one operation of the runtime's; a promise for the ones that wait. */
  protected apply(op: RuntimeOp): Promise<void> | undefined {
    // The table is total: an operation finds its own handler.
    return RuntimeOps.handlers[op.op].call(this, op as never);
  }

  private static readonly handlers: Handlers = {
    stateDir() {
      const { root, record } = this.input;
      makeStateDir(root, record.id);
      this.stateDir = true;
      save(root, record);
    },
    startSocket(op) {
      const listen = (dir: number) => (dir < 0 ? dir : native.unixListen(dir, startSocket, 8));
      this.startSocket = checkOp(op, withState(this.input.root, this.input.record.id, listen), 'bind');
    },
    openTree: RuntimeOps.prototype.fillSlot,
    hookFile: RuntimeOps.prototype.fillSlot,
    cgroupOpen: RuntimeOps.prototype.fillSlot,
    cgroupDirectory: RuntimeOps.prototype.fillSlot,
    consoleConnect: RuntimeOps.prototype.fillSlot,
    initProcess: RuntimeOps.prototype.fillSlot,
    processRoot: RuntimeOps.prototype.fillSlot,
    async idMapNamespace(op) {
      const { openIdMaps } = await import('./id-map-namespace.js');
      this.slots[Number(op.slot)] = await openIdMaps(op);
    },
    idMapTree(op) {
      const [tree, namespace] = [this.slots[Number(op.tree)] ?? -1, this.slots[Number(op.slot)] ?? -1];
      checkOp(op, native.idMapTree(tree, namespace, op.recursive ? AT_RECURSIVE : 0), 'mount_setattr', op.source);
    },
    async seccompData(op) {
      const { openProgramData } = await import('./seccomp-data.js');
      this.slots[Number(op.slot)] = openProgramData(op);
    },
    async seccompProgram(op) {
      const { openProgram } = await import('./seccomp-cache.js');
      this.slots[Number(op.slot)] = openProgram(op, this.input.root, this.input.facts.euid);
    },
    rdtGroup: RuntimeOps.prototype.joinRdt,
    rdtMonitor: RuntimeOps.prototype.joinRdt,
    rdtAssign: RuntimeOps.prototype.joinRdt,
    scheduler: RuntimeOps.prototype.schedule,
    ioPriority: RuntimeOps.prototype.schedule,
    async notifyDirectory(op) {
      const { makeNotifyDirectory, bindNotify } = await import('../../stdio/notify-socket.js');
      checkOp(op, makeNotifyDirectory(op.path), 'mkdir');
      if (op.bind) this.notify = checkOp(op, bindNotify(op.path), 'bind');
    },
    async pidfdSocket(op) {
      const { sendPidfd } = await import('../../stdio/pidfd-socket.js');
      await sendPidfd(op, this.pidfd, this.input.exec === true);
    },
    consolePair(op) {
      const pair = new Uint8Array(16);
      checkOp(op, native.socketPair(pair), 'socketpair');
      [this.console, this.slots[Number(op.slot)]] = fdPair(pair);
    },
    async namespaceOpen(op) {
      const { openNamespace } = await import('./namespace-handler.js');
      this.slots[Number(op.slot)] = openNamespace(op, this.input);
    },
    async idMapVerify(op) {
      const { verifyIdMap } = await import('./namespace-handler.js');
      verifyIdMap(op, this.pid, this.input);
    },
    async netDevice(op) {
      const { NetDevices } = await import('./network-handler.js');
      this.netDevices ??= new NetDevices();
      this.netDevices.move(op, this.pid);
    },
    systemdScope: RuntimeOps.prototype.startScope,
    clone: RuntimeOps.prototype.clone,
    supervise: RuntimeOps.prototype.supervise,
    setGroupsPolicy(op) {
      this.writeProc(op, 'setgroups', op.value);
    },
    idMap(op) {
      if (op.helper) return runIdMapHelper(op, this.pid, this.input.record.id);
      this.writeProc(op, `${op.kind}_map`, `${op.lines.join('\n')}\n`);
      return undefined;
    },
    oomScoreAdj(op) {
      this.writeProc(op, 'oom_score_adj', String(op.value));
    },
    prlimit(op) {
      const { resource, soft, hard } = op;
      const wide = (n: number | bigint) => BigInt.asIntN(64, BigInt(n));
      checkOp(op, native.prlimit(this.pid, Number(resource), wide(soft), wide(hard)), 'prlimit');
    },
    cgroupCreate(op) {
      this.applyCgroup(op);
      // A cgroup below the unit's: that one must be empty, so that it can give controllers.
      this.placeholder?.moveTo(op);
    },
    cgroupWrite: RuntimeOps.prototype.applyCgroup,
    cgroupWriteFirst: RuntimeOps.prototype.applyCgroup,
    cgroupRealtime: RuntimeOps.prototype.applyCgroup,
    cgroupInherit: RuntimeOps.prototype.applyCgroup,
    cgroupControllers: RuntimeOps.prototype.applyCgroup,
    cgroupDevices: RuntimeOps.prototype.applyCgroup,
    cgroupOwner: RuntimeOps.prototype.applyCgroup,
  };

  private fillSlot(op: SlotOp): Promise<void> | undefined {
    const opened = openSlot(op, this.input.record);
    const keep = (fd: number): undefined => {
      this.slots[Number(op.slot)] = fd;
    };
    return typeof opened === 'number' ? keep(opened) : opened.then(keep);
  }

  private async joinRdt(op: RdtOp): Promise<void> {
    const { applyRdt } = await import('./rdt-handler.js');
    applyRdt(op, this.pid, this.rdt);
  }

  private async schedule(op: OpOf<'scheduler' | 'ioPriority'>): Promise<void> {
    const { applyScheduling } = await import('./scheduling-handler.js');
    applyScheduling(op, this.pid);
  }

  private applyCgroup(op: CgroupOp): undefined {
    const failed = applyCgroupOp(op, this.cgroups);
    if (failed) throw new OpFailed(failed);
  }

  private async startScope(op: Extract<Op, { op: 'systemdScope' }>): Promise<void> {
    const { mayMove, Placeholder, startScope } = await import('../../cgroups/systemd-unit.js');
    const user = this.input.record.unit?.bus;
    this.placeholder = Placeholder.start();
    await startScope(op, user, this.placeholder.pid, undefined, this.input.spec.annotations);
    this.unitStarted = true;
    if (user && !mayMove(op.path)) this.place = this.input.plan.ops.find((o) => o.op === 'clone')!.cgroup;
    this.cgroups.push(op.path);
  }

  /** The container's process is in the scope by now, or never will be. */
  protected async endPlaceholder(): Promise<void> {
    const { placeholder } = this;
    this.placeholder = undefined;
    await placeholder?.end();
  }

  /** Before its first operation, when it still has the ids of the user whom systemd is to believe. */
  private async moveByUnit(): Promise<void> {
    const { unit } = this.input.record;
    const { attach } = await import('../../cgroups/systemd-unit.js');
    await attach(unit!, this.place, this.pid);
  }

  private async supervise(): Promise<void> {
    const { startSupervisor } = await import('../supervisor.js');
    this.supervisor = await startSupervisor(this.directory);
    const { pid } = this.supervisor;
    this.input.record.supervisor = recorded(pid);
  }

  private async clone(op: Extract<Op, { op: 'clone' }>): Promise<void> {
    const { plan, trace, oomFile, stdio, exec, supervised, preserveFds } = this.input;
    const pair = new Uint8Array(16);
    checkOp(op, native.socketPair(pair), 'socketpair');
    const [sync, theirs] = fdPair(pair);
    this.sync = sync;
    this.reports = new Reports(sync);
    try {
      const spawned = await spawnInit(this.place === '' ? op : { ...op, cgroup: '' }, {
        sync: theirs,
        startSocket: this.startSocket,
        slots: this.slots,
        preserveFds,
        ...((this.supervisor || supervised) && {
          supervisor: {
            stateDir: this.directory,
            kind: exec ? 'exec' : this.successors > 0 ? 'successor' : 'init',
            oomFile,
          },
        }),
        stdio,
      });
      this.pid = spawned.pid;
      this.pidfd = spawned.pidfd;
      if (this.place !== '') await this.moveByUnit();
      if (this.successors === 0) await this.adoptExec();
      // A process that joins enters the scope later: the placeholder is ended once it is created.
      if (this.placeholder && op.cgroup !== '') await this.endPlaceholder();
      sendFrame(this.sync, encodePlan(plan, { trace, startSocket: spawned.startSocket, slots: spawned.slots }));
    } finally {
      native.close(theirs);
    }
  }

  /** The process that is executed in a supervised container has a record from now on. */
  protected async adoptExec(): Promise<void> {
    if (!this.input.supervised) return;
    const { adoptExec } = await import('../supervisor.js');
    this.executed = await adoptExec(this.directory, this);
  }

  private writeProc(op: Op, file: string, value: string): void {
    const path = `/proc/${this.pid}/${file}`;
    checkOp(op, native.writeFile(AT_FDCWD, path, 0, 0, host.encode(value)), 'write');
  }
}
