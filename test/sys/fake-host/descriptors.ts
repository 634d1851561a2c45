/** The descriptors of the process under test, and their open files. */
import { E } from '../../../src/sys/errno.js';
import { O_ACCMODE, O_APPEND, O_PATH, O_RDONLY, O_WRONLY, S_IFREG } from '../../../src/sys/linux.js';
import type { Inode } from './file-tree.js';
import type { FakeProcess } from './processes.js';

/** An open file description, which one or several descriptors refer to. */
export abstract class OpenFile {
  /** The number of descriptors and messages that hold it. */
  holders = 0;
  /** For logs. */
  abstract readonly shown: string;
  readonly inode: Inode | undefined = undefined;
  readonly process: FakeProcess | undefined = undefined;

  /** Reads bytes into `data`. @returns their number, or -errno */
  read(_data: Uint8Array): number {
    return -E.EINVAL;
  }

  write(_data: Uint8Array): number {
    return -E.EINVAL;
  }

  /** Whether poll(2) reports it as readable. */
  abstract readonly readable: boolean;

  get writable(): boolean {
    return true;
  }

  /** Whether epoll(7) accepts it. */
  get watchable(): boolean {
    return true;
  }

  hold(): this {
    this.holders++;
    return this;
  }

  /** Drops a reference; the last one closes it. */
  drop(): void {
    if (--this.holders === 0) this.closed();
  }

  protected closed(): void {}
}

export class OpenInode extends OpenFile {
  private offset = 0;

  constructor(
    override readonly inode: Inode,
    private readonly flags: number,
  ) {
    super();
  }

  get shown(): string {
    return this.inode.shown;
  }

  get readable(): boolean {
    return true;
  }

  override get watchable(): boolean {
    return !this.inode.is(S_IFREG) && !this.inode.entries;
  }

  override read(data: Uint8Array): number {
    if ((this.flags & O_PATH) !== 0 || (this.flags & O_ACCMODE) === O_WRONLY) return -E.EBADF;
    if (this.inode.entries) return -E.EISDIR;
    const { bytes } = this.inode;
    if (typeof bytes === 'number') return bytes;
    const part = bytes.subarray(this.offset, this.offset + data.length);
    data.set(part);
    this.offset += part.length;
    return part.length;
  }

  override write(data: Uint8Array): number {
    if ((this.flags & O_PATH) !== 0 || (this.flags & O_ACCMODE) === O_RDONLY) return -E.EBADF;
    if (this.inode.hooks.write) {
      return Math.min(0, this.inode.hooks.write(new TextDecoder().decode(data))) || data.length;
    }
    const old = this.inode.data;
    const at = (this.flags & O_APPEND) !== 0 ? old.length : this.offset;
    const bytes = new Uint8Array(Math.max(old.length, at + data.length));
    bytes.set(old);
    bytes.set(data, at);
    this.inode.data = bytes;
    this.offset = at + data.length;
    return data.length;
  }

  protected override closed(): void {
    if (this.inode.lock === this) this.inode.lock = undefined;
  }
}

/** Standard output and the like: records what is written. */
export class Transcript extends OpenFile {
  text = '';

  constructor(readonly shown: string) {
    super();
  }

  get readable(): boolean {
    return true;
  }

  override read(): number {
    return 0;
  }

  override write(data: Uint8Array): number {
    this.text += new TextDecoder().decode(data);
    return data.length;
  }
}

/**
 * The highest number that any kernel of this test program has used. No number is used twice, so the use of a closed
 * descriptor is always detected.
 */
let last = 2;

/** Reserves the numbers below `first` for descriptors of the test program itself. */
export function reserveNumbers(first: number): void {
  last = Math.max(last, first - 1);
}

export class Descriptors {
  private readonly files = new Map<number, OpenFile>();
  /** The open file of a descriptor of the test program itself, which Node.js opened. */
  outside: ((fd: number) => OpenFile | undefined) | undefined;

  constructor() {
    for (const fd of [0, 1, 2]) this.files.set(fd, new Transcript(`stdio ${fd}`).hold());
  }

  open(file: OpenFile): number {
    this.files.set(++last, file.hold());
    return last;
  }

  /** @throws Error for a descriptor that was closed, or belongs to another kernel: the code under test has a bug */
  get(fd: number): OpenFile | undefined {
    const file = this.files.get(fd) ?? this.outside?.(fd);
    if (!file && fd >= 0 && fd <= last) {
      throw new Error(`descriptor ${fd} was closed before, or an earlier FakeKernel made it (use a root of its own)`);
    }
    return file;
  }

  close(fd: number): number {
    const file = this.get(fd);
    if (!file) return -E.EBADF;
    this.files.delete(fd);
    file.drop();
    return 0;
  }

  /** The open files above standard error, by number. */
  get all(): ReadonlyMap<number, OpenFile> {
    return new Map([...this.files].filter(([fd]) => fd > 2));
  }

  written(fd: number): string {
    const file = this.files.get(fd);
    return file instanceof Transcript ? file.text : '';
  }
}
