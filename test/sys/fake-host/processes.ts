/** The processes of the fake kernel, and the native functions that start, signal and reap them. */
import type { Native } from '../../../src/sys/abi.js';
import { E } from '../../../src/sys/errno.js';
import { CLD_EXITED, SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGURG, SIGWINCH } from '../../../src/sys/linux.js';
import { fillBytes, integersOf, putIntegers, textsOf } from './buffers.js';
import { type Descriptors, OpenFile } from './descriptors.js';
import type { FileSystem, Inode } from './file-tree.js';

const CLD_KILLED = 2;
/** Signals whose default action does not end the process (signal(7)). */
const HARMLESS = [0, SIGCHLD, SIGCONT, SIGURG, SIGWINCH];

interface ProcessOptions {
  readonly pid?: number;
  readonly name?: string;
  /** Field 22 of /proc/PID/stat. */
  readonly startTime?: string;
  /** The pid of its parent; 1 if none, which reaps it at once. */
  readonly parent?: number;
  /** The cgroup directories of the process. */
  readonly cgroups?: readonly Inode[];
  /** Handles a signal other than SIGKILL and SIGSTOP; false for the default action. */
  readonly onSignal?: (signal: number) => boolean;
}

export class FakeProcess {
  /** As in /proc/PID/stat. */
  state = 'S';
  name: string;
  readonly startTime: string;
  parent: number;
  /** Its cgroup in each hierarchy. */
  readonly cgroups = new Map<FileSystem, Inode>();
  /** si_code and si_status of waitid(2). */
  end: { readonly code: number; readonly status: number } | undefined;
  /** Signals in the order in which they arrived. */
  readonly signals: number[] = [];
  /** Whether a freezer of v1 delays its signals. */
  frozen: () => boolean = () => false;
  onSignal: ((signal: number) => boolean) | undefined;
  /** PF_* in /proc/PID/stat. */
  flags = 0;
  /** As in /proc/PID/stat; the other threads outlive a first thread that is a zombie. */
  threads = 1;
  /** Its open files, which are dropped at its end. */
  files: OpenFile[] = [];
  private pending: number[] = [];

  constructor(
    readonly pid: number,
    o: ProcessOptions,
    private readonly ended: (process: FakeProcess) => void,
  ) {
    this.name = o.name ?? 'sleep';
    this.startTime = o.startTime ?? String(1000 + pid);
    this.parent = o.parent ?? 1;
    this.onSignal = o.onSignal;
    for (const cgroup of o.cgroups ?? []) this.cgroups.set(cgroup.fs, cgroup);
  }

  signal(signal: number): void {
    if (this.end || signal === 0) return;
    if (this.frozen()) {
      this.pending.push(signal);
      return;
    }
    this.signals.push(signal);
    if (signal === SIGKILL) this.finish(CLD_KILLED, signal);
    else if (signal === SIGSTOP) this.state = 'T';
    else if (!this.onSignal?.(signal) && !HARMLESS.includes(signal)) this.finish(CLD_KILLED, signal);
  }

  /** Delivers the signals that a freezer delayed. */
  thawed(): void {
    for (const signal of this.pending.splice(0)) this.signal(signal);
  }

  exit(status: number): void {
    this.finish(CLD_EXITED, status);
  }

  private finish(code: number, status: number): void {
    if (this.end) return;
    this.end = { code, status };
    this.state = 'Z';
    for (const file of this.files.splice(0)) file.drop();
    this.ended(this);
  }

  get stat(): string {
    const zeros = (length: number): string => Array.from({ length }, () => '0').join(' ');
    const mask = this.pending.reduce((bits, signal) => bits | (1 << (signal - 1)), 0);
    const start = `${this.pid} (${this.name}) ${this.state} ${this.parent} ${zeros(4)} ${this.flags} ${zeros(10)}`;
    return `${start} ${this.threads} 0 ${this.startTime} ${zeros(8)} ${mask} 0\n`;
  }
}

class Pidfd extends OpenFile {
  constructor(override readonly process: FakeProcess) {
    super();
  }

  get shown(): string {
    return `pidfd ${this.process.pid}`;
  }

  get readable(): boolean {
    return this.process.end !== undefined;
  }
}

/** A child of the process under test, for the script of its program. */
export interface Spawned {
  readonly process: FakeProcess;
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** The working directory of a hook. */
  readonly directory?: string;
  /** CLONE_NEW* of a runt-init. */
  readonly flags?: bigint;
  /** By its number in the child; in runt-init 3 is `sync`. */
  file(fd: number): OpenFile | undefined;
}

/** The script of a program: what it does when it is started. -errno if it cannot be started. */
export type Program = (child: Spawned) => number | undefined;

/** A list of descriptors by their numbers in the child; -1 is /dev/null. */
type ChildFiles = readonly (readonly [fd: number, own: number])[];

export class Processes {
  private readonly all = new Map<number, FakeProcess>();
  private lastPid = 2000;
  readonly programs = new Map<string, Program>();
  /** The script of runt-init. */
  init: Program | undefined;
  /** Called with each process that starts or is gone. */
  readonly onChange: ((process: FakeProcess, gone: boolean) => void)[] = [];
  /** Linux 6.15 reports how a reaped process has ended (PIDFD_GET_INFO). */
  tellsEnd = false;
  readonly own: FakeProcess;

  constructor(private readonly descriptors: Descriptors) {
    this.own = this.add({ pid: 1000, name: 'runt' });
  }

  add(o: ProcessOptions = {}): FakeProcess {
    const pid = o.pid ?? ++this.lastPid;
    if (this.all.has(pid)) throw new Error(`there is a process ${pid}`);
    const process = new FakeProcess(pid, o, (ended) => {
      if (ended.parent !== this.own?.pid) this.reap(ended);
    });
    this.all.set(pid, process);
    for (const changed of this.onChange) changed(process, false);
    return process;
  }

  get(pid: number): FakeProcess | undefined {
    return this.all.get(pid);
  }

  get list(): FakeProcess[] {
    return [...this.all.values()];
  }

  /** Reads its status, which frees its pid. */
  reap(process: FakeProcess): void {
    if (this.all.get(process.pid) !== process) return;
    this.all.delete(process.pid);
    for (const changed of this.onChange) changed(process, true);
  }

  openPidfd(process: FakeProcess): number {
    return this.descriptors.open(this.pidfd(process));
  }

  /** A pidfd that another process sends. */
  pidfd(process: FakeProcess): OpenFile {
    return new Pidfd(process);
  }

  private start(
    program: Program | undefined,
    out: Uint8Array,
    files: ChildFiles,
    child: Omit<Spawned, 'process' | 'file'>,
    name: string,
  ): number {
    if (!program) return -E.ENOENT;
    const inside = new Map<number, OpenFile>();
    for (const [fd, own] of files) {
      const file = own < 0 ? undefined : this.descriptors.get(own);
      if (own >= 0 && !file) return -E.EBADF;
      if (file) inside.set(fd, file.hold());
    }
    const process = this.add({ name, parent: this.own.pid });
    process.files = [...inside.values()];
    for (const [fs, cgroup] of this.own.cgroups) process.cgroups.set(fs, cgroup);
    const r = program({ ...child, process, file: (fd) => inside.get(fd) }) ?? 0;
    if (r < 0) {
      process.exit(127);
      this.reap(process);
      return r;
    }
    putIntegers(out, [this.openPidfd(process)]);
    return process.pid;
  }

  calls() {
    const { descriptors } = this;
    const processOf = (pidfd: number): FakeProcess | number => descriptors.get(pidfd)?.process ?? -E.EBADF;
    const lives = (process: FakeProcess): boolean => this.all.get(process.pid) === process;
    const signal = (process: FakeProcess | undefined, number: number): number => {
      if (!process || !lives(process)) return -E.ESRCH;
      process.signal(number);
      return 0;
    };
    const spawn = (path: string, args: Uint8Array, env: Uint8Array, out: Uint8Array, files: ChildFiles, more = {}) =>
      this.start(
        this.programs.get(path),
        out,
        files,
        { args: textsOf(args), env: textsOf(env), ...more },
        path.slice(path.lastIndexOf('/') + 1).slice(0, 15),
      );
    const stdio = (stdin: number, stdout: number, stderr: number): ChildFiles => [
      [0, stdin],
      [1, stdout],
      [2, stderr],
    ];
    return {
      pid: () => this.own.pid,
      processStat: (pid, data) => {
        const process = this.all.get(pid);
        return process ? fillBytes(data, new TextEncoder().encode(process.stat)) : -E.ENOENT;
      },
      pidfdOpen: (pid) => {
        const process = this.all.get(pid);
        return process ? this.openPidfd(process) : -E.ESRCH;
      },
      pidfdSignal: (pidfd, number) => {
        const process = processOf(pidfd);
        return typeof process === 'number' ? process : signal(process, number);
      },
      killProcess: (pid, number) => signal(this.all.get(pid), number),
      signalGroup: (pid, number) => signal(this.all.get(pid), number),
      waitPidfd: (pidfd, data) => {
        const process = processOf(pidfd);
        if (typeof process === 'number') return process;
        if (process.parent !== this.own.pid || !lives(process)) return -E.ECHILD;
        if (!process.end) return 0;
        putIntegers(data, [process.end.code, process.end.status]);
        this.reap(process);
        return 1;
      },
      reapChild: (pid) => {
        const process = this.all.get(pid);
        if (process?.parent !== this.own.pid) return -E.ECHILD;
        if (!process.end) return 0;
        this.reap(process);
        return 1;
      },
      exitOfPidfd: (pidfd) => {
        const process = processOf(pidfd);
        if (typeof process === 'number') return process;
        if (!this.tellsEnd) return -E.ENOTTY;
        if (lives(process) || !process.end) return -E.EAGAIN;
        const { code, status } = process.end;
        return code === CLD_EXITED ? status << 8 : status;
      },
      setSubreaper: () => 0,
      // No orphans, and no exec of this process: it waits itself.
      reapOrphans: () => 0,
      becomeInit: () => -E.EACCES,
      spawn: (path, args, env, stdin, stdout, stderr, out) => spawn(path, args, env, out, stdio(stdin, stdout, stderr)),
      spawnKeeping: (path, args, env, stdin, stdout, stderr, keep, out) =>
        spawn(path, args, env, out, [
          ...stdio(stdin, stdout, stderr),
          ...integersOf(keep).map((fd) => [fd, fd] as const),
        ]),
      spawnWith: (path, args, env, fds, out) =>
        spawn(
          path,
          args,
          env,
          out,
          integersOf(fds).map((fd, i) => [3 + i, fd] as const),
        ),
      spawnHook: (path, args, env, directory, stdin, stdout, stderr, out) =>
        spawn(path, args, env, out, stdio(stdin, stdout, stderr), { directory }),
      spawnInit: (flags, sync, stdioList, keep, cgroup, out) => {
        const files: ChildFiles = [
          [3, sync],
          ...integersOf(stdioList).map((fd, i) => [i, fd] as const),
          ...integersOf(keep).map((fd) => [fd, fd] as const),
        ];
        const child = { args: [], env: [], flags };
        const pid = this.start(this.init, out, files, child, 'runt-init');
        const directory = cgroup < 0 ? undefined : descriptors.get(cgroup)?.inode;
        if (pid > 0 && directory) this.all.get(pid)?.cgroups.set(directory.fs, directory);
        return pid;
      },
    } satisfies Partial<Native>;
  }
}
