/** gRPC's health service (proto/health.proto). */

import { type Procedure, type Services, type Stream, serviceNames } from '../transport/rpc.js';
import { Code, decodeMessage, StatusError } from '../transport/status-code.js';
import { health } from './api-protos.js';

const { HealthCheckRequest, HealthCheckResponse } = health;
const { ServingStatus } = HealthCheckResponse;

/** The health of a server, which serves all its services until it ends. */
export class Health {
  private readonly names: ReadonlySet<string>;
  private readonly ends = new Set<() => void>();
  private isClosed = false;

  constructor(services: Services) {
    this.names = new Set(['', ...serviceNames(services)]);
  }

  get procedures(): readonly (readonly [string, Procedure])[] {
    return [
      ['grpc.health.v1.Health/Check', { unary: async (request) => this.check(request) }],
      ['grpc.health.v1.Health/Watch', { streaming: (stream) => this.watch(stream) }],
    ];
  }

  /** The server ends. */
  close(): void {
    this.isClosed = true;
    for (const end of this.ends) end();
  }

  private check(request: Uint8Array): Uint8Array {
    const { service } = decodeMessage(HealthCheckRequest, request);
    if (!this.names.has(service)) throw new StatusError(Code.NOT_FOUND, `there is no service ${service}`);
    return this.status(service);
  }

  private async watch(stream: Stream): Promise<void> {
    const { service } = decodeMessage(HealthCheckRequest, (await stream.receive()) ?? new Uint8Array());
    await stream.send(this.status(service));
    if (this.isClosed) return;
    let end!: () => void;
    await new Promise<void>((settle) => {
      end = settle;
      this.ends.add(end);
      void stream.cancelled.then(end);
    });
    this.ends.delete(end);
    if (this.isClosed) await stream.send(this.status(service));
  }

  private status(service: string): Uint8Array {
    const served = this.isClosed ? ServingStatus.NOT_SERVING : ServingStatus.SERVING;
    return HealthCheckResponse.encode({
      status: this.names.has(service) ? served : ServingStatus.SERVICE_UNKNOWN,
    }).finish();
  }
}
