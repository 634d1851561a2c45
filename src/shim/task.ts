/** A task: a container of containerd's, its processes, and what is told of them. */
import { create } from '../container/create.js';
import { remove } from '../container/delete.js';
import { begin } from '../container/exec.js';
import { kill } from '../container/kill.js';
import { openProcess } from '../container/process.js';
import { start } from '../container/start.js';
import { load } from '../container/store.js';
import { native } from '../sys/host.js';
import { sleep } from '../sys/loop.js';
import { Console, ConsoleSocket } from './console.js';
import type { RuntimeOptions } from './options.js';
import { type Ended, Process } from './process.js';
import { events, type task, type types } from './protos.js';
import type { Publisher } from './publisher.js';
import { mountRootfs, unmountRootfs } from './rootfs.js';
import { Code, StatusError } from './status.js';
import { Io } from './stdio.js';

export class Task {
  readonly init: Process;
  readonly execs = new Map<string, Process>();
  private readonly specs = new Map<string, Uint8Array>();
  /** Execs that run: the end of init is told after theirs. */
  private readonly running = new Set<Promise<unknown>>();
  paused = false;

  private constructor(
    /** Directory of the state of all containers. */
    private readonly root: string,
    readonly id: string,
    readonly bundle: string,
    private readonly publisher: Publisher,
    init: Process,
  ) {
    this.init = init;
  }

  private get stateDir(): string {
    return `${this.root}/${this.id}`;
  }

  get rootfs(): string {
    return `${this.bundle}/rootfs`;
  }

  /** Create of the task service. */
  static async create(
    root: string,
    request: task.CreateTaskRequest.$Properties,
    options: RuntimeOptions,
    publisher: Publisher,
  ): Promise<Task> {
    const { id = '', bundle = '', stdin, stdout, stderr, terminal } = request as Required<task.CreateTaskRequest>;
    if (request.checkpoint)
      throw new StatusError(Code.UNIMPLEMENTED, 'restore is not supported by this version of runt');
    const streams = { stdin: stdin ?? '', stdout: stdout ?? '', stderr: stderr ?? '' };
    const init = new Process('', terminal === true, streams);
    const made = new Task(root, id, bundle, publisher, init);
    const mounts = (request.rootfs ?? []) as types.Mount.$Properties[];
    if (mounts.length > 0) mountRootfs(mounts, made.rootfs);
    const socket = init.terminal ? new ConsoleSocket(bundle, 'console.sock') : undefined;
    try {
      init.io = new Io(init.terminal ? { stdin: '', stdout: '', stderr: '' } : streams);
      const master = socket?.master();
      await create({
        root,
        id,
        bundle,
        supervise: true,
        stdio: init.io.stdio,
        ...(socket && { consoleSocket: socket.path }),
        noPivot: options.noPivot,
        noNewKeyring: options.noNewKeyring,
        preserveFds: 0,
        rootless: 'auto',
        debug: false,
        warn: () => {},
      });
      if (master) init.console = new Console(await master, streams);
    } catch (error) {
      init.io?.close();
      if (mounts.length > 0) unmountRootfs(made.rootfs);
      throw error;
    } finally {
      init.io?.given();
      socket?.close();
    }
    const record = load(root, id);
    init.pid = record.pid;
    const { supervisor } = record;
    void init.watch(openProcess(record), made.stateDir, supervisor ?? { pid: 0, startTime: '' }).then(async (ended) => {
      await Promise.all(made.running);
      made.tellExit(init, ended);
    });
    const event: events.TaskCreate.$Properties = {
      containerId: id,
      bundle,
      rootfs: mounts,
      io: { ...streams, terminal: init.terminal },
      pid: init.pid,
    };
    publisher.publish('/tasks/create', 'TaskCreate', events.TaskCreate.encode(event).finish());
    return made;
  }

  /** Start of the task service: of init, or of an exec that was added. */
  async start(execId: string): Promise<number> {
    const process = this.process(execId);
    if (process.ended) throw new StatusError(Code.FAILED_PRECONDITION, `process ${execId || this.id} has ended`);
    if (execId) await this.startExec(process);
    else await start({ root: this.root, id: this.id });
    process.started = true;
    const containerId = this.id;
    if (execId) {
      const event = { containerId, execId, pid: process.pid };
      this.publisher.publish('/tasks/exec-started', 'TaskExecStarted', events.TaskExecStarted.encode(event).finish());
    } else {
      const event = { containerId, pid: process.pid };
      this.publisher.publish('/tasks/start', 'TaskStart', events.TaskStart.encode(event).finish());
    }
    return process.pid;
  }

  /** Exec of the task service: it is added, and started later. `spec` is a process as JSON. */
  add(request: task.ExecProcessRequest.$Properties): void {
    const { execId = '', terminal, stdin, stdout, stderr, spec } = request as task.ExecProcessRequest;
    if (this.execs.has(execId)) throw new StatusError(Code.ALREADY_EXISTS, `id ${execId} is in use`);
    this.execs.set(
      execId,
      new Process(execId, terminal === true, { stdin: stdin ?? '', stdout: stdout ?? '', stderr: stderr ?? '' }),
    );
    this.specs.set(execId, spec?.value ?? new Uint8Array());
    const event = { containerId: this.id, execId };
    this.publisher.publish('/tasks/exec-added', 'TaskExecAdded', events.TaskExecAdded.encode(event).finish());
  }

  private async startExec(process: Process): Promise<void> {
    const { execId, streams, terminal } = process;
    const file = native.sealedFile(this.specs.get(execId) as Uint8Array);
    const socket = terminal ? new ConsoleSocket(this.bundle, `console-${execId}.sock`) : undefined;
    try {
      process.io = new Io(terminal ? { stdin: '', stdout: '', stderr: '' } : streams);
      const master = socket?.master();
      const { launch } = await begin({
        root: this.root,
        id: this.id,
        process: `/proc/self/fd/${file}`,
        args: [],
        env: [],
        additionalGids: [],
        capabilities: [],
        cgroups: [],
        terminal,
        ...(socket && { consoleSocket: socket.path }),
        detach: true,
        stdio: process.io.stdio,
        preserveFds: 0,
        ignorePaused: false,
        rootless: 'auto',
      });
      process.pid = launch.pid;
      if (master) process.console = new Console(await master, streams);
      const { supervisor } = load(this.root, this.id);
      const over = process
        .watch(launch.pidfd, this.stateDir, supervisor ?? { pid: 0, startTime: '' })
        .then((ended) => this.tellExit(process, ended));
      this.running.add(over);
      void over.then(() => this.running.delete(over));
    } catch (error) {
      process.io?.close();
      process.end(128, native.realtime());
      throw error;
    } finally {
      process.io?.given();
      socket?.close();
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
    await remove({ root: this.root, id: this.id, force: true });
    // One that was never started is killed by that.
    const ended = process.ended ?? process.end(137, native.realtime());
    await process.release(sleep);
    unmountRootfs(this.rootfs);
    const event = { containerId: this.id, pid: process.pid, exitStatus: ended.status, exitedAt: ended.at };
    this.publisher.publish('/tasks/delete', 'TaskDelete', events.TaskDelete.encode(event).finish());
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

  tell(topic: string, name: 'TaskPaused' | 'TaskResumed'): void {
    this.publisher.publish(topic, name, events[name].encode({ containerId: this.id }).finish());
  }

  private tellExit({ execId, pid }: Process, ended: Ended): void {
    const event = { containerId: this.id, id: execId || this.id, pid, exitStatus: ended.status, exitedAt: ended.at };
    this.publisher.publish('/tasks/exit', 'TaskExit', events.TaskExit.encode(event).finish());
  }
}
