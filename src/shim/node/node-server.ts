/** The services of a node for containerd: its containers' tasks and its pods, apart for each containerd namespace. */
import { names } from '../../container/list.js';
import { isId } from '../../container/state/state-store.js';
import { publishFlushTime } from '../../sys/waiting/time-limits.js';
import { Publisher } from '../containerd/event-publisher.js';
import { SandboxDirectory } from '../sandbox/sandbox-record.js';
import { SandboxService } from '../sandbox/sandbox-service.js';
import { adoptTasks, storeTask } from '../task/recorded-tasks.js';
import type { CallFacts, Procedure, Services } from '../transport/rpc.js';
import { Code, StatusError } from '../transport/status-code.js';
import { TaskService } from '../transport/task-service.js';

export interface NodeServerOptions {
  /** Directory with a state root for each containerd namespace. */
  readonly root: string;
  /** Path of the server's socket. */
  readonly socket: string;
  /** Path of containerd's socket. */
  readonly containerd: string;
  /** containerd's directories `root` and `state`. */
  readonly containerdRoot: string;
  readonly containerdState: string;
  /** Also log the warnings of `--debug`. */
  readonly debug: boolean;
}

/** The header in which containerd sends its namespace. */
const header = 'containerd-namespace';
/** No namespace begins with a dot. */
const sandboxDirectory = '.sandboxes';

interface Namespace {
  readonly publisher: Publisher;
  readonly procedures: Services;
}

export class NodeServer {
  private readonly namespaces = new Map<string, Promise<Namespace>>();

  constructor(private readonly options: NodeServerOptions) {}

  /** Adopts the pods and the containers of an earlier server. */
  async adopt(): Promise<void> {
    for (const name of names(this.options.root)) if (isId(name)) await this.namespace(name);
  }

  /** The procedures, each of the namespace that its call names. */
  get services(): Services {
    // Every namespace has the same ones.
    const { tasks, sandboxes } = this.parts('');
    const dispatching = ([path]: readonly [string, Procedure]): readonly [string, Procedure] => [
      path,
      {
        unary: async (request, call) => {
          const procedure = (await this.ofCall(call)).procedures.get(path);
          return (procedure as Extract<Procedure, { unary: unknown }>).unary(request, call);
        },
      },
    ];
    return new Map([...tasks.procedures, ...sandboxes.procedures].map(dispatching));
  }

  /** Sends the events that wait, or drops them after a while. */
  async close(): Promise<void> {
    const all = await Promise.all(this.namespaces.values());
    await Promise.all(all.map(({ publisher }) => publisher.flush(publishFlushTime)));
  }

  private ofCall(call: CallFacts): Promise<Namespace> {
    const name = call.header(header);
    if (!name) throw new StatusError(Code.FAILED_PRECONDITION, `the call has no header ${header}`);
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
    const adopted = await adoptTasks(root, (id) => (pods.has(id) ? silent : publisher), this.options.debug);
    sandboxes.adopt(new Map(adopted.map((task) => [task.id, task])));
    for (const task of adopted) if (!pods.has(task.id)) tasks.add(task);
    return { publisher, procedures: new Map([...tasks.procedures, ...sandboxes.procedures]) };
  }

  private parts(name: string) {
    const { root: base, socket, containerd, containerdRoot, containerdState, debug } = this.options;
    const root = `${base}/${name}`;
    // containerd's default: its ttrpc socket is beside the other one.
    const publisher = new Publisher(`${containerd}.ttrpc`, name);
    const place = {
      root,
      directory: new SandboxDirectory(`${base}/${sandboxDirectory}/${name}`),
      containerd: { root: containerdRoot, state: containerdState },
      namespace: name,
      debug,
    };
    const sandboxes = new SandboxService(place, socket);
    const tasks = new TaskService({ root: () => root, publisher, debug, onCreated: storeTask });
    return { root, publisher, sandboxes, tasks };
  }
}
