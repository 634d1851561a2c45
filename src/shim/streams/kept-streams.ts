/** The ends of one process's streams that a keeper holds, so that they outlive the server. */
import type { DescriptorKeeper } from './descriptor-keeper.js';
import { streamId } from './stream-id.js';

/** `0<` is the engine's fifo of the input, `1>` and `2>` those of the outputs, `0` to `2` the pipes, `t` a terminal. */
type StreamEnd = '0<' | '0' | '1' | '1>' | '2' | '2>' | 't';

export class KeptStreams {
  private readonly ends = new Map<number, string>();
  /** The streams of containerd's whose other end the keeper has. */
  private readonly streams = new Map<number, string>();
  /** Opened since the last `hold`. */
  private fresh = new Map<string, number>();

  constructor(
    private readonly keeper: DescriptorKeeper,
    /** What the names of this process begin with. */
    private readonly prefix: string,
  ) {}

  /** Notes an open end for the next `hold`. */
  add(end: StreamEnd, fd: number): void {
    const name = `${this.prefix}${end}`;
    this.ends.set(fd, name);
    this.fresh.set(name, fd);
  }

  async hold(): Promise<void> {
    const { fresh } = this;
    this.fresh = new Map();
    await this.keeper.hold(fresh);
  }

  /** The end that an earlier server had; undefined for none. */
  async take(end: StreamEnd): Promise<number | undefined> {
    const name = `${this.prefix}${end}`;
    const fd = await this.keeper.take(name);
    if (fd !== undefined) this.ends.set(fd, name);
    return fd;
  }

  /** Gives the other end of our `fd` to a stream of containerd's. @throws RuntError ERR_SHIM */
  async give(fd: number, stream: string, otherEnd: number): Promise<void> {
    await this.keeper.give(stream, otherEnd);
    this.streams.set(fd, stream);
  }

  /** Notes that the keeper has the other end since an earlier server, if `name` is of a stream of containerd's. */
  adoptStream(direction: '>' | '<', fd: number | undefined, name: string): void {
    const id = streamId(name);
    if (fd !== undefined && id !== undefined) this.streams.set(fd, `${direction}${id}`);
  }

  /** Call it when a descriptor is closed. */
  drop(fd: number): void {
    const names = [this.ends.get(fd), this.streams.get(fd)].filter((name) => name !== undefined);
    if (names.length === 0) return;
    this.ends.delete(fd);
    this.streams.delete(fd);
    void this.keeper.drop(names);
  }
}
