/** The error for a mount that verifyMounts did not find at its planned target. */

import type { Spec } from '../../spec/config-types.js';
import { valueAt } from '../../spec/json/json-pointer.js';
import { RuntError } from '../../sys/error.js';
import type { OpFailure } from './op-failed.js';

/** @param command the failed action, "create web" */
export function movedMountError(command: string, { op, detail }: OpFailure, spec?: Spec): RuntError {
  const value = spec && op.at ? valueAt(spec, op.at) : undefined;
  return new RuntError({
    code: 'ERR_MOUNT_MOVED',
    message: `${command}: the mount on ${detail} was moved away while the container was made`,
    op: op.op,
    path: detail,
    ...(op.at && { pointer: op.at }),
    ...(value !== undefined && { value }),
    hint: `stop what renames ${detail}, or a directory above it, in the root file system (another container that has it as a volume, its owner on the host), or a hook that unmounts it: a container with its mounts, masks and read-only paths elsewhere must not run`,
    see: 'rename(2)',
  });
}
