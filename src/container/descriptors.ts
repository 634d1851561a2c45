/** Descriptors that the caller hands through to the process (`--preserve-fds`, LISTEN_FDS). */
import type { ListenFds } from '../plan/facts.js';
import { check } from '../sys/error.js';
import { native } from '../sys/host.js';
import { AT_EMPTY_PATH } from '../sys/linux.js';

/**
 * Refuses to preserve what is not open, before a descriptor of our own takes its number.
 * @throws RuntError ERR_DESCRIPTOR
 */
export function checkPreserved({ preserveFds, listen }: { preserveFds: number; listen?: ListenFds }): void {
  const sockets = listen?.count ?? 0;
  for (let fd = 3; fd < 3 + sockets + preserveFds; fd++) {
    const what = fd < 3 + sockets ? `LISTEN_FDS=${sockets}` : `--preserve-fds ${preserveFds}`;
    const from = fd < 3 + sockets || sockets === 0 ? 'from 3 on' : 'after those of LISTEN_FDS';
    checkOpen(fd, what, `it counts the descriptors ${from} that the caller has opened for the process`);
  }
}

/** @throws RuntError ERR_DESCRIPTOR when the descriptor, which `what` names, is not open */
export function checkOpen(fd: number, what: string, hint: string): void {
  const facts = { code: 'ERR_DESCRIPTOR', message: `${what}: descriptor ${fd} is not open`, hint };
  check(native.stat(fd, '', AT_EMPTY_PATH, new Uint8Array(64)), facts);
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
