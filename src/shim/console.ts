/** A terminal of a container's process between its master and an engine's fifos. */
import { check, RuntError } from '../sys/error.js';
import { native } from '../sys/host.js';
import { AT_FDCWD, O_RDONLY, O_RDWR } from '../sys/linux.js';
import { forget, readable } from '../sys/loop.js';
import { copy } from './copy.js';
import { pathOf, type Streams } from './stdio.js';

const O_NONBLOCK = 0o4000;
/** ms; runt-init sends the master at once. */
const patience = 10_000;

/** A socket that gets the master of a terminal, as `--console-socket` does. */
export class ConsoleSocket {
  private readonly listener: number;

  /** Listens in a directory of ours. @throws RuntError ERR_TERMINAL */
  constructor(
    private readonly directory: string,
    private readonly name: string,
  ) {
    const dir = native.openAt(AT_FDCWD, directory, 0, 0);
    const listener = dir < 0 ? dir : native.unixListen(dir, name, 1);
    if (dir >= 0) native.close(dir);
    this.listener = check(listener, { code: 'ERR_TERMINAL', message: 'listen for a terminal', path: this.path });
  }

  get path(): string {
    return `${this.directory}/${this.name}`;
  }

  /** The master that was sent. @throws RuntError ERR_TERMINAL */
  async master(): Promise<number> {
    const came = await readable(this.listener, patience);
    const connection = came ? native.accept(this.listener) : -1;
    if (connection < 0) throw new RuntError({ code: 'ERR_TERMINAL', message: 'no terminal came' });
    const fds = new Uint8Array(4);
    await readable(connection, patience);
    native.receiveFds(connection, new Uint8Array(256), fds);
    native.close(connection);
    const fd = new DataView(fds.buffer).getInt32(0, true);
    if (fd < 0) throw new RuntError({ code: 'ERR_TERMINAL', message: 'no terminal came' });
    check(native.terminalMaster(fd), { code: 'ERR_TERMINAL', message: 'prepare the terminal' });
    return fd;
  }

  close(): void {
    forget(this.listener);
    native.close(this.listener);
    native.unlinkAt(AT_FDCWD, this.path, 0);
  }
}

/** The master and the copies to and from it. */
export class Console {
  private readonly fds: number[];
  private readonly shown: Promise<void>;

  constructor(
    private readonly fd: number,
    streams: Streams,
  ) {
    // A second descriptor: one is waited for in one direction at a time.
    const typed = native.nonBlocking(fd, O_RDWR);
    const out = streams.stdout ? native.openAt(AT_FDCWD, pathOf(streams.stdout), O_RDWR | O_NONBLOCK, 0) : -1;
    const input = streams.stdin ? native.openAt(AT_FDCWD, pathOf(streams.stdin), O_RDONLY | O_NONBLOCK, 0) : -1;
    this.fds = [fd, typed, out, input].filter((x) => x >= 0);
    this.shown = copy(fd, out);
    if (input >= 0) void readable(input).then((ready) => (ready ? copy(input, typed) : undefined));
  }

  /** In characters. */
  resize(width: number, height: number): void {
    native.setWindowSize(this.fd, width, height);
  }

  /** Resolves when all that was written is delivered: the other end is closed. */
  drained(): Promise<void> {
    return this.shown;
  }

  close(): void {
    for (const fd of this.fds.splice(0)) {
      forget(fd);
      native.close(fd);
    }
  }
}
