/** containerd as a shim sees it: an events service, and calls to the shim. */
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdirSync, openSync, readSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { events, task, ttrpc } from '../../../src/shim/transport/protos.js';
import type { StatusError } from '../../../src/shim/transport/status-code.js';
import { Connection } from '../../../src/shim/transport/ttrpc.js';
import { native } from '../../../src/sys/host.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { COMMAND_LIMIT } from '../../deadline.js';
import { type Bed, eventually, onBed } from './bed.js';
import { runtPath } from './place.js';

useNodeHost([]);

/** The side of containerd: an events service that records topics, and calls to the shim. */
export class Engine {
  readonly topics: string[] = [];
  readonly namespace: string;
  readonly fifos: string;
  private server: Server;
  private connection: Connection | undefined;
  readonly program: string;
  private readonly sockets = new Set<Socket>();

  /** @param name the name under which the program is called */
  constructor(
    readonly bed: Bed,
    name = 'containerd-shim-runt-v1',
  ) {
    this.namespace = bed.id;
    this.fifos = join(bed.dir, 'fifos');
    mkdirSync(this.fifos);
    this.program = join(bed.dir, name);
    symlinkSync(runtPath, this.program);
    this.server = this.listen();
  }

  /** Accepts events until `deaf`. */
  private listen(): Server {
    rmSync(join(this.bed.dir, 'ttrpc'), { force: true });
    return createServer((socket) => {
      this.sockets.add(socket);
      let data = Buffer.alloc(0);
      // Tests kill the shim.
      socket.on('error', () => {});
      socket.on('data', (chunk) => {
        data = Buffer.concat([data, chunk]);
        while (data.length >= 10 && data.length >= 10 + data.readUInt32BE(0)) {
          const end = 10 + data.readUInt32BE(0);
          const request = ttrpc.Request.decode(data.subarray(10, end));
          const { envelope } = events.ForwardRequest.decode(request.payload as Uint8Array);
          this.topics.push(envelope?.topic ?? '');
          const answer = ttrpc.Response.encode({ payload: new Uint8Array() }).finish();
          const head = Buffer.alloc(10);
          head.writeUInt32BE(answer.length, 0);
          head.writeUInt32BE(data.readUInt32BE(4), 4);
          head.writeUInt8(2, 8);
          socket.write(Buffer.concat([head, answer]));
          data = data.subarray(end);
        }
      });
    }).listen(join(this.bed.dir, 'ttrpc'));
  }

  /** Closes the events service, as if containerd had ended; `restart` opens it again. */
  deaf(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  /** Ends the connection to the shim. */
  disconnect(): void {
    this.connection?.close();
  }

  restart(): void {
    this.server = this.listen();
  }

  /** Waits until an event was published `times` times. */
  async told(topic: string, times = 1): Promise<void> {
    await eventually(`${times} times ${topic}`, () => this.topics.filter((t) => t === topic).length >= times);
  }

  /** Create and Start of the bed's container. */
  async run(create: task.CreateTaskRequest.$Properties = {}): Promise<number> {
    const { id, bundle } = this.bed;
    await this.call('Create', task.CreateTaskRequest.encode({ id, bundle, ...create }));
    const { pid } = await this.call('Start', task.StartRequest.encode({ id }), task.StartResponse);
    return pid;
  }

  async exec(execId: string, args: string[], streams: task.ExecProcessRequest.$Properties = {}): Promise<void> {
    const value = new TextEncoder().encode(
      JSON.stringify({ ...this.bed.config.process, args, ...(streams.terminal && { terminal: true }) }),
    );
    await this.call('Exec', task.ExecProcessRequest.encode({ id: this.bed.id, execId, spec: { value }, ...streams }));
  }

  /** Wait; returns the exit status. */
  async wait(execId = ''): Promise<number> {
    const request = task.WaitRequest.encode({ id: this.bed.id, execId });
    return (await this.call('Wait', request, task.WaitResponse)).exitStatus;
  }

  /** Kills and deletes the container, and ends the shim. */
  async over(): Promise<void> {
    const { id } = this.bed;
    await this.call('Kill', task.KillRequest.encode({ id, signal: 9 })).catch(() => {});
    await this.wait();
    await this.call('Delete', task.DeleteRequest.encode({ id }));
    await this.call('Shutdown', task.ShutdownRequest.encode({ id }));
  }

  /** Runs the program with an action and returns its output. */
  action(action: string, input?: Uint8Array, env: Record<string, string> = {}): Buffer {
    const flags = ['-namespace', this.namespace, '-address', join(this.bed.dir, 'sock'), '-publish-binary', '/none'];
    return execFileSync(this.program, [...flags, '-id', this.bed.id, action], {
      cwd: this.bed.bundle,
      env: { ...process.env, TTRPC_ADDRESS: join(this.bed.dir, 'ttrpc'), ...env },
      timeout: COMMAND_LIMIT,
      ...(input && { input }),
    });
  }

  start(input?: Uint8Array, env?: Record<string, string>): string {
    const address = String(this.action('start', input, env));
    assert.match(address, /^unix:\/\/\/.*[0-9a-f]{64}$/);
    this.connect(address);
    return address;
  }

  /** Connects to the address that `start` printed. */
  connect(address: string): void {
    const path = address.slice('unix://'.length);
    const dir = native.openAt(-100, dirname(path), 0, 0);
    this.connection = new Connection(native.unixConnect(dir, path.slice(dirname(path).length + 1)));
    native.close(dir);
    void this.connection.serve();
  }

  async call<O>(
    method: string,
    request: { finish(): Uint8Array },
    answer: { decode(data: Uint8Array): O } = { decode: () => undefined as O },
  ): Promise<O> {
    return answer.decode(await this.connection!.call('containerd.task.v2.Task', method, request.finish()));
  }

  fifo(name: string): string {
    const path = join(this.fifos, name);
    execFileSync('mkfifo', [path]);
    return path;
  }

  async end(): Promise<void> {
    this.connection?.close();
    this.deaf();
  }
}

/**
 * All that is written to a fifo until its writers have closed it. The fifo is open when this returns: a shim loses what
 * it writes to a log without a reader.
 */
export function readAll(path: string): Promise<string> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const piece = Buffer.alloc(65536);
  const pieces: Buffer[] = [];
  // A read returns 0 without a writer: both before the first writer opened the fifo and after the last one closed it.
  let written = false;
  const isOver = (): boolean => {
    for (;;) {
      try {
        const n = readSync(fd, piece);
        if (n === 0) return written;
        written = true;
        pieces.push(Buffer.from(piece.subarray(0, n)));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
        written = true;
        return false;
      }
    }
  };
  return eventually(`the end of ${path}`, isOver, COMMAND_LIMIT)
    .then(() => Buffer.concat(pieces).toString())
    .finally(() => closeSync(fd));
}

/** The error with which a call must fail. */
export async function refused(call: Promise<unknown>): Promise<StatusError> {
  const error = await call.then(
    () => undefined,
    (e: StatusError) => e,
  );
  assert.ok(error, 'the call was answered');
  return error!;
}

export const onEngine = (f: (engine: Engine, bed: Bed) => Promise<void>, name?: string) =>
  onBed(async (bed) => {
    const engine = new Engine(bed, name);
    try {
      await f(engine, bed);
    } finally {
      await engine.end();
    }
  });
