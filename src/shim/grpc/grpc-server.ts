/** gRPC by the core's HTTP/2, for the static binary (grpc: PROTOCOL-HTTP2). */
import { check } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { SIGINT, SIGTERM } from '../../sys/linux.js';
import { readable, withTimeout } from '../../sys/waiting/loop.js';
import { log, logText } from '../shim-log.js';
import { Clients } from '../transport/client-limits.js';
import type { Services } from '../transport/rpc.js';
import { GrpcConnection } from './grpc-connection.js';
import type { GrpcServer } from './grpc-interface.js';
import { RequestTimer } from './request-timer.js';

export { checkHttp2 } from './http2-connection.js';

export const serve = (services: Services): GrpcServer => new Server(services);

class Server implements GrpcServer {
  private readonly clients = new Clients((line) => log('gRPC', line));
  private readonly connections = new Map<GrpcConnection, Promise<void>>();
  private readonly timer = new RequestTimer();

  constructor(private readonly services: Services) {}

  serveConnection(fd: number, onEnd: () => void): void {
    if (!this.clients.connect()) {
      native.close(fd);
      onEnd();
      return;
    }
    let connection: GrpcConnection;
    try {
      connection = new GrpcConnection(fd, this.services, this.clients, this.timer);
    } catch (error) {
      this.clients.logRefusal(logText(error));
      this.clients.disconnect();
      native.close(fd);
      onEnd();
      return;
    }
    const end = connection.serve().finally(() => {
      this.connections.delete(connection);
      this.clients.disconnect();
      onEnd();
    });
    this.connections.set(connection, end);
  }

  async awaitSignal(): Promise<void> {
    const bit = (signal: number): bigint => 1n << BigInt(signal - 1);
    const facts = { code: 'ERR_SHIM', message: 'make a signalfd', syscall: 'signalfd4' };
    const signals = check(native.signalFd(bit(SIGINT) | bit(SIGTERM)), facts);
    await readable(signals);
    native.close(signals);
  }

  async close(ms: number): Promise<void> {
    for (const connection of this.connections.keys()) connection.goAway();
    await withTimeout(Promise.all(this.connections.values()), ms);
    for (const connection of this.connections.keys()) connection.close();
  }
}
