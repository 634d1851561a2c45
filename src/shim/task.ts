/** A task: a container of containerd's, its processes, and what is told of them. */
import { readCgroupFacts } from '../cgroup/facts.js';
import { create } from '../container/create.js';
import { remove } from '../container/delete.js';
import { begin } from '../container/exec.js';
import { kill } from '../container/kill.js';
import { MemoryWatch } from '../container/memory-watch.js';
import { openProcess } from '../container/process.js';
import { start } from '../container/start.js';
import { type ContainerRecord, load } from '../container/store.js';
import { host, native } from '../sys/host.js';
import { readable, sleep } from '../sys/loop.js';
import { log } from './log.js';
import type { LoggedContainer } from './logger.js';
import type { RuntimeOptions } from './options.js';
import { Owners } from './owner.js';
import { type Ended, Process } from './process.js';
import type { task, types } from './protos.js';
import type { Publisher } from './publisher.js';
import { mountRootfs, unmountRootfs } from './rootfs.js';
import { Code, StatusError } from './status.js';
import { TaskEvents } from './task-events.js';

const SIGKILL = 9;
/** ms that Delete waits for a process that it has killed. */
const killTime = 10_000;
const noSupervisor = { pid: 0, startTime: '' };

export class Task {
  readonly init: Process;
  readonly events: TaskEvents;
  private readonly logged: LoggedContainer;
  readonly execs = new Map<string, Process>();
  private readonly specs = new Map<string, Uint8Array>();
  /** Execs that run: the end of init is told after theirs. */
  private readonly running = new Set<Promise<unknown>>();
  /** Resolves when the end of init is told. */
  private over: Promise<void> | undefined;
  private memory: MemoryWatch | undefined;
  private readonly owners: Owners;
  /** A checkpoint, until it is told: an end by it is told after that. */
  private checkpointing: Promise<void> | undefined;
  paused = false;

  private constructor(
    /** Directory of the state of all containers. */
    readonly root: string,
    readonly id: string,
    readonly bundle: string,
    publisher: Publisher,
    readonly options: RuntimeOptions,
    readonly debug: boolean,
    init: Process,
    /** Directory of the images that it is restored from, at Start; empty for none. */
    private readonly images: string,
  ) {
    this.init = init;
    this.owners = new Owners(bundle, options.ioGid);
    this.events = new TaskEvents(publisher, id);
    this.logged = { id, namespace: publisher.namespace };
  }

  /** To the log, with the id. */
  readonly warn = (what: unknown): void => log(this.id, what);

  private get stateDir(): string {
    return `${this.root}/${this.id}`;
  }

  get rootfs(): string {
    return `${this.bundle}/rootfs`;
  }

  /** Create of the task service. What is to be restored is made by Start. */
  static async create(
    root: string,
    request: task.CreateTaskRequest,
    options: RuntimeOptions,
    { publisher, debug }: { readonly publisher: Publisher; readonly debug: boolean },
  ): Promise<Task> {
    const { id, bundle, stdin, stdout, stderr, terminal } = request;
    if (request.parentCheckpoint) throw new StatusError(Code.UNIMPLEMENTED, 'parent_checkpoint is not supported');
    const streams = { stdin, stdout, stderr };
    const init = new Process('', terminal, streams);
    const images = options.criuImagePath || request.checkpoint;
    const made = new Task(root, id, bundle, publisher, options, debug, init, images);
    for (const note of options.notes) made.warn(note);
    const mounts = request.rootfs as types.Mount.$Properties[];
    if (mounts.length > 0) await mountRootfs(mounts, made.rootfs);
    try {
      if (!images) await made.createInit();
    } catch (error) {
      if (mounts.length > 0) unmountRootfs(made.rootfs);
      throw error;
    }
    const io = { ...streams, terminal };
    made.events.create({ bundle, rootfs: mounts, io, checkpoint: images, pid: init.pid });
    return made;
  }

  private async createInit(): Promise<void> {
    const { root, id, bundle, options, debug, warn } = this;
    let created = false;
    try {
      await this.init.connect(this.logged, bundle, this.owners.of(), async (stdio, consoleSocket) => {
        await create({
          root,
          id,
          bundle,
          supervise: true,
          stdio,
          ...consoleSocket,
          ...(options.systemdCgroup && { cgroupManager: 'systemd' }),
          noPivot: options.noPivot,
          noNewKeyring: options.noNewKeyring,
          preserveFds: 0,
          rootless: 'auto',
          debug,
          warn,
        });
        created = true;
      });
    } catch (error) {
      // Not one of that id which was there before.
      if (created) await remove({ root, id, force: true, warn }).catch(warn);
      throw error;
    }
    this.begun();
  }

  /** Its process is there. */
  private begun(): void {
    const record = load(this.root, this.id);
    this.init.pid = record.pid;
    this.over = this.watch(record).catch(this.warn);
  }

  /** Until init has ended, and that is told: after the end of all execs. */
  private async watch(record: ContainerRecord): Promise<void> {
    this.watchMemory(record);
    const ended = await (this.images
      ? this.init.reap(this.stateDir)
      : this.init.watch(openProcess(record), this.stateDir, record.supervisor ?? noSupervisor));
    // What it began would outlive it, and hold its streams open.
    if (!record.pidNamespace) await kill({ root: this.root, id: this.id, signal: SIGKILL, all: true }).catch(() => {});
    await this.init.starting?.catch(() => {});
    await this.checkpointing?.catch(() => {});
    await Promise.all(this.running);
    // What ended it may have been its memory limit, in the same moment.
    if (this.memory?.happened()) this.events.outOfMemory();
    this.memory?.close();
    this.memory = undefined;
    this.events.exit(this.init, ended);
  }

  private watchMemory({ cgroups }: ContainerRecord): void {
    try {
      const memory = new MemoryWatch(readCgroupFacts(), cgroups);
      this.memory = memory;
      const next = async (): Promise<void> => {
        while (memory.fd >= 0 && (await readable(memory.fd)) && this.memory === memory)
          if (memory.happened()) this.events.outOfMemory();
      };
      void next().catch(this.warn);
    } catch (error) {
      this.warn(error);
    }
  }

  /** Start of the task service: of init, or of an exec that was added. */
  async start(execId: string): Promise<number> {
    const process = this.process(execId);
    const precondition = (what: string) => new StatusError(Code.FAILED_PRECONDITION, what);
    if (this.init.ended) throw precondition(`container ${this.id} has ended`);
    if (process.started || process.ended) throw precondition(`process ${execId || this.id} was started before`);
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
    if (process.execId) await this.startExec(process);
    else if (this.images) await this.restore();
    else await start({ root: this.root, id: this.id, warn: this.warn });
    this.events.started(process);
  }

  private async restore(): Promise<void> {
    const { restoreContainer } = await import('./checkpoint.js');
    await this.init.connect(this.logged, this.bundle, this.owners.of(), (stdio, consoleSocket) =>
      restoreContainer(this, this.images, stdio, consoleSocket),
    );
    this.begun();
  }

  /** Checkpoint of the task service. */
  async checkpoint(request: task.CheckpointTaskRequest): Promise<void> {
    const { takeCheckpoint } = await import('./checkpoint.js');
    this.checkpointing = takeCheckpoint(this, request).then((checkpoint) => {
      this.events.checkpointed(checkpoint);
    });
    await this.checkpointing;
  }

  /** Exec of the task service: it is added, and started later. `spec` is a process as JSON. */
  add(request: task.ExecProcessRequest): void {
    const { execId, terminal, stdin, stdout, stderr, spec } = request;
    if (this.execs.has(execId)) throw new StatusError(Code.ALREADY_EXISTS, `id ${execId} is in use`);
    this.execs.set(execId, new Process(execId, terminal, { stdin, stdout, stderr }));
    this.specs.set(execId, spec?.value ?? new Uint8Array());
    this.events.execAdded(execId);
  }

  private async startExec(process: Process): Promise<void> {
    const spec = this.specs.get(process.execId) as Uint8Array;
    const file = native.sealedFile(spec);
    try {
      const owner = this.owners.of(host.decode(spec, spec.length));
      await process.connect(this.logged, this.bundle, owner, async (stdio, consoleSocket) => {
        const { launch } = await begin({
          root: this.root,
          id: this.id,
          process: `/proc/self/fd/${file}`,
          args: [],
          env: [],
          additionalGids: [],
          capabilities: [],
          cgroups: [],
          terminal: process.terminal,
          ...consoleSocket,
          detach: true,
          stdio,
          preserveFds: 0,
          ignorePaused: false,
          rootless: 'auto',
        });
        process.pid = launch.pid;
        const over = process
          .watch(launch.pidfd, this.stateDir, load(this.root, this.id).supervisor ?? noSupervisor)
          .then(async (ended) => {
            await process.starting?.catch(() => {});
            this.events.exit(process, ended);
          })
          .catch(this.warn);
        this.running.add(over);
        void over.then(() => this.running.delete(over));
      });
    } catch (error) {
      process.end(128, native.realtime());
      throw error;
    } finally {
      if (file >= 0) native.close(file);
    }
  }

  /** Delete of the task service. */
  async delete(execId: string): Promise<{ pid: number; ended: Ended | undefined }> {
    const process = this.process(execId);
    if (process.started && !process.ended) {
      throw new StatusError(
        Code.FAILED_PRECONDITION,
        `process ${execId || this.id} is running: it must be stopped first`,
      );
    }
    if (execId) {
      await process.release(sleep);
      this.execs.delete(execId);
      this.specs.delete(execId);
      return { pid: process.pid, ended: process.ended };
    }
    if (!process.ended) {
      // It was never started. Its supervisor sees how it ends.
      await kill({ root: this.root, id: this.id, signal: SIGKILL, all: false }).catch(() => {});
      await Promise.race([this.over, sleep(killTime)]);
    }
    const ended = process.ended ?? process.end(137, native.realtime());
    await Promise.race([this.over, sleep(killTime)]);
    await process.release(sleep);
    await remove({ root: this.root, id: this.id, force: true, warn: this.warn });
    unmountRootfs(this.rootfs);
    this.events.delete(process.pid, ended);
    return { pid: process.pid, ended };
  }

  /** Kill of the task service. */
  async kill(execId: string, signal: number, all: boolean): Promise<void> {
    const process = this.process(execId);
    if (process.ended || process.pid === 0) throw new StatusError(Code.NOT_FOUND, 'process already finished');
    if (!execId) {
      await kill({ root: this.root, id: this.id, signal, all });
      return;
    }
    // Its supervisor has not reaped it while no record is there, and the pidfd is looked at once more.
    const fd = native.pidfdOpen(process.pid);
    const r = fd < 0 ? fd : native.pidfdSignal(fd, signal);
    if (fd >= 0) native.close(fd);
    if (r < 0) throw new StatusError(Code.NOT_FOUND, 'process already finished');
  }

  /** The init process for ''. @throws StatusError NOT_FOUND */
  process(execId: string): Process {
    const process = execId ? this.execs.get(execId) : this.init;
    if (!process) throw new StatusError(Code.NOT_FOUND, `process ${execId} does not exist`);
    return process;
  }
}
