/** Files that hooks of the container append to, from crun's annotations. */
import { annotationValue, hooksStderr, hooksStdout } from '../../spec/annotation-names.js';
import type { Hook, Spec } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import type { Op } from '../plan-ops.js';

interface HookFiles {
  /** Performed by the runtime, before the clone. */
  readonly open: Op[];
  /** Performed by runt-init, before a hook runs. */
  readonly take: Op[];
}

/** For hooks of runt-init; the runtime opens the files for its own hooks (container/hooks/run-hooks.ts). */
export function hookFileOps(spec: Spec, nextSlot: () => number): HookFiles {
  const inside: Hook[] = [...(spec.hooks?.createContainer ?? []), ...(spec.hooks?.startContainer ?? [])];
  if (!spec.annotations || inside.length === 0) return { open: [], take: [] };
  const [out, err] = [hooksStdout, hooksStderr].map((name) => {
    const [path, at] = annotationValue(spec, name);
    if (path === undefined) return undefined;
    if (!path.startsWith('/')) {
      const message = `${name} must be an absolute path`;
      throw new RuntError({ code: 'ERR_SPEC_VALUE', message, pointer: at, value: path });
    }
    return { op: 'hookFile', at, path, slot: nextSlot() } as const;
  });
  const open = [out, err].filter((op) => op !== undefined);
  const take: Op[] = open.length > 0 ? [{ op: 'hookOutput', at: open[0]!.at, out: out?.slot, err: err?.slot }] : [];
  return { open, take };
}
