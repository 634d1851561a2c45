/**
 * Random configs through validate, compile and encode: random-configs SECONDS DIRECTORY. What the schema refuses,
 * validate refuses; what validates compiles, on each ideal host; nothing throws anything but a RuntError. Writes plans
 * into DIRECTORY, for runt-init's decoder. RUNT_SEED repeats a run; RUNT_SPEC_SCHEMA is the directory of the
 * runtime-spec's schema, used instead of the project's; RUNT_PLANT plants a bug.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { compile } from '../../src/plan/compile.js';
import { encodePlan } from '../../src/plan/encode-plan.js';
import { cgroupV1, cgroupV2, hostWith, options, refusedEverywhere } from '../../src/plan/ideal-hosts.js';
import type { Spec } from '../../src/spec/config-types.js';
import { parseSpec } from '../../src/spec/load-config.js';
import { RuntError } from '../../src/sys/error.js';
import { useNodeHost } from '../../src/sys/node-host.js';
import { configs } from './config-arbitrary.js';

const [seconds = '10', directory = ''] = process.argv.slice(2);
const seed = Number(process.env.RUNT_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** Plans that are written: the decoder reads each in some µs, but each is a file. */
const PLANS = 3000;
useNodeHost([]);

const own = JSON.parse(readFileSync('schemas/config.schema.json', 'utf8')) as object;

/** What runt accepts although the runtime-spec's schema refuses it, as runc and crun do. */
const LENIENT: Readonly<Record<string, string>> = {
  '/linux/resources/pids required': 'Go has 0 for an absent limit, which means none',
  '/linux/rootfsPropagation enum': 'rprivate, rshared …: the recursive forms',
  '/linux/intelRdt/memBwSchema pattern': 'an empty text, which Go does not tell from an absent one',
};

/** The oracle: the schema, compiled by ajv as it is. */
function oracle(): (config: unknown) => boolean {
  const of = process.env.RUNT_SPEC_SCHEMA;
  const ajv = new Ajv({ allErrors: true, strict: false, validateFormats: false, logger: false });
  if (!of) return ajv.compile(own);
  for (const name of readdirSync(of).filter((file) => file.endsWith('.json'))) {
    // Draft 4, of which it uses only what later drafts have too, with references without a slash.
    const text = readFileSync(join(of, name), 'utf8').replaceAll('#definitions/', '#/definitions/');
    const { $schema: _, id: __, ...schema } = JSON.parse(text);
    ajv.addSchema(schema, name);
  }
  return (config) =>
    ajv.validate('config-schema.json', config) ||
    ajv.errors!.every(({ instancePath, keyword }) => LENIENT[`${instancePath} ${keyword}`] !== undefined);
}
const schemaAccepts = oracle();

const count = { configs: 0, valid: 0, 'refused by the schema': 0, 'refused by rules': 0, plans: 0, written: 0 };

/** The spec if validate accepts the config; the refused pointers otherwise. */
function judged(config: unknown): { spec: Spec } | { refused: readonly string[] } {
  const bytes = new TextEncoder().encode(JSON.stringify(config));
  try {
    return { spec: parseSpec(bytes, bytes.length, 'config.json').spec };
  } catch (error) {
    if (error instanceof RuntError && error.violations)
      return { refused: error.violations.map(({ pointer }) => pointer) };
    if (error instanceof RuntError && error.code !== 'ERR_INTERNAL') return { refused: [''] };
    throw error;
  }
}

/** Without nulls: validate drops them, as Go's decoder does, and the schema refuses them. */
const withoutNulls = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.filter((item) => item !== null).map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, item]) => (item === null ? [] : [[name, withoutNulls(item)]])),
  );
};

function check(config: unknown): void {
  count.configs++;
  const verdict = judged(config);
  const isPlanted =
    process.env.RUNT_PLANT &&
    'refused' in verdict &&
    verdict.refused.every((p) => /^\/(?:hostname|domainname|ociVersion)/.test(p));
  if ('refused' in verdict && !isPlanted) {
    const which = schemaAccepts(config) ? 'refused by rules' : 'refused by the schema';
    count[which]++;
    return;
  }
  if (!schemaAccepts(config) && !schemaAccepts(withoutNulls(config)))
    throw new Error('validate accepts what the schema refuses');
  if ('refused' in verdict) return;
  count.valid++;
  const { spec } = verdict;
  if (refusedEverywhere(spec)) return;
  for (const host of [cgroupV1, cgroupV2]) {
    try {
      const { plan } = compile(spec, hostWith(host), options);
      const bytes = encodePlan(plan, { trace: false, startSocket: -1, slots: [] });
      count.plans++;
      if (directory !== '' && count.written < PLANS) writeFileSync(join(directory, String(count.written++)), bytes);
    } catch (error) {
      if (!(error instanceof RuntError) || error.code === 'ERR_INTERNAL') throw error;
    }
  }
}

if (directory !== '') mkdirSync(directory, { recursive: true });
const end = Date.now() + Number(seconds) * 1000;
let result: fc.RunDetails<[unknown]> | undefined;
for (let round = 0; Date.now() < end && !result?.failed; round++)
  result = fc.check(fc.property(configs(own) as fc.Arbitrary<unknown>, check), { seed: seed + round, numRuns: 2000 });
console.log(
  `random-configs: ${Object.entries(count)
    .map(([name, n]) => `${n} ${name}`)
    .join(', ')}, RUNT_SEED=${seed}`,
);
if (result?.failed) {
  console.log(`random-configs: ${result.errorInstance}\n${JSON.stringify(result.counterexample?.[0])}`);
  if (result.errorInstance instanceof Error) console.log(result.errorInstance.stack);
  process.exit(1);
}
