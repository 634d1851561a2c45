/** The state root of a command: the directory with the state of all containers. */
import { onStateWarning } from '../container/state/state-directory.js';
import { RuntError } from '../sys/error.js';
import { reportWarning } from './command-log.js';
import type { globals, Values } from './command-syntax.js';
import { findRoot } from './root-flag.js';

/** `--root`, else the default. Throws ERR_USAGE if there is neither. */
export function rootDirectory(global: Values<typeof globals>): string {
  const root = findRoot(global);
  onStateWarning((sentence) => reportWarning(global, sentence));
  if (root !== undefined) return root;
  throw new RuntError({
    code: 'ERR_USAGE',
    message: 'find a directory for the state of containers: neither --root nor XDG_RUNTIME_DIR is set',
    hint: 'set XDG_RUNTIME_DIR, or name a directory with --root DIR: a user other than root needs one of them',
  });
}
