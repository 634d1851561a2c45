/** A server of the shim on the fake host: its listening socket is descriptor 0, clients speak ttrpc. */
import { ttrpc } from '../../src/shim/transport/protos.js';
import { AT_FDCWD } from '../../src/sys/linux.js';
import { sleep } from '../../src/sys/waiting/loop.js';
import { FakeKernel } from '../sys/fake-host/fake-kernel.js';
import { SocketEnd } from '../sys/fake-host/sockets.js';
import { requestFrame } from './request-frame.js';

export const socketPath = '/run/s/socket';

/** A kernel on which the process under test was started with a listening socket as its descriptor 0. */
export function withListener(env: Record<string, string> = {}): FakeKernel {
  const kernel = new FakeKernel({ env });
  kernel.tree.directory('/run/s');
  const listener = kernel.performs('unixListen')(AT_FDCWD, socketPath, 128);
  const number = (fd: number): number => (fd === 0 ? listener : fd);
  for (const name of ['accept', 'close', 'duplicate', 'unwatch', 'isReadable'] as const) {
    const call = kernel.performs(name);
    kernel.on(name, (fd) => call(number(fd)));
  }
  const watch = kernel.performs('watch');
  kernel.on('watch', (fd, id) => watch(number(fd), id));
  withSignals(kernel);
  return kernel;
}

/** Gives a kernel signals that never arrive. */
export function withSignals(kernel: FakeKernel): void {
  const [signals, sender] = SocketEnd.pair('signalfd', false);
  sender.hold();
  kernel.on('signalFd', () => kernel.descriptors.open(signals));
}

/** A client that sends requests over ttrpc. */
export class Client {
  private readonly end: SocketEnd;
  private stream = -1;

  constructor(
    private readonly kernel: FakeKernel,
    trusted = true,
  ) {
    this.end = kernel.sockets.connect(socketPath, trusted);
  }

  ask(method: string, payload: Uint8Array): void {
    this.stream += 2;
    this.end.send(requestFrame(this.stream, { service: 'containerd.task.v3.Task', method, payload }));
  }

  /** The response that has arrived: its payload, or the code and message of its error; undefined if none has. */
  answer(): Uint8Array | string | undefined {
    if (!this.end.readable) return undefined;
    const data = new Uint8Array(1 << 16);
    const n = this.end.read(data);
    if (n <= 0) return undefined;
    const { status, payload } = ttrpc.Response.decode(data.subarray(10, n));
    return status?.code ? `${status.code} ${status.message}` : new Uint8Array(payload ?? []);
  }

  get isEnded(): boolean {
    return this.end.readable && this.end.read(new Uint8Array(1)) === 0;
  }

  leave(): void {
    this.end.drop();
  }

  /** Runs the server for some time of the kernel's clock. */
  wait(ms: number): Promise<void> {
    return this.kernel.finish(sleep(ms));
  }
}
