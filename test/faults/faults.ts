/**
 * Faults: each system call of runt, runt-init and the supervisor fails once with each errno of its man page, and is a
 * point at which the process is killed. Run by hack/faults.mjs.
 */
import { createHash } from 'node:crypto';
import { allPoints, named, pointsNamed, Trials } from './trial.js';

/** The flags of the command line; throws for one that does not exist. */
function flagsOf(args: readonly string[]): { readonly [name: string]: string | undefined } {
  const flags: Record<string, string> = {};
  for (const arg of args) {
    const found = /^--(shard|seed|only|of|count|every)(?:=(.*))?$/i.exec(arg);
    if (!found) throw new Error(`unknown flag ${arg}`);
    flags[found[1]!.toLowerCase()] = found[2] ?? '';
  }
  return flags;
}

const flags = flagsOf(process.argv.slice(2));
const seed = flags.seed || '1';
const [shard = 1, shards = 1] = (flags.shard || '1/1').split('/').map(Number);
/** A point is in the same shard and at the same place in each run with the seed, whatever other points there are. */
const hashOf = (text: string): number => createHash('sha256').update(`${seed} ${text}`).digest().readUInt32BE();

const points = flags.only
  ? pointsNamed(flags.only)
  : allPoints(flags.of?.split(',') ?? [], flags.every !== undefined)
      .filter((point) => hashOf(named(point)) % shards === shard - 1)
      .sort((a, b) => hashOf(named(a)) - hashOf(named(b)));
const chosen = points.slice(0, Number(flags.count || Number.POSITIVE_INFINITY));
console.log(`faults: ${chosen.length} of ${points.length} points (shard ${shard}/${shards}, seed ${seed})`);

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
for (const [i, point] of chosen.entries()) {
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

console.log('\n| operation | points | survived | not reached | findings |\n|---|---|---|---|---|');
const all = { points: 0, survived: 0, missed: 0, findings: 0 };
for (const [name, sum] of [...sums].sort(([a], [b]) => (a < b ? -1 : 1)).concat([['all', all]])) {
  if (sum !== all) for (const key of Object.keys(all) as (keyof Sum)[]) all[key] += sum[key];
  console.log(`| ${name} | ${sum.points} | ${sum.survived} | ${sum.missed} | ${sum.findings} |`);
}
process.exit(all.findings > 0 ? 1 : 0);
