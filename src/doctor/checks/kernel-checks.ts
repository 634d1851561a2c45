/** Checks of the kernel: its release, and the calls that runt makes itself. */
import { E } from '../../sys/errno.js';
import { tryReadText } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD, O_PATH, OPEN_TREE_CLONE, RESOLVE_IN_ROOT } from '../../sys/linux.js';
import { callFinding, type Finding } from '../check.js';

/** Calls whose result is a descriptor. runt has another way for each, so that none of them is needed. */
const calls: readonly (readonly [name: string, call: () => number, allowed?: readonly number[]])[] = [
  ['openat2', () => native.openAt2(AT_FDCWD, '/', O_PATH, 0, RESOLVE_IN_ROOT)],
  ['pidfd_open', () => native.pidfdOpen(native.pid())],
  // An ordinary user may not clone mounts in the host's mount namespace: EPERM shows that the call is there.
  ['open_tree', () => native.openTree(AT_FDCWD, '/', OPEN_TREE_CLONE), [E.EPERM]],
];

export function kernelChecks(): [name: string, finding: Finding][] {
  const release = (tryReadText('/proc/sys/kernel/osrelease') ?? '').trim();
  const data = new Uint8Array(128);
  const [, machine = ''] = host.decode(data, Math.max(0, native.seccompVersion(data))).split(' ');
  const found: [string, Finding][] = [
    [
      'release',
      release === ''
        ? {
            status: 'failed',
            found: '/proc/sys/kernel/osrelease is not there',
            remedy: 'run "mount -t proc proc /proc"',
          }
        : { status: 'ok', found: `Linux ${release}${machine && `, ${machine}`}` },
    ],
  ];
  for (const [name, call, allowed] of calls) {
    const fd = call();
    if (fd >= 0) native.close(fd);
    found.push([name, callFinding(fd, name, allowed)]);
  }
  found.push(['runt-init', initFinding()]);
  return found;
}

/** The program that runs inside the namespaces is a sealed file in memory: sysctl vm.memfd_noexec may forbid that. */
function initFinding(): Finding {
  const fd = native.initImage();
  if (fd >= 0) native.close(fd);
  if (fd >= 0) return { status: 'ok', found: 'can be kept in memory' };
  const { found } = callFinding(fd, 'memfd_create');
  return {
    status: 'failed',
    found,
    remedy: 'run "sysctl vm.memfd_noexec=1", or allow memfd_create(2)',
    see: 'memfd_create(2)',
  };
}
