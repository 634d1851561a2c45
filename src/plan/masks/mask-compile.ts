/** `linux.readonlyPaths`, `linux.maskedPaths` (config-linux.md#readonly-paths, #masked-paths). */
import type { Spec } from '../../spec/config-types.js';
import type { Op } from '../plan-ops.js';

/** Runs after all mounts and devices: the paths to cover exist by then. */
export function maskOps({ linux }: Spec): Op[] {
  const readonly = (linux?.readonlyPaths ?? []).map(
    (path, i): Op => ({ op: 'readonlyPath', at: `/linux/readonlyPaths/${i}`, path }),
  );
  const masked = (linux?.maskedPaths ?? []).map(
    (path, i): Op => ({ op: 'mask', at: `/linux/maskedPaths/${i}`, path, label: linux?.mountLabel || undefined }),
  );
  return [...readonly, ...masked];
}
