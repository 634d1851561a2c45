/** Rules of `hooks`. */

import type { HookName, Spec } from '../config-types.js';
import type { Findings } from '../judge/findings.js';

/** The six hook points, in lifecycle order. */
export const HOOKS: readonly HookName[] = [
  'prestart',
  'createRuntime',
  'createContainer',
  'startContainer',
  'poststart',
  'poststop',
];

export function hookRules(spec: Spec, findings: Findings): void {
  if (!spec.hooks) return;
  const see = 'config.md#posix-platform-hooks';
  for (const name of HOOKS) {
    spec.hooks[name]?.forEach((hook, i) => {
      findings.absolute(`/hooks/${name}/${i}/path`, hook.path, see);
      findings.environment(`/hooks/${name}/${i}/env`, hook.env, see);
    });
  }
}
