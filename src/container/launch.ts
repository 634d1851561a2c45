/**
 * Performs a plan: the runtime's operations here, the rest by runt-init. Whatever fails, what was made is taken back and
 * the first error is the one that is told.
 */
import { removeCgroups } from '../cgroup/remove.js';
import { encodePlan } from '../plan/encode.js';
import type { HostFacts } from '../plan/facts.js';
import { type Op, ops, type Plan } from '../plan/ops.js';
import type { HookName, Spec } from '../spec/types.js';
import { E } from '../sys/errno.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, AT_RECURSIVE } from '../sys/linux.js';
import { readable } from '../sys/loop.js';
import { applyCgroupOp } from './cgroup.js';
import { Reports, type Span, sendFrame } from './channel.js';
import { runIdMapHelper } from './id-map.js';
import type { NetDevices } from './net-device.js';
import { checkOp, OpFailed } from './op-failed.js';
import { endOf, processStat } from './process.js';
import { openSlot } from './slots.js';
import { type Stdio, spawnInit } from './spawn.js';
import { type ContainerRecord, keepConfig, makeStateDir, removeStateDir, save } from './store.js';
import type { Supervisor } from './supervisor.js';
import type { Placeholder } from './systemd.js';
import type { Terminal } from './terminal.js';

const SIGKILL = 9;
/** A killed process that does not end in this time (ms) is stuck in the kernel; cleaning up goes on without it. */
const endDeadline = 10_000;
const go = new Uint8Array([0x67]);
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

/** One launch in progress: what it has made so far. */
export class Launch {
  pid = 0;
  pidfd = -1;
  /** Where the master of a terminal that is not for a console socket comes from (op `consolePair`). */
  console = -1;
  /** The socket on which the process says that it is ready (op `notifyDirectory`). */
  notify = -1;
  private sync = -1;
  private reports = new Reports(-1);
  private startSocket = -1;
  private stateDir = false;
  /** Operations of the runtime before this one are done. */
  private reached = 0;
  /** From here on a container that is taken back has its poststop hooks run (runtime.md#lifecycle). */
  private hooksBegun = false;
  private supervisor: Supervisor | undefined;
  private netDevices: NetDevices | undefined;
  private placeholder: Placeholder | undefined;
  /** systemd has started the record's unit. */
  private unitStarted = false;
  /** Where systemd moves the process (`LaunchInput.place`). */
  private place: string;
  private readonly cgroups: string[] = [];
  /** resctrl groups that were made, those below first. */
  private readonly rdt: string[] = [];
  private readonly slots: number[] = [];
  readonly spans: Span[] = [];

  constructor(readonly input: LaunchInput) {
    this.place = input.place ?? '';
  }

  /**
   * Performs the plan until runt-init waits for start, and saves the state "created".
   * @throws OpFailed, or a RuntError, after all was undone
   */
  async perform(): Promise<void> {
    const { plan, config, root, record } = this.input;
    try {
      const first = plan.ops.findIndex((op) => ops[op.op].by === 'init');
      await this.runtimeOps(first);
      if (plan.ops.some((op) => op.op === 'sync')) this.told(native.write(this.sync, go), 'sync');
      // While runt-init works.
      if (config) keepConfig(root, record.id, config);
      await this.await('created');
      await this.runtimeOps(plan.ops.length);
      if (!this.input.exec) this.saveCreated();
      // Only now: an init whose runtime is killed before this ends by itself.
      if (this.startSocket >= 0) this.told(native.write(this.sync, go), 'wait');
      if (this.startSocket >= 0) this.netDevices?.settle();
      this.closeShared();
      this.leaveSupervisor();
    } catch (error) {
      await this.undo();
      throw error;
    }
  }

  /** Says start to an init without a start socket and waits for the execve; a terminal gets its other end before. */
  async start(terminal?: Terminal): Promise<void> {
    try {
      if (terminal) {
        const socket = this.console;
        this.console = -1;
        await terminal.attach(socket);
      }
      this.told(native.write(this.sync, go), 'wait');
      await this.await('exec');
      const last = await this.reports.next();
      if (last.kind === 'error') throw this.failed(last);
      terminal?.relay();
      this.netDevices?.settle();
    } catch (error) {
      await this.undo();
      throw error;
    }
  }

  /** Ends the process and removes cgroups and state; what cannot be removed does not hide the first error. */
  async undo(): Promise<void> {
    this.netDevices?.giveBack(this.pid);
    if (this.pidfd >= 0) {
      native.pidfdSignal(this.pidfd, SIGKILL);
      await readable(this.pidfd, endDeadline);
      endOf(this.pidfd);
      native.close(this.pidfd);
      this.pidfd = -1;
    }
    await this.endSupervisor();
    if (this.placeholder) await this.endPlaceholder();
    this.closeShared();
    if (this.console >= 0) native.close(this.console);
    this.console = -1;
    if (this.notify >= 0) native.close(this.notify);
    this.notify = -1;
    if (this.sync >= 0) native.close(this.sync);
    this.sync = -1;
    try {
      // Without a pid namespace of its own what its hooks left in the cgroups outlives init.
      if (this.hooksBegun && !this.input.record.pidNamespace) {
        const { killAll } = await import('./kill.js');
        killAll(this.cgroups, SIGKILL);
      }
      if (this.rdt.length > 0) (await import('./rdt.js')).removeRdt(this.rdt);
      // Without systemd's help the cgroup goes all the same.
      const { unit } = this.input.record;
      if (this.unitStarted && unit) await import('./systemd.js').then(({ stopUnit }) => stopUnit(unit)).catch(() => {});
      await removeCgroups(this.cgroups);
      if (this.hooksBegun) await this.keepForPoststop();
      if (this.stateDir) removeStateDir(this.input.root, this.input.record.id);
    } catch {
      // The first error is thrown by the caller.
    }
    if (this.hooksBegun) await this.poststop();
  }

  /** Prestart and createRuntime hooks; then runt-init goes on. The record has the pid by now: a hook may ask for the state. */
  private async runtimeHooks(): Promise<void> {
    const { command, record, root, spec, plan, trace } = this.input;
    const { hookState, runHook } = await import('./hooks.js');
    this.hooksBegun = true;
    this.notePid();
    save(root, record);
    const state = hookState(record, 'creating');
    for (const [index, op] of plan.ops.entries()) {
      if (op.op !== 'hostHook') continue;
      const [point, i] = op.name.split('/');
      const hook = spec.hooks?.[point as HookName]?.[Number(i)];
      if (!hook || point === 'poststart' || point === 'poststop') continue;
      const start = trace ? native.monotonic() : 0n;
      await runHook(command, op.name, hook, state);
      if (trace) this.spans.push({ index, start, end: native.monotonic() });
    }
    const word = new Uint8Array(5);
    word.set(go);
    new DataView(word.buffer).setUint32(1, this.pid, true);
    this.told(native.write(this.sync, word), 'awaitHooks');
  }

  /** Poststart hooks; when one fails the container is taken back. @throws RuntError ERR_HOOK, ERR_HOOK_TIMEOUT */
  async poststart(): Promise<void> {
    const { command, record, spec } = this.input;
    if (!spec.hooks?.poststart?.length) return;
    const { hookState, runHooks } = await import('./hooks.js');
    try {
      await runHooks(command, 'poststart', spec.hooks.poststart, hookState(record, 'running'));
    } catch (error) {
      await this.undo();
      throw error;
    }
  }

  /** To be called before the state is removed. */
  async keepForPoststop(): Promise<void> {
    const { command, root, record, warn, exec } = this.input;
    if (!record.hooks?.poststop || exec) return;
    const { keepForPoststop } = await import('./poststop.js');
    await keepForPoststop(command, root, record, warn ?? (() => {}));
  }

  /** Poststop hooks, after all is removed. */
  async poststop(): Promise<void> {
    const { command, root, record, warn, exec } = this.input;
    this.hooksBegun = false;
    if (!record.hooks?.poststop || exec) return;
    const { runPoststop } = await import('./poststop.js');
    await runPoststop(command, root, record.id, warn ?? (() => {}));
  }

  private async endSupervisor(): Promise<void> {
    if (!this.supervisor) return;
    const { pidfd } = this.supervisor;
    native.pidfdSignal(pidfd, SIGKILL);
    await readable(pidfd, endDeadline);
    endOf(pidfd);
    this.leaveSupervisor();
  }

  private leaveSupervisor(): void {
    if (!this.supervisor) return;
    native.close(this.supervisor.pidfd);
    native.close(this.supervisor.sync);
    this.supervisor = undefined;
  }

  /** What runt-init has and the runtime needs no more; with a start socket that is the sync socket too. */
  private closeShared(): void {
    for (const fd of [...this.slots.splice(0), this.startSocket]) if (fd >= 0) native.close(fd);
    if (this.startSocket >= 0) {
      native.close(this.sync);
      this.sync = -1;
    }
    this.startSocket = -1;
  }

  /** Those before `to` that are not done yet. */
  private async runtimeOps(to: number): Promise<void> {
    const { plan, trace } = this.input;
    for (let index = this.reached; index < to; index++) {
      const op = plan.ops[index] as Op;
      if (ops[op.op].by !== 'runtime' || op.op === 'hostHook') continue;
      const start = trace ? native.monotonic() : 0n;
      const slow = this.apply(op);
      if (slow) await slow;
      if (trace) this.spans.push({ index, start, end: native.monotonic() });
    }
    this.reached = to;
  }

  /** Does one operation of the runtime's; a promise for the ones that wait. */
  private apply(op: Op): Promise<void> | undefined {
    const { input } = this;
    switch (op.op) {
      case 'stateDir':
        makeStateDir(input.root, input.record.id);
        this.stateDir = true;
        save(input.root, input.record);
        return undefined;
      case 'startSocket': {
        const slash = op.path.lastIndexOf('/');
        const dir = checkOp(op, native.openAt(AT_FDCWD, op.path.slice(0, slash), 0, 0), 'open');
        const fd = native.unixListen(dir, op.path.slice(slash + 1), 8);
        native.close(dir);
        this.startSocket = checkOp(op, fd, 'bind');
        return undefined;
      }
      case 'openTree':
      case 'hookFile':
      case 'cgroupOpen':
      case 'cgroupDirectory':
      case 'consoleConnect':
      case 'initProcess':
      case 'processRoot':
        this.slots[Number(op.slot)] = openSlot(op, input.record);
        return undefined;
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
        return import('./rdt.js').then(({ applyRdt }) => applyRdt(op, this.pid, this.rdt));
      case 'scheduler':
      case 'ioPriority':
        return import('./scheduling.js').then(({ applyScheduling }) => applyScheduling(op, this.pid));
      case 'notifyDirectory':
        return import('./notify.js').then(({ makeNotifyDirectory, bindNotify }) => {
          checkOp(op, makeNotifyDirectory(op.path), 'mkdir');
          if (op.bind) this.notify = checkOp(op, bindNotify(op.path), 'bind');
        });
      case 'pidfdSocket':
        return import('./pidfd-socket.js').then(({ sendPidfd }) => {
          sendPidfd(op, this.pidfd, input.exec === true);
        });
      case 'consolePair': {
        const pair = new Uint8Array(16);
        checkOp(op, native.socketPair(pair), 'socketpair');
        const view = new DataView(pair.buffer);
        this.console = view.getInt32(0, true);
        this.slots[Number(op.slot)] = view.getInt32(8, true);
        return undefined;
      }
      case 'namespaceOpen':
        return import('./namespace.js').then(({ openNamespace }) => {
          this.slots[Number(op.slot)] = openNamespace(op, input);
        });
      case 'idMapVerify':
        return import('./namespace.js').then(({ verifyIdMap }) => verifyIdMap(op, this.pid, input));
      case 'netDevice':
        return import('./net-device.js').then(({ NetDevices }) => {
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
        return undefined;
      }
      default:
        return undefined;
    }
  }

  private async startScope(op: Extract<Op, { op: 'systemdScope' }>): Promise<void> {
    const { mayMove, Placeholder, startScope } = await import('./systemd.js');
    const user = this.input.record.unit?.bus;
    this.placeholder = Placeholder.start();
    await startScope(op, user, this.placeholder.pid);
    this.unitStarted = true;
    if (user && !mayMove(op.path)) this.place = op.path;
    this.cgroups.push(op.path);
  }

  /** The container's process is in the scope by now, or never will be. */
  private async endPlaceholder(): Promise<void> {
    const { placeholder } = this;
    this.placeholder = undefined;
    await placeholder?.end();
  }

  /** Before its first operation, when it still has the ids of the user whom systemd is to believe. */
  private async moveByUnit(): Promise<void> {
    const { unit, cgroups } = this.input.record;
    const { attach } = await import('./systemd.js');
    await attach(unit!, this.place.slice(cgroups[0]!.length), this.pid);
  }

  private async supervise(): Promise<void> {
    const { startSupervisor } = await import('./supervisor.js');
    this.supervisor = await startSupervisor(`${this.input.root}/${this.input.record.id}`);
    const { pid } = this.supervisor;
    this.input.record.supervisor = { pid, startTime: processStat(pid)?.startTime ?? '' };
  }

  private async clone(op: Extract<Op, { op: 'clone' }>): Promise<void> {
    const { plan, trace, root, record, oomFile, stdio, exec, supervised, preserveFds } = this.input;
    const pair = new Uint8Array(16);
    checkOp(op, native.socketPair(pair), 'socketpair');
    const view = new DataView(pair.buffer);
    this.sync = view.getInt32(0, true);
    this.reports = new Reports(this.sync);
    const theirs = view.getInt32(8, true);
    try {
      const spawned = await spawnInit(this.place === '' ? op : { ...op, cgroup: '' }, {
        sync: theirs,
        startSocket: this.startSocket,
        slots: this.slots,
        preserveFds,
        ...((this.supervisor || supervised) && {
          supervisor: {
            stateDir: `${root}/${record.id}`,
            kind: plan.ops.some(goesOn) ? (exec ? 'exec' : 'successor') : exec ? 'exec-self' : 'init',
            oomFile,
            stdio,
          },
        }),
      });
      this.pid = spawned.pid;
      this.pidfd = spawned.pidfd;
      if (this.place !== '') await this.moveByUnit();
      if (this.placeholder) await this.endPlaceholder();
      sendFrame(this.sync, encodePlan(plan, { trace, startSocket: spawned.startSocket, slots: spawned.slots }));
    } finally {
      native.close(theirs);
    }
  }

  private writeProc(op: Op, file: string, value: string): void {
    const path = `/proc/${this.pid}/${file}`;
    checkOp(op, native.writeFile(AT_FDCWD, path, 0, 0, host.encode(value)), 'write');
  }

  /** Reads reports until the wanted one. */
  private async await(wanted: 'created' | 'exec'): Promise<void> {
    for (;;) {
      const report = await this.reports.next();
      if (report.kind === wanted) return;
      if (report.kind === 'trace') this.spans.push(...report.spans);
      else if (report.kind === 'hooks') await this.runtimeHooks();
      else if (report.kind === 'pid') await this.succeeded(report.pid);
      else if (report.kind === 'await') {
        await this.runtimeOps(report.index);
        this.told(native.write(this.sync, go), 'await');
      } else if (report.kind === 'listener') {
        const { handOver } = await import('./seccomp-agent.js');
        const { record, exec } = this.input;
        handOver(this.reports, report, { record, status: exec ? 'running' : record.status, pid: this.pid });
      } else if (report.kind === 'error') throw this.failed(report);
      else throw await this.died();
    }
  }

  /** The process that joined has ended; the one that it began is a child of ours as well. */
  private async succeeded(pid: number): Promise<void> {
    const joined = this.pidfd;
    const fd = native.pidfdOpen(pid);
    // A supervisor may have reaped it: it has gone on as another process, of which the next report tells, or has died.
    // Without one it is ours to reap, so its number stays its own.
    if (fd === -E.ESRCH) return;
    this.pidfd = checkOp({ op: 'fork', at: '' }, fd, 'pidfd_open');
    this.pid = pid;
    if (this.supervisor) {
      const { adopt } = await import('./supervisor.js');
      await adopt(`${this.input.root}/${this.input.record.id}`, pid);
    }
    await readable(joined, endDeadline);
    endOf(joined);
    native.close(joined);
  }

  private failed(report: { index: number; errno: number; syscall: string; detail: string }): Error {
    const op = this.input.plan.ops[report.index] ?? ({ op: 'procfs', at: '' } as const);
    return new OpFailed({ op, errno: report.errno, syscall: report.syscall, detail: report.detail });
  }

  private async died(): Promise<Error> {
    const { command, record, spec } = this.input;
    await readable(this.pidfd, endDeadline);
    return endOf(this.pidfd).unexpected(command, record.id, spec.linux?.resources?.memory?.limit);
  }

  /** A peer that is gone is no failure of the write: its report, or its end, says more. */
  private told(written: number, what: 'sync' | 'wait' | 'awaitHooks' | 'await'): void {
    if (written < 0 && written !== -E.EPIPE && written !== -E.ECONNRESET) {
      const op = what === 'await' ? ({ op: what, at: '', what: '' } as const) : ({ op: what, at: '' } as const);
      throw new OpFailed({ op, errno: -written, syscall: 'write', detail: '' });
    }
  }

  private notePid(): void {
    const { record } = this.input;
    record.pid = this.pid;
    record.startTime = processStat(this.pid)?.startTime ?? '';
  }

  private saveCreated(): void {
    const { record, root } = this.input;
    this.notePid();
    this.hooksBegun = true;
    record.status = 'created';
    delete record.creator;
    save(root, record);
  }
}
