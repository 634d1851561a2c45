/** `NAME=SOFT[:HARD]` of `--ulimit` → `process.rlimits`. */
import { rlimitNames } from '../../sys/kernel-names.js';
import { nearestWord } from '../../sys/nearest-word.js';
import type { Process } from '../config-types.js';
import type { Int } from '../integer.js';
import type { Refuse } from './refusal.js';

/** RLIM_INFINITY. */
const infinity = 18446744073709551615n;

/** Replaces the limits of the same type; HARD is SOFT if absent. */
export function ulimitOptions(process: Process, values: readonly string[], refuse: Refuse): void {
  for (const text of values) {
    const [, name, soft, hard = soft] = /^([^=]+)=([^:]+)(?::([^:]+))?$/.exec(text) ?? [];
    if (name === undefined) throw refuse('ulimit', text, 'is not NAME=SOFT[:HARD]');
    const short = name.toUpperCase().replace(/^RLIMIT_/, '');
    const type = `RLIMIT_${short}`;
    if (!rlimitNames().includes(type)) {
      const near = nearestWord(type, rlimitNames())?.slice(7).toLowerCase();
      throw refuse(
        'ulimit',
        text,
        `names no limit of setrlimit(2)${near === undefined ? '' : `; did you mean ${near}?`}`,
      );
    }
    const [low, high] = [amount(soft!), amount(hard!)];
    if (low === undefined || high === undefined) {
      throw refuse('ulimit', text, 'has a limit that is not a number, or -1 or unlimited');
    }
    if (low > high) throw refuse('ulimit', text, 'has a soft limit above the hard one');
    process.rlimits = [...process.rlimits!.filter((limit) => limit.type !== type), { type, soft: low, hard: high }];
  }
}

function amount(text: string): Int | undefined {
  if (text === '-1' || text === 'unlimited') return infinity;
  if (!/^[0-9]{1,20}$/.test(text)) return undefined;
  const value = BigInt(text);
  if (value > infinity) return undefined;
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? value : Number(value);
}
