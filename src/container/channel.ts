/** Frames to and from runt-init (docs/architecture.md, "The plan on the wire"). */
import { RuntError } from '../sys/error.js';
import { host, native } from '../sys/host.js';

/** A span of one operation, from a `trace` record: plan index, start and end on CLOCK_MONOTONIC in ns. */
export interface Span {
  readonly index: number;
  readonly start: bigint;
  readonly end: bigint;
}

/** What runt-init says. */
export type Report =
  | { readonly kind: 'created' | 'exec' | 'eof' }
  | {
      readonly kind: 'error';
      readonly index: number;
      readonly errno: number;
      readonly syscall: string;
      readonly detail: string;
    }
  | { readonly kind: 'trace'; readonly spans: readonly Span[] };

/** No record is longer: a detail is at most a path and a message of the kernel's. */
const maxReport = 1 << 20;

/** Sends a frame. A peer that is gone is no error here: its last words, or the end of file, tell more. */
export function sendFrame(fd: number, data: Uint8Array): void {
  const frame = new Uint8Array(4 + data.length);
  new DataView(frame.buffer).setUint32(0, data.length, true);
  frame.set(data, 4);
  native.write(fd, frame);
}

/** Reads the next report; blocks until there is one. */
export function readReport(fd: number): Report {
  const head = new Uint8Array(4);
  if (!readFully(fd, head)) return { kind: 'eof' };
  const length = new DataView(head.buffer).getUint32(0, true);
  if (length > maxReport) throw broken(`a report of ${length} bytes`);
  const data = new Uint8Array(length);
  if (!readFully(fd, data)) throw broken('a cut report');
  const fields = host.decode(data, length).split('\0');
  fields.pop();
  switch (fields[0]) {
    case 'created':
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

/** Fills data; false at the end of file, also when it comes too early or the peer was killed (ECONNRESET). */
function readFully(fd: number, data: Uint8Array): boolean {
  let done = 0;
  while (done < data.length) {
    const n = native.read(fd, done === 0 ? data : data.subarray(done));
    if (n <= 0) return false;
    done += n;
  }
  return true;
}

const broken = (what: string): RuntError => new RuntError({ code: 'ERR_INTERNAL', message: `runt-init sent ${what}` });
