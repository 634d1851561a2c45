/** The version of containerd, asked over gRPC with the core's HTTP/2. */
import '../../sys/polyfill.js';
import { containerd } from '../../../build/gen/grpc.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { connectAt } from '../../sys/sockets/connect-deadline.js';
import { withTimeout } from '../../sys/waiting/loop.js';
import { HEADER, Inbox } from './grpc-inbox.js';
import { Http2Connection, type StreamEvents } from './http2-connection.js';

const path = '/containerd.services.version.v1.Version/Version';

/** The request of one unary call. */
const requestHeaders = [
  ...[':method', 'POST', ':scheme', 'http', ':path', path, ':authority', 'localhost'],
  ...['content-type', 'application/grpc', 'te', 'trailers'],
];

/** The answer to one call: the message, if it succeeds. */
class Answer implements StreamEvents {
  readonly inbox = new Inbox();
  private isOk = false;

  constructor(private readonly finish: () => void) {}

  headers(_stream: number, list: readonly string[]): void {
    const at = list.indexOf('grpc-status');
    if (at >= 0) this.isOk = list[at + 1] === '0';
  }

  data(_stream: number, bytes: Uint8Array): void {
    // The answer is short: it fits the window that was open at first.
    this.inbox.append(bytes, () => true);
  }

  end(): void {}

  drained(): void {}

  closed(): void {
    this.finish();
  }

  get version(): string {
    const message = this.isOk ? this.inbox.take() : undefined;
    return message ? containerd.services.version.v1.VersionResponse.decode(message).version : '';
  }
}

/** The version of the containerd at that socket, "2.1.9"; empty if it does not answer within `ms` milliseconds. */
export async function containerdVersion(socket: string, ms: number): Promise<string> {
  const fd = await connectAt(AT_FDCWD, socket, ms);
  if (fd < 0) return '';
  let finish!: () => void;
  const finished = new Promise<void>((settle) => {
    finish = settle;
  });
  const answer = new Answer(finish);
  let connection: Http2Connection;
  try {
    connection = new Http2Connection(fd, answer, true);
  } catch (error) {
    native.close(fd);
    throw error;
  }
  connection.request(requestHeaders, new Uint8Array(HEADER));
  void connection.serve().finally(finish);
  await withTimeout(finished, ms);
  connection.close();
  try {
    return answer.version;
  } catch {
    // Something else listens there, and answers in another way.
    return '';
  }
}
