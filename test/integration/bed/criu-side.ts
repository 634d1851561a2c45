/** A container of one runtime that the real criu checkpoints and restores: runt's and runc's, with the same flags. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { becomesTrue, blockUntil, DEADLINE } from '../../deadline.js';
import { Bed, type CommandOptions, type Result } from './bed.js';
import { programs, runtPath } from './place.js';

/** ms that one command may take: the machine is emulated. */
const commandTime = 120_000;

export class Side {
  readonly name: string;
  /** The id of the container; a restore may use another one. */
  id: string;
  /** The bundle that a restore uses. */
  bundle: string;
  /** The file on the host with the container's output. */
  private readonly output: string;

  constructor(
    readonly bed: Bed,
    readonly program: string,
    /** Flags before every command. */
    private readonly globals: readonly string[] = [],
  ) {
    this.name = program === runtPath ? 'runt' : program;
    this.id = bed.id;
    this.bundle = bed.bundle;
    this.output = join(this.images('out'), 'lines');
    writeFileSync(this.output, '');
    copyFileSync(join(programs, 'kept'), join(bed.rootfs, 'kept'));
    bed.config.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 'tmpfs' });
    bed.config.mounts.push({ destination: '/out', type: 'bind', source: this.images('out'), options: ['bind'] });
  }

  /** Runs `NAME --root ROOT ARGS…`. */
  call(args: readonly string[], o: CommandOptions = {}): Result {
    return this.bed.runt([...this.globals, ...args], { program: this.program, timeout: commandTime, ...o });
  }

  /** Runs `call`, requires exit status 0, and returns stdout. */
  ok(args: readonly string[], o: CommandOptions = {}): string {
    const r = this.call(args, o);
    if (r.code !== 0) throw new Error(`${this.name} ${args[0]}: ${told(r.stderr)}${this.log(args)}`);
    return r.stdout;
  }

  /** The errors in criu's log of a failed request. */
  private log(args: readonly string[]): string {
    const at = args.indexOf('--work-path') > 0 ? args.indexOf('--work-path') : args.indexOf('--image-path');
    if (at < 0) return '';
    try {
      const log = join(args[at + 1]!, args.includes('restore') ? 'restore.log' : 'dump.log');
      const lines = readFileSync(log, 'utf8').split('\n');
      return `\n${lines.filter((line) => line.includes('Error')).join('\n')}`;
    } catch {
      return '';
    }
  }

  /** Creates and starts a container of `args`, whose output is appended to a file in a bind mount. */
  started(args: string[], flags: string[] = [], o: CommandOptions = {}): void {
    this.bed.config.process.args = ['/bin/sh', '-c', 'exec "$@" >>/out/lines 2>&1', 'sh', ...args];
    this.createdAndStarted(flags, o);
  }

  /** Creates and starts a container of the config as it is. */
  createdAndStarted(flags: string[] = [], o: CommandOptions = {}): void {
    this.bed.write();
    this.quiet(['create', '--bundle', this.bundle, ...flags, this.id], o);
    this.ok(['start', this.id]);
  }

  /**
   * Runs a command with /dev/null as stdio, which the container inherits: runc's criu cannot reopen a file of the host.
   */
  tried(args: string[], o: CommandOptions = {}): { code: number | null; said: string } {
    const log = join(this.bed.dir, 'log');
    writeFileSync(log, '');
    const { code } = this.call(['--log', log, ...args], { ...o, wrapped: [...(o.wrapped ?? []), ...quiet] });
    return { code, said: code === 0 ? '' : `${told(readFileSync(log, 'utf8'))}${this.log(args)}` };
  }

  private quiet(args: string[], o: CommandOptions): void {
    const { code, said } = this.tried(args, o);
    if (code !== 0) throw new Error(`${this.name} ${args[0]}: ${said}`);
  }

  /** The lines that the container has printed so far. */
  lines(): string[] {
    return readFileSync(this.output, 'utf8').split('\n').filter(Boolean);
  }

  /** The number of the last printed step. */
  step(): number {
    return Number(this.lines().at(-1) ?? 0);
  }

  /** Waits for a further step, and asserts that the steps are consecutive, across a checkpoint too. */
  goesOn(ms = DEADLINE): void {
    const from = this.lines().length;
    if (!becomesTrue(() => this.lines().length >= from + 2, ms))
      throw new Error(`${this.name}: no step after ${this.lines().slice(-3)} within ${ms} ms`);
    const steps = this.lines().map(Number);
    assert.equal(
      steps,
      steps.map((_, i) => i + 1),
      `${this.name}: each step once`,
    );
  }

  images(name = 'images'): string {
    const directory = join(this.bed.dir, name);
    mkdirSync(directory, { recursive: true });
    return directory;
  }

  checkpoint(flags: string[] = [], images = this.images(), o: CommandOptions = {}): void {
    this.ok(['checkpoint', '--image-path', images, ...flags, this.id], o);
  }

  restore(flags: string[] = [], images = this.images(), o: CommandOptions = {}): void {
    const args = ['restore', '-d', '--image-path', images, '--bundle', this.bundle, ...flags, this.id];
    this.quiet(args, o);
  }

  state(): { status: string; pid: number; bundle: string; id: string } {
    return JSON.parse(this.ok(['state', this.id]));
  }

  exec(...args: string[]): Result {
    return this.call(['exec', this.id, ...args]);
  }

  /** Kills and deletes the container, and asserts that it is gone. */
  ends(): void {
    this.ok(['kill', this.id, 'KILL']);
    blockUntil(`${this.name}: stopped`, () => this.state().status === 'stopped');
    this.ok(['delete', this.id]);
    assert.is.not(this.call(['state', this.id]).code, 0, `${this.name}: gone`);
  }
}

/** Runs a command with /dev/null as stdio. */
export const quiet = ['/bin/sh', '-c', 'exec "$@" </dev/null >/dev/null 2>&1', 'sh'];

/** The error message of runc or runt, without criu's quoted log. */
const told = (stderr: string): string =>
  stderr
    .split('\n')
    .filter((line) => line !== '' && !line.includes('level=warning'))
    .join('\n');

/** The image files that hold memory pages. */
export const pageFiles = (images: string): string[] =>
  readdirSync(images)
    .filter((f) => /^pages-.*\.img$/.test(f))
    .map((f) => join(images, f));

/**
 * Runs a test's body with runc and with runt, and asserts that both return the same. If runc fails, its error is
 * printed, and runt must succeed all the same.
 */
export function onSides<T>(body: (side: Side) => T | Promise<T>, globals: readonly string[] = []): () => Promise<void> {
  return async () => {
    const results: T[] = [];
    for (const program of ['runc', runtPath]) {
      const bed = new Bed();
      const side = new Side(bed, program, globals);
      try {
        results.push(await body(side));
      } catch (failure) {
        if (side.name !== 'runc') {
          bed.end(true);
          throw failure;
        }
        process.stdout.write(`# runc: ${(failure as Error).message.split('\n').slice(0, 6).join(' | ')}\n`);
        side.call(['delete', '--force', side.id]);
      }
      bed.end(side.name === 'runc');
    }
    if (results.length === 2) assert.equal(results[1], results[0], 'runt as runc');
  };
}
