/** Bundle directory → spec and plan. Needs no root and touches nothing: `explain` stops here. */
import type { CgroupPaths } from '../cgroup/path.js';
import { compile } from '../plan/compile.js';
import type { CompileOptions, HostFacts } from '../plan/facts.js';
import type { Plan } from '../plan/ops.js';
import { loadSpec } from '../spec/load.js';
import type { Spec } from '../spec/types.js';
import type { Violation } from '../sys/error.js';
import type { CreateOptions } from './create.js';
import { readHostFacts } from './facts.js';

export interface CompiledBundle {
  readonly spec: Spec;
  readonly facts: HostFacts;
  readonly options: CompileOptions;
  readonly plan: Plan;
  readonly cgroups: CgroupPaths;
}

/**
 * Loads, validates and compiles.
 * @throws RuntError ERR_SPEC_* for a bad config, ERR_UNSUPPORTED, ERR_CGROUP_*
 */
export function compileBundle(o: CreateOptions, startSocket = true): CompiledBundle {
  const { spec, warnings } = loadSpec(`${o.bundle}/config.json`);
  for (const warning of warnings) o.warn(text(warning));
  const facts = readHostFacts(o.rootless);
  const options: CompileOptions = {
    id: o.id,
    bundle: o.bundle,
    stateDir: `${o.root}/${o.id}`,
    startSocket,
    noPivot: o.noPivot,
    noNewKeyring: o.noNewKeyring,
    preserveFds: o.preserveFds,
  };
  return { spec, facts, options, ...compile(spec, facts, options) };
}

function text({ pointer, value, expected }: Violation): string {
  return `${pointer} should ${expected}${value === undefined ? '' : `, found ${JSON.stringify(value)}`}`;
}
