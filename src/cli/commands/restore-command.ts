/** `runt restore`: restores a container from image files. In the foreground the exit status is the container's. */
import { restore } from '../../container/criu/restore.js';
import { absolute } from '../absolute-path.js';
import { reportWarning } from '../command-log.js';
import type { Call } from '../command-syntax.js';
import {
  annotationPolicyOption,
  cgroupManager,
  hookTimeoutOption,
  isVerbose,
  rootlessMode,
} from '../create-options.js';
import { criuFlags, imagePaths } from '../criu-flags.js';
import { rootDirectory } from '../root-directory.js';

export async function command(call: Call<'restore'>): Promise<number> {
  const { global, flags, args } = call;
  return restore({
    ...criuFlags('restore', flags),
    ...imagePaths(flags),
    root: rootDirectory(global),
    id: args[0]!,
    bundle: absolute(flags.bundle ?? '.'),
    ...(flags.config === undefined ? {} : { config: flags.config }),
    ...(global.criu ? { criu: global.criu } : {}),
    cgroupManager: cgroupManager(global),
    ...(flags['pid-file'] === undefined ? {} : { pidFile: absolute(flags['pid-file']) }),
    ...(flags['console-socket'] ? { consoleSocket: absolute(flags['console-socket']) } : {}),
    tcpClose: flags['tcp-close'] === true,
    ...(flags['lsm-profile'] ? { lsmProfile: flags['lsm-profile'] } : {}),
    ...(flags['lsm-mount-context'] ? { lsmMountContext: flags['lsm-mount-context'] } : {}),
    detach: flags.detach === true,
    noSubreaper: flags['no-subreaper'] === true,
    noPivot: flags['no-pivot'] === true,
    noNewKeyring: flags['no-new-keyring'] === true,
    rootless: rootlessMode('restore', global.rootless),
    ...annotationPolicyOption(global),
    ...hookTimeoutOption('restore', global),
    debug: isVerbose(global),
    warn: (sentence) => reportWarning(global, sentence),
  });
}
