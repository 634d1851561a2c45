/** `linux.readonlyPaths`, `linux.maskedPaths` (config-linux.md#readonly-paths, #masked-paths). */
import type { Spec } from '../../spec/config-types.js';
import { cleanPath } from '../container-path.js';
import type { Op } from '../plan-ops.js';

/** Runs after all mounts and devices: the paths to cover exist by then. */
export function maskOps({ linux }: Spec): Op[] {
  const label = linux?.mountLabel || undefined;
  const ops: Op[] = [];
  eachOnce(linux?.readonlyPaths, (path, i) => {
    ops.push({ op: 'readonlyPath', at: `/linux/readonlyPaths/${i}`, path });
  });
  eachOnce(linux?.maskedPaths, (path, i) => {
    ops.push({ op: 'mask', at: `/linux/maskedPaths/${i}`, path, label });
  });
  return ops;
}

/** Visits the paths, cleaned, each once with its index in the list. A relative one starts at the root. */
function eachOnce(paths: readonly string[] | undefined, visit: (path: string, index: number) => void): void {
  const seen = new Set<string>();
  paths?.forEach((given, i) => {
    const path = cleanPath(given);
    if (seen.has(path)) return;
    seen.add(path);
    visit(path, i);
  });
}
