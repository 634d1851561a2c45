/** What this version does not apply is refused by name: nothing of a config is ignored. */
import type { Spec } from '../spec/types.js';
import { RuntError } from '../sys/error.js';
import { valueAt } from './pointer.js';

/** The error for one value that is understood and not applied. */
export function unsupported(pointer: string, value: unknown, what: string): RuntError {
  return new RuntError({
    code: 'ERR_UNSUPPORTED',
    message: `${what}: not supported by this version of runt`,
    pointer,
    value,
  });
}

const fields: readonly (readonly [pointer: string, what: string])[] = [['/linux/mountLabel', 'SELinux labels']];

/**
 * Refuses a spec that asks for more than is applied. An empty list, an empty string and `false` ask for nothing.
 * @throws RuntError ERR_UNSUPPORTED
 */
export function refuseUnsupported(spec: Spec): void {
  for (const [pointer, what] of fields) {
    const value = valueAt(spec, pointer);
    if (value === undefined || value === false || value === '' || (Array.isArray(value) && value.length === 0))
      continue;
    throw unsupported(pointer, value, what);
  }
  if (!spec.linux?.namespaces?.some((n) => n.type === 'mount')) {
    throw unsupported(
      '/linux/namespaces',
      spec.linux?.namespaces ?? [],
      'a container without a mount namespace, whose mounts would be made on the host and stay there',
    );
  }
}
