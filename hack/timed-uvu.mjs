// uvu with a line "# slow NAME: SECONDS" for each test above the limit; hack/test.mjs bundles unit tests with it.
import { readFileSync } from 'node:fs';
import * as uvu from 'uvu';

export * from 'uvu';

/** Longest time of a unit test in s. */
const LIMIT = 2;
/** Clock ticks per second in /proc/PID/stat: USER_HZ, 100 on every architecture that runt has. */
const TICKS = 100;

/** CPU time in s of this process and of the children that it has reaped (proc_pid_stat(5): fields 14 to 17). */
function cpuTime() {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS;
}

/** The body of a test, which writes its time if that is above the limit. */
const timed = (name, body) => async (context) => {
  const [started, cpu] = [performance.now(), cpuTime()];
  try {
    return await body(context);
  } finally {
    const took = (performance.now() - started) / 1000;
    // uvu writes a mark for each test without the end of a line.
    if (took > LIMIT)
      process.stdout.write(`\n# slow ${name}: ${took.toFixed(1)} s, CPU ${(cpuTime() - cpu).toFixed(1)} s\n`);
  }
};

/** A suite of uvu whose tests are timed. */
function timedSuite(inner) {
  const test = (name, body) => inner(name, timed(name, body));
  const only = (name, body) => inner.only(name, timed(name, body));
  return Object.assign(test, inner, { only });
}

export const suite = (name, context) => timedSuite(uvu.suite(name, context));
export const test = suite();
