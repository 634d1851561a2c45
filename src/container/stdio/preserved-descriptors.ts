/** Descriptors that the caller hands through to the process (`--preserve-fds`, LISTEN_FDS). */
import type { ListenFds } from '../../plan/host-facts.js';
import { E } from '../../sys/errno.js';
import { check } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD, O_PATH } from '../../sys/linux.js';

/** Numbers below the last preserved descriptor that the caller had not opened when runt began. */
const holes = new Set<number>();

/** fs.nr_open is this by default: no descriptor has a higher number. */
const maxDescriptors = 1 << 20;

/**
 * Notes which descriptors the caller has opened. podman's `--preserve-fd 5` counts 3 descriptors and opens only the
 * last one. Holes are filled, so that runt's own descriptors get higher numbers and none of them is passed on
 * (CVE-2024-21626). Every socket of LISTEN_FDS must be open (sd_listen_fds(3)).
 * @throws RuntError ERR_DESCRIPTOR when none that `--preserve-fds` counts is open, or a socket of LISTEN_FDS is not
 */
export function checkPreserved({ preserveFds = 0, listen }: { preserveFds?: number; listen?: ListenFds }): void {
  const first = 3 + (listen?.count ?? 0);
  for (let fd = 3; fd < first; fd++) {
    checkOpen(
      fd,
      `LISTEN_FDS=${first - 3}`,
      'it counts the descriptors from 3 on that the caller has opened for the process',
    );
  }
  if (preserveFds === 0) return;
  const missing: number[] = [];
  let last = -1;
  for (let fd = first; fd < first + Math.min(preserveFds, maxDescriptors); fd++) {
    if (openError(fd) < 0) missing.push(fd);
    else last = fd;
  }
  if (last < 0) {
    const from = first === 3 ? 'from 3 on' : 'after those of LISTEN_FDS';
    checkOpen(
      first,
      `--preserve-fds ${preserveFds}`,
      `it counts the descriptors ${from}, and the caller has opened none of them for the process`,
    );
  }
  for (const fd of missing) holes.add(fd);
  if (missing.some((fd) => fd < last)) fillBelow(last);
}

/** The descriptors from 3 on, `count` numbers, that the caller had opened when runt began. */
export function preservedOf(count: number): number[] {
  const fds: number[] = [];
  for (let fd = 3; fd < 3 + Math.min(count, maxDescriptors); fd++) if (!holes.has(fd)) fds.push(fd);
  return fds;
}

/** Takes every free number below `last`. open(2) gives the lowest free one. */
function fillBelow(last: number): void {
  for (;;) {
    const fd = native.openAt(AT_FDCWD, '/', O_PATH, 0);
    if (fd > last) native.close(fd);
    if (check(fd, { code: 'ERR_DESCRIPTOR', message: `fill the numbers below descriptor ${last}` }) > last) return;
  }
}

/**
 * 0 for a descriptor that the caller has opened, else -EBADF. One that runt opened itself (its log) is close-on-exec,
 * and execve(2) has closed all such of the caller's.
 */
function openError(fd: number): number {
  const inherited = host.inherited ? host.inherited(fd) : native.closesOnExec(fd) === 0;
  return inherited ? 0 : -E.EBADF;
}

/** @throws RuntError ERR_DESCRIPTOR when the descriptor, which `what` names, is not open */
export function checkOpen(fd: number, what: string, hint: string): void {
  const facts = { code: 'ERR_DESCRIPTOR', message: `${what}: descriptor ${fd} is not open`, hint };
  check(openError(fd), facts);
}

/**
 * The sockets that a service manager has opened for this process, for the container (sd_listen_fds(3)): those of an
 * environment whose LISTEN_PID is this process. Undefined when there are none.
 */
export function listenFds(env: Readonly<Record<string, string | undefined>>): ListenFds | undefined {
  const { LISTEN_FDS: fds, LISTEN_PID: pid, LISTEN_FDNAMES: names = '' } = env;
  if (!fds || !/^[1-9][0-9]{0,5}$/.test(fds) || pid !== String(native.pid())) return undefined;
  return { count: Number(fds), names };
}
