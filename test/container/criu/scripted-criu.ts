/** A scripted criu that sends notifications and answers requests over its socket. */
import {
  type CriuOptions,
  type CriuRequest,
  Request,
  Response,
  Type,
} from '../../../src/container/criu/criu-messages.js';
import type { OpenFile } from '../../sys/fake-host/descriptors.js';
import type { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import type { FakeProcess } from '../../sys/fake-host/processes.js';
import { SocketEnd } from '../../sys/fake-host/sockets.js';

/** One criu process. */
export class ScriptedCriu {
  /** The request that it got, after that for its version. */
  options: CriuOptions | undefined;
  /** The replies to its notifications: whether it may continue. */
  readonly replies: boolean[] = [];
  /** Continues after a notification. */
  resume: (() => void) | undefined;

  constructor(
    readonly process: FakeProcess,
    private readonly socket: SocketEnd,
    private readonly perform: (criu: ScriptedCriu, request: CriuRequest) => void | Promise<void>,
    version: readonly [number, number],
  ) {
    socket.onMessage = () => {
      const message = socket.receive(1 << 20);
      if (typeof message === 'number') return;
      const request = Request.decode(message.data);
      if (request.type === Type.VERSION) {
        const [major_number, minor_number] = version;
        this.send({ type: Type.VERSION, success: true, version: { major_number, minor_number } });
        this.process.exit(0);
      } else if (request.type === Type.NOTIFY) {
        this.replies.push(request.notify_success === true);
        const { resume } = this;
        this.resume = undefined;
        resume?.();
      } else {
        this.options = request.opts ?? undefined;
        void this.perform(this, request);
      }
    };
    // It ends when its socket is closed.
    socket.onHangUp = () => this.process.exit(0);
  }

  send(response: object): void {
    this.socket.send(Response.encode(response as never).finish());
  }

  sendBytes(bytes: Uint8Array): void {
    this.socket.send(bytes);
  }

  /** Notifies, and waits for the reply. @returns whether it may continue */
  async notify(script: string, pid = 0, file?: OpenFile): Promise<boolean> {
    const replied = new Promise<void>((resolve) => {
      this.resume = resolve;
    });
    const message = { type: Type.NOTIFY, success: true, notify: { script, pid } };
    this.socket.send(Response.encode(message as never).finish(), file ? [file] : []);
    await replied;
    return this.replies.at(-1) === true;
  }
}

/** Installs a criu that performs all requests with this function, except for its version. @returns the started ones */
export function installCriu(
  kernel: FakeKernel,
  perform: (criu: ScriptedCriu, request: CriuRequest) => void | Promise<void>,
  version: readonly [number, number] = [3, 19],
): ScriptedCriu[] {
  const started: ScriptedCriu[] = [];
  const path = '/usr/sbin/criu';
  kernel.tree.file(path, '', 0o755);
  kernel.processes.programs.set(path, ({ process, args, file }) => {
    const socket = file(Number(args[2]));
    if (!(socket instanceof SocketEnd)) throw new Error('criu has no socket');
    started.push(new ScriptedCriu(process, socket, perform, version));
    return undefined;
  });
  return started;
}
