/** containerd as `runt serve --containerd` sees it: its directories, its events, and calls as CRI sends them. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { pod, sandboxes } from '../../../src/shim/sandbox/pod-protos.js';
import { events, task, ttrpc } from '../../../src/shim/transport/protos.js';
import { COMMAND_LIMIT } from '../../deadline.js';
import { type Bed, eventually } from './bed.js';
import { type ServerProgram, servers } from './task-client.js';

/** A failed call: its status code and message. */
export interface CallFailure {
  code: number;
  details: string;
}

/** An event that containerd got: its topic, and the id in it. */
interface Event {
  readonly topic: string;
  readonly id: string;
}

const controller = 'containerd.services.sandbox.v1.Controller';

export class NodeEngine {
  readonly namespace = 'k8s.io';
  readonly socket: string;
  /** `--root` of the server: a directory of state roots. */
  readonly runtRoot: string;
  /** containerd's directories. */
  readonly root: string;
  readonly state: string;
  readonly events: Event[] = [];
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly client: Client;
  private readonly namespaces: ChildProcess[] = [];
  private child!: ChildProcess;
  /** Settles at the end of the server. */
  over!: Promise<unknown>;

  constructor(
    readonly bed: Bed,
    private readonly program: ServerProgram,
  ) {
    this.socket = join(bed.dir, 'node.sock');
    this.runtRoot = join(bed.dir, 'runt');
    this.root = join(bed.dir, 'containerd-root');
    this.state = join(bed.dir, 'containerd-state');
    for (const path of [
      join(this.root, 'io.containerd.metadata.v1.bolt'),
      join(this.state, 'io.containerd.runtime.v2.task'),
    ])
      mkdirSync(path, { recursive: true });
    this.server = this.listen(join(bed.dir, 'containerd.sock.ttrpc'));
    this.client = new Client(`unix://${this.socket}`, credentials.createInsecure());
  }

  private listen(path: string): Server {
    return createServer((socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      let data = Buffer.alloc(0);
      socket.on('data', (chunk) => {
        data = Buffer.concat([data, chunk]);
        while (data.length >= 10 && data.length >= 10 + data.readUInt32BE(0)) {
          const end = 10 + data.readUInt32BE(0);
          const request = ttrpc.Request.decode(data.subarray(10, end));
          const { envelope } = events.ForwardRequest.decode(request.payload as Uint8Array);
          // All of them begin with the container's id.
          const { containerId } = events.TaskStart.decode(envelope?.event?.value ?? new Uint8Array());
          this.events.push({ topic: envelope?.topic ?? '', id: containerId });
          const answer = ttrpc.Response.encode({ payload: new Uint8Array() }).finish();
          const head = Buffer.alloc(10);
          head.writeUInt32BE(answer.length, 0);
          head.writeUInt32BE(data.readUInt32BE(4), 4);
          head.writeUInt8(2, 8);
          socket.write(Buffer.concat([head, answer]));
          data = data.subarray(end);
        }
      });
    }).listen(path);
  }

  /** Starts the server, and resolves when it is ready. @param flags of `serve` */
  async begin(...flags: string[]): Promise<void> {
    const [command, ...args] = [
      ...servers[this.program],
      ...['--root', this.runtRoot, 'serve', '--listen', `unix://${this.socket}`],
      ...['--containerd', join(this.bed.dir, 'containerd.sock')],
      ...['--containerd-root', this.root, '--containerd-state', this.state],
      ...flags,
    ] as [string, ...string[]];
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.child = child;
    this.over = new Promise((settle) => child.once('exit', settle));
    let said = '';
    child.stderr?.on('data', (text: Buffer) => {
      said += text;
      process.stderr.write(text);
    });
    // The keeper has the other end too, and lives longer.
    child.stderr?.on('error', () => {});
    await eventually('the server', () => said.includes('is ready at') || child.exitCode !== null);
    if (child.exitCode !== null) throw new Error(`the server ended: ${said}`);
  }

  /** The server's. */
  get pid(): number {
    return this.child.pid as number;
  }

  /** Kills the server by SIGKILL. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.over;
  }

  /** The keeper of this server; 0 for none. */
  keeper(): number {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return Number(pids.find((pid) => commandOf(pid).includes(`--keeper\0${this.socket}\0`)) ?? 0);
  }

  /** Ends everything that this engine began. */
  async end(): Promise<void> {
    this.client.close();
    const child = this.child as ChildProcess | undefined;
    if (child && child.exitCode === null && child.signalCode === null) {
      const over = new Promise((settle) => child.once('exit', settle));
      child.kill('SIGTERM');
      await over;
    }
    child?.stderr?.destroy();
    const keeper = this.keeper();
    if (keeper > 0) process.kill(keeper, 'SIGTERM');
    await eventually('the end of the keeper', () => this.keeper() === 0);
    for (const holder of this.namespaces) holder.kill('SIGKILL');
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    rmSync(this.root, { recursive: true, force: true });
    rmSync(this.state, { recursive: true, force: true });
  }

  /** The path of a new network namespace; with `map` in a new user namespace that has this id map. */
  async network(map?: string): Promise<string> {
    const holder = spawn('unshare', ['--net', ...(map ? ['--user'] : []), 'sleep', '1000'], { stdio: 'ignore' });
    this.namespaces.push(holder);
    await eventually('the namespace', () => commandOf(String(holder.pid)).startsWith('sleep\0'));
    for (const file of map ? ['uid_map', 'gid_map'] : []) writeFileSync(`/proc/${holder.pid}/${file}`, map as string);
    return `/proc/${holder.pid}/ns/net`;
  }

  /** A call of the controller. */
  pods<N extends keyof typeof answers>(method: N, request: object, namespace = this.namespace) {
    const [input, output] = answers[method];
    return this.call(`${controller}/${method}`, input.encode(request).finish(), namespace).then(
      (bytes) => output.decode(bytes) as ReturnType<(typeof answers)[N][1]['decode']>,
    );
  }

  /** A call of the task service. */
  tasks<N extends keyof typeof taskAnswers>(method: N, request: object) {
    const [input, output] = taskAnswers[method];
    return this.call(`containerd.task.v3.Task/${method}`, input.encode(request).finish(), this.namespace).then(
      (bytes) => output.decode(bytes) as ReturnType<(typeof taskAnswers)[N][1]['decode']>,
    );
  }

  private call(path: string, request: Uint8Array, namespace: string): Promise<Uint8Array> {
    const metadata = new Metadata();
    if (namespace) metadata.set('containerd-namespace', namespace);
    return new Promise((settle, fail) => {
      this.client.makeUnaryRequest(
        `/${path}`,
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => new Uint8Array(bytes),
        Buffer.from(request),
        metadata,
        { deadline: Date.now() + COMMAND_LIMIT },
        (error, answer) => (error ? fail(error) : settle(answer as Uint8Array)),
      );
    });
  }

  /** Create of the controller for a pod that CRI describes so. */
  create(id: string, config: pod.PodSandboxConfig.$Properties, netnsPath: string, more: object = {}) {
    const value = pod.PodSandboxConfig.encode(config).finish();
    return this.pods('Create', {
      sandboxId: id,
      netnsPath,
      options: { type_url: 'runtime.v1.PodSandboxConfig', value },
      ...more,
    });
  }
}

type Encodable = { encode(value: object): { finish(): Uint8Array } };
const answers = {
  Create: [sandboxes.ControllerCreateRequest as Encodable, sandboxes.ControllerCreateResponse],
  Start: [sandboxes.ControllerStartRequest as Encodable, sandboxes.ControllerStartResponse],
  Platform: [sandboxes.ControllerPlatformRequest as Encodable, sandboxes.ControllerPlatformResponse],
  Stop: [sandboxes.ControllerStopRequest as Encodable, sandboxes.ControllerStopResponse],
  Wait: [sandboxes.ControllerWaitRequest as Encodable, sandboxes.ControllerWaitResponse],
  Status: [sandboxes.ControllerStatusRequest as Encodable, sandboxes.ControllerStatusResponse],
  Shutdown: [sandboxes.ControllerShutdownRequest as Encodable, sandboxes.ControllerShutdownResponse],
  Metrics: [sandboxes.ControllerMetricsRequest as Encodable, sandboxes.ControllerMetricsResponse],
  Update: [sandboxes.ControllerUpdateRequest as Encodable, sandboxes.ControllerUpdateResponse],
} as const;
const taskAnswers = {
  Create: [task.CreateTaskRequest as Encodable, task.CreateTaskResponse],
  Start: [task.StartRequest as Encodable, task.StartResponse],
  State: [task.StateRequest as Encodable, task.StateResponse],
  Exec: [task.ExecProcessRequest as Encodable, task.StateResponse],
  Kill: [task.KillRequest as Encodable, task.StateResponse],
  Wait: [task.WaitRequest as Encodable, task.WaitResponse],
  Delete: [task.DeleteRequest as Encodable, task.DeleteResponse],
  Shutdown: [task.ShutdownRequest as Encodable, task.StateResponse],
} as const;

/** The arguments of a process, each ended by NUL; empty if there is none. */
function commandOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

export const fifo = (path: string): string => {
  execFileSync('mkfifo', [path]);
  return path;
};
