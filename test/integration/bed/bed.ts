/**
 * A bed: one bundle in a directory of its own with a private state root, in which a test runs the program.
 *
 *     const test = needing('hostname', 'root');
 *     test('the hostname is set', onBed((bed) => {
 *       bed.config.hostname = 'x';
 *       assert.is(bed.sh('hostname').stdout, 'x\n');
 *     }));
 *     test.run();
 *
 * At the end `onBed` asserts that no mount, cgroup, process or state is left, and removes what is.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { becomesTrue, COMMAND_LIMIT, DEADLINE, GRACE } from '../../deadline.js';
import { hostMounts, leftovers, type Mark, sweep } from '../../leaks/leftovers.js';
import { type Config, defaultConfig } from './config.js';
import { runtPath, top } from './place.js';

export { eventually } from '../../deadline.js';
export { needing } from './needs.js';

/** How one command ended. */
export interface Result {
  /** Exit status; null when a signal ended the runtime itself. */
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** Returns the result. Fails the test if the command failed or wrote to stderr. */
export function ok<T extends { readonly code: number | null; readonly stderr: string }>(r: T): T {
  assert.equal([r.code, r.stderr], [0, '']);
  return r;
}

export interface CommandOptions {
  /** Stdin of the command and the container; empty by default. */
  input?: string;
  /** The whole environment; only PATH by default. */
  env?: Record<string, string>;
  cwd?: string;
  /** ms after which the command is killed and the test fails; COMMAND_LIMIT by default. */
  timeout?: number;
  /** A program to run instead of runt, e.g. runc; gets the same `--root`. */
  program?: string;
  /** A program and its arguments that execute the command. */
  wrapped?: readonly string[];
  uid?: number;
  gid?: number;
}

/** A command that runs concurrently with the test. */
export interface Running {
  child: ChildProcess;
  /** Resolves when the command has ended. */
  exit: Promise<Result>;
  /** What stdout holds so far. */
  stdout(): string;
  stderr(): string;
}

interface StateOutput {
  ociVersion: string;
  id: string;
  pid: number;
  status: string;
  bundle: string;
  rootfs?: string;
  created?: string;
  annotations?: Record<string, string>;
  owner?: string;
}

let count = 0;
/** Unique for each test file: runs in pid namespaces of their own have the same pids, and share the cgroups. */
const run = Math.random().toString(36).slice(2, 6);

export class Bed {
  /** The bed's own directory, mode 0755, below the system's temporary directory. */
  readonly dir: string;
  readonly bundle: string;
  readonly rootfs: string;
  /** `--root` of every command. */
  readonly root: string;
  readonly id: string;
  /** Written to config.json before each create, run and explain. */
  config: Config = defaultConfig();
  #calls = 0;
  #created?: { out: string; err: string };
  readonly #mounts = hostMounts();
  /** True once another runtime ran: runc 1.1 removes options (nsdelegate) from the host's mount of cgroup v2. */
  #others = false;

  constructor() {
    this.dir = realpathSync(mkdtempSync(join(tmpdir(), 'runt-bed-')));
    chmodSync(this.dir, 0o755);
    this.id = `bed-${process.pid}-${run}-${++count}`;
    this.bundle = join(this.dir, 'bundle');
    this.rootfs = join(this.bundle, 'rootfs');
    this.root = join(this.dir, 'state');
    mkdirSync(this.bundle);
    const base = join(top, 'build', 'rootfs');
    execFileSync(join(top, 'hack', 'rootfs'), [base], { stdio: ['ignore', 'ignore', 'inherit'] });
    // cp, because Node's cpSync turns hard links into copies.
    execFileSync('cp', ['-a', base, this.rootfs]);
  }

  get mark(): Mark {
    return { dir: this.dir, root: this.root, id: this.id };
  }

  /** Writes config.json; a string is written verbatim. */
  write(config: unknown = this.config): void {
    const body =
      typeof config === 'string' ? config : JSON.stringify(config, wide, 2).replaceAll(/"wide:(-?\d+)"/g, '$1');
    writeFileSync(join(this.bundle, 'config.json'), body);
  }

  /** Files, not pipes: a container that outlives the command must not block the test, and crun takes over its stdio. */
  #stdio(input: string): { fds: [number, number, number]; out: string; err: string } {
    const base = join(this.dir, `call-${++this.#calls}`);
    writeFileSync(`${base}.in`, input);
    const [out, err] = [`${base}.out`, `${base}.err`];
    return { fds: [openSync(`${base}.in`, 'r'), openSync(out, 'a'), openSync(err, 'a')], out, err };
  }

  #command(args: readonly string[], o: CommandOptions) {
    if (o.program) this.#others = true;
    const [file = '', ...before] = [...(o.wrapped ?? []), o.program ?? runtPath];
    return {
      file,
      args: [...before, '--root', this.root, ...args],
      options: {
        env: o.env ?? { PATH: process.env.PATH ?? '' },
        cwd: o.cwd ?? this.dir,
        ...(o.uid === undefined ? {} : { uid: o.uid }),
        ...(o.gid === undefined ? {} : { gid: o.gid }),
      },
    };
  }

  /** Runs `runt --root ROOT ARGS…` to its end. */
  runt(args: readonly string[], o: CommandOptions = {}): Result {
    const { fds, out, err } = this.#stdio(o.input ?? '');
    const command = this.#command(args, o);
    const timeout = o.timeout ?? COMMAND_LIMIT;
    const r = spawnSync(command.file, command.args, {
      ...command.options,
      stdio: fds,
      timeout,
      killSignal: 'SIGKILL',
    });
    for (const fd of fds) closeSync(fd);
    if (args[0] === 'create') this.#created = { out, err };
    const result = {
      code: r.status,
      signal: r.signal,
      stdout: readFileSync(out, 'utf8'),
      stderr: readFileSync(err, 'utf8'),
    };
    if (r.error)
      throw new Error(`${args.join(' ')}: ${r.error.message} (after ${timeout} ms at most)\n${result.stderr}`);
    return result;
  }

  /** Starts `runt --root ROOT ARGS…` concurrently with the test. */
  spawn(args: readonly string[], o: CommandOptions = {}): Running {
    const { fds, out, err } = this.#stdio(o.input ?? '');
    const command = this.#command(args, o);
    const child = spawn(command.file, command.args, {
      ...command.options,
      stdio: fds,
      timeout: o.timeout ?? COMMAND_LIMIT,
      killSignal: 'SIGKILL',
    });
    for (const fd of fds) closeSync(fd);
    const read = (path: string) => () => readFileSync(path, 'utf8');
    const exit = new Promise<Result>((settle, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        try {
          settle({ code, signal, stdout: read(out)(), stderr: read(err)() });
        } catch (error) {
          reject(error);
        }
      });
    });
    // A test that has failed removes the files, and awaits nothing: its own error is the one to read.
    exit.catch(() => {});
    return { child, exit, stdout: read(out), stderr: read(err) };
  }

  /** `runt run`: writes the config and runs the container in the foreground. `flags` precede the id. */
  run(flags: readonly string[] = [], o: CommandOptions = {}): Result {
    this.write();
    return this.runt(['run', '--bundle', this.bundle, ...flags, this.id], o);
  }

  /** Runs a shell script in the container with `run`. */
  sh(script: string, flags: readonly string[] = [], o: CommandOptions = {}): Result {
    this.config.process.args = ['/bin/sh', '-c', script];
    return this.run(flags, o);
  }

  /** Runs `sh`, requires exit status 0 and an empty stderr, and returns stdout. */
  out(script: string): string {
    const r = this.sh(script);
    if (r.code !== 0 || r.stderr !== '') throw new Error(`exit ${r.code ?? r.signal}: ${r.stderr}\n${r.stdout}`);
    return r.stdout;
  }

  /** `runt create`; the container's stdout is then in `stdout()`. */
  create(flags: readonly string[] = [], o: CommandOptions = {}): Result {
    this.write();
    return this.runt(['create', '--bundle', this.bundle, ...flags, this.id], o);
  }

  /** Runs `create` and `start`, requires both to succeed, and returns the pid of the process. */
  started(args: string[] = ['/bin/sleep', '1000']): number {
    this.config.process.args = args;
    for (const r of [this.create(), this.runt(['start', this.id])]) {
      if (r.code !== 0) throw new Error(`exit ${r.code}: ${r.stderr}`);
    }
    return this.state().pid;
  }

  /** What the container of the last `create` has written so far. */
  stdout(): string {
    return this.#created ? readFileSync(this.#created.out, 'utf8') : '';
  }
  stderr(): string {
    return this.#created ? readFileSync(this.#created.err, 'utf8') : '';
  }

  /** `runt state`, parsed; throws if the command fails. */
  state(): StateOutput {
    const r = this.runt(['state', this.id]);
    if (r.code !== 0) throw new Error(`state: exit ${r.code}: ${r.stderr}`);
    return JSON.parse(r.stdout);
  }

  /** Whether the container is running; not, too, while a `run` that goes on beside the test still makes it. */
  isRunning(): boolean {
    const r = this.runt(['state', this.id]);
    if (r.code === 0) return JSON.parse(r.stdout).status === 'running';
    if (!r.stderr.includes('container does not exist')) throw new Error(`state: exit ${r.code}: ${r.stderr}`);
    return false;
  }

  start(): Result {
    return this.runt(['start', this.id]);
  }
  kill(signal: string | number = 'TERM', ...flags: string[]): Result {
    return this.runt(['kill', ...flags, this.id, String(signal)]);
  }
  delete(...flags: string[]): Result {
    return this.runt(['delete', ...flags, this.id]);
  }

  /** Waits until the state is `status`. */
  until(status: string, ms = DEADLINE): StateOutput {
    let state = this.state();
    const reached = (): boolean => {
      state = this.state();
      return state.status === status;
    };
    if (!becomesTrue(reached, ms)) throw new Error(`state is ${state.status}, not ${status}, after ${ms} ms`);
    return state;
  }

  /**
   * Asserts that nothing is left, and removes what is. A process has `grace` ms to end. `quiet`: do not assert, because
   * a failure is reported already.
   */
  end(quiet = false, grace = GRACE): void {
    const left = leftovers(this.mark, quiet ? 0 : grace);
    sweep(this.mark);
    if (!quiet && left.length > 0) throw new Error(`left behind:\n  ${left.join('\n  ')}`);
    const mounts = hostMounts();
    if (!quiet && !this.#others && mounts !== this.#mounts)
      throw new Error(`the host's mounts were\n${this.#mounts}\nand are\n${mounts}`);
  }
}

/** A bigint of a config as a marked string, unquoted afterwards: JSON.stringify refuses bigints. */
function wide(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `wide:${value}` : value;
}

/** Runs a test's body on a bed of its own, cleans up after it, and checks that nothing is left. */
export function onBed(body: (bed: Bed) => void | Promise<void>): () => Promise<void> {
  return async () => {
    const bed = new Bed();
    try {
      await body(bed);
    } catch (failure) {
      bed.end(true);
      throw failure;
    }
    bed.end();
  };
}
