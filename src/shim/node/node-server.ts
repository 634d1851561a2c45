/** The services of a node for containerd: its containers' tasks and its pods, apart for each containerd namespace. */
import { names } from '../../container/list.js';
import { isId } from '../../container/state/state-store.js';
import { publishFlushTime } from '../../sys/waiting/time-limits.js';
import { Publisher } from '../containerd/event-publisher.js';
import type { ContainersService } from '../containers/containers-service.js';
import { SandboxDirectory } from '../sandbox/sandbox-record.js';
import { SandboxService } from '../sandbox/sandbox-service.js';
import type { DescriptorKeeper } from '../streams/descriptor-keeper.js';
import { adoptTasks, taskRecords } from '../task/recorded-tasks.js';
import type { Services } from '../transport/rpc.js';
import { Code, StatusError } from '../transport/status-code.js';
import { TaskService } from '../transport/task-service.js';
import type { Handler } from '../transport/ttrpc.js';

/** The containerd that drives a server: absolute paths. */
export interface ContainerdAddress {
  /** Its gRPC socket. */
  readonly address: string;
  /** Its directories `root` and `state`. */
  readonly root: string;
  readonly state: string;
}

interface NodeServerOptions {
  /** Directory with a state root for each containerd namespace. */
  readonly root: string;
  /** Where containerd finds the task service, as `grpc+/path` or `ttrpc+unix:///path`. */
  readonly address: string;
  readonly containerd: ContainerdAddress;
  /** systemd makes the cgroups, also where the options of containerd's handler do not say so. */
  readonly systemdCgroup: boolean;
  /** Holds the ends of streams. */
  readonly keeper: DescriptorKeeper;
  /** Offers the API for scripts. */
  readonly api: boolean;
  /** Also log the warnings of `--debug`. */
  readonly debug: boolean;
}

/** No namespace begins with a dot. */
const sandboxDirectory = '.sandboxes';

interface Namespace {
  readonly publisher: Publisher;
  readonly procedures: Services;
  /** The API for scripts; undefined if it is not offered. */
  readonly containers: ContainersService | undefined;
}

export class NodeServer {
  private readonly namespaces = new Map<string, Promise<Namespace>>();

  constructor(private readonly options: NodeServerOptions) {}

  /** Adopts the pods and the containers of an earlier server. */
  async adopt(): Promise<void> {
    for (const name of names(this.options.root)) if (isId(name)) await this.namespace(name);
  }

  /** Answers a call, whose service is NAMESPACE/package.Service. */
  readonly handler: Handler = async (service, method, payload, call) => {
    const slash = service.indexOf('/');
    const { procedures } = await this.named(service.slice(0, slash));
    const procedure = procedures.get(`${service.slice(slash + 1)}/${method}`);
    if (!procedure || !('unary' in procedure))
      throw new StatusError(Code.UNIMPLEMENTED, `${service}/${method} is not supported by this version of runt`);
    return procedure.unary(payload, call);
  };

  /** The procedures of the API for scripts in a namespace. @throws StatusError FAILED_PRECONDITION, INVALID_ARGUMENT */
  async containers(name: string): Promise<Services> {
    return (await this.named(name)).containers?.procedures ?? new Map();
  }

  /** Ends the calls of the API for scripts; sends the events that wait, or drops them after a while. */
  async close(): Promise<void> {
    const all = await Promise.all(this.namespaces.values());
    await Promise.all(
      all.flatMap(({ publisher, containers }) => [containers?.close(), publisher.flush(publishFlushTime)]),
    );
  }

  private named(name: string): Promise<Namespace> {
    if (name === '') throw new StatusError(Code.FAILED_PRECONDITION, 'the call has no header containerd-namespace');
    // It becomes a part of paths.
    if (!isId(name))
      throw new StatusError(Code.INVALID_ARGUMENT, `${JSON.stringify(name)} is not a namespace of containerd's`);
    return this.namespace(name);
  }

  private namespace(name: string): Promise<Namespace> {
    const known = this.namespaces.get(name);
    if (known) return known;
    const made = this.make(name);
    this.namespaces.set(name, made);
    // The next call tries again.
    made.catch(() => this.namespaces.delete(name));
    return made;
  }

  private async make(name: string): Promise<Namespace> {
    const { publisher, sandboxes, tasks, root } = this.parts(name);
    // CRI learns of a pod's end from Wait: an event would name no container.
    const silent = new Publisher('', name);
    const pods = new Set(sandboxes.recorded());
    const adopted = await adoptTasks(root, (id) => (pods.has(id) ? silent : publisher), this.options);
    sandboxes.adopt(new Map(adopted.map((task) => [task.id, task])));
    for (const task of adopted) if (!pods.has(task.id)) tasks.add(task);
    const containers = this.options.api ? await this.containersOf(root, tasks, sandboxes) : undefined;
    return { publisher, procedures: new Map([...tasks.procedures, ...sandboxes.procedures]), containers };
  }

  private async containersOf(root: string, tasks: TaskService, sandboxes: SandboxService): Promise<ContainersService> {
    const { ContainersService } = await import('../containers/containers-service.js');
    const containers = new ContainersService({
      root,
      debug: this.options.debug,
      deleteTask: (id, force) => {
        if (sandboxes.has(id))
          throw new StatusError(Code.FAILED_PRECONDITION, `${id} is a pod: remove it through containerd`);
        return tasks.deleteTask(id, force);
      },
    });
    containers.adopt();
    return containers;
  }

  private parts(name: string) {
    const { root: base, address, containerd, systemdCgroup, keeper, debug } = this.options;
    const root = `${base}/${name}`;
    // containerd's default: its ttrpc socket is beside the other one.
    const publisher = new Publisher(`${containerd.address}.ttrpc`, name);
    const place = {
      root,
      directory: new SandboxDirectory(`${base}/${sandboxDirectory}/${name}`),
      containerd,
      namespace: name,
      systemdCgroup,
      debug,
    };
    const sandboxes = new SandboxService(place, address);
    const tasks = new TaskService({ root: () => root, publisher, debug, systemdCgroup, keeper, records: taskRecords });
    return { root, publisher, sandboxes, tasks };
  }
}
