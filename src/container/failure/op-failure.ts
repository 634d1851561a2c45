/** The user's error from the facts of a failed operation. */

import { sentence } from '../../plan/explain/op-messages.js';
import { errorCode, type Failure, hintFor } from '../../plan/failure/op-hints.js';
import { asConfigured } from '../../plan/hooks/hook-compile.js';
import type { HostFacts } from '../../plan/host-facts.js';
import type { Op } from '../../plan/plan-ops.js';
import { deniedInitHint } from '../../plan/seccomp/seccomp-hints.js';
import type { Spec } from '../../spec/config-types.js';
import { valueAt } from '../../spec/json/json-pointer.js';
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { innerHookError } from '../hooks/hook-failure.js';
import { hostPathHint } from './host-path-hint.js';
import { idmapHint } from './idmap-failure.js';
import { movedMountError } from './moved-mount.js';
import type { OpFailure } from './op-failed.js';
import { overlayHint } from './overlay-failure.js';

/** The error of a failed operation. `facts` and `spec`, if known, make the hint more precise. */
export function opFailureError(
  command: string,
  id: string,
  failed: OpFailure,
  spec?: Spec,
  facts?: HostFacts,
): RuntError {
  const { op, errno, syscall, detail } = failed;
  if (syscall === 'hook') {
    return innerHookError(`${command} ${id}`, failed, spec?.hooks, spec);
  }
  if (syscall === 'verifyMount') return movedMountError(`${command} ${id}`, failed, spec);
  const known: Failure = {
    op,
    errno,
    syscall,
    detail,
    ...(spec && { spec }),
    facts: {
      userNamespace: spec?.linux?.namespaces?.some((n) => n.type === 'user') ?? false,
      rootless: facts?.rootless ?? false,
      ...(failed.cgroupGone && { cgroupGone: true }),
      ...(failed.filtered && { filtered: true }),
      ...(facts?.oldMounts && { oldMounts: true }),
    },
  };
  const denied = deniedInitHint(known);
  const pointer = denied ? '/linux/seccomp' : op.at;
  const { hint, see } =
    denied ?? overlayHint(failed) ?? idmapHint(failed) ?? hostPathHint(failed, spec) ?? hintFor(known);
  const value = spec && pointer && !denied ? asConfigured(valueAt(spec, pointer)) : undefined;
  return new RuntError({
    // The clone itself failed, as in `fork`: an ended pid namespace, or a limit on processes.
    code: op.op === 'cgroupFork' && syscall === 'clone' ? 'ERR_NAMESPACE' : errorCode(op),
    message: `${command} ${id}: ${failedAction(op, errno)}${detail && !sentence(op).includes(detail) ? ` (${detail})` : ''}`,
    op: op.op,
    errno,
    syscall,
    ...(detail && { path: detail }),
    ...(pointer && { pointer }),
    ...(value !== undefined && { value }),
    ...(hint !== undefined && { hint }),
    ...(see !== undefined && { see }),
  });
}

/** For "executable file not found in $PATH" engines exit with status 127. */
function failedAction(op: Op, errno: number): string {
  if (op.op === 'findExecutable' && errno === E.ENOENT && !op.name.includes('/')) {
    return `${sentence(op)}: executable file not found in $PATH`;
  }
  // Docker 20.10 maps only this message, also one of execve(2), to status 126.
  if (op.op === 'findExecutable' && errno === E.EISDIR) return `${sentence(op)}: permission denied`;
  return sentence(op);
}
