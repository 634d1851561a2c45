/**
 * Random inputs for the readers of TypeScript: random-texts TARGET SECONDS [DIRECTORY]. Each target compares with what
 * is known of the input, and a reader throws nothing but a RuntError. Plans are written into DIRECTORY, for runt-init's
 * decoder. RUNT_SEED repeats a run; RUNT_PLANT plants a bug.
 */
import * as assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import fc from 'fast-check';
import { RuntError } from '../../src/sys/error.js';
import { writtenPlans } from './target.js';
import { targets } from './text-targets.js';

const [name = '', seconds = '10', directory = ''] = process.argv.slice(2);
if (directory !== '') mkdirSync(directory, { recursive: true });
const target = targets[name];
if (!target) throw new Error(`no target ${name}: ${Object.keys(targets).join(', ')}`);
const seed = Number(process.env.RUNT_SEED ?? Math.floor(Math.random() * 2 ** 31));
const count = { inputs: 0, accepted: 0, refused: 0 };

/** Whether the reader accepts the input. */
async function accepts(input: unknown): Promise<boolean> {
  try {
    await target!.read(input);
    return true;
  } catch (error) {
    if (error instanceof RuntError && error.code !== 'ERR_INTERNAL' && target!.codes.test(error.code)) return false;
    throw error;
  }
}

const property = fc.asyncProperty(target.inputs, async (input) => {
  count.inputs++;
  const isAccepted = await accepts(input);
  count[isAccepted ? 'accepted' : 'refused']++;
  const planted = process.env.RUNT_PLANT && count.inputs > 100 && isAccepted;
  assert.ok(!planted, 'planted');
});

const end = Date.now() + Number(seconds) * 1000;
let result: fc.RunDetails<[unknown]> | undefined;
for (let round = 0; Date.now() < end && !result?.failed; round++)
  result = await fc.check(property, { seed: seed + round, numRuns: 500, interruptAfterTimeLimit: 60_000 });
const counts = Object.entries(count).map(([what, n]) => `${n} ${what}`);
if (directory !== '') counts.push(`${writtenPlans()} written`);
console.log(`random-texts: ${name}: ${counts.join(', ')}, RUNT_SEED=${seed}`);
if (result?.failed) {
  console.log(`random-texts: ${result.errorInstance}\n${fc.stringify(result.counterexample)}`);
  if (result.errorInstance instanceof Error) console.log(result.errorInstance.stack);
}
process.exit(result?.failed ? 1 : 0);
