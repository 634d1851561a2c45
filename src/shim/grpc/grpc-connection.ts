/** The gRPC calls of one client's connection. */
import { host } from '../../sys/host.js';
import type { Clients } from '../transport/client-limits.js';
import type { Services } from '../transport/rpc.js';
import { Code, StatusError } from '../transport/status-code.js';
import { Call } from './grpc-call.js';
import { failureOf } from './grpc-failure.js';
import { answerHeaders, type CallHeaders, readCallHeaders, statusHeaders } from './grpc-headers.js';
import { Http2Connection, type StreamEvents } from './http2-connection.js';
import type { RequestTimer } from './request-timer.js';

export class GrpcConnection implements StreamEvents {
  private readonly http2: Http2Connection;
  private readonly calls = new Map<number, Call>();

  /** @throws RuntError ERR_IO; `fd` stays open then */
  constructor(
    fd: number,
    private readonly services: Services,
    private readonly clients: Clients,
    private readonly timer: RequestTimer,
  ) {
    this.http2 = new Http2Connection(fd, this);
  }

  /** Serves until the connection ends. Never throws. */
  async serve(): Promise<void> {
    await this.http2.serve();
    for (const call of this.calls.values()) this.forget(call);
    this.calls.clear();
  }

  goAway(): void {
    this.http2.goAway();
  }

  close(): void {
    this.http2.close();
  }

  headers(stream: number, list: readonly string[]): void {
    // gRPC has no trailers of requests.
    if (this.calls.has(stream)) return;
    try {
      const headers = readCallHeaders(list);
      if (typeof headers === 'number') this.refuse(stream, headers);
      else this.begin(stream, headers);
    } catch (error) {
      this.http2.respond(stream, [...answerHeaders, ...statusHeaders(failureOf(error))], true);
    }
  }

  /** Answers a request that is not gRPC. */
  private refuse(stream: number, status: number): void {
    this.http2.respond(stream, [':status', status, 'content-type', 'text/plain'], false);
    this.http2.data(stream, host.encode('this server takes calls of gRPC alone: POST, application/grpc\n'), true);
  }

  /** @throws StatusError */
  private begin(stream: number, { path, timeout, metadata }: CallHeaders): void {
    const procedure = this.services.get(path);
    if (!procedure) throw new StatusError(Code.UNIMPLEMENTED, `${path} is not supported by this version of runt`);
    if (!this.clients.beginCall()) {
      throw new StatusError(Code.RESOURCE_EXHAUSTED, 'too many calls wait for an answer');
    }
    const call = new Call(this.http2, stream, procedure, this.clients, timeout, metadata);
    this.calls.set(stream, call);
    if ('unary' in procedure) this.timer.add(call);
  }

  data(stream: number, bytes: Uint8Array): void {
    const call = this.calls.get(stream);
    if (call) call.data(bytes);
    else this.http2.consume(stream, bytes.length);
  }

  end(stream: number): void {
    const call = this.calls.get(stream);
    if (!call) return;
    this.timer.remove(call);
    call.end();
  }

  drained(stream: number): void {
    this.calls.get(stream)?.drained();
  }

  closed(stream: number): void {
    const call = this.calls.get(stream);
    if (!call) return;
    this.calls.delete(stream);
    this.forget(call);
  }

  private forget(call: Call): void {
    this.timer.remove(call);
    call.close();
  }
}
