/** Checks of mounts that images and volumes need. */
import { withoutRoot } from '../../container/launch/read-host-facts.js';
import { callerIds } from '../../sys/caller-ids.js';
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { tryReadText } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, O_RDWR } from '../../sys/linux.js';
import type { Finding } from '../check.js';
import { rootTo, type TrialBed } from '../trial.js';

export async function mountChecks(bed: TrialBed): Promise<[name: string, finding: Finding][]> {
  const rootless = withoutRoot();
  const { uid, gid } = callerIds();
  const lower = bed.path('lower');
  // Two lower layers alone: the directory of the trial may be on an overlay, which holds no upper layer.
  const overlay = {
    destination: '/mnt',
    type: 'overlay',
    source: 'overlay',
    options: [`lowerdir=${lower}:${bed.path('upper')}`],
  };
  const namespaces = ['user', 'pid', 'mount', 'ipc', 'uts', 'network'].map((type) => ({ type }) as { type: 'user' });
  const inUserNamespace = {
    linux: { namespaces, uidMappings: rootTo(uid), gidMappings: rootTo(gid) },
    mounts: [overlay],
  };
  const fuse = 'run "modprobe overlay", or set fuse-overlayfs as the mount program of the engine';
  const found: [string, Finding][] = [];
  if (!rootless)
    found.push(['overlay', await bed.finding({ mounts: [overlay] }, 'works', 'failed', 'run "modprobe overlay"')]);
  found.push(['overlay-in-user-namespace', await bed.finding(inUserNamespace, 'works', 'warning', fuse, '/mnt')]);
  found.push(['fuse', fuseFinding()]);
  const bind = { destination: '/mnt', type: 'bind', source: lower };
  const recursive = { ...bind, options: ['rbind', 'rro'] };
  const newer = 'use Linux 5.12 or newer, and allow mount_setattr(2) in the profile around runt';
  found.push(['recursive-read-only', await bed.finding({ mounts: [recursive] }, 'works', 'warning', newer)]);
  if (rootless) {
    found.push(['idmap', { status: 'skipped', found: 'only root maps the ids of a mount' }]);
    return found;
  }
  const mapped = { ...bind, options: ['bind'], uidMappings: rootTo(100_000), gidMappings: rootTo(100_000) };
  const fs = 'use a file system that maps ids, such as ext4, xfs, btrfs or tmpfs, on Linux 5.12 or newer';
  found.push(['idmap', await bed.finding({ mounts: [mapped] }, 'works', 'warning', fs)]);
  return found;
}

/** fuse-overlayfs needs the device; an ordinary user may open it. */
function fuseFinding(): Finding {
  const fd = native.openAt(AT_FDCWD, '/dev/fuse', O_RDWR, 0);
  if (fd >= 0) native.close(fd);
  if (fd >= 0) return { status: 'ok', found: '/dev/fuse opens' };
  const known = /^nodev\tfuse$/m.test(tryReadText('/proc/filesystems') ?? '');
  const why = new RuntError({ code: 'ERR_IO', message: 'open /dev/fuse', errno: -fd, syscall: 'openat' }).message;
  const remedy = known ? 'run "mknod -m 666 /dev/fuse c 10 229"' : 'run "modprobe fuse"';
  const absent = [E.ENOENT, E.ENXIO, E.ENODEV].includes(-fd);
  return {
    status: 'warning',
    found: `${why}: no fuse-overlayfs`,
    remedy: absent ? remedy : 'run "chmod 666 /dev/fuse"',
  };
}
