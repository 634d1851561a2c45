/** The flags that `checkpoint` and `restore` share. */
import type { CriuFlags } from '../container/criu/criu-flag-types.js';
import { absolute } from './absolute-path.js';
import { usageError } from './arguments.js';
import type { Call } from './command-syntax.js';

type Flags = Call<'checkpoint'>['flags'] & Call<'restore'>['flags'];

/** Directories of the images (default: `checkpoint` in the current directory, as for runc) and of the log. */
export function imagePaths(flags: Pick<Flags, 'image-path' | 'work-path'>): { imagePath: string; workPath?: string } {
  return {
    imagePath: absolute(flags['image-path'] || 'checkpoint'),
    ...(flags['work-path'] ? { workPath: absolute(flags['work-path']) } : {}),
  };
}

/** Converts the shared flags. Throws ERR_USAGE for a namespace that cannot be left empty. */
export function criuFlags(where: string, flags: Call<'checkpoint'>['flags'] | Call<'restore'>['flags']): CriuFlags {
  // The network namespace is always left empty; no other namespace can be.
  for (const name of flags['empty-ns'] ?? []) {
    if (name !== 'network') throw usageError(where, `flag --empty-ns takes network, not "${name}"`);
  }
  const mode = flags['manage-cgroups-mode'];
  return {
    tcpEstablished: flags['tcp-established'] === true,
    extUnixSk: flags['ext-unix-sk'] === true,
    shellJob: flags['shell-job'] === true,
    fileLocks: flags['file-locks'] === true,
    autoDedup: flags['auto-dedup'] === true,
    lazyPages: flags['lazy-pages'] === true,
    ...(mode === undefined ? {} : { manageCgroupsMode: mode }),
  };
}
