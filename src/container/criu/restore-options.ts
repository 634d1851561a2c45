/** Options of `restore`. */
import type { CreateOptions } from '../launch/container-options.js';
import type { EarlyEnd } from '../wait.js';
import type { RestoreFlags } from './criu-flag-types.js';

export interface RestoreOptions extends CreateOptions, RestoreFlags {
  /** Absolute directory of the images. */
  readonly imagePath: string;
  /** Absolute directory of `restore.log`; the images' when absent. */
  readonly workPath?: string;
  /** `--criu`. */
  readonly criu?: string;
  readonly detach: boolean;
  readonly noSubreaper: boolean;
  /** Kills criu, and undoes what was made, when the caller ends it. */
  readonly early?: EarlyEnd;
}
