/** Limits of the cgroup: `--memory`, `--cpus`, `--pids`. */
import { parseBytes } from '../byte-size.js';
import type { Resources } from '../config-types.js';
import type { SpecOptions } from './option-types.js';
import type { Refuse } from './refusal.js';

const periodMicroseconds = 100_000;

export function limitOptions(o: SpecOptions, refuse: Refuse): Resources {
  const resources: Resources = {};
  if (o.memory !== undefined) {
    const limit = parseBytes(String(o.memory));
    if (limit === undefined || limit === 0n || limit > Number.MAX_SAFE_INTEGER) {
      throw refuse('memory', o.memory, 'is not a size such as 64m, 1g or 1048576, or -1 for no limit');
    }
    resources.memory = { limit: Number(limit) };
  }
  if (o.cpus !== undefined) {
    const text = String(o.cpus);
    const quota = /^[0-9]{1,6}(\.[0-9]{1,9})?$/.test(text) ? Math.round(Number(text) * periodMicroseconds) : 0;
    // The kernel's minimum quota is 1 ms.
    if (quota < 1000) throw refuse('cpus', text, 'is not a number of CPUs such as 2 or 0.5, at least 0.01');
    resources.cpu = { quota, period: periodMicroseconds };
  }
  if (o.pids !== undefined) {
    const text = String(o.pids);
    if (!/^(-1|[1-9][0-9]{0,8})$/.test(text)) {
      throw refuse('pids', text, 'is not a number of processes, at least 1, or -1 for no limit');
    }
    resources.pids = { limit: Number(text) };
  }
  return resources;
}
