/** Error codes of hook operations; a hook's own output explains its failure (src/container/hooks/hook-failure.ts). */
import type { Failures } from '../failure/known-cause.js';
import type { hookTable } from './hook-ops.js';

export const hookFailures: Failures<keyof typeof hookTable> = {
  hookFile: { code: 'ERR_HOOK' },
  hookOutput: { code: 'ERR_HOOK' },
  awaitHooks: { code: 'ERR_HOOK' },
  hook: { code: 'ERR_HOOK' },
  hostHook: { code: 'ERR_HOOK' },
};
