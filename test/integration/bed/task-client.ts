/** A client of the task service over gRPC, made from proto/ as any client would be. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { join } from 'node:path';
import { credentials, loadPackageDefinition, Metadata } from '@grpc/grpc-js';
import { COMMAND_LIMIT } from '../../deadline.js';
import { type Bed, eventually } from './bed.js';
import { runtPath, top } from './place.js';

// A part of grpc-js that has no types of its own here.
const { loadSync } = createRequire(import.meta.url)('@grpc/proto-loader') as {
  loadSync(file: string, options: object): never;
};

/** The directory of the .proto files. */
export const protos = join(top, 'proto');
const { containerd } = loadPackageDefinition(
  loadSync('task.proto', { includeDirs: [protos], enums: String, longs: Number, defaults: true }),
) as never as { containerd: { task: { v3: { Task: new (...a: unknown[]) => never } } } };

export class TaskClient {
  private readonly client: Record<string, (...a: unknown[]) => void>;

  /** @param socket path of the socket */
  constructor(socket: string) {
    this.client = new containerd.task.v3.Task(`unix://${socket}`, credentials.createInsecure());
  }

  call(method: string, request: object): Promise<Record<string, never>> {
    return new Promise((settle, fail) => {
      const deadline = { deadline: Date.now() + COMMAND_LIMIT };
      this.client[method]!(request, new Metadata(), deadline, (e: Error | null, r: never) => (e ? fail(e) : settle(r)));
    });
  }

  close(): void {
    this.client.close!();
  }
}

/** The programs that serve gRPC: by nghttp2 in the static binary, by grpc-js under Node.js. */
export const servers = {
  'static binary': [runtPath],
  'Node.js': [process.execPath, join(top, 'dist', 'cli.js')],
} as const;
export type ServerProgram = keyof typeof servers;

/** The command line of `runt serve` at that address, for the containers of a bed. */
export const serveCommand = (bed: Bed, address: string, program: ServerProgram = 'static binary'): string[] => [
  ...servers[program],
  ...['--root', bed.root, 'serve', '--listen', address],
];

/** Starts `runt serve` on the socket at that path, and resolves when it listens. */
export async function serve(bed: Bed, socket: string, program?: ServerProgram): Promise<ChildProcess> {
  const [command, ...args] = serveCommand(bed, `unix://${socket}`, program) as [string, ...string[]];
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  await listening(socket);
  return child;
}

/** Waits until a socket accepts connections: its file appears before the server listens. */
export async function listening(path: string): Promise<void> {
  await eventually(`a server on ${path}`, async () => {
    if (!existsSync(path)) return false;
    const socket = connect(path);
    const heard = await new Promise<boolean>((settle) => {
      socket.once('connect', () => settle(true)).once('error', () => settle(false));
    });
    socket.destroy();
    return heard;
  });
}
