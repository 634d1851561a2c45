/** The operations under test: what exists before, the command, and what must be true after it. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { becomesTrue } from '../deadline.js';
import type { Bed, CommandOptions, Result } from '../integration/bed/bed.js';
import { top } from '../integration/bed/place.js';
import { cgroupsNamed, hasEnded } from '../leaks/leftovers.js';
import { changes, view } from './view.js';

/** Processes whose calls fail: those that fail-at knows. */
export type Role = 'runt' | 'child' | 'init' | 'supervisor';

/** A part of the machine that a container of the operation is made with. */
export interface Variant {
  readonly name: string;
  /** Before the command, of create and run. */
  readonly globals?: readonly string[];
  /** Of create and run. */
  readonly flags: readonly string[];
  readonly hooks: readonly string[];
  change(bed: Bed): void;
}

/** A container of one operation, its bed, and what a run without a fault had as its result. */
export class Subject {
  /** What the program of a container wrote without a fault, by the name of what ran. */
  readonly #views = new Map<string, string>();

  constructor(
    readonly bed: Bed,
    readonly variant: Variant,
  ) {}

  /** Runs a command that is not under test; throws if it fails. */
  must(args: readonly string[], o: CommandOptions = {}): Result {
    const r = this.bed.runt(args, o);
    if (r.code !== 0) throw new Error(`then ${args[0]} failed, exit ${r.code}: ${r.stderr.trim()}`);
    return r;
  }

  /** The arguments of create or run. */
  createArgs(command: string): string[] {
    return [...(this.variant.globals ?? []), command, '--bundle', this.bed.bundle, ...this.variant.flags, this.bed.id];
  }

  create(args: readonly string[], o?: CommandOptions): void {
    this.bed.config.process.args = [...args];
    this.bed.write();
    this.must(this.createArgs('create'), o);
  }

  started(args: readonly string[], o?: CommandOptions): void {
    this.create(args, o);
    this.must(['start', this.bed.id]);
  }

  /** 'none' if it does not exist, 'broken' if only `delete --force` can use it. */
  status(): string {
    const r = this.bed.runt(['state', this.bed.id]);
    if (r.code === 0) return JSON.parse(r.stdout).status;
    if (/its create or delete was killed/.test(r.stderr)) return 'broken';
    assert.match(r.stderr, /does not exist/);
    return 'none';
  }

  pid(): number {
    return this.bed.state().pid;
  }

  /** Compares what a container's program wrote with what it writes without a fault. */
  isSame(name: string, output: string): void {
    const whole = this.#views.get(name);
    if (whole === undefined) this.#views.set(name, output);
    else assert.equal(changes(whole, output), [], `the result of ${name} differs`);
  }

  /** Waits for the report of the container's program, and compares it. */
  reports(name: string): void {
    const path = join(this.bed.rootfs, 'report');
    assert.ok(
      becomesTrue(() => existsSync(path), 5000),
      `the program of ${name} did not run to its end`,
    );
    this.isSame(`${name}'s program`, readFileSync(path, 'utf8'));
  }

  /** Forgets the results of the runs so far. */
  again(): void {
    this.#views.clear();
  }

  /** Removes what a program or a hook wrote. */
  forget(): void {
    for (const path of [join(this.bed.rootfs, 'report'), hookLog(this.bed)]) rmSync(path, { force: true });
  }

  /** The contents of a file in each of the container's cgroups that has it. */
  cgroupFile(name: string): string[] {
    const paths = cgroupsNamed(this.bed.id).map((path) => join(path, name));
    return paths.filter((path) => existsSync(path)).map((path) => readFileSync(path, 'utf8').trim());
  }

  /** The container from outside: cgroups, limits, devices. */
  outside(): string {
    const read = (path: string): string => readFileSync(`/proc/${this.pid()}/${path}`, 'utf8');
    const cgroups = read('cgroup').replaceAll(this.bed.id, 'ID');
    const settings = limits.flatMap((name) => this.cgroupFile(name).map((value) => `${name} ${value}`));
    return [cgroups, read('oom_score_adj'), read('limits'), ...settings].join('\n');
  }

  /** Each hook has run once, or there is a warning of it: that is right for those after the start (config.md#hooks). */
  ranHooks(names: readonly string[], { stderr }: Result): void {
    const wanted = names.filter((name) => this.variant.hooks.includes(name));
    const file = hookLog(this.bed);
    const ran = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
    const warned = ['poststart', 'poststop'].filter((name) => stderr.includes(name) && !ran.includes(name));
    assert.equal(
      ran,
      wanted.filter((name) => !warned.includes(name)),
      `the hooks that ran; ${stderr}`,
    );
  }
}

/** The file to which hooks write their names. */
const hookLog = (bed: Bed): string => join(bed.dir, 'log', 'hooks');

const limits = [
  ...['pids.max', 'memory.limit_in_bytes', 'memory.max', 'cpu.shares', 'cpu.weight'],
  ...['devices.list', 'freezer.state', 'cgroup.freeze'],
];

export interface Operation {
  readonly name: string;
  /** The container's program makes `/begun`: calls before that are no points. */
  readonly waits?: true;
  /** Exit status of success; 0 if absent. */
  readonly success?: number;
  /** Exit status of a failure of runt's; 1 if absent. */
  readonly failure?: number;
  /** Processes of the container, made before, that take part in the operation. */
  readonly before: readonly Role[];
  /** Makes what must exist; `o` is for the create whose processes take part. */
  prepare(s: Subject, o: CommandOptions): void;
  args(s: Subject): string[];
  /** After success. */
  succeeded(s: Subject, r: Result): void;
  /** After an error. */
  failed?(s: Subject, r: Result): void;
  /** An error leaves nothing. */
  readonly undoes?: boolean;
}

/** Writes what the container's program sees, all at once. */
const report = `(${view}) >/report.next; mv /report.next /report`;
const sleeping = ['/bin/sleep', '1000'];
const created = ['prestart', 'createRuntime', 'createContainer'];
const started = [...created, 'startContainer', 'poststart'];

const isRunning = (s: Subject): void => assert.is(s.status(), 'running');
const ends = (pid: number): void =>
  assert.ok(
    becomesTrue(() => hasEnded(pid), 5000),
    'the process still runs',
  );
const frozen = (s: Subject): boolean =>
  [...s.cgroupFile('freezer.state'), ...s.cgroupFile('cgroup.freeze')].some((text) => /^(?:FR|1)/.test(text));
const limitsOf = (s: Subject): string =>
  ['pids.max', 'cpu.shares', 'cpu.weight'].flatMap((name) => s.cgroupFile(name)).join();

/** Pids of running processes, and their limits, for checks after the operation. */
const pids = new WeakMap<Subject, number>();
const limitsBefore = new WeakMap<Subject, string>();
const run = (s: Subject, o: CommandOptions): void => {
  s.started(sleeping, o);
  pids.set(s, s.pid());
  limitsBefore.set(s, limitsOf(s));
};

function killing(name: string, args: readonly string[]): Operation {
  return {
    name,
    before: ['supervisor'],
    prepare: run,
    args: (s) => ['kill', s.bed.id, ...args],
    succeeded: (s) => ends(pids.get(s)!),
  };
}

/** A script that goes on until runt has become a waiter, which it does after 200 ms. */
const late = (script: string): string => `: >/begun; sleep 0.5; ${script}`;

function running(name: string, waits?: true): Operation {
  const script = `${view}; exit 7`;
  return {
    name,
    ...(waits && { waits }),
    success: 7,
    before: [],
    prepare(s) {
      s.bed.config.process.args = ['/bin/sh', '-c', waits ? late(script) : script];
      s.bed.write();
    },
    args: (s) => s.createArgs('run'),
    succeeded(s, r) {
      s.isSame(name, r.stdout);
      assert.is(s.status(), 'none');
      s.ranHooks([...started, 'poststop'], r);
    },
    // The process has ended, and `delete --force` removes what could not be removed.
    failed: (s) => assert.match(s.status(), /none|stopped|broken/),
  };
}

function executing(name: string, flags: readonly string[], success: number, waits?: true): Operation {
  const script = `${report}; exit 7`;
  return {
    name,
    ...(waits && { waits }),
    success,
    failure: 255,
    before: ['supervisor'],
    prepare: run,
    args: (s) => ['exec', ...flags, s.bed.id, '/bin/sh', '-c', waits ? late(script) : script],
    succeeded(s) {
      s.reports('exec');
      isRunning(s);
    },
    failed(s) {
      isRunning(s);
      const alone = () => s.cgroupFile('cgroup.procs').every((text) => text.split('\n').length === 1);
      assert.ok(becomesTrue(alone, 2000), 'a process of the failed exec runs');
    },
  };
}

export const operations: readonly Operation[] = [
  {
    name: 'create',
    before: [],
    prepare(s) {
      s.bed.config.process.args = ['/bin/sh', '-c', report];
      s.bed.write();
    },
    args: (s) => s.createArgs('create'),
    succeeded(s, r) {
      assert.is(s.status(), 'created');
      s.ranHooks(created, r);
      s.isSame('create', s.outside());
      s.must(['start', s.bed.id]);
      s.reports('create');
    },
    failed: (s) => assert.is(s.status(), 'none'),
    undoes: true,
  },
  {
    name: 'start',
    before: ['init', 'supervisor'],
    prepare: (s, o) => s.create(['/bin/sh', '-c', `${report}; exec sleep 1000`], o),
    args: (s) => ['start', s.bed.id],
    succeeded(s, r) {
      isRunning(s);
      s.ranHooks(started, r);
      s.reports('start');
    },
  },
  running('run'),
  running('run-wait', true),
  executing('exec', [], 7),
  executing('exec-wait', [], 7, true),
  executing('exec-detach', ['--detach'], 0),
  killing('kill', ['KILL']),
  killing('kill-all', ['--all', 'KILL']),
  {
    name: 'delete',
    before: ['supervisor'],
    prepare(s, o) {
      s.started(['/bin/true'], o);
      s.bed.until('stopped');
    },
    args: (s) => ['delete', s.bed.id],
    succeeded(s, r) {
      assert.is(s.status(), 'none');
      s.ranHooks([...started, 'poststop'], r);
    },
  },
  {
    name: 'delete-force',
    before: ['supervisor'],
    prepare: run,
    args: (s) => ['delete', '--force', s.bed.id],
    succeeded(s, r) {
      assert.is(s.status(), 'none');
      ends(pids.get(s)!);
      s.ranHooks([...started, 'poststop'], r);
    },
  },
  {
    name: 'update',
    before: ['supervisor'],
    prepare: run,
    args: (s) => ['update', '--pids-limit', '77', '--cpu-share', '555', s.bed.id],
    succeeded(s) {
      s.isSame('update', limitsOf(s));
      isRunning(s);
    },
    failed(s) {
      assert.is(limitsOf(s), limitsBefore.get(s)!);
      isRunning(s);
    },
  },
  {
    name: 'pause',
    before: ['supervisor'],
    prepare: run,
    args: (s) => ['pause', s.bed.id],
    succeeded(s) {
      assert.ok(frozen(s), 'it is not frozen');
      assert.is(s.status(), 'paused');
    },
    failed: (s) => assert.not.ok(frozen(s), 'it is frozen after an error'),
  },
  {
    name: 'resume',
    before: ['supervisor'],
    prepare(s, o) {
      run(s, o);
      s.must(['pause', s.bed.id]);
    },
    args: (s) => ['resume', s.bed.id],
    succeeded(s) {
      assert.not.ok(frozen(s), 'it is frozen');
      isRunning(s);
    },
  },
];

/** A hook that writes its name, by a program of the root file system that is static. */
export const hookOf = (bed: Bed, name: string) => ({
  path: name === 'startContainer' ? '/bin/sh' : join(top, 'build/rootfs/bin/sh'),
  args: ['sh', '-c', `echo ${name} >>${name === 'startContainer' ? '/log/hooks' : hookLog(bed)}`],
});
