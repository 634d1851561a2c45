/** The state root of `--root`, or the default. */
import { defaultRoot } from '../container/state/default-root.js';
import { absolute } from './absolute-path.js';
import type { globals, Values } from './command-syntax.js';

/** The absolute path of the root; undefined if there is neither. */
export function findRoot(global: Values<typeof globals>): string | undefined {
  const root = global.root || defaultRoot();
  return root === undefined ? undefined : absolute(root);
}
