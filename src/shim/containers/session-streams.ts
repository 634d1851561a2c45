/** Our ends of the standard streams of a process: pipes, or a terminal. */
import type { Stdio } from '../../container/launch/spawn-init.js';
import { openRoot } from '../../container/state/state-directory.js';
import { RuntError } from '../../sys/error.js';
import { tryStat } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import {
  AT_FDCWD,
  O_APPEND,
  O_CREAT,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  S_IFCHR,
  S_IFMT,
  S_IFREG,
} from '../../sys/linux.js';
import { forget } from '../../sys/waiting/loop.js';
import { blocking, type Owner, open, pipe } from '../streams/stdio-streams.js';
import { ConsoleSocket } from '../task/task-console.js';
import type { api } from './api-protos.js';

type StdioRequest = api.Stdio.$Properties;

/** An output of the process, with our reading end. */
export interface Output {
  readonly name: 'stdout' | 'stderr';
  readonly fd: number;
}

/** Numbers the sockets that receive terminals. */
let sockets = 0;

export class SessionStreams {
  /** The process's descriptors 0, 1 and 2. */
  private stdio: Stdio = [-1, -1, -1];
  /** Our writing end of stdin; -1 if there is none. */
  input = -1;
  /** Those that are open: another stream may have the number of a closed one. */
  readonly outputs: Output[] = [];
  private master = -1;
  private readonly theirs: number[] = [];
  private readonly ours: number[] = [];

  private constructor(private readonly owner: Owner) {}

  /**
   * Opens the streams and calls `begin` with them: descriptors, or the path of a socket that receives the terminal.
   * Closes them if that fails.
   * @param root the state root, where that socket is made
   * @throws RuntError ERR_IO, ERR_USAGE, ERR_TERMINAL; errors of `begin`
   */
  static async connect(
    request: StdioRequest,
    { root, terminal, owner }: { readonly root: string; readonly terminal: boolean; readonly owner: Owner },
    begin: (stdio: Stdio, consoleSocket: { readonly consoleSocket?: string }) => Promise<void>,
  ): Promise<SessionStreams> {
    const streams = new SessionStreams(owner);
    let socket: ConsoleSocket | undefined;
    let master: Promise<number> | undefined;
    try {
      streams.open(request, terminal);
      if (terminal) {
        openRoot(root, true);
        const name = `.console-${native.pid()}-${++sockets}`;
        // Of a killed server with this pid.
        native.unlinkAt(AT_FDCWD, `${root}/${name}`, 0);
        socket = new ConsoleSocket(root, name);
        master = socket.master();
        // Awaited after `begin`: an error of `begin` takes precedence.
        master.catch(() => {});
      }
      await begin(streams.stdio, socket ? { consoleSocket: socket.path } : {});
      if (master) streams.setTerminal(await master, request);
      return streams;
    } catch (error) {
      streams.close();
      // The terminal may have come before `begin` failed.
      if (streams.master < 0) master?.then((fd) => native.close(fd)).catch(() => {});
      throw error;
    } finally {
      for (const fd of streams.theirs.splice(0)) native.close(fd);
      socket?.close();
    }
  }

  /** Sets the terminal's size. @throws RuntError ERR_STREAMS if there is none */
  resize({ width, height }: api.TerminalSize.$Properties): void {
    if (this.master < 0)
      throw new RuntError({ code: 'ERR_STREAMS', message: 'resize the terminal: the process has none, or has ended' });
    native.setWindowSize(this.master, width ?? 0, height ?? 0);
  }

  /** Closes stdin. A terminal stays open: its input ends by Ctrl-D. */
  closeInput(): void {
    this.closeOurs(this.input);
    this.input = -1;
  }

  /** Closes our end of an output. */
  closeOutput(output: Output): void {
    const at = this.outputs.indexOf(output);
    if (at < 0) return;
    this.outputs.splice(at, 1);
    if (output.fd === this.master) this.close();
    else this.closeOurs(output.fd);
  }

  close(): void {
    for (const fd of [...this.ours]) this.closeOurs(fd);
    this.outputs.length = 0;
    this.input = -1;
    this.master = -1;
  }

  private open({ openStdin, input, stdoutFile, stderrFile }: StdioRequest, terminal: boolean): void {
    if (terminal) {
      for (const path of [stdoutFile, stderrFile])
        if (path) throw usageError(`${path}: the output of a terminal cannot go to a file`);
      const null3 = [O_RDONLY, O_WRONLY, O_WRONLY].map((flags) => this.addTheirs(open('/dev/null', flags)));
      this.stdio = null3 as unknown as Stdio;
      return;
    }
    const stdin = openStdin || input?.length ? this.inputPipe() : this.addTheirs(open('/dev/null', O_RDONLY));
    this.stdio = [stdin, this.output('stdout', stdoutFile), this.output('stderr', stderrFile)];
  }

  private inputPipe(): number {
    const [reader, writer] = pipe();
    const theirs = this.addTheirs(blocking(reader));
    this.chownPipe(theirs);
    this.input = this.addOurs(native.nonBlocking(writer, O_WRONLY));
    native.close(writer);
    return theirs;
  }

  private output(name: Output['name'], file: string | null | undefined): number {
    if (file) {
      if (!file.startsWith('/')) throw usageError(`${name}_file must be an absolute path, not "${file}"`);
      return this.outputFile(name, file);
    }
    const [reader, writer] = pipe();
    this.outputs.push({ name, fd: this.addOurs(reader) });
    this.chownPipe(this.addTheirs(writer));
    return writer;
  }

  /** Never waits, as the open of a fifo would. */
  private outputFile(name: Output['name'], path: string): number {
    const fd = this.addTheirs(open(path, O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK));
    const kind = (tryStat(`/proc/self/fd/${fd}`)?.mode ?? 0) & S_IFMT;
    if (kind === S_IFREG || kind === S_IFCHR) return fd;
    throw usageError(`${name}_file ${path} is neither a file nor a device such as /dev/null`);
  }

  private setTerminal(master: number, { size, openStdin, input }: StdioRequest): void {
    this.master = this.addOurs(master);
    this.outputs.push({ name: 'stdout', fd: master });
    // A second descriptor: the event loop waits for one direction of a descriptor only.
    if (openStdin || input?.length) this.input = this.addOurs(native.nonBlocking(master, O_RDWR));
    if (size) this.resize(size);
  }

  /** Gives a pipe to the process's user, so that the process can reopen /dev/stdout. */
  private chownPipe(fd: number): void {
    if (this.owner.uid !== 0) native.chownAt(fd, '', BigInt(this.owner.uid), -1n);
  }

  private addTheirs(fd: number): number {
    this.theirs.push(fd);
    return fd;
  }

  private addOurs(fd: number): number {
    this.ours.push(fd);
    return fd;
  }

  private closeOurs(fd: number): void {
    const at = this.ours.indexOf(fd);
    if (at < 0) return;
    this.ours.splice(at, 1);
    forget(fd);
    native.close(fd);
  }
}

const usageError = (message: string): RuntError => new RuntError({ code: 'ERR_USAGE', message });
