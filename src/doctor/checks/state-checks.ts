/** Checks of the state root: runt writes a lock, a socket and a record for each container there. */
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { tryStat } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, AT_REMOVEDIR, S_IWGRP, S_IWOTH } from '../../sys/linux.js';
import type { Finding } from '../check.js';

/** @param root the state root of this call; undefined without --root and XDG_RUNTIME_DIR */
export function stateChecks(root: string | undefined): [name: string, finding: Finding][] {
  if (root === undefined) {
    const remedy = 'log in by loginctl or ssh, which set XDG_RUNTIME_DIR, or name a directory with --root DIR';
    return [['root', { status: 'failed', found: 'neither --root nor XDG_RUNTIME_DIR is set', remedy }]];
  }
  return [['root', rootFinding(root)]];
}

/** Makes and removes a directory there, or, before the first container, in the nearest directory above. */
function rootFinding(root: string): Finding {
  let above = root;
  let found = tryStat(above);
  while (!found && above !== '/') {
    above = above.slice(0, above.lastIndexOf('/')) || '/';
    found = tryStat(above);
  }
  const trial = `${above === '/' ? '' : above}/.doctor-${native.pid()}-${native.monotonic()}`;
  const made = native.mkdirAt(AT_FDCWD, trial, 0o700);
  if (made < 0) {
    const { message } = new RuntError({
      code: 'ERR_IO',
      message: `write into ${above}`,
      errno: -made,
      syscall: 'mkdir',
    });
    const remedy =
      made === -E.EROFS ? `mount a tmpfs at ${above}` : `make ${root} writable, or name another with --root DIR`;
    return { status: 'failed', found: message, remedy };
  }
  native.unlinkAt(AT_FDCWD, trial, AT_REMOVEDIR);
  if (above === root && found && (found.mode & (S_IWGRP | S_IWOTH)) !== 0) {
    const remedy = `run "chmod go-w ${root}"`;
    return {
      status: 'failed',
      found: `${root} is writable for other users`,
      remedy,
      see: 'docs/cli.md#the-state-root',
    };
  }
  return { status: 'ok', found: above === root ? `${root} is writable` : `${root} can be made` };
}
