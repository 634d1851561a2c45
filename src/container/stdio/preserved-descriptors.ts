/** The caller's descriptors that the process keeps (`--preserve-fds`, LISTEN_FDS). */
import type { ListenFds } from '../../plan/host-facts.js';
import { E } from '../../sys/errno.js';
import { check } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD, O_PATH } from '../../sys/linux.js';

/** Numbers below the last preserved descriptor that were not open when runt started. */
const holes = new Set<number>();

/** The default of fs.nr_open: descriptors have lower numbers. */
const maxDescriptors = 1 << 20;

/**
 * Records which descriptors the caller has opened. podman's `--preserve-fd 5` counts 3 descriptors but opens only the
 * last. Fills the holes, so that runt's own descriptors get higher numbers and are not passed on (CVE-2024-21626).
 * Every socket of LISTEN_FDS must be open (sd_listen_fds(3)).
 * @throws RuntError ERR_DESCRIPTOR if no descriptor of `--preserve-fds` is open, or a socket of LISTEN_FDS is not
 */
export function checkPreserved({ preserveFds = 0, listen }: { preserveFds?: number; listen?: ListenFds }): void {
  const first = 3 + (listen?.count ?? 0);
  for (let fd = 3; fd < first; fd++) {
    checkOpen(
      fd,
      `LISTEN_FDS=${first - 3}`,
      'open the descriptors from 3 on before you run runt: LISTEN_FDS counts them',
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
    const from = first === 3 ? 'from 3 on' : 'that follow those of LISTEN_FDS';
    checkOpen(
      first,
      `--preserve-fds ${preserveFds}`,
      `open the descriptors ${from} before you run runt: --preserve-fds counts them, and none is open`,
    );
  }
  for (const fd of missing) holes.add(fd);
  if (missing.some((fd) => fd < last)) fillBelow(last);
}

/** The descriptors that the caller had opened when runt started, among `count` numbers from 3 on. */
export function preservedOf(count: number): number[] {
  const fds: number[] = [];
  for (let fd = 3; fd < 3 + Math.min(count, maxDescriptors); fd++) if (!holes.has(fd)) fds.push(fd);
  return fds;
}

/** Occupies every free number below `last`: open(2) returns the lowest free one. */
function fillBelow(last: number): void {
  for (;;) {
    const fd = native.openAt(AT_FDCWD, '/', O_PATH, 0);
    if (fd > last) native.close(fd);
    if (check(fd, { code: 'ERR_DESCRIPTOR', message: `occupy the free descriptors below ${last}` }) > last) return;
  }
}

/**
 * 0 for a descriptor that the caller has opened, else -EBADF. runt's own (its log) are close-on-exec; execve(2) has
 * closed all such descriptors of the caller's.
 */
function openError(fd: number): number {
  const inherited = host.inherited ? host.inherited(fd) : native.closesOnExec(fd) === 0;
  return inherited ? 0 : -E.EBADF;
}

/** @throws RuntError ERR_DESCRIPTOR if the descriptor, which `what` names, is not open */
export function checkOpen(fd: number, what: string, hint: string): void {
  const facts = { code: 'ERR_DESCRIPTOR', message: `${what}: descriptor ${fd} is not open`, hint };
  check(openError(fd), facts);
}

/**
 * The sockets from a service manager (sd_listen_fds(3)): undefined if LISTEN_PID is another process. Without LISTEN_PID
 * they are the container's too, as for runc and crun; `named`: but not this process's own.
 */
export function listenFds(
  env: Readonly<Record<string, string | undefined>>,
  pids: 'any' | 'named' = 'any',
): ListenFds | undefined {
  const { LISTEN_FDS: fds, LISTEN_PID: pid, LISTEN_FDNAMES: names = '' } = env;
  if (!fds || !/^[1-9][0-9]{0,5}$/.test(fds) || ((pid || pids === 'named') && pid !== String(native.pid())))
    return undefined;
  return { count: Number(fds), names };
}
