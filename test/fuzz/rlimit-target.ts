/** Resource limits of the config and of `--ulimit`: the valid ones reach the plan unchanged, all others are refused. */
import * as assert from 'node:assert/strict';
import fc from 'fast-check';
import { compile } from '../../src/plan/compile.js';
import { encodePlan } from '../../src/plan/encode-plan.js';
import { cgroupV2, hostWith, options } from '../../src/plan/ideal-hosts.js';
import type { Process } from '../../src/spec/config-types.js';
import { parseSpec } from '../../src/spec/load-config.js';
import { ulimitOptions } from '../../src/spec/options/ulimit-option.js';
import { RuntError } from '../../src/sys/error.js';
import { useNodeHost } from '../../src/sys/node-host.js';
import { defaultConfig, withUserNamespace } from '../integration/bed/config.js';
import { bytesOf, type Target, writePlan } from './target.js';

/** In the order of their numbers (getrlimit(2)). */
const names = 'CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME';
const types = names.split(' ').map((name) => `RLIMIT_${name}`);
const most = 2n ** 64n - 1n;

const type = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom(...types) },
  { weight: 1, arbitrary: fc.constantFrom('RLIMIT_NOFILES', 'NOFILE', 'rlimit_cpu', 'RLIMIT_', '', 'RLIMIT_CPU ') },
);
/** A number as JSON has it. */
const amount = fc.oneof(
  { weight: 4, arbitrary: fc.bigInt({ min: 0n, max: 20n }).map(String) },
  { weight: 4, arbitrary: fc.bigInt({ min: 0n, max: most }).map(String) },
  { weight: 4, arbitrary: fc.constantFrom(0n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, most).map(String) },
  { weight: 1, arbitrary: fc.constantFrom('-1', '1.5', '18446744073709551616', '1e3', '-0', '1e400', '0.0') },
);
const limit = fc.record({ type, soft: amount, hard: amount });
/** A list of limits that is mostly in order. */
const limits = fc.array(limit, { maxLength: 5 }).chain((list) =>
  fc.boolean().map((isInOrder) =>
    isInOrder && list.every(({ soft, hard }) => /^\d+$/.test(soft + hard))
      ? [...new Map(list.map((one) => [one.type, one])).values()].map((one) => {
          const [soft, hard] = [one.soft, one.hard].map(BigInt).sort((a, b) => (a < b ? -1 : Number(a > b)));
          return { ...one, soft: String(soft), hard: String(hard) };
        })
      : list,
  ),
);
const word = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(type, fc.boolean()).map(([t, s]) => (s ? t.slice(7).toLowerCase() : t)) },
  { weight: 1, arbitrary: fc.string({ maxLength: 6 }) },
);
const bound = fc.oneof(amount, fc.constantFrom('unlimited', '-1', '', ' 1', '0x10', '١', '1_0'));
const ulimit = fc
  .tuple(word, bound, fc.option(bound, { nil: undefined }))
  .map(([name, soft, hard]) => `${name}=${soft}${hard === undefined ? '' : `:${hard}`}`);

interface Limit {
  readonly type: string;
  readonly soft: string;
  readonly hard: string;
}

/** An integer of JSON that fits an rlim_t; `1e3` and `0.0` are integers. */
function integer(text: string): bigint | undefined {
  const number = Number(text);
  const value = /^-?\d+$/.test(text) ? BigInt(text) : Number.isInteger(number) ? BigInt(number) : -1n;
  return value >= 0n && value <= most ? value : undefined;
}

function isValid(list: readonly Limit[]): boolean {
  return (
    new Set(list.map((one) => one.type)).size === list.length &&
    list.every(({ type, soft, hard }) => {
      const [low, high] = [integer(soft), integer(hard)];
      return types.includes(type) && low !== undefined && high !== undefined && low <= high;
    })
  );
}

/** What the text of an option means; undefined if it is refused. */
function meaning(text: string): { type: string; soft: bigint; hard: bigint } | undefined {
  const [name = '', amounts, more] = text.split('=');
  if (amounts === undefined || more !== undefined) return undefined;
  const [soft, hard = soft, third] = amounts.split(':');
  const value = (one: string | undefined): bigint | undefined =>
    one === 'unlimited' || one === '-1' ? most : /^[0-9]+$/.test(one ?? '') ? BigInt(one!) : undefined;
  const [low, high] = [value(soft), value(hard)];
  const type = `RLIMIT_${name.toUpperCase().replace(/^RLIMIT_/, '')}`;
  if (third !== undefined || low === undefined || high === undefined || low > high || high > most) return undefined;
  return types.includes(type) ? { type, soft: low, hard: high } : undefined;
}

export const rlimits: Target<{ list: readonly Limit[]; texts: readonly string[]; hasUser: boolean }> = {
  inputs: fc.record({ list: limits, texts: fc.array(ulimit, { maxLength: 3 }), hasUser: fc.boolean() }),
  codes: /^ERR_SPEC_(?:INVALID|JSON)$/,
  read({ list, texts, hasUser }) {
    useNodeHost([]);
    checkTexts(texts);
    const written = list.map(
      ({ type, soft, hard }) => `{"type":${JSON.stringify(type)},"soft":${soft},"hard":${hard}}`,
    );
    const config = hasUser ? withUserNamespace(defaultConfig()) : defaultConfig();
    config.process.rlimits = [];
    const text = JSON.stringify(config).replace('"rlimits":[]', `"rlimits":[${written}]`);
    const bytes = bytesOf(text);
    let spec: ReturnType<typeof parseSpec>['spec'];
    try {
      spec = parseSpec(bytes, bytes.length, 'config.json').spec;
    } catch (error) {
      if (error instanceof RuntError) assert.ok(!isValid(list), `refused: ${error.message}`);
      throw error;
    }
    assert.ok(isValid(list), 'accepted');
    const { plan } = compile(spec, hostWith(cgroupV2), options);
    const found = [...plan.ops].flatMap((op) =>
      op.op === 'rlimit' || op.op === 'prlimit' ? [[op.resource, BigInt(op.soft), BigInt(op.hard)]] : [],
    );
    const wanted = list.map((one) => [types.indexOf(one.type), integer(one.soft), integer(one.hard)]);
    assert.deepEqual(found, wanted);
    writePlan(encodePlan(plan, { trace: false, startSocket: -1, slots: [] }));
  },
};

/** Each option is refused, or replaces the limit of its type. */
function checkTexts(texts: readonly string[]): void {
  const process = { rlimits: [] } as unknown as Process;
  const refuse = (_: string, value: unknown, problem: string): RuntError =>
    new RuntError({ code: 'ERR_USAGE', message: `${value} ${problem}` });
  const wanted = new Map<string, { type: string; soft: bigint; hard: bigint }>();
  for (const text of texts) {
    const means = meaning(text);
    let isRefused = false;
    try {
      ulimitOptions(process, [text], refuse);
    } catch (error) {
      if (!(error instanceof RuntError)) throw error;
      isRefused = true;
    }
    assert.equal(isRefused, means === undefined, text);
    if (!means) continue;
    wanted.delete(means.type);
    wanted.set(means.type, means);
  }
  const found = process.rlimits!.map(({ type, soft, hard }) => ({ type, soft: BigInt(soft), hard: BigInt(hard) }));
  assert.deepEqual(found, [...wanted.values()]);
}
