/** Frames to and from runt-init (docs/internals.md, "The plan on the wire"). */
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { Protocol, type ReportKind } from '../../sys/protocol.js';
import { readable } from '../../sys/waiting/loop.js';

/** A span of one operation, from a `trace` record: plan index, start and end on CLOCK_MONOTONIC in ns. */
export interface Span {
  readonly index: number;
  readonly start: bigint;
  readonly end: bigint;
}

/** What runt-init says. */
export type Report =
  | { readonly kind: 'created' | 'hooks' | 'exec' | 'eof' }
  | {
      readonly kind: 'error';
      readonly index: number;
      readonly errno: number;
      readonly syscall: string;
      readonly detail: string;
    }
  | { readonly kind: 'trace'; readonly spans: readonly Span[] }
  /** The process that goes on in place of this one. The pidfd is the reader's to close. */
  | { readonly kind: 'pid'; readonly pid: number; readonly pidfd: number }
  /** A hook, by its name in `hooks`, is not done after 30 s. */
  | { readonly kind: 'slow'; readonly hook: string }
  /** The operation of that index awaits those of the runtime before it. */
  | { readonly kind: 'await'; readonly index: number }
  /**
   * MOUNT_ATTR_* that the operation of that index should have cleared; those of `recursive` on all mounts below, too.
   */
  | { readonly kind: 'kept'; readonly index: number; readonly kept: number; readonly recursive: number }
  /** The operation of that index has bound the host's /sys in the place of a new sysfs. */
  | { readonly kind: 'bound'; readonly index: number }
  /** The descriptors of stdio with these bits are to belong to a uid of its user namespace. */
  | { readonly kind: 'stdio'; readonly uid: number; readonly fds: number }
  /** Of a seccomp filter that notifies: the descriptor, who gets it, and what that is told. It is the reader's to close. */
  | { readonly kind: 'listener'; readonly fd: number; readonly agent: string; readonly metadata: string };

/** No record is longer: a detail is at most a path and a message of the kernel's. */
const maxReport = 1 << 20;

/**
 * Sends a frame. A peer that has ended is not an error here: its last report, or the end of file, says why.
 * @throws RuntError ERR_INIT
 */
export function sendFrame(fd: number, data: Uint8Array): void {
  const frame = new Uint8Array(4 + data.length);
  new DataView(frame.buffer).setUint32(0, data.length, true);
  frame.set(data, 4);
  const sent = native.write(fd, frame);
  if (sent >= 0 || sent === -E.EPIPE || sent === -E.ECONNRESET) return;
  throw new RuntError({ code: 'ERR_INIT', message: 'send the plan to runt-init', errno: -sent, syscall: 'sendto' });
}

/** The reading end of a channel to runt-init. */
export class Reports {
  private data = new Uint8Array(1024);
  private length = 0;
  /** A descriptor that came with the report at hand; the sender waits before it sends another. */
  private came = -1;
  /** A page in which the peer leaves its last report when its own seccomp filter may stop it from sending. */
  private words = -1;

  constructor(readonly fd: number) {}

  /** The next report; `eof` when the peer has ended, also when it was killed (ECONNRESET). */
  async next(): Promise<Report> {
    const fd = new Uint8Array(4);
    for (;;) {
      const size = this.length < 4 ? 4 : 4 + new DataView(this.data.buffer).getUint32(0, true);
      if (size > maxReport) throw broken(`a report of ${size} bytes`);
      if (this.length >= 4 && this.length >= size) {
        const fields = host.decodeRaw(this.data.subarray(4), size - 4).split('\0');
        this.data.copyWithin(0, size, this.length);
        this.length -= size;
        fields.pop();
        const kind = fields[0] as ReportKind;
        if (kind === 'words') {
          this.words = this.take();
          continue;
        }
        if (kind === 'pid') return { kind: 'pid', pid: Number(fields[1]), pidfd: this.take() };
        if (kind === 'listener') {
          return { kind: 'listener', fd: this.take(), agent: fields[1] ?? '', metadata: fields[2] ?? '' };
        }
        return parse(fields);
      }
      if (size > this.data.length) {
        const larger = new Uint8Array(size);
        larger.set(this.data);
        this.data = larger;
      }
      await readable(this.fd);
      const n = native.receiveFds(this.fd, this.data.subarray(this.length), fd);
      const came = new DataView(fd.buffer).getInt32(0, true);
      if (n > 0 && came >= 0) this.came = came;
      if (n > 0) this.length += n;
      // A peer that is killed may cut its report short.
      else if (n === 0 || n === -E.ECONNRESET) return this.lastWords() ?? { kind: 'eof' };
      else throw new RuntError({ code: 'ERR_INIT', message: 'read from runt-init', errno: -n, syscall: 'recvmsg' });
    }
  }

  private take(): number {
    const fd = this.came;
    this.came = -1;
    return fd;
  }

  /** What the peer could only write down. */
  private lastWords(): Report | undefined {
    if (this.words < 0) return undefined;
    const page = new Uint8Array(Protocol.WORDS_SIZE);
    const n = native.read(this.words, page);
    native.close(this.words);
    this.words = -1;
    return n > 0 && page[0] !== 0 ? parse(host.decodeRaw(page, n).split('\0')) : undefined;
  }
}

function parse(fields: string[]): Report {
  const kind = fields[0] as ReportKind;
  switch (kind) {
    case 'created':
    case 'hooks':
    case 'exec':
      return { kind };
    case 'error':
      return {
        kind: 'error',
        index: Number(fields[1]),
        errno: Number(fields[2]),
        syscall: fields[3] ?? '',
        detail: fields[4] ?? '',
      };
    case 'slow':
      return { kind: 'slow', hook: fields[1] ?? '' };
    case 'await':
    case 'bound':
      return { kind, index: Number(fields[1]) };
    case 'kept':
      return { kind: 'kept', index: Number(fields[1]), kept: Number(fields[2]), recursive: Number(fields[3]) };
    case 'stdio':
      return { kind: 'stdio', uid: Number(fields[1]), fds: Number(fields[2]) };
    case 'trace': {
      const spans: Span[] = [];
      for (let i = 1; i + 2 < fields.length; i += 3) {
        spans.push({
          index: Number(fields[i]),
          start: BigInt(fields[i + 1] as string),
          end: BigInt(fields[i + 2] as string),
        });
      }
      return { kind: 'trace', spans };
    }
    default:
      throw broken(`a report "${kind}"`);
  }
}

const broken = (what: string): RuntError => new RuntError({ code: 'ERR_INTERNAL', message: `runt-init sent ${what}` });
