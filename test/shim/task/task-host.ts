/** A host on which the shim has one container, with a scripted supervisor and runt-init. */

import { Publisher } from '../../../src/shim/containerd/event-publisher.js';
import { type RuntimeOptions, runtimeOptions } from '../../../src/shim/containerd/runtime-options.js';
import { events, task } from '../../../src/shim/transport/protos.js';
import type { UnaryCall } from '../../../src/shim/transport/rpc.js';
import { statusOf } from '../../../src/shim/transport/status-code.js';
import { TaskService } from '../../../src/shim/transport/task-service.js';
import type { Spec } from '../../../src/spec/config-types.js';
import { sleep } from '../../../src/sys/waiting/loop.js';
import { BundleHost, config } from '../../container/launch/bundle-host.js';
import type { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { created, executed, frameOf, type Script, type ScriptedInit } from '../../sys/fake-host/scripted-init.js';
import { callWith } from '../call-facts.js';
import { superviseInits, type TaskSupervisor } from './task-supervisor.js';

/** The published events: the topic and the fields, except for times and the container's id. */
class Events extends Publisher {
  readonly told: string[] = [];

  constructor() {
    super('', 'space');
  }

  override publish(id: string, topic: string, name: string, value: Uint8Array): void {
    const { containerId, exitedAt: _, ...rest } = { ...events[name as 'TaskExit'].decode(value) };
    if (containerId !== id) throw new Error(`an event of ${id} tells of ${containerId}`);
    this.told.push(`${topic} ${JSON.stringify(rest)}`);
  }
}

type Name = 'Create' | 'Start' | 'State' | 'Delete' | 'Pids' | 'Kill' | 'Exec' | 'Wait' | 'ResizePty' | 'CloseIO';
type Other = 'Pause' | 'Resume' | 'Update' | 'Connect' | 'Stats' | 'Shutdown' | 'Checkpoint';
const messages: Readonly<Record<Name | Other, readonly [request: unknown, response: unknown]>> = {
  Create: [task.CreateTaskRequest, task.CreateTaskResponse],
  Start: [task.StartRequest, task.StartResponse],
  State: [task.StateRequest, task.StateResponse],
  Delete: [task.DeleteRequest, task.DeleteResponse],
  Pids: [task.PidsRequest, task.PidsResponse],
  Kill: [task.KillRequest, undefined],
  Exec: [task.ExecProcessRequest, undefined],
  Wait: [task.WaitRequest, task.WaitResponse],
  ResizePty: [task.ResizePtyRequest, undefined],
  CloseIO: [task.CloseIORequest, undefined],
  Pause: [task.PauseRequest, undefined],
  Resume: [task.ResumeRequest, undefined],
  Update: [task.UpdateTaskRequest, undefined],
  Connect: [task.ConnectRequest, task.ConnectResponse],
  Stats: [task.StatsRequest, task.StatsResponse],
  Shutdown: [task.ShutdownRequest, undefined],
  Checkpoint: [task.CheckpointTaskRequest, undefined],
};
interface Message {
  encode(value: object): { finish(): Uint8Array };
  decode(data: Uint8Array): object;
}

export class TaskHost extends BundleHost {
  readonly publisher = new Events();
  readonly service: TaskService;
  readonly supervisors: readonly TaskSupervisor[];
  readonly children: readonly ScriptedInit[];
  shutdowns = 0;

  /** Without a script the first runt-init waits for start, and the others are execs. */
  constructor(script?: Script, spec: Spec = config(), options: ConstructorParameters<typeof BundleHost>[2] = {}) {
    super(spec, [], options);
    this.kernel.tree.file('/dev/null', { read: () => '', write: () => 0 }, 0o666);
    const { supervisors, inits } = superviseInits(
      this.kernel,
      script ?? ((n) => (n === 0 ? created : [(init) => this.enter(init), ...executed])),
    );
    this.supervisors = supervisors;
    this.children = inits;
    this.service = new TaskService({
      root: (directory) => directory || this.kernel.root,
      publisher: this.publisher,
      debug: false,
      shutdown: () => {
        this.shutdowns++;
      },
    });
  }

  /** Continues as runt-init does for an exec: in the cgroups of the container, and from there in its pid namespace. */
  enter(init: ScriptedInit): void {
    const { processes } = this.kernel;
    const cgroups = [...this.main.process.cgroups.values()];
    const process = processes.add({ name: 'runt-init', parent: init.process.parent, cgroups });
    init.goOnAs(process, processes.pidfd(process));
    init.goOn(0);
  }

  /** Makes a call of the task service and runs it to its end. @returns the response, or the error as `CODE message` */
  async call(name: Name | Other, request: object = {}): Promise<Record<string, unknown> | string> {
    return this.kernel.finish(this.begin(name, request));
  }

  /** The same without running it to its end. */
  begin(
    name: Name | Other,
    request: object = {},
    call: UnaryCall = callWith(),
  ): Promise<Record<string, unknown> | string> {
    const [input, output] = messages[name] as [Message, Message | undefined];
    const bytes = input.encode({ id: 'web', ...request }).finish();
    return this.service.call('containerd.task.v3.Task', name, bytes, call).then(
      (answer) => (output ? { ...output.decode(answer) } : {}),
      (error) => {
        const { code, message } = statusOf(error);
        return `${code} ${message}`;
      },
    );
  }

  /** Runs pending work for some time of the kernel's clock. */
  settle(ms = 100): Promise<void> {
    return this.kernel.finish(sleep(ms));
  }

  /** The lines of the log, without its prefix. */
  get log(): string[] {
    return this.kernel.descriptors
      .written(2)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.replace('containerd-shim-runt-v1: web: ', '').replaceAll(this.kernel.root, '~'));
  }

  /** The runt-init of the container. */
  get main(): ScriptedInit {
    const [first] = this.children;
    if (!first) throw new Error('no container was created');
    return first;
  }

  /** Makes the container's runt-init answer `start` normally: it executes the process. */
  answerStart(answer: (init: ScriptedInit) => void = () => {}): void {
    serveStart(this.kernel, this.main, answer);
  }
}

/** Serves the start socket: a connection means start. */
function serveStart(kernel: FakeKernel, init: ScriptedInit, answer: (init: ScriptedInit) => void): void {
  const listener = init.process.files.find((file) => file.shown.endsWith(`/start.sock`));
  if (!listener) throw new Error('runt-init has no start socket');
  kernel.sockets.serve(listener, (end) => {
    end.onHangUp = () => end.drop();
    end.send(frameOf(['exec']));
    init.process.name = 'sh';
    answer(init);
    // execve(2) closes it.
    end.drop();
  });
}

/** The options of a runtime without any configuration. */
export const usualOptions = (): Promise<RuntimeOptions> => runtimeOptions(undefined);
