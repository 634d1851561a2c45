/** The terminal of a foreground container, relayed to and from the caller's terminal. */
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_NOCTTY,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  SIGCONT,
  SIGHUP,
  SIGINT,
  SIGPIPE,
  SIGQUIT,
  SIGTERM,
  SIGWINCH,
} from '../../sys/linux.js';
import { Protocol } from '../../sys/protocol.js';
import { forget, readable, sleep, writable } from '../../sys/waiting/loop.js';
import { longestTerminalPause } from '../../sys/waiting/time-limits.js';

/** The head of a transfer's state, and a buffer as large as a terminal's. */
const stateSize = Protocol.TRANSFER_HEAD + (32 << 10);

/**
 * Checks, before anything is made, that one side receives the terminal's master: the console socket if the command
 * exits, else the command itself.
 * @throws RuntError ERR_TERMINAL, with the message that engines look for
 */
export function checkConsole(what: string, terminal: boolean, socket: string | undefined, foreground: boolean): void {
  if (terminal && !foreground && socket === undefined) {
    throw new RuntError({
      code: 'ERR_TERMINAL',
      message: `${what}: cannot allocate tty if runt will detach without setting console socket`,
      pointer: '/process/terminal',
      value: true,
      hint: 'add --console-socket, a socket that receives the terminal, or run in the foreground, or set process.terminal to false',
    });
  }
  if (socket !== undefined && (foreground || !terminal)) {
    throw new RuntError({
      code: 'ERR_TERMINAL',
      message: `${what}: cannot use console socket if runt will not detach or allocate tty`,
      hint: terminal
        ? 'remove --console-socket: in the foreground runt itself relays the terminal'
        : 'set process.terminal to true, or remove --console-socket',
    });
  }
}

/** The caller's terminal and, once attached, the container's. */
export class Terminal {
  private master = -1;
  /** A duplicate of the master: each descriptor can be polled in one direction at a time. */
  private masterIn = -1;
  private input = -1;
  private output = -1;
  private saved: Uint8Array | undefined;
  /** The process has ended; pending output is still delivered. */
  private ended = false;
  /** The caller discards the rest of the output. */
  private abandoned = false;
  private relayed: Promise<void> = Promise.resolve();

  private constructor(private readonly caller: number) {}

  /**
   * Finds the caller's terminal: stderr, stdout or stdin, as runc does, else its controlling terminal.
   * @throws RuntError ERR_TERMINAL
   */
  static ofCaller(what: string): Terminal {
    for (const fd of [2, 1, 0]) if (native.isTerminal(fd) === 1) return new Terminal(fd);
    const fd = native.openAt(AT_FDCWD, '/dev/tty', O_RDWR | O_NOCTTY | O_CLOEXEC, 0);
    if (fd >= 0) return new Terminal(fd);
    throw new RuntError({
      code: 'ERR_TERMINAL',
      message: `${what}: open /dev/tty`,
      path: '/dev/tty',
      pointer: '/process/terminal',
      value: true,
      errno: -fd,
      hint: 'run it in a terminal, detach with --console-socket, or set process.terminal to false: the process has a terminal, and the caller of runt has none',
    });
  }

  /**
   * Receives the master from runt-init over `socket`, closes the socket, and sets the caller's window size.
   * @throws RuntError ERR_TERMINAL
   */
  async attach(socket: number): Promise<void> {
    const name = new Uint8Array(64);
    const fds = new Uint8Array(4);
    await readable(socket);
    const n = native.receiveFds(socket, name, fds);
    native.close(socket);
    this.master = n <= 0 ? (n < 0 ? n : -E.EPIPE) : new DataView(fds.buffer).getInt32(0, true);
    this.ok(this.master, 'receive the terminal');
    this.ok(native.terminalMaster(this.master), 'prepare the terminal');
    this.resize();
  }

  /** Starts to relay. The caller's terminal is in raw mode until `close`. */
  relay(): void {
    this.masterIn = this.ok(native.nonBlocking(this.master, O_RDWR), 'copy the terminal');
    this.input = native.nonBlocking(0, O_RDONLY);
    this.output = native.nonBlocking(1, O_WRONLY);
    this.raw();
    // Without stdin there is no input to relay; without stdout, output is discarded.
    if (this.input >= 0) void untilInterrupted(this.type());
    this.relayed = untilInterrupted(this.show());
  }

  /**
   * Handles a signal to this process.
   * @param sender pid of the sender
   * @returns whether it was for the terminal rather than the container's process
   */
  handlesSignal(number: number, sender: number): boolean {
    switch (number) {
      case SIGWINCH:
        this.resize();
        return true;
      case SIGPIPE:
        // Caused by our own write, not meant for the container.
        return sender === native.pid();
      case SIGCONT:
        // Other processes may have changed the terminal meanwhile.
        if (this.saved) this.raw();
        this.resize();
        return false;
      case SIGHUP:
      case SIGINT:
      case SIGQUIT:
      case SIGTERM:
        if (!this.ended) return false;
        this.abandoned = true;
        for (const fd of [this.master, this.output]) forget(fd);
        return true;
      default:
        return false;
    }
  }

  /** Call after the process has ended: resolves when all its output is delivered. */
  async finish(): Promise<void> {
    this.ended = true;
    forget(this.master);
    await this.relayed;
  }

  /** Restores the caller's terminal and stops the relay. */
  close(): void {
    this.ended = true;
    this.abandoned = true;
    if (this.saved) native.terminalRestore(this.caller, this.saved);
    this.saved = undefined;
    for (const fd of [this.master, this.masterIn, this.input, this.output]) {
      if (fd < 0) continue;
      forget(fd);
      native.close(fd);
    }
    this.master = this.masterIn = this.input = this.output = -1;
    if (this.caller > 2) native.close(this.caller);
  }

  private raw(): void {
    const mode = new Uint8Array(256);
    const n = native.terminalRaw(this.caller, mode);
    // EIO: an orphaned background job, which may neither change the terminal's mode nor read from it.
    if (this.saved || n === -E.EIO) return;
    this.ok(n, "put the caller's terminal in raw mode");
    this.saved = mode.slice(0, n);
  }

  /** Copies the window size of the caller's terminal. A size of 0 × 0 (unknown) keeps that of consoleSize. */
  private resize(): void {
    const size = new Uint8Array(16);
    if (this.master < 0 || native.windowSize(this.caller, size) < 0) return;
    const view = new DataView(size.buffer);
    const [width, height] = [view.getInt32(0, true), view.getInt32(8, true)];
    if (width || height) native.setWindowSize(this.master, width, height);
  }

  /** Copies stdin to the container, until one of them ends. */
  private async type(): Promise<void> {
    const state = new Uint8Array(stateSize);
    let pause = 1;
    while (!this.ended) {
      switch (native.transfer(this.input, this.masterIn, state)) {
        case Protocol.TRANSFER_READABLE:
          pause = 1;
          await readable(this.input);
          break;
        case Protocol.TRANSFER_MORE:
          await sleep(0);
          break;
        case Protocol.TRANSFER_WRITABLE:
          await writable(this.masterIn);
          break;
        case Protocol.TRANSFER_GONE:
          // No process in the container has the terminal open: drop the input, as a hung-up line does.
          state.fill(0, 0, 8);
          await sleep(pause);
          pause = Math.min(2 * pause, longestTerminalPause);
          break;
        default:
          // The end of a file or pipe is not ^D: as with runc, the container continues without input.
          return;
      }
    }
  }

  /** Copies the container's output to stdout, until it has ended and all is written. */
  private async show(): Promise<void> {
    const state = new Uint8Array(stateSize);
    let pause = 1;
    while (!this.abandoned) {
      // Once the process has ended, all its output is readable: the kernel flushes it first.
      const last = this.ended;
      switch (native.transfer(this.master, this.output, state)) {
        case Protocol.TRANSFER_READABLE:
          pause = 1;
          if (last) return;
          await readable(this.master);
          break;
        case Protocol.TRANSFER_MORE:
          await sleep(0);
          break;
        case Protocol.TRANSFER_WRITABLE:
          await writable(this.output);
          break;
        case Protocol.TRANSFER_GONE:
          // The reader is gone; the container must not stop for that.
          if (this.output >= 0) native.close(this.output);
          this.output = -1;
          break;
        case Protocol.TRANSFER_HUNG_UP:
          if (last) return;
          await sleep(pause);
          pause = Math.min(2 * pause, longestTerminalPause);
          break;
        default:
          return;
      }
    }
  }

  private ok(result: number, message: string): number {
    return check(result, { code: 'ERR_TERMINAL', message });
  }
}

/** An interrupted command ends the container and drops its output. */
function untilInterrupted(relay: Promise<void>): Promise<void> {
  return relay.catch((error: unknown) => {
    if (!(error instanceof RuntError) || error.code !== 'ERR_INTERRUPTED') throw error;
  });
}
