/** A person at a terminal, and an engine that receives one: test/integration/programs/terminal.c driven from a test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { COMMAND_LIMIT, DEADLINE } from '../../deadline.js';
import { eventually } from './bed.js';
import { programs } from './place.js';

const program = join(programs, 'terminal');

/** How the command on a terminal ended. */
interface Ended {
  code: number;
  /** Whether the terminal has its original mode again. */
  restored: boolean;
}

/** One side of a terminal. */
export class Side {
  readonly child: ChildProcess;
  readonly #chunks: Buffer[] = [];
  #errors = '';
  readonly #closed: Promise<void>;

  constructor(args: readonly string[], cwd: string, env: Record<string, string>) {
    this.child = spawn(program, args, { cwd, env, stdio: 'pipe', timeout: COMMAND_LIMIT, killSignal: 'SIGKILL' });
    this.child.stdout!.on('data', (d: Buffer) => this.#chunks.push(d));
    this.child.stderr!.on('data', (d: Buffer) => {
      this.#errors += d;
    });
    this.#closed = new Promise((settle) => this.child.on('close', () => settle()));
  }

  /** All output of the terminal so far. */
  get output(): string {
    return Buffer.concat(this.#chunks).toString();
  }

  /** Sends one order to the helper. */
  order(line: string): void {
    this.child.stdin!.write(`${line}\n`);
  }

  type(text: string): void {
    this.order(`type ${Buffer.from(text).toString('hex')}`);
  }

  /** Waits until the terminal's output matches; throws with the actual output. */
  async shows(wanted: RegExp, ms = DEADLINE): Promise<RegExpExecArray> {
    try {
      return await eventually(String(wanted), () => wanted.exec(this.output) ?? undefined, ms);
    } catch (e) {
      throw new Error(`${(e as Error).message}; the terminal shows ${JSON.stringify(this.output)} ${this.#errors}`);
    }
  }

  listening(): Promise<unknown> {
    return eventually('the console socket', () => this.#errors.includes('listening'));
  }

  /** Waits until the command has ended. */
  async ended(): Promise<Ended> {
    await this.#closed;
    const m = /^exit (\d+) (same|changed)$/m.exec(this.#errors);
    if (!m) throw new Error(`the helper ended before it printed a line: ${this.#errors}`);
    return { code: Number(m[1]), restored: m[2] === 'same' };
  }

  /** Waits until the helper itself has ended, and returns its stderr. */
  async closed(): Promise<string> {
    await this.#closed;
    return this.#errors;
  }
}

/** Runs a command on a new terminal of 101 columns and 33 rows. */
export const onTerminal = (command: readonly string[], cwd: string): Side =>
  new Side(['pty', '101', '33', ...command], cwd, { PATH: process.env.PATH ?? '', TERM: 'xterm' });

/** Listens on a console socket and relays the terminal that it receives. */
export const onSocket = (path: string): Side => new Side(['socket', path], '/', {});
