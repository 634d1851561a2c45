/**
 * Faults: each system call of runt, runt-init and the supervisor fails once with each errno of its man page, and is a
 * point at which the process is killed. Run by hack/faults.mjs.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { allPoints, named, pointsNamed, Trials } from './trial.js';

/** The flags of the command line; throws for one that does not exist. */
function flagsOf(args: readonly string[]): { readonly [name: string]: string | undefined } {
  const flags: Record<string, string> = {};
  for (const arg of args) {
    const found = /^--(shard|job|seed|only|of|with|skip|count|every|sums)(?:=(.*))?$/i.exec(arg);
    if (!found) throw new Error(`unknown flag ${arg}`);
    flags[found[1]!.toLowerCase()] = found[2] ?? '';
  }
  return flags;
}

const flags = flagsOf(process.argv.slice(2));
const seed = flags.seed || '1';
/** FIRST, LAST and COUNT of `3/20` or `28-40/40`. */
function part(text = '1/1'): [number, number, number] {
  const found = /^(\d+)(?:-(\d+))?\/(\d+)$/.exec(text);
  const [first, last, count] = [Number(found?.[1]), Number(found?.[2] ?? found?.[1]), Number(found?.[3])];
  if (!(first >= 1 && first <= last && last <= count)) throw new Error(`"${text}" is not N/OF or N-M/OF`);
  return [first, last, count];
}
const [[first, last, shards], [job, , jobs]] = [part(flags.shard || undefined), part(flags.job)];
const isInShard = (hash: number): boolean => hash % shards >= first - 1 && hash % shards < last;
/** A point is in the same shard and at the same place in each run with the seed, whatever other points there are. */
const hashOf = (text: string): number => createHash('sha256').update(`${seed} ${text}`).digest().readUInt32BE();

const points = flags.only
  ? pointsNamed(flags.only)
  : allPoints(flags.of?.split(',') ?? [], flags.with?.split(',') ?? [], flags.every !== undefined)
      .filter((point) => isInShard(hashOf(named(point))))
      .sort((a, b) => hashOf(named(a)) - hashOf(named(b)));
// By the hash too: the lists of two jobs differ, because not each run makes the same calls.
const mine = points.filter((point) => Math.floor(hashOf(named(point)) / shards) % jobs === job - 1);
const skipped = Math.floor(Number(flags.skip || 0) / jobs);
const chosen = mine.slice(skipped, skipped + Math.ceil(Number(flags.count || points.length * jobs) / jobs));
console.log(`faults: ${chosen.length} of ${points.length} points (shard ${flags.shard || '1/1'}, seed ${seed})`);

interface Sum {
  points: number;
  survived: number;
  /** Points whose call was not made: not each run makes the same calls. */
  missed: number;
  findings: number;
}

const from = Date.now();
const sums = new Map<string, Sum>();
const trials = new Trials();
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => (interrupted = true));
for (const [i, point] of chosen.entries()) {
  // Signals are delivered here.
  await new Promise(setImmediate);
  if (interrupted) break;
  const sum = sums.get(point.operation) ?? { points: 0, survived: 0, missed: 0, findings: 0 };
  sums.set(point.operation, sum);
  sum.points++;
  const result = trials.attempt(point);
  if (result === true) sum.survived++;
  else if (result === false) sum.missed++;
  else {
    sum.findings++;
    console.log(`finding: ${result}\n    repeat: make faults ONLY='${named(point)}'`);
  }
  if ((i + 1) % 500 === 0) console.log(`faults: ${i + 1} points in ${Math.round((Date.now() - from) / 1000)} s`);
}
trials.end();
writeFileSync(flags.sums ?? '/dev/null', JSON.stringify(Object.fromEntries(sums)));
