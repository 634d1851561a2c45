/** `linux.readonlyPaths`, `linux.maskedPaths` (config-linux.md#readonly-paths, #masked-paths). */
import type { Spec } from '../../spec/config-types.js';
import { cleanPath } from '../container-path.js';
import type { Op } from '../plan-ops.js';

/** Runs after all mounts and devices: the paths to cover exist by then. */
export function maskOps({ linux }: Spec): Op[] {
  const label = linux?.mountLabel || undefined;
  return [
    ...unique(linux?.readonlyPaths).map(
      ([path, i]): Op => ({ op: 'readonlyPath', at: `/linux/readonlyPaths/${i}`, path }),
    ),
    ...unique(linux?.maskedPaths).map(([path, i]): Op => ({ op: 'mask', at: `/linux/maskedPaths/${i}`, path, label })),
  ];
}

/** The paths, cleaned, each once with its index in the list. A relative one starts at the root. */
function unique(paths: readonly string[] | undefined): readonly (readonly [path: string, index: number])[] {
  const first = new Map<string, number>();
  paths?.forEach((given, i) => {
    const path = cleanPath(given);
    if (!first.has(path)) first.set(path, i);
  });
  return [...first];
}
