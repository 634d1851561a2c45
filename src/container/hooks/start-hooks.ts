/** `start` of a container with startContainer or poststart hooks. */
import { RuntError } from '../../sys/error.js';
import { remove } from '../delete.js';
import type { StartOptions } from '../start.js';
import type { ContainerRecord } from '../state/state-store.js';
import { hookState, runHooks } from './run-hooks.js';

/**
 * Awaits the start and runs the poststart hooks, both without the container's lock. If a hook fails, kills and deletes
 * the container, which runs its poststop hooks (runtime.md#lifecycle, steps 7, 9 and 12).
 * @param started settles after the execve
 * @throws RuntError ERR_HOOK, ERR_HOOK_TIMEOUT, and what `started` throws
 */
export async function startWithHooks(
  o: StartOptions,
  record: ContainerRecord,
  started: () => Promise<void>,
): Promise<void> {
  const warn = o.warn ?? (() => {});
  try {
    await started();
    await runHooks('start', 'poststart', record.hooks?.poststart, hookState(record, 'running'), warn);
  } catch (error) {
    if (error instanceof RuntError && error.code.startsWith('ERR_HOOK')) {
      try {
        await remove({ root: o.root, id: o.id, force: true, warn });
      } catch (left) {
        warn(`start ${o.id}: remove what the failed hook left: ${left}`);
      }
    }
    throw error;
  }
}
