/** `linux.readonlyPaths`, `linux.maskedPaths` (config-linux.md#readonly-paths, #masked-paths). */
import type { Spec } from '../../spec/config-types.js';
import type { Op } from '../plan-ops.js';

/** After all that is mounted and made in the container: what they cover is there then. */
export function maskOps({ linux }: Spec): Op[] {
  const readonly = (linux?.readonlyPaths ?? []).map(
    (path, i): Op => ({ op: 'readonlyPath', at: `/linux/readonlyPaths/${i}`, path }),
  );
  const masked = (linux?.maskedPaths ?? []).map(
    (path, i): Op => ({ op: 'mask', at: `/linux/maskedPaths/${i}`, path, label: linux?.mountLabel || undefined }),
  );
  return [...readonly, ...masked];
}
