/** Frames to and from runt-init (docs/internals.md, "The plan on the wire"). */
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { OwnedFd } from '../../sys/fds.js';
import { host, native } from '../../sys/host.js';
import { Protocol, REPORT, type ReportKind, type ReportOf, type Span } from '../../sys/protocol.js';
import { readable } from '../../sys/waiting/loop.js';

/** Reports of runt-init; `eof`: it has exited or was killed. */
export type Report = { [K in Exclude<ReportKind, 'words'>]: ReportOf<K> }[Exclude<ReportKind, 'words'>] | EndOfReports;
interface EndOfReports {
  readonly kind: 'eof';
}

/** Reports are shorter: a detail is at most a path and a kernel message. */
const maxReport = 1 << 20;

/** A frame for runt-init: its length, then `data`. A longer frame goes on after `data`. */
export function frameOf(data: Uint8Array, length = data.length): Uint8Array {
  const frame = new Uint8Array(4 + data.length);
  new DataView(frame.buffer).setUint32(0, length, true);
  frame.set(data, 4);
  return frame;
}

/** The runtime's end of the channel to runt-init. */
export class InitChannel {
  private data = new Uint8Array(1024);
  private length = 0;
  /** The descriptor received with the current report. The sender waits before it sends another. */
  private receivedFd = -1;
  /** A page for the peer's last report: its own seccomp filter may forbid it to send one. */
  private lastReportPage: OwnedFd | undefined;
  private readonly socket: OwnedFd;

  /** @param fd the socket; `close` closes it */
  constructor(fd: number) {
    this.socket = new OwnedFd(fd);
  }

  /** The socket, for requests to a supervisor. */
  get fd(): number {
    return this.socket.number;
  }

  close(): void {
    this.socket.close();
    this.lastReportPage?.close();
  }

  /** Sends a frame, in one or more parts: a plan, or a request to become a supervisor. @throws RuntError ERR_INIT */
  send(first: Uint8Array, ...others: readonly Uint8Array[]): void {
    const length = others.reduce((sum, part) => sum + part.length, first.length);
    if (length > Protocol.PLAN_MAX) throw tooLargeError(length);
    const message = 'send the plan to runt-init';
    this.write(frameOf(first, length), message);
    for (const part of others) this.write(part, message);
  }

  /** Lets runt-init continue; after prestart and createRuntime hooks, sends its pid. @throws RuntError ERR_INIT */
  sendGo(pid?: number): void {
    const message = new Uint8Array(pid === undefined ? 1 : 5);
    message[0] = Protocol.GO;
    if (pid !== undefined) new DataView(message.buffer).setUint32(1, pid, true);
    this.write(message, 'tell runt-init to continue');
  }

  /** Not an error if the peer has ended: its last report, or the end of file, has the cause. */
  private write(data: Uint8Array, message: string): void {
    const sent = native.write(this.socket.number, data);
    if (sent >= 0 || sent === -E.EPIPE || sent === -E.ECONNRESET) return;
    throw new RuntError({ code: 'ERR_INIT', message, errno: -sent, syscall: 'write' });
  }

  /** The next report; `eof` when the peer has exited or was killed (ECONNRESET). */
  async next(): Promise<Report> {
    const fd = new Uint8Array(4);
    for (;;) {
      const size = this.length < 4 ? 4 : 4 + new DataView(this.data.buffer).getUint32(0, true);
      if (size > maxReport) throw reportError(`a report of ${size} bytes`);
      if (this.length >= 4 && this.length >= size) {
        const fields = host.decodeRaw(this.data.subarray(4), size - 4).split('\0');
        this.data.copyWithin(0, size, this.length);
        this.length -= size;
        fields.pop();
        const report = this.parse(fields);
        if (report.kind !== 'words') return report;
        if (report.page >= 0) this.lastReportPage = new OwnedFd(report.page);
        continue;
      }
      if (size > this.data.length) {
        const larger = new Uint8Array(size);
        larger.set(this.data);
        this.data = larger;
      }
      await readable(this.socket.number);
      const n = native.receiveFds(this.socket.number, this.data.subarray(this.length), fd);
      const received = new DataView(fd.buffer).getInt32(0, true);
      if (n > 0 && received >= 0) this.receivedFd = received;
      if (n > 0) this.length += n;
      // A killed peer may leave an incomplete report.
      else if (n === 0 || n === -E.ECONNRESET) return this.lastReport() ?? { kind: 'eof' };
      else throw new RuntError({ code: 'ERR_INIT', message: 'read from runt-init', errno: -n, syscall: 'recvmsg' });
    }
  }

  private takeFd(): number {
    const fd = this.receivedFd;
    this.receivedFd = -1;
    return fd;
  }

  /** The report in the page, if the peer could not send it. */
  private lastReport(): Report | undefined {
    if (!this.lastReportPage) return undefined;
    const page = new Uint8Array(Protocol.LAST_REPORT_SIZE);
    const n = native.read(this.lastReportPage.number, page);
    this.lastReportPage.close();
    this.lastReportPage = undefined;
    return n > 0 && page[0] !== 0 ? (this.parse(host.decodeRaw(page, n).split('\0')) as Report) : undefined;
  }

  /** Parses a report with the table that the C code is generated from. @throws RuntError ERR_INTERNAL */
  private parse(fields: readonly string[]): Report | ReportOf<'words'> {
    const kind = fields[0] as ReportKind;
    if (!Object.hasOwn(REPORT, kind)) throw reportError(`a report "${kind}"`);
    const report: Record<string, unknown> = { kind };
    let i = 1;
    for (const field of REPORT[kind].match(/\S+/g) ?? []) {
      const name = field.slice(1);
      if (field[0] === '#') report[name] = Number(fields[i++]);
      else if (field[0] === '@') report[name] = this.takeFd();
      else if (field[0] === '*') report[name] = spansOf(fields);
      else report[field] = fields[i++] ?? '';
    }
    return report as unknown as Report;
  }
}

function spansOf(fields: readonly string[]): Span[] {
  const spans: Span[] = [];
  for (let i = 1; i + 2 < fields.length; i += 3) {
    spans.push({ index: Number(fields[i]), start: BigInt(fields[i + 1]!), end: BigInt(fields[i + 2]!) });
  }
  return spans;
}

const tooLargeError = (length: number): RuntError =>
  new RuntError({
    code: 'ERR_SPEC_VALUE',
    message: `send the plan to runt-init: it has ${length} bytes, more than ${Protocol.PLAN_MAX}`,
    hint: 'shorten process.env and process.args, or give hooks a short "env" of their own: each hook without one gets that of the process',
  });

const reportError = (what: string): RuntError =>
  new RuntError({ code: 'ERR_INTERNAL', message: `runt-init sent ${what}` });
