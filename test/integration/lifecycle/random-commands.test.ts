/**
 * Random commands by eight clients at once, kills of commands among them: each answer is one that the model of the
 * lifecycle allows, and nothing is left. RUNT_STEPS sets the number of commands; without it 400, in a minute.
 */
import { mkdirSync } from 'node:fs';
import fc from 'fast-check';
import { type Command, codeOfRunc, commandsOf, ofRunc, program, type Runtime, wrong } from '../../model/clients.js';
import { type Bed, needing, onBed } from '../bed/bed.js';
import { which } from '../bed/needs.js';
import { runtPath } from '../bed/place.js';

const test = needing('random commands', 'root', 'cgroups', 'freezer', 'pids');
const runc = needing('random commands for runc', 'root', 'runc', 'cgroups', 'freezer', 'pids');
const steps = process.env.RUNT_STEPS;
const seed = Number(process.env.RUNT_SEED ?? (steps === undefined ? 1 : Math.floor(Math.random() * 2 ** 31)));
const wanted = Number(steps ?? 400);
/** How often a shorter sequence is tried: the order of concurrent commands is another each time. */
const TRIES = 5;

/** Writes the bundle; returns the state root. */
function prepare(bed: Bed): string {
  bed.config.process.args = program;
  bed.write();
  // Without it, list fails.
  mkdirSync(bed.root, { mode: 0o700 });
  return bed.root;
}

/** Tries random sequences until there were `most` commands. Fails with the shortest sequence that is wrong. */
async function holds(bed: Bed, runtime: Runtime, commands: fc.Arbitrary<Command[]>, most: number): Promise<void> {
  let count = 0;
  let isShrinking = false;
  const property = fc.asyncProperty(commands, async (sequence) => {
    if (count >= most && !isShrinking) return;
    for (let i = 0; i < (isShrinking ? TRIES : 1); i++) {
      count += sequence.length;
      const why = await wrong(bed, runtime, sequence);
      if (why === '') continue;
      if (!isShrinking) process.stdout.write(`# note wrong at first: ${JSON.stringify(sequence)}\n${why}\n`);
      isShrinking = true;
      throw new Error(why);
    }
  });
  const limit = { interruptAfterTimeLimit: steps === undefined ? 60_000 : 240_000, markInterruptAsFailure: false };
  const result = await fc.check(property, { seed, numRuns: most, ...limit });
  process.stdout.write(`\n# note ${count} commands, RUNT_SEED=${seed}\n`);
  if (!result.failed || result.counterexample === null) return;
  const lines = result.counterexample[0].map((command) => `  ${JSON.stringify(command)}`);
  throw new Error(
    `RUNT_SEED=${seed}, after ${result.numShrinks} shrinks:\n${lines.join('\n')}\n${result.errorInstance}`,
  );
}

test(
  'every answer is one that the model allows, and nothing is left',
  onBed(async (bed) => {
    const root = prepare(bed);
    await holds(bed, { path: runtPath, root }, commandsOf(8, 3), wanted);
  }),
);

// One command at a time: so the answers of two runtimes are the same.
for (const [name, on, runtime] of [
  ['runt', test, { path: runtPath }],
  ['runc', runc, { path: which('runc') ?? '', codeOf: codeOfRunc, isImpatient: true }],
] as const)
  on(
    `every answer of ${name} to one client is the only one that the model allows`,
    onBed(async (bed) => {
      const root = prepare(bed);
      await holds(bed, { ...runtime, root }, commandsOf(1, 2, ofRunc, true), Math.ceil(wanted / 10));
    }),
  );

test.run();
runc.run();
