/** A task: one of containerd's containers, its processes and their events. */
import { create } from '../../container/create.js';
import { remove } from '../../container/delete.js';
import { kill } from '../../container/kill.js';
import { listPids } from '../../container/ps.js';
import { start } from '../../container/start.js';
import { readExit } from '../../container/state/exit-records.js';
import { holdProcess } from '../../container/state/recorded-process.js';
import { type ContainerRecord, loadRecord, type RecordedProcess } from '../../container/state/state-store.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { SIGKILL } from '../../sys/linux.js';
import { now, sleep, withTimeout } from '../../sys/waiting/loop.js';
import { killedProcessTime, longestRestartPause, supervisorMinLifetime } from '../../sys/waiting/time-limits.js';
import type { Publisher } from '../containerd/event-publisher.js';
import { policyOf, type RuntimeOptions } from '../containerd/runtime-options.js';
import { log } from '../shim-log.js';
import type { DescriptorKeeper } from '../streams/descriptor-keeper.js';
import { KeptStreams } from '../streams/kept-streams.js';
import type { LoggedContainer } from '../streams/log-program.js';
import { Owners } from '../streams/pipe-owner.js';
import type { task, types } from '../transport/protos.js';
import { Code, StatusError } from '../transport/status-code.js';
import { OomEvents } from './oom-events.js';
import { reapAtEnd } from './orphan-reaper.js';
import { mountRootfs, unmountRootfs } from './rootfs-mounts.js';
import { TaskEvents } from './task-events.js';
import { Execs } from './task-execs.js';
import { type BeginProcess, Process, type RecordedExit } from './task-process.js';

/** The kernel's SIGRTMAX. */
const MAX_SIGNAL = 64;

/** Options that all tasks of a server share. */
export interface TaskOptions {
  readonly publisher: Publisher;
  /** Also log the warnings of `--debug`. */
  readonly debug: boolean;
  /** Records the tasks for the next server; absent for a shim, after which containerd runs `delete`. */
  readonly records?: TaskRecords;
  /** Holds the ends of streams for the next server. */
  readonly keeper?: DescriptorKeeper;
}

/** What a server records of its tasks for the next one. */
export interface TaskRecords {
  /** Before anything of a task is made. @param mounts whether its root file system is mounted */
  begin(task: Task, mounts: boolean): Promise<void>;
  /** Its process exists. */
  created(task: Task): void;
  /** It was not created, and nothing is left of it. */
  end(task: Task): void;
}

export class Task {
  readonly init: Process;
  readonly events: TaskEvents;
  readonly execs: Execs;
  readonly logged: LoggedContainer;
  /** Resolves when init's exit event is published. */
  private exitPublished: Promise<void> | undefined;
  readonly owners: Owners;
  /** Settles when the checkpoint event is published: the exit event must follow it. */
  private checkpointing: Promise<void> | undefined;
  paused = false;
  /** An earlier server made it. */
  isAdopted = false;

  constructor(
    /** The state root. */
    readonly root: string,
    readonly id: string,
    readonly bundle: string,
    publisher: Publisher,
    readonly options: RuntimeOptions,
    readonly debug: boolean,
    init: Process,
    /** Directory of the images that Start restores; empty for none. */
    private readonly images: string,
    private readonly recorder?: TaskRecords,
    private readonly keeper?: DescriptorKeeper,
  ) {
    this.init = init;
    this.owners = new Owners(`${bundle}/config.json`, options.ioGid);
    this.events = new TaskEvents(publisher, id);
    this.logged = { id, namespace: publisher.namespace };
    this.execs = new Execs(this);
  }

  /** Whether execs are recorded for the next server. */
  get records(): boolean {
    return this.recorder !== undefined;
  }

  /** The streams of init (''), or of an exec. */
  readonly kept = (execId: string): KeptStreams | undefined =>
    this.keeper && new KeptStreams(this.keeper, `${this.logged.namespace}/${this.id}/${execId}/`);

  /** Logs a warning with the container's id. */
  readonly warn = (what: unknown): void => log(this.id, what);

  private get stateDir(): string {
    return `${this.root}/${this.id}`;
  }

  get rootfs(): string {
    return `${this.bundle}/rootfs`;
  }

  /** Create of the task service. A container to restore gets its process at Start. */
  static async create(
    root: string,
    request: task.CreateTaskRequest,
    options: RuntimeOptions,
    { publisher, debug, records, keeper }: TaskOptions,
  ): Promise<Task> {
    const { id, bundle, stdin, stdout, stderr, terminal } = request;
    if (request.parentCheckpoint) throw new StatusError(Code.INVALID_ARGUMENT, 'parent_checkpoint is not supported');
    const streams = { stdin, stdout, stderr };
    const init = new Process('', terminal, streams);
    const images = options.criuImagePath || request.checkpoint;
    const created = new Task(root, id, bundle, publisher, options, debug, init, images, records, keeper);
    for (const note of options.notes) created.warn(note);
    const mounts = request.rootfs as types.Mount.$Properties[];
    await records?.begin(created, mounts.length > 0);
    try {
      if (mounts.length > 0) await mountRootfs(mounts, created.rootfs);
      if (!images) await created.createInit();
    } catch (error) {
      try {
        if (mounts.length > 0) unmountRootfs(created.rootfs);
        records?.end(created);
      } catch (undoError) {
        created.warn(undoError);
      }
      throw error;
    }
    const io = { ...streams, terminal };
    created.events.create({ bundle, rootfs: mounts, io, checkpoint: images, pid: init.pid });
    return created;
  }

  /**
   * Whether a Create asks for this container again, as the keeper of a node does: an earlier server was killed before
   * it could answer. Publishes the event once more then.
   */
  repeats({ bundle, stdin, stdout, stderr, terminal, rootfs }: task.CreateTaskRequest): boolean {
    const { init, isAdopted } = this;
    const { streams } = init;
    const isSame =
      this.bundle === bundle &&
      init.terminal === terminal &&
      streams.stdin === stdin &&
      streams.stdout === stdout &&
      streams.stderr === stderr;
    if (!isSame || !isAdopted || init.started || init.ended) return false;
    this.isAdopted = false;
    this.events.create({ bundle, rootfs, io: { ...streams, terminal }, checkpoint: '', pid: init.pid });
    return true;
  }

  private async createInit(): Promise<void> {
    const { root, id, bundle, options, debug, warn } = this;
    let created = false;
    try {
      const begin: BeginProcess = async (stdio, consoleSocket) => {
        await create({
          root,
          id,
          bundle,
          supervise: true,
          stdio,
          ...consoleSocket,
          ...(options.systemdCgroup && { cgroupManager: 'systemd', watchesOom: true }),
          ...policyOf(options),
          ...(options.cgroupWritable && { cgroupWritable: true }),
          noPivot: options.noPivot,
          noNewKeyring: options.noNewKeyring,
          debug,
          warn,
        });
        created = true;
        this.recorder?.created(this);
      };
      await this.init.connect(this.logged, bundle, this.owners.of(), begin, this.kept(''));
    } catch (error) {
      // Never remove an older container of the same id.
      if (created) await remove({ root, id, force: true, warn }).catch(warn);
      throw error;
    }
    this.watchInit();
  }

  /** Watches the init process until it has ended. */
  watchInit(): void {
    const record = loadRecord(this.root, this.id);
    this.init.pid = record.pid;
    if (record.supervisor) this.replaceSupervisors(record.supervisor).catch(this.warn);
    this.exitPublished = this.watch(record).catch(this.warn);
  }

  /** Reaps the supervisor when it has ended. If it was killed, starts another one at once. */
  private async replaceSupervisors(first: RecordedProcess): Promise<void> {
    let pause = 1;
    for (let supervisor: RecordedProcess | undefined = first; supervisor; ) {
      const startedAt = now();
      await reapAtEnd(supervisor);
      if (this.init.ended || readExit(this.stateDir)) return;
      // Supervisors that keep dying must not keep the machine busy.
      pause = now() - startedAt < supervisorMinLifetime ? Math.min(2 * pause, longestRestartPause) : 1;
      await sleep(pause);
      const { ensureSupervisor } = await import('../../container/launch/supervisor-heir.js');
      const last: RecordedProcess = supervisor;
      supervisor = await ensureSupervisor(this.stateDir).catch((error) => {
        if (error instanceof RuntError && error.code === 'ERR_NO_CONTAINER') return undefined;
        this.warn(error);
        return last;
      });
      if (supervisor && supervisor !== last) this.warn('its supervisor was killed: another one has taken over');
    }
  }

  /** Waits for the end of init and publishes its exit event, after those of all execs. */
  private async watch(record: ContainerRecord): Promise<void> {
    const oomEvents = new OomEvents(record, this.events, this.warn);
    const ended = await this.init.watch(() => holdProcess(record), this.stateDir, this.warn);
    // Without a pid namespace, init's children would outlive it and hold its streams open.
    if (!record.pidNamespace) await kill({ root: this.root, id: this.id, signal: SIGKILL, all: true }).catch(() => {});
    await this.init.starting?.catch(() => {});
    await this.checkpointing?.catch(() => {});
    await this.execs.ended();
    oomEvents.close();
    this.events.exit(this.init, ended);
  }

  /** Start of the task service: of init, or of an exec that was added. */
  async start(execId: string): Promise<number> {
    const process = this.process(execId);
    const preconditionError = (what: string) => new StatusError(Code.FAILED_PRECONDITION, what);
    if (this.init.ended) throw preconditionError(`container ${this.id} has ended`);
    if (process.started || process.ended) throw preconditionError(`process ${execId || this.id} was started before`);
    process.started = true;
    process.starting = this.launch(process);
    try {
      await process.starting;
    } catch (error) {
      process.started = false;
      throw error;
    }
    return process.pid;
  }

  private async launch(process: Process): Promise<void> {
    if (process.execId) await this.execs.start(process);
    else if (this.images) await this.restore();
    else await start({ root: this.root, id: this.id, warn: this.warn });
    this.events.started(process);
  }

  private async restore(): Promise<void> {
    const { restoreContainer } = await import('./task-checkpoint.js');
    const begin: BeginProcess = async (stdio, consoleSocket) => {
      await restoreContainer(this, this.images, stdio, consoleSocket);
      this.recorder?.created(this);
    };
    await this.init.connect(this.logged, this.bundle, this.owners.of(), begin, this.kept(''));
    this.watchInit();
  }

  /** Checkpoint of the task service. */
  async checkpoint(request: task.CheckpointTaskRequest): Promise<void> {
    const { takeCheckpoint } = await import('./task-checkpoint.js');
    this.checkpointing = takeCheckpoint(this, request).then((checkpoint) => {
      this.events.checkpointed(checkpoint);
    });
    await this.checkpointing;
  }

  /** Delete of the task service. */
  async delete(execId: string): Promise<{ pid: number; ended: RecordedExit | undefined }> {
    const process = this.process(execId);
    if (process.started && !process.ended) {
      throw new StatusError(
        Code.FAILED_PRECONDITION,
        `process ${execId || this.id} is running: it must be stopped first`,
      );
    }
    if (execId) {
      await process.release();
      this.execs.delete(execId);
      return { pid: process.pid, ended: process.ended };
    }
    if (!process.ended) {
      // Never started: kill it. Its supervisor records the end.
      await kill({ root: this.root, id: this.id, signal: SIGKILL, all: false }).catch(() => {});
      await this.awaitExitEvent();
    }
    const ended = process.ended ?? process.recordEnd(137, native.realtime());
    await this.awaitExitEvent();
    await process.release();
    await remove({ root: this.root, id: this.id, force: true, warn: this.warn });
    unmountRootfs(this.rootfs);
    // Of one that was never restored.
    if (process.pid === 0) this.recorder?.end(this);
    this.events.delete(process.pid, ended);
    return { pid: process.pid, ended };
  }

  /** Waits until init's exit event is published, or for `killedProcessTime`. */
  private async awaitExitEvent(): Promise<void> {
    if (this.exitPublished) await withTimeout(this.exitPublished, killedProcessTime);
  }

  /** Kill of the task service. */
  async kill(execId: string, signal: number, all: boolean): Promise<void> {
    const process = this.process(execId);
    if (signal > MAX_SIGNAL) throw new StatusError(Code.INVALID_ARGUMENT, `unknown signal ${signal}`);
    if (process.ended || process.pid === 0) throw new StatusError(Code.NOT_FOUND, 'process already finished');
    if (!execId) {
      await kill({ root: this.root, id: this.id, signal, all });
      return;
    }
    const r = process.signal(signal);
    if (r < 0 && r !== -E.ESRCH) check(r, { code: 'ERR_PROCESS', message: `signal process ${process.pid}` });
    if (r < 0) throw new StatusError(Code.NOT_FOUND, 'process already finished');
  }

  /** The pids of the container's processes; none before the Start of a restored container. */
  pids(): number[] {
    return this.exitPublished ? listPids({ root: this.root, id: this.id }) : [];
  }

  /** The process of an exec id; the init process for ''. @throws StatusError NOT_FOUND */
  process(execId: string): Process {
    const process = execId ? this.execs.get(execId) : this.init;
    if (!process) throw new StatusError(Code.NOT_FOUND, `process ${execId} does not exist`);
    return process;
  }
}
