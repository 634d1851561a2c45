/** Frames to and from runt-init (docs/architecture.md, "The plan on the wire"). */
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { readable } from '../sys/loop.js';

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
  | { readonly kind: 'pid'; readonly pid: number };

/** No record is longer: a detail is at most a path and a message of the kernel's. */
const maxReport = 1 << 20;

/** Sends a frame. A peer that is gone is no error here: its last words, or the end of file, tell more. */
export function sendFrame(fd: number, data: Uint8Array): void {
  const frame = new Uint8Array(4 + data.length);
  new DataView(frame.buffer).setUint32(0, data.length, true);
  frame.set(data, 4);
  native.write(fd, frame);
}

/** The reading end of a channel to runt-init. */
export class Reports {
  private data = new Uint8Array(1024);
  private length = 0;

  constructor(readonly fd: number) {}

  /** The next report; `eof` when the peer has ended, also when it was killed (ECONNRESET). */
  async next(): Promise<Report> {
    for (;;) {
      const size = this.length < 4 ? 4 : 4 + new DataView(this.data.buffer).getUint32(0, true);
      if (size > maxReport) throw broken(`a report of ${size} bytes`);
      if (this.length >= 4 && this.length >= size) {
        const fields = host.decode(this.data.subarray(4), size - 4).split('\0');
        this.data.copyWithin(0, size, this.length);
        this.length -= size;
        fields.pop();
        return parse(fields);
      }
      if (size > this.data.length) {
        const larger = new Uint8Array(size);
        larger.set(this.data);
        this.data = larger;
      }
      await readable(this.fd);
      const n = native.read(this.fd, this.data.subarray(this.length));
      if (n > 0) this.length += n;
      else if (this.length === 0) return { kind: 'eof' };
      else throw broken('a cut report');
    }
  }
}

function parse(fields: string[]): Report {
  switch (fields[0]) {
    case 'created':
    case 'hooks':
    case 'exec':
      return { kind: fields[0] };
    case 'error':
      return {
        kind: 'error',
        index: Number(fields[1]),
        errno: Number(fields[2]),
        syscall: fields[3] ?? '',
        detail: fields[4] ?? '',
      };
    case 'pid':
      return { kind: 'pid', pid: Number(fields[1]) };
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
      throw broken(`a report "${fields[0]}"`);
  }
}

const broken = (what: string): RuntError => new RuntError({ code: 'ERR_INTERNAL', message: `runt-init sent ${what}` });
