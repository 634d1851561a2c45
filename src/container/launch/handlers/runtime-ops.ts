/**
 * The runtime's operations of a plan (`by: 'runtime'` in src/plan/plan-ops.ts): each is performed here, in this process, and what it made is
 * kept for the launch that goes on with it, or takes it back.
 */

import { encodePlan } from '../../../plan/encode-plan.js';
import type { HostFacts } from '../../../plan/host-facts.js';
import type { Op, Plan } from '../../../plan/plan-ops.js';
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
import { applyCgroupOp } from './cgroup-handler.js';
import { runIdMapHelper } from './id-map-helper.js';
import type { NetDevices } from './network-handler.js';
import { openSlot } from './slot-handler.js';

/** Whether a process with this operation ends, and a sibling that it makes goes on. */
const goesOn = ({ op }: Op): boolean => op === 'fork' || op === 'cgroupFork';

export interface LaunchInput {
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
  protected apply(op: Op): Promise<void> | undefined {
    const { input } = this;
    switch (op.op) {
      case 'stateDir':
        makeStateDir(input.root, input.record.id);
        this.stateDir = true;
        save(input.root, input.record);
        return undefined;
      case 'startSocket': {
        const listen = (dir: number) => (dir < 0 ? dir : native.unixListen(dir, startSocket, 8));
        this.startSocket = checkOp(op, withState(input.root, input.record.id, listen), 'bind');
        return undefined;
      }
      case 'openTree':
      case 'hookFile':
      case 'cgroupOpen':
      case 'cgroupDirectory':
      case 'consoleConnect':
      case 'initProcess':
      case 'processRoot': {
        const opened = openSlot(op, input.record);
        const keep = (fd: number): undefined => {
          this.slots[Number(op.slot)] = fd;
        };
        return typeof opened === 'number' ? keep(opened) : opened.then(keep);
      }
      case 'idMapNamespace':
        return import('./id-map-namespace.js').then(async ({ openIdMaps }) => {
          this.slots[Number(op.slot)] = await openIdMaps(op);
        });
      case 'idMapTree': {
        const [tree, namespace] = [this.slots[Number(op.tree)] ?? -1, this.slots[Number(op.slot)] ?? -1];
        checkOp(op, native.idMapTree(tree, namespace, op.recursive ? AT_RECURSIVE : 0), 'mount_setattr', op.source);
        return undefined;
      }
      case 'seccompData':
        return import('./seccomp-data.js').then(({ openProgramData }) => {
          this.slots[Number(op.slot)] = openProgramData(op);
        });
      case 'seccompProgram':
        return import('./seccomp-cache.js').then(({ openProgram }) => {
          this.slots[Number(op.slot)] = openProgram(op, input.root, input.facts.euid);
        });
      case 'rdtGroup':
      case 'rdtMonitor':
      case 'rdtAssign':
        return import('./rdt-handler.js').then(({ applyRdt }) => applyRdt(op, this.pid, this.rdt));
      case 'scheduler':
      case 'ioPriority':
        return import('./scheduling-handler.js').then(({ applyScheduling }) => applyScheduling(op, this.pid));
      case 'notifyDirectory':
        return import('../../stdio/notify-socket.js').then(({ makeNotifyDirectory, bindNotify }) => {
          checkOp(op, makeNotifyDirectory(op.path), 'mkdir');
          if (op.bind) this.notify = checkOp(op, bindNotify(op.path), 'bind');
        });
      case 'pidfdSocket':
        return import('../../stdio/pidfd-socket.js').then(({ sendPidfd }) =>
          sendPidfd(op, this.pidfd, input.exec === true),
        );
      case 'consolePair': {
        const pair = new Uint8Array(16);
        checkOp(op, native.socketPair(pair), 'socketpair');
        [this.console, this.slots[Number(op.slot)]] = fdPair(pair);
        return undefined;
      }
      case 'namespaceOpen':
        return import('./namespace-handler.js').then(({ openNamespace }) => {
          this.slots[Number(op.slot)] = openNamespace(op, input);
        });
      case 'idMapVerify':
        return import('./namespace-handler.js').then(({ verifyIdMap }) => verifyIdMap(op, this.pid, input));
      case 'netDevice':
        return import('./network-handler.js').then(({ NetDevices }) => {
          this.netDevices ??= new NetDevices();
          this.netDevices.move(op, this.pid);
        });
      case 'systemdScope':
        return this.startScope(op);
      case 'clone':
        return this.clone(op);
      case 'supervise':
        return this.supervise();
      case 'setGroupsPolicy':
        this.writeProc(op, 'setgroups', op.value);
        return undefined;
      case 'idMap':
        if (op.helper) return runIdMapHelper(op, this.pid, input.record.id);
        this.writeProc(op, `${op.kind}_map`, `${op.lines.join('\n')}\n`);
        return undefined;
      case 'oomScoreAdj':
        this.writeProc(op, 'oom_score_adj', String(op.value));
        return undefined;
      case 'prlimit': {
        const { resource, soft, hard } = op;
        const wide = (n: number | bigint) => BigInt.asIntN(64, BigInt(n));
        checkOp(op, native.prlimit(this.pid, Number(resource), wide(soft), wide(hard)), 'prlimit');
        return undefined;
      }
      case 'cgroupCreate':
      case 'cgroupWrite':
      case 'cgroupWriteFirst':
      case 'cgroupRealtime':
      case 'cgroupInherit':
      case 'cgroupControllers':
      case 'cgroupDevices':
      case 'cgroupOwner': {
        const failed = applyCgroupOp(op, this.cgroups);
        if (failed) throw new OpFailed(failed);
        // A cgroup below the unit's: that one must be empty, so that it can give controllers.
        if (op.op === 'cgroupCreate') this.placeholder?.moveTo(op);
        return undefined;
      }
      default:
        return undefined;
    }
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
