/** An operation that is tried with one fault after another, and all the faults of an operation. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { becomesTrue } from '../deadline.js';
import { Bed, type Result } from '../integration/bed/bed.js';
import { programs } from '../integration/bed/place.js';
import { leftovers } from '../leaks/leftovers.js';
import { errnoOf, errorsOf } from './errnos.js';
import { type Operation, operations, type Role, Subject, type Variant } from './operations.js';
import { variants } from './variants.js';

/** One fault: `create+hooks:init:openat:12:EIO` is EIO from the 13th openat(2) of runt-init in a create with hooks. */
export interface Point {
  readonly operation: string;
  readonly variant: string;
  readonly role: Role;
  readonly call: string;
  /** A number from 0. */
  readonly n: string;
  /** The name of an errno, or KILL. */
  readonly action: string;
}

export const named = (p: Point): string => `${p.operation}+${p.variant}:${p.role}:${p.call}:${p.n}:${p.action}`;

/** ms that a command may take: the longest deadline of a step is 10 s (src/sys/waiting/time-limits.ts). */
const LIMIT = 12_000;
/** ms until what a killed runtime started has ended. */
const GRACE = 3000;

const failAt = join(programs, 'fail-at');
const roles: readonly Role[] = ['runt', 'child', 'init', 'supervisor'];

interface Outcome {
  readonly result: Result;
  /** ROLE NAME of each call. */
  readonly calls: readonly string[];
  readonly hit: boolean;
}

/** A container that operations are tried on, again and again. */
class Trial {
  readonly subject: Subject;
  /** How the last command ended. */
  said = '';
  constructor(
    readonly operation: Operation,
    readonly variant: string,
  ) {
    const found = variants.find(({ name }) => name === variant);
    if (!found) throw new Error(`no variant ${variant} here: ${variants.map(({ name }) => name).join(', ')}`);
    const bed = new Bed();
    this.subject = new Subject(bed, found);
    found.change(bed);
  }

  /** Runs the operation once, with a fault or without. */
  run(point?: Point): Outcome {
    const { subject, operation } = this;
    const { bed } = subject;
    const gate = join(bed.dir, 'gate');
    const begun = join(bed.rootfs, 'begun');
    const reports = ['before', 'command'].map((name) => join(bed.dir, name));
    for (const path of [gate, begun, ...reports]) rmSync(path, { force: true });
    subject.forget();
    const wrapper = (report: string, of: readonly Role[]): string[] => {
      const hits = point && of.includes(point.role);
      const action = !hits ? 'none' : point.action === 'KILL' ? 'kill' : String(errnoOf(point.action));
      return [
        failAt,
        report,
        hits ? point.role : of.join(),
        hits ? point.call : 'any',
        hits ? point.n : '999999',
        action,
      ];
    };
    const isBefore = !point || operation.before.includes(point.role);
    const isCommand = !point || !operation.before.includes(point.role);
    const before = isBefore ? [...wrapper(reports[0]!, operation.before), '--after', gate, '--'] : [];
    operation.prepare(subject, operation.before.length > 0 ? { wrapped: before } : {});
    writeFileSync(gate, '');
    const others = roles.filter((role) => !operation.before.includes(role));
    const late = operation.waits ? ['--after', begun] : [];
    const wrapped = isCommand ? [...wrapper(reports[1]!, others), ...late, '--'] : [];
    const result = bed.runt(operation.args(subject), { wrapped, timeout: LIMIT });
    const lines = reports.flatMap((path) => (existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []));
    return { result, calls: lines.filter((line) => line.includes(' ')), hit: lines.includes('hit') };
  }

  /** Ends the container and asserts that nothing is left. */
  clean(): void {
    this.subject.must(['delete', '--force', this.subject.bed.id]);
    assert.equal(leftovers(this.subject.bed.mark, GRACE), [], 'left behind after delete --force');
    // A unit that runt could not stop ends with its last process: there was a warning.
    const unit = `runt-${this.subject.bed.id}.scope`;
    const isGone = () => spawnSync('systemctl', ['--quiet', 'is-active', unit]).status !== 0;
    if (this.subject.variant.globals) assert.ok(becomesTrue(isGone, GRACE), `${unit} is left`);
  }

  /** The calls of a run without a fault, and its result as that to compare with. */
  calls(): readonly string[] {
    const { subject, operation } = this;
    for (let run = 0; ; run++) {
      const { result, calls } = this.run();
      assert.equal([result.code, result.stderr], [operation.success ?? 0, '']);
      operation.succeeded(subject, result);
      this.clean();
      // The first one makes what is missing in the root file system.
      if (run > 0) return calls;
      subject.again();
    }
  }

  /** Tries one point. Returns whether the call was made at all. */
  survives(point: Point): boolean {
    const { subject, operation } = this;
    const { bed } = subject;
    const { result, hit } = this.run(point);
    this.said = `exit ${result.code}: ${result.stderr.trim()}`;
    const killed = point.action === 'KILL' && result.code === 128 + 9;
    // Without memory for its own objects, QuickJS may end where no code catches the error.
    const undoes = operation.undoes && !(point.role === 'runt' && point.call === 'mmap');
    const succeeded = result.code === (operation.success ?? 0);
    if (killed) assert.match(bed.runt(['state', bed.id]).stderr, /^$|does not exist|was killed/);
    else if (succeeded) this.#succeeded(point, result);
    else {
      assert.match(result.stderr, /^runt: /, `exit ${result.code}`);
      assert.not.match(result.stderr, /internal error/, result.stderr);
      assert.is(result.code, operation.failure ?? 1, `the exit status; ${result.stderr}`);
      if (undoes || !operation.undoes) operation.failed?.(subject, result);
      if (undoes) assert.equal(leftovers(bed.mark, GRACE), [], `left after: ${result.stderr}`);
    }
    this.clean();
    const reports = ['before', 'command'].map((name) => join(bed.dir, name));
    return hit || reports.some((path) => existsSync(path) && readFileSync(path, 'utf8').endsWith('hit\n'));
  }

  #succeeded({ action, role }: Point, result: Result): void {
    try {
      this.operation.succeeded(this.subject, result);
    } catch (error) {
      // The end of a process that was killed may be seen right after the operation, as any other end.
      if (action !== 'KILL' || (role !== 'init' && this.subject.status() !== 'stopped')) throw error;
    }
  }

  end(): void {
    this.subject.bed.end(true);
  }
}

/** All points of an operation. A variant adds those whose call has other calls around it than in those before. */
function* pointsOf(operation: Operation, of: readonly Variant[], every: boolean): Generator<Point> {
  const done = new Set<string>();
  for (const { name: variant } of of) {
    const trial = new Trial(operation, variant);
    const calls = trial.calls();
    trial.end();
    const fresh = new Set<string>();
    for (const role of roles) {
      const seen = new Map<string, number>();
      const names = calls.filter((line) => line.startsWith(`${role} `)).map((line) => line.slice(role.length + 1));
      for (const [i, call] of names.entries()) {
        const n = seen.get(call) ?? 0;
        seen.set(call, n + 1);
        const context = `${role} ${names.slice(Math.max(0, i - 2), i + 3)}`;
        if (!every && done.has(context)) continue;
        fresh.add(context);
        for (const action of [...errorsOf(call), 'KILL']) {
          yield { operation: operation.name, variant, role, call, n: String(n), action };
        }
      }
    }
    for (const context of fresh) done.add(context);
  }
}

const chosen = <T extends { readonly name: string }>(all: readonly T[], names: readonly string[]): readonly T[] => {
  const unknown = names.find((wanted) => !all.some(({ name }) => name === wanted));
  if (unknown !== undefined) throw new Error(`no ${unknown} here: ${all.map(({ name }) => name).join(', ')}`);
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
};

/** All points of all operations and variants, or of those named. `every`: those of a variant too that another has. */
export const allPoints = (ofOperations: readonly string[], ofVariants: readonly string[], every: boolean): Point[] =>
  chosen(operations, ofOperations).flatMap((operation) => [
    ...pointsOf(operation, chosen(variants, ofVariants), every),
  ]);

/** The points of an argument of --only: `*` stands for any call, number or action. */
export function pointsNamed(only: string): Point[] {
  const found = /^([a-z-]+)(?:\+([a-z]+))?:(runt|child|init|supervisor):([\w@]+|\*):(\d+|\*):(\w+|\*)$/.exec(only);
  if (!found) throw new Error(`"${only}" is not OPERATION[+VARIANT]:ROLE:CALL:NUMBER:ERRNO|KILL`);
  const [, operation = '', variant = 'plain', role = '', call = '', n = '', action = ''] = found;
  const point = { operation, variant, role: role as Role, call, n, action };
  if (![call, n, action].includes('*')) return [point];
  const fits = (of: Point): boolean =>
    (['role', 'call', 'n', 'action'] as const).every((part) => point[part] === '*' || point[part] === of[part]);
  const of = variants.filter(({ name }) => name === variant);
  return [...pointsOf(operationNamed(operation), of, true)].filter(fits);
}

function operationNamed(name: string): Operation {
  const found = operations.find((operation) => operation.name === name);
  if (!found) throw new Error(`no operation ${name}: ${operations.map((operation) => operation.name).join(', ')}`);
  return found;
}

/** Tries points, each operation with each variant on one container. */
export class Trials {
  readonly #trials = new Map<string, Trial>();

  #of({ operation, variant }: Point): Trial {
    const key = `${operation}+${variant}`;
    const known = this.#trials.get(key);
    if (known) return known;
    const trial = new Trial(operationNamed(operation), variant);
    trial.calls();
    this.#trials.set(key, trial);
    return trial;
  }

  /** Whether the point's call was made and all is as it must be; a text with what is wrong if it is not. */
  attempt(point: Point): boolean | string {
    const trial = this.#of(point);
    try {
      return trial.survives(point);
    } catch (error) {
      const { message, details = '' } = error as Error & { details?: string };
      // What is left would be found at the next point again.
      trial.end();
      this.#trials.delete(`${point.operation}+${point.variant}`);
      return `${message} ${details}\n${trial.said}`.trim().replaceAll('\n', '\n    ');
    }
  }

  end(): void {
    for (const trial of this.#trials.values()) trial.end();
    this.#trials.clear();
  }
}
