/** sd_notify(3) in the container: NOTIFY_SOCKET, a socket bound from the state directory (as runc). */
import { MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY } from '../../sys/linux.js';
import type { CompileOptions } from '../host-facts.js';
import { mountBind } from '../mounts/mount-op.js';
import type { Op } from '../plan-ops.js';

/** Directory and socket below the state directory. */
export const notifyDirectory = 'notify';
export const notifyName = 'notify.sock';
/** Directory in the container. */
const target = '/run/notify';

/** The environment entry of the process. */
export const notifyEntry = `NOTIFY_SOCKET=${target}/${notifyName}`;

/**
 * The directory on the host, and its mount in the container. The socket in it exists while a process listens: `run`
 * from the beginning, otherwise `start`. The container's root may be unable to reach the state directory, so it is
 * opened into the slot. If the runtime may not clone mounts (no slot), it is opened with the other bind sources.
 */
export function notifyOps(options: CompileOptions, slot: number | undefined): { before: Op[]; mount: Op[] } {
  const path = `${options.stateDir}/${notifyDirectory}`;
  const setAttrs = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  return {
    before: [
      { op: 'notifyDirectory', at: '', path, bind: !options.startSocket },
      ...(slot === undefined
        ? []
        : [
            { op: 'openTree', at: '', source: path, recursive: false, nofollow: false, optional: false, slot } as const,
          ]),
    ],
    mount: [mountBind({ at: '', target, source: path, slot, recursive: false, setAttrs })],
  };
}
