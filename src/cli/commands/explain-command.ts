/** `runt explain`: the plan of a bundle, or the differences between two plans, as text or JSON. */
import { compilePlan } from '../../container/launch/compile-bundle.js';
import { type ExplainFormat, explainJson, explainText } from '../../plan/explain/explain-plan.js';
import { explainDiff, explainDiffJson } from '../../plan/explain/plan-diff.js';
import type { Plan } from '../../plan/op-list.js';
import { absolute } from '../absolute-path.js';
import { usageError } from '../arguments.js';
import { isColoured, terminalWidth } from '../colour.js';
import { reportWarning } from '../command-log.js';
import { print } from '../command-output.js';
import type { Call } from '../command-syntax.js';
import {
  annotationPolicyOption,
  cgroupManager,
  hookTimeoutOption,
  isVerbose,
  rootlessMode,
} from '../create-options.js';
import { findRoot } from '../root-flag.js';

export async function command(call: Call<'explain'>): Promise<number> {
  const { flags, args } = call;
  const json = flags.format === 'json';
  if (flags.diff) {
    if (args.length !== 2) throw usageError('explain', '--diff takes two bundles');
    // Use one id for both, so that the names of the directories do not appear as a difference.
    const id = flags.id ?? 'container';
    const [a, b] = [await planOf(call, args[0]!, id), await planOf(call, args[1]!, id)];
    print(json ? explainDiffJson(a, b) : explainDiff(a, b, look()));
    return 0;
  }
  if (args.length > 1) throw usageError('explain', `unexpected argument "${args[1]}": only --diff takes two bundles`);
  const bundle = absolute(args[0] ?? '.');
  const id = flags.id ?? (bundle.slice(bundle.lastIndexOf('/') + 1) || 'container');
  const plan = await planOf(call, bundle, id);
  print(json ? explainJson(plan) : explainText(plan, { ...look(), id }));
  return 0;
}

function look(): ExplainFormat {
  const width = terminalWidth();
  return { colour: isColoured(), ...(width !== undefined && { width }) };
}

async function planOf({ global, flags }: Call<'explain'>, bundle: string, id: string): Promise<Plan> {
  const o = {
    // The plan only names the root, so explain works for a user without one.
    root: findRoot(global) ?? '/run/runt',
    id,
    bundle: absolute(bundle),
    ...(flags.config === undefined ? {} : { config: flags.config }),
    cgroupManager: cgroupManager(global),
    ...(flags.init && { init: true }),
    noPivot: flags['no-pivot'] === true,
    noNewKeyring: flags['no-new-keyring'] === true,
    preserveFds: flags['preserve-fds'] ?? 0,
    rootless: rootlessMode('explain', global.rootless),
    ...annotationPolicyOption(global),
    ...hookTimeoutOption('explain', global),
    debug: isVerbose(global),
    warn: (sentence: string) => reportWarning(global, sentence),
  };
  return compilePlan(o);
}
