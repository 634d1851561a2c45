/** Named pipes of the fake kernel (fifo(7)), and the native functions that copy streams. */
import type { Native } from '../../../src/sys/abi.js';
import { E } from '../../../src/sys/errno.js';
import { O_ACCMODE, O_RDONLY, O_WRONLY } from '../../../src/sys/linux.js';
import { Protocol } from '../../../src/sys/protocol.js';
import { type Descriptors, OpenFile } from './descriptors.js';
import type { FileTree, Inode } from './file-tree.js';

class FifoEnd extends OpenFile {
  override readonly inode: Inode;

  constructor(
    private readonly fifo: Fifo,
    readonly reads: boolean,
    readonly writes: boolean,
    /** Whether there was a writer since this end was opened. */
    public met: boolean,
  ) {
    super();
    this.inode = fifo.inode;
  }

  get shown(): string {
    return this.fifo.inode.path;
  }

  get readable(): boolean {
    return this.fifo.bytes.length > 0 || (this.met && !this.fifo.hasWriter);
  }

  override read(data: Uint8Array): number {
    if (!this.reads) return -E.EBADF;
    const part = this.fifo.bytes.splice(0, data.length);
    if (part.length === 0 && this.fifo.hasWriter) return -E.EAGAIN;
    data.set(part);
    return part.length;
  }

  override write(data: Uint8Array): number {
    if (!this.writes) return -E.EBADF;
    if (!this.fifo.hasReader) return -E.EPIPE;
    this.fifo.bytes.push(...data);
    return data.length;
  }

  protected override closed(): void {
    this.fifo.ends.delete(this);
  }
}

export class Fifo {
  readonly inode: Inode;
  readonly bytes: number[] = [];
  readonly ends = new Set<FifoEnd>();

  constructor(
    tree: FileTree,
    readonly path: string,
  ) {
    this.inode = tree.fifo(path);
    this.inode.opens = (flags) => this.open(flags);
  }

  get hasReader(): boolean {
    return [...this.ends].some(({ reads }) => reads);
  }

  get hasWriter(): boolean {
    return [...this.ends].some(({ writes }) => writes);
  }

  /** Like open(2) with O_NONBLOCK. */
  private open(flags: number): FifoEnd | number {
    const mode = flags & O_ACCMODE;
    if (mode === O_WRONLY && !this.hasReader) return -E.ENXIO;
    const end = new FifoEnd(this, mode !== O_WRONLY, mode !== O_RDONLY, this.hasWriter);
    this.ends.add(end);
    if (end.writes) for (const other of this.ends) other.met = true;
    return end;
  }

  private opened(flags: number): FifoEnd {
    const end = this.open(flags);
    if (typeof end === 'number') throw new Error(`open ${this.path}: ${E[-end]}`);
    return end.hold() as FifoEnd;
  }

  /** An end of another process. */
  reader(): FifoEnd {
    return this.opened(O_RDONLY);
  }

  /** An end of another process; there must be a reader. */
  writer(): FifoEnd {
    return this.opened(O_WRONLY);
  }

  /** Its whole contents, as text. */
  text(): string {
    return new TextDecoder().decode(new Uint8Array(this.bytes.splice(0)));
  }
}

/** The most bytes that one call of `transfer` moves, before it lets others continue. */
const turn = 4096;

export function streamCalls(descriptors: Descriptors) {
  return {
    transfer(from, to, _state) {
      const source = descriptors.get(from);
      const sink = to < 0 ? undefined : descriptors.get(to);
      if (!source || (to >= 0 && !sink)) return Protocol.TRANSFER_GONE;
      const data = new Uint8Array(turn);
      for (let moved = 0; moved < turn; ) {
        const n = source.read(data.subarray(moved));
        if (n === -E.EAGAIN) return Protocol.TRANSFER_READABLE;
        if (n === -E.EIO) return Protocol.TRANSFER_HUNG_UP;
        if (n <= 0) return Protocol.TRANSFER_ENDED;
        const r = sink ? sink.write(data.subarray(moved, moved + n)) : n;
        if (r < 0) return Protocol.TRANSFER_GONE;
        moved += n;
      }
      return Protocol.TRANSFER_MORE;
    },
  } satisfies Partial<Native>;
}
