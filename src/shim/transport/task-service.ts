/** The task service (proto/task.proto) for all transports: method name and request bytes → response bytes. */
import { readCgroupFacts } from '../../cgroup/cgroup-facts.js';
import { pause, resume } from '../../container/pause.js';
import { checkId } from '../../container/state/state-store.js';
import { update } from '../../container/update/update.js';
import { findUnsafe } from '../../plan/annotation-policy.js';
import { utf8Text } from '../../spec/json/utf8.js';
import { native } from '../../sys/host.js';
import { SIGKILL } from '../../sys/linux.js';
import { version } from '../../sys/runt-version.js';
import { publishFlushTime } from '../../sys/waiting/time-limits.js';
import { runtimeOptions, withSystemd } from '../containerd/runtime-options.js';
import type { HeldDeletes } from '../holds/held-deletes.js';
import { storeRoot } from '../task/state-root.js';
import { Task, type TaskOptions } from '../task/task.js';
import { google, runcOptions, task, types } from './protos.js';
import type { Procedure, Unary, UnaryCall } from './rpc.js';
import { Code, StatusError } from './status-code.js';
import { unaryMethod } from './unary-method.js';

/**
 * Refuses annotations of Update that take effect only when a process starts. Others are not runt's: the runtime-spec
 * allows unknown ones, and runc's shim ignores all. @throws StatusError INVALID_ARGUMENT
 */
function refuseAnnotations(annotations: Readonly<Record<string, string>>): void {
  const [first] = findUnsafe(annotations, ['create', 'systemd', 'exec', 'checkpoint']);
  if (first)
    throw new StatusError(
      Code.INVALID_ARGUMENT,
      `Update cannot apply the annotation ${first.name}: set it when the container is created`,
    );
}

interface ServiceOptions extends TaskOptions {
  /** The state root of a namespace. @param directory the engine's option `root`, or empty */
  readonly root: (directory: string) => string;
  /** systemd makes the cgroups, whatever the options say. */
  readonly systemdCgroup?: boolean;
  /** Called by Shutdown if no container is left. Absent for the server of a node, which Shutdown does not end. */
  readonly shutdown?: () => void;
  /** Of a shim over gRPC. */
  readonly holds?: HeldDeletes;
}

export class TaskService {
  private readonly tasks = new Map<string, Task>();
  /** The ids of the containers that are being created. */
  private readonly creating = new Set<string>();
  private readonly methods: Readonly<Record<string, Unary>>;

  constructor(private readonly options: ServiceOptions) {
    const { Empty } = google.protobuf;
    this.methods = {
      Create: unaryMethod(task.CreateTaskRequest, task.CreateTaskResponse, (r) => this.create(r)),
      Start: unaryMethod(task.StartRequest, task.StartResponse, async (r) => ({
        pid: await this.task(r.id).start(r.execId),
      })),
      State: unaryMethod(task.StateRequest, task.StateResponse, (r) => this.state(r)),
      Delete: unaryMethod(task.DeleteRequest, task.DeleteResponse, (r) => this.delete(r)),
      Pids: unaryMethod(task.PidsRequest, task.PidsResponse, (r) => this.pids(r)),
      Kill: unaryMethod(task.KillRequest, Empty, async (r) => {
        await this.task(r.id).kill(r.execId, r.signal, r.all);
        return {};
      }),
      Exec: unaryMethod(task.ExecProcessRequest, Empty, (r) => {
        this.task(r.id).execs.add(r);
        return {};
      }),
      ResizePty: unaryMethod(task.ResizePtyRequest, Empty, (r) => {
        this.task(r.id).process(r.execId).resize(r.width, r.height);
        return {};
      }),
      CloseIO: unaryMethod(task.CloseIORequest, Empty, (r) => {
        const process = this.task(r.id).process(r.execId);
        if (r.stdin) process.closeStdin();
        return {};
      }),
      Pause: unaryMethod(task.PauseRequest, Empty, (r) => this.freeze(r.id, true)),
      Resume: unaryMethod(task.ResumeRequest, Empty, (r) => this.freeze(r.id, false)),
      Checkpoint: unaryMethod(task.CheckpointTaskRequest, Empty, async (r) => {
        await this.task(r.id).checkpoint(r);
        return {};
      }),
      Update: unaryMethod(task.UpdateTaskRequest, Empty, async (r) => {
        const { root } = this.task(r.id);
        refuseAnnotations(r.annotations);
        const resources = r.resources?.value ?? new Uint8Array();
        await update({
          root,
          id: r.id,
          resources: utf8Text(resources, 'resources'),
          document: 'resources',
        });
        return {};
      }),
      Wait: unaryMethod(task.WaitRequest, task.WaitResponse, (r, call) =>
        this.task(r.id)
          .process(r.execId)
          .waitForEnd(call)
          .then(({ status, at }) => ({ exitStatus: status, exitedAt: at })),
      ),
      Connect: unaryMethod(task.ConnectRequest, task.ConnectResponse, (r) => ({
        shimPid: native.pid(),
        taskPid: this.tasks.get(r.id)?.init.pid ?? 0,
        version: version(),
      })),
      Stats: unaryMethod(task.StatsRequest, task.StatsResponse, async (r) => {
        const { root } = this.task(r.id);
        const { metrics } = await import('../containerd/containerd-metrics.js');
        return { stats: metrics(readCgroupFacts(), root, r.id) };
      }),
      Shutdown: unaryMethod(task.ShutdownRequest, Empty, async (r) => {
        const { shutdown, publisher, holds } = this.options;
        holds?.forgotten(r.id);
        if (this.tasks.size > 0 || !shutdown) return {};
        await publisher.flush(publishFlushTime);
        shutdown();
        return {};
      }),
    };
  }

  /** Adds a task from before the server's start. */
  add(task: Task): void {
    this.tasks.set(task.id, task);
  }

  /** Answers a call of the task service, version 2 or 3: their messages are equal. */
  async call(service: string, name: string, payload: Uint8Array, call: UnaryCall): Promise<Uint8Array> {
    const known = /^containerd\.task\.v[23]\.Task$/.test(service) && Object.hasOwn(this.methods, name);
    const method = known ? this.methods[name] : undefined;
    if (!method)
      throw new StatusError(Code.UNIMPLEMENTED, `${service}/${name} is not supported by this version of runt`);
    return method(payload, call);
  }

  /** The procedures for gRPC, which containerd calls in version 3 alone. */
  get procedures(): readonly (readonly [string, Procedure])[] {
    return Object.entries(this.methods).map(([name, unary]) => [`containerd.task.v3.Task/${name}`, { unary }]);
  }

  /** Whether a container exists or is being created. */
  get busy(): boolean {
    return this.tasks.size > 0 || this.creating.size > 0;
  }

  /**
   * Deletes the task of a container for another service; false if there is none.
   * @param force kill it first
   * @throws StatusError FAILED_PRECONDITION if it runs; RuntError
   */
  async deleteTask(id: string, force: boolean): Promise<boolean> {
    const owner = this.tasks.get(id);
    if (!owner) return false;
    if (force && owner.init.started && !owner.init.ended) {
      await owner.kill('', SIGKILL, false);
      await owner.init.waitForEnd();
    }
    await this.delete({ id, execId: '' });
    return true;
  }

  private task(id: string): Task {
    const found = this.tasks.get(id);
    if (!found) throw new StatusError(Code.NOT_FOUND, `container ${id} does not exist`);
    return found;
  }

  private async create(r: task.CreateTaskRequest): Promise<task.CreateTaskResponse.$Properties> {
    const known = this.tasks.get(r.id);
    if (known?.repeats(r)) return { pid: known.init.pid };
    if (known || this.creating.has(r.id)) {
      throw new StatusError(Code.ALREADY_EXISTS, `container ${r.id} already exists`);
    }
    this.creating.add(r.id);
    this.options.holds?.begin(r.id);
    try {
      checkId(r.id);
      if (!r.bundle.startsWith('/')) {
        throw new StatusError(
          Code.INVALID_ARGUMENT,
          `Create of ${r.id}: bundle must be an absolute path, not "${r.bundle}"`,
        );
      }
      const options = withSystemd(await runtimeOptions(r.options), this.options.systemdCgroup);
      const root = this.options.root(options.root);
      // containerd does not pass the options to `delete`.
      if (options.root) storeRoot(r.bundle, root);
      const made = await Task.create(root, r, options, this.options);
      this.tasks.set(r.id, made);
      return { pid: made.init.pid };
    } catch (error) {
      this.options.holds?.end(r.id);
      throw error;
    } finally {
      this.creating.delete(r.id);
    }
  }

  private state(r: task.StateRequest): task.StateResponse.$Properties {
    const owner = this.task(r.id);
    const process = owner.process(r.execId);
    const { pid, terminal, streams, ended } = process;
    const status = owner.paused && process.status === types.Status.RUNNING ? types.Status.PAUSED : process.status;
    return {
      id: r.id,
      bundle: owner.bundle,
      pid,
      status,
      ...streams,
      terminal,
      execId: r.execId,
      ...(ended && { exitStatus: ended.status, exitedAt: ended.at }),
    };
  }

  private async delete(r: Pick<task.DeleteRequest, 'id' | 'execId'>): Promise<task.DeleteResponse.$Properties> {
    const { holds } = this.options;
    if (!this.tasks.has(r.id)) holds?.end(r.id);
    const { pid, ended } = await this.task(r.id).delete(r.execId);
    const response = { pid, ...(ended && { exitStatus: ended.status, exitedAt: ended.at }) };
    if (r.execId) return response;
    this.tasks.delete(r.id);
    holds?.end(r.id, task.DeleteResponse.encode(response).finish());
    return response;
  }

  private pids(r: task.PidsRequest): task.PidsResponse.$Properties {
    const owner = this.task(r.id);
    // The kernel may have reused the pid of an ended process.
    const running = [...owner.execs.all()].filter((p) => p.started && !p.ended);
    const execOf = new Map(running.map((p) => [p.pid, p.execId]));
    const all = owner.pids();
    // When containerd starts, it asks each task for its processes. If a shim has none, containerd assumes that Create
    // was interrupted: it deletes the task and never asks for the exit status.
    return {
      processes: (all.length > 0 ? all : [owner.init.pid]).map((pid) => {
        const execId = execOf.get(pid);
        if (execId === undefined) return { pid };
        const value = runcOptions.ProcessDetails.encode({ execId }).finish();
        return { pid, info: { type_url: 'containerd.runc.v1.ProcessDetails', value } };
      }),
    };
  }

  private async freeze(id: string, on: boolean): Promise<object> {
    const owner = this.task(id);
    await (on ? pause : resume)({ root: owner.root, id });
    owner.paused = on;
    owner.events.paused(on);
    return {};
  }
}
