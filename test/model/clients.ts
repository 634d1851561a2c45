/** Clients that run random commands on real containers at once, and the histories of these. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { elapse, eventually } from '../deadline.js';
import type { Bed } from '../integration/bed/bed.js';
import { leftovers } from '../leaks/leftovers.js';
import { contradiction, type Event, textOf } from './history.js';
import { type Answer, EXECUTED, KILLED, TERMINATED, type Verb, verbs } from './lifecycle-model.js';

/** One command of a client. */
export interface Command {
  readonly client: number;
  /** A number of a container. */
  readonly container: number;
  readonly verb: Verb;
  /** ms until SIGKILL of the command; absent for none. */
  readonly crash?: number;
}

/** ms without an end of a command after which the containers are removed: what waits for their end then ends. */
const STILL = 1500;
/** ms that a command may take after that. */
const LIMIT = 30_000;

/** The program of the containers: it handles SIGTERM, as the first process of a pid namespace must. */
export const program = ['/bin/sh', '-c', `trap 'exit ${TERMINATED}' TERM; while :; do sleep 1000 & wait; done`];

/** Commands that runc has too. */
export const ofRunc = verbs.filter((verb) => !['create --supervise', 'wait', 'kill-supervisor'].includes(verb));

/** Random commands: mostly those that make and change containers. `withoutCrashes`: none is killed. */
export function commandsOf(
  clients: number,
  containers: number,
  among: readonly Verb[] = verbs,
  withoutCrashes = false,
): fc.Arbitrary<Command[]> {
  const weights: Partial<Record<Verb, number>> = {
    create: 4,
    'run --detach': 3,
    start: 4,
    exec: 3,
    'delete --force': 2,
  };
  const verb = fc.oneof(...among.map((value) => ({ weight: weights[value] ?? 2, arbitrary: fc.constant(value) })));
  const crash = fc.oneof(
    { weight: 7, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 15 }) },
  );
  const command = fc.record({
    client: fc.nat(clients - 1),
    container: fc.nat(containers - 1),
    verb,
    crash: withoutCrashes ? fc.constant(undefined) : crash,
  });
  return fc.array(command, { minLength: 1, maxLength: 80, size: 'max' }) as fc.Arbitrary<Command[]>;
}

/** A runtime that the clients call, with its state root. */
export interface Runtime {
  readonly path: string;
  readonly root: string;
  /** The code of an error by its text; undefined if the runtime writes codes to its log. */
  readonly codeOf?: (text: string) => string;
  /** A delete does not wait for the end of a killed process. */
  readonly isImpatient?: boolean;
}

/** Codes of runc's errors, by their text. */
export function codeOfRunc(text: string): string {
  if (text.includes('does not exist')) return 'NO_CONTAINER';
  if (/container with id exists|with given ID already exists/.test(text)) return 'CONTAINER_EXISTS';
  // Of an exec whose container has just ended: "error executing setns process".
  const statuses =
    /executing setns process|cannot start|not running|not paused|cannot exec|not stopped|has stopped|already finished|no such process|already running/;
  return statuses.test(text) ? 'CONTAINER_STATUS' : text;
}

function argumentsOf(bed: Bed, id: string, verb: Verb): string[] {
  switch (verb) {
    case 'create':
    case 'create --supervise':
    case 'run --detach':
      return [...verb.split(' '), '--bundle', bed.bundle, id];
    case 'exec':
    case 'exec --detach':
      return [...verb.split(' '), id, '/bin/sh', '-c', `exit ${EXECUTED}`];
    case 'kill TERM':
    case 'kill KILL':
      return ['kill', id, verb.slice('kill '.length)];
    case 'update':
      return ['update', '--pids-limit', '50', id];
    case 'list':
      return ['list', '--format', 'json'];
    case 'ps':
      return ['ps', '--format', 'json', id];
    default:
      return [...verb.split(' '), id];
  }
}

/** What a client has seen of a command: its exit status and output. */
interface Seen {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A run of a sequence: containers with ids of their own, and a history of each. */
class Run {
  readonly histories: Event[][];
  readonly problems: string[] = [];
  /** Commands that run, and the time at which the last one ended. */
  private running = 0;
  private lastEnd = Date.now();
  private numbers = 0;
  private readonly children = new Set<ChildProcess>();

  constructor(
    private readonly bed: Bed,
    private readonly runtime: Runtime,
    private readonly ids: readonly string[],
  ) {
    this.histories = ids.map(() => []);
  }

  /** Runs the commands of each client one after the other, all clients at once; then removes what is left. */
  async execute(commands: readonly Command[]): Promise<void> {
    const clients = new Map<number, Command[]>();
    for (const command of commands) clients.set(command.client, [...(clients.get(command.client) ?? []), command]);
    let active = clients.size;
    const all = [...clients.values()].map(async (own) => {
      for (const command of own) await this.command(command);
      active--;
    });
    const sweeper = async (): Promise<void> => {
      for (;;) {
        if (active === 0) break;
        if (Date.now() - this.lastEnd > STILL && this.running > 0) {
          await this.removeAll();
          if (Date.now() - this.lastEnd > LIMIT) break;
        }
        // Nothing tells of a client that waits for a container that no other ends.
        await elapse(10);
      }
    };
    await Promise.race([Promise.all([...all, sweeper()])]);
    await this.removeAll();
  }

  private async removeAll(): Promise<void> {
    await Promise.all(this.ids.map((_, container) => this.command({ client: -1, container, verb: 'delete --force' })));
  }

  private async command({ container, verb, crash }: Command): Promise<void> {
    const id = this.ids[container]!;
    const number = this.numbers++;
    const concerned = verb === 'list' ? this.histories : [this.histories[container]!];
    for (const history of concerned) history.push({ call: number, verb });
    this.running++;
    const noteKill = (): void => {
      for (const history of concerned) history.push({ kill: number });
    };
    const seen =
      verb === 'kill-supervisor'
        ? this.killSupervisor(id)
        : await this.call(argumentsOf(this.bed, id, verb), crash, noteKill);
    if (this.runtime.isImpatient && verb === 'kill KILL' && seen.code === 0) await this.ended(id);
    this.running--;
    this.lastEnd = Date.now();
    for (const [i, history] of this.histories.entries()) {
      if (!concerned.includes(history)) continue;
      const answer = this.answer(verb, this.ids[i]!, seen);
      const text = seen.code === 0 ? undefined : lastError(seen.stderr)?.msg;
      history.push({ end: number, answer, ...(text && { text }) });
    }
  }

  /** Waits until a killed container has stopped. */
  private async ended(id: string): Promise<void> {
    await eventually(`the end of ${id}`, async () => {
      const { code, stdout } = await this.call(['state', id]);
      return code !== 0 || JSON.parse(stdout).status === 'stopped';
    });
  }

  private killSupervisor(id: string): Seen {
    try {
      const { supervisor } = JSON.parse(readFileSync(join(this.runtime.root, id, 'state.json'), 'utf8'));
      if (supervisor && readFileSync(`/proc/${supervisor.pid}/comm`, 'utf8') === 'runt-supervisor\n')
        process.kill(supervisor.pid, 'SIGKILL');
    } catch {
      // There is none.
    }
    return { code: 0, stdout: '', stderr: '' };
  }

  private call(args: readonly string[], crash?: number, noteKill?: () => void): Promise<Seen> {
    // A container keeps the stdio of these open.
    const stdio = args[0] === 'create' || args[0] === 'run' || args.includes('--detach') ? 'ignore' : 'pipe';
    const log = join(this.bed.dir, `log-${this.numbers}-${Math.random().toString(36).slice(2)}`);
    const globals = ['--root', this.runtime.root, '--log', log, '--log-format', 'json'];
    const child = spawn(this.runtime.path, [...globals, ...args], {
      stdio: ['ignore', stdio, stdio],
      env: { PATH: process.env.PATH },
      cwd: this.bed.dir,
    });
    this.children.add(child);
    let stdout = '';
    child.stdout?.on('data', (data) => {
      stdout += data;
    });
    child.stderr?.resume();
    const kill = (): void => {
      // First: others may see its effect before its end is reported here.
      noteKill?.();
      child.kill('SIGKILL');
    };
    const timer = crash === undefined ? undefined : setTimeout(kill, crash);
    const late = setTimeout(() => {
      this.problems.push(`${args.join(' ')}: does not end`);
      child.kill('SIGKILL');
    }, LIMIT + STILL);
    return new Promise((settle, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        clearTimeout(late);
        this.children.delete(child);
        settle({ code: signal ? null : code, stdout, stderr: existsSync(log) ? readFileSync(log, 'utf8') : '' });
      });
    });
  }

  private answer(verb: Verb, id: string, { code, stdout, stderr }: Seen): Answer {
    if (code === null) return 'killed';
    const isExec = verb === 'exec';
    if (code === 0) {
      if (verb === 'state') return `is ${JSON.parse(stdout).status}`;
      if (verb === 'wait') return `exit ${stdout.trim()}`;
      if (verb !== 'list') return isExec ? 'exit 0' : 'ok';
      const state = (JSON.parse(stdout) as { id: string; status: string }[] | null)?.find((one) => one.id === id);
      return state ? `is ${state.status}` : 'NO_CONTAINER';
    }
    const last = lastError(stderr);
    if (!last) return `exit ${code}`;
    const answer =
      this.runtime.codeOf?.(last.msg) ?? last.code?.replace(/^ERR_/, '') ?? `an error without a code: ${last.msg}`;
    const expected = answer === 'CANCELLED' ? KILLED : verb.startsWith('exec') ? 255 : 1;
    if (code !== expected) return `exit ${code} with ${answer}`;
    // A create that loses its container has one error or another.
    const undone = ['create', 'create --supervise', 'run --detach'].includes(verb) && answer !== 'CONTAINER_EXISTS';
    const ended = verb === 'start' && answer === 'INIT_DIED';
    return undone || ended ? 'failed' : answer;
  }
}

/** The last error of a log. */
const lastError = (log: string): ReturnType<typeof parsed> =>
  log
    .trim()
    .split('\n')
    .map(parsed)
    .filter((line) => line?.level === 'error')
    .at(-1);

function parsed(line: string): { level: string; msg: string; code?: string } | undefined {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

let runs = 0;

/** Runs a sequence on fresh containers. Returns what was wrong, '' if nothing was. */
export async function wrong(bed: Bed, runtime: Runtime, commands: readonly Command[]): Promise<string> {
  const containers = Math.max(...commands.map(({ container }) => container)) + 1;
  const number = runs++;
  const ids = Array.from({ length: containers }, (_, i) => `${bed.id}-${number}-${i}`);
  const run = new Run(bed, runtime, ids);
  await run.execute(commands);
  const problems = [...run.problems];
  for (const [i, history] of run.histories.entries()) {
    const what = contradiction(history);
    if (what) problems.push(`container ${i}:\n${what}`);
  }
  const prefix = `${bed.id}-${number}-`;
  const left = leftovers({ ...bed.mark, root: runtime.root, id: prefix }).filter((line) => line.includes(prefix));
  if (left.length > 0) problems.push(...run.histories.map(textOf), `left behind:`, ...left);
  return problems.join('\n');
}
