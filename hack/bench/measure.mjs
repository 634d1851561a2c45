/** Jobs of hack/bench/timer.c and hack/bench/syscalls.c, and the sums of what they measure. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { compile } from './machine.mjs';

const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/** A pause between two runs, in µs, in which kernel threads tear down the namespaces of the last one. */
export const PAUSE = 20_000;

/**
 * Runs `contenders` ({name: steps}) alternately. A step is a list of arguments, or `reap`.
 * @param o rounds; warmup; count and parallel: runs of a round, and how many at a time; pause in µs; log: a path; step:
 * the index of the one step whose time counts, instead of all
 * @returns {name: summary}
 * @throws Error if a step fails; its `contender` is the name of the one that failed
 */
export function measure(contenders, o) {
  const line = (step) => (step === 'reap' ? step : ['step', ...step].join('\t'));
  const job = Object.entries(contenders)
    .map(([name, steps]) => `contender\t${name}\n${steps.map(line).join('\n')}\n`)
    .join('');
  const numbers = [o.rounds, o.warmup ?? 1, o.count ?? 1, o.parallel ?? 1, o.pause ?? PAUSE];
  const r = spawnSync(compile('timer'), [...numbers.map(String), o.log], {
    input: job,
    stdio: ['pipe', 'pipe', 'pipe'],
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    env,
  });
  if (r.status !== 0) {
    const said = existsSync(o.log) ? readFileSync(o.log, 'utf8').slice(-2000) : '';
    const contender = Object.keys(contenders).find((name) => r.stderr.includes(`timer: ${name}: `));
    throw Object.assign(new Error(`timer: exit ${r.status ?? r.signal}\n${r.stderr}${said}`), { contender });
  }
  const rounds = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]));
  for (const text of r.stdout.trim().split('\n')) {
    const [name, ...numbers] = text.split('\t');
    rounds[name].push(numbers.map(Number));
  }
  return Object.fromEntries(Object.entries(rounds).map(([name, list]) => [name, summary(list, o.count ?? 1, o.step)]));
}

/** Times in ms, memory in KiB. With several runs a round, the median and the quantiles are those of single runs. */
function summary(rounds, count, step) {
  const column = (i) => rounds.map((r) => r[i]);
  const ms = step !== undefined ? column(4 + step) : count === 1 ? column(0) : rounds.flatMap((r) => r.slice(4));
  return {
    median: quantile(ms, 0.5) / 1e6,
    p95: quantile(ms, 0.95) / 1e6,
    p99: quantile(ms, 0.99) / 1e6,
    /** Runs a second. */
    rate: (count * 1e9) / quantile(column(0), 0.5),
    rss: Math.max(...column(1)),
    /** CPU of all processes of a run, in ms, and their page faults. */
    cpu: quantile(column(2), 0.5) / 1e3 / count,
    faults: Math.round(quantile(column(3), 0.5) / count),
    /** The least of all rounds. */
    leastFaults: Math.min(...column(3)) / count,
    samples: ms.length,
  };
}

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const low = Math.floor(at);
  return sorted[low] + ((sorted[low + 1] ?? sorted[low]) - sorted[low]) * (at - low);
}

/** The system calls of all processes of the steps; `id` replaces %i. @throws Error if a step fails */
export function syscalls(steps, id) {
  const words = steps.flatMap((step, i) => [...(i > 0 ? ['+'] : []), ...(step === 'reap' ? [step] : step)]);
  const r = spawnSync(
    compile('syscalls'),
    words.map((word) => word.replace('%i', id)),
    { stdio: ['ignore', 'pipe', 'pipe', 'pipe'], encoding: 'utf8', env, timeout: 60_000 },
  );
  if (r.status !== 0) throw new Error(`syscalls: exit ${r.status ?? r.signal}\n${r.stdout}${r.stderr}`);
  return Number(r.output[3]);
}
