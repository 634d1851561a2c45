/** Counts of what containers make on the host, and of what a long-lived process holds: they must not grow. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../deadline.js';
import { programs } from '../integration/bed/place.js';
import type { Mark } from './leftovers.js';
import { cgroupsNamed, keyringsOf, mountsBelow, processesOf } from './leftovers.js';
import { anonymous, descriptors } from './process-use.js';

/** A count by the name of what is counted. */
type Counts = Readonly<Record<string, number>>;

/** What to count: the containers of beds, directories in which there is one entry for each, long-lived processes. */
interface Counted {
  readonly marks?: readonly Mark[];
  readonly directories?: readonly string[];
  readonly pids?: readonly number[];
}

/** kB by which the anonymous memory of a process varies. */
const NOISE = 400;

/** Device programs of cgroup v2 that the kernel has loaded; 0 where it has none, or v1. */
function devicePrograms(): number {
  const root = '/sys/fs/cgroup';
  if (!existsSync(`${root}/cgroup.controllers`)) return 0;
  const [, all = ''] = execFileSync(join(programs, 'device-programs'), [root], { encoding: 'utf8' }).split('\n');
  return all.split(' ').filter(Boolean).length;
}

/** How much there is now. */
function counts({ marks = [], directories = [], pids = [] }: Counted): Counts {
  const entries = directories.map((dir) => [`entries of ${dir}`, existsSync(dir) ? readdirSync(dir).length : 0]);
  const uses = pids.flatMap((pid) => [
    [`descriptors of process ${pid}`, descriptors(pid)],
    [`kB of process ${pid}`, anonymous(pid)],
    [`zombies of process ${pid}`, zombies(pid)],
  ]);
  const sum = (of: (mark: Mark) => number): number => marks.reduce((total, mark) => total + of(mark), 0);
  return {
    cgroups: sum((mark) => cgroupsNamed(mark.id).length),
    processes: sum((mark) => processesOf(mark).length),
    mounts: sum((mark) => mountsBelow(mark.dir).length),
    keyrings: sum((mark) => keyringsOf(mark.id).length),
    'device programs': devicePrograms(),
    ...Object.fromEntries([...entries, ...uses]),
  };
}

/** Zombie children of a process. */
export function zombies(pid: number): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return children.filter((child) => {
    try {
      return /\) Z /.test(readFileSync(`/proc/${child}/stat`, 'utf8'));
    } catch {
      return false;
    }
  }).length;
}

/** A census: what there was when it was made. */
export class Census {
  readonly #before: Counts;

  constructor(readonly counted: Counted) {
    this.#before = counts(counted);
  }

  /** What has grown since, one line each. */
  growth(): string[] {
    const now = counts(this.counted);
    return Object.entries(now)
      .filter(([name, count]) => count > (this.#before[name] ?? 0) + (name.startsWith('kB') ? NOISE : 0))
      .map(([name, count]) => `${name}: ${this.#before[name]} before, ${count} now`);
  }

  /** Waits until nothing has grown: the kernel frees keyrings, cgroups and programs a little later. */
  async balances(): Promise<void> {
    await eventually('nothing is left', () => this.growth().length === 0).catch(() => {
      throw new Error(`more than before:\n  ${this.growth().join('\n  ')}`);
    });
  }
}
