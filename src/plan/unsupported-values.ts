/** Refusal, by name, of values that this version does not apply: no config value is ignored. */
import type { Spec } from '../spec/config-types.js';
import { valueAt } from '../spec/json/json-pointer.js';
import { RuntError } from '../sys/error.js';
import { hasMountNamespace, hasUserNamespace, namespacePointer } from './namespaces/namespace-compile.js';

/** The error for a value that is valid but not applied. */
export function unsupportedError(pointer: string, value: unknown, what: string): RuntError {
  return new RuntError({
    code: 'ERR_UNSUPPORTED',
    message: `${what}: not supported by this version of runt`,
    pointer,
    value,
  });
}

/**
 * Refuses a spec with values that are not applied.
 * @throws RuntError ERR_UNSUPPORTED
 */
export function refuseUnsupported(spec: Spec): void {
  if (!hasMountNamespace(spec)) refuseWithoutMountNamespace(spec);
}

/** Without a mount namespace the root is detached: refuses values that need it in a mount tree. */
function refuseWithoutMountNamespace(spec: Spec): void {
  const without = (pointer: string, what: string) =>
    unsupportedError(pointer, valueAt(spec, pointer), `${what} without a mount namespace`);
  if (hasUserNamespace(spec)) throw without(namespacePointer(spec, 'user'), 'a user namespace');
  if (spec.linux?.rootfsPropagation) throw without('/linux/rootfsPropagation', 'rootfsPropagation');
  if (spec.hooks?.createContainer?.length) throw without('/hooks/createContainer', 'createContainer hooks');
  const root = spec.mounts?.findIndex(({ destination }) => /^[./]*$/.test(destination)) ?? -1;
  if (root >= 0) throw without(`/mounts/${root}`, 'a mount on /');
}
