/** The listening socket of a server, in a directory that may hold sockets of ended servers. */

import { E } from '../../sys/errno.js';
import { check, type ErrorFacts, RuntError } from '../../sys/error.js';
import { tryStat } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, S_IFMT, S_IFSOCK } from '../../sys/linux.js';
import { connectAt } from '../../sys/sockets/connect-deadline.js';
import { lock } from '../../sys/waiting/file-lock.js';
import { serverLockTime } from '../../sys/waiting/time-limits.js';

/** Locks a directory of sockets: of two servers that start at once, the second finds the first. @throws RuntError */
export async function lockSockets(dir: number, facts: ErrorFacts): Promise<void> {
  const r = await lock(dir, serverLockTime);
  if (r >= 0) return;
  throw new RuntError({
    ...facts,
    message: `${facts.message}: lock ${facts.path}`,
    errno: -r,
    syscall: 'flock',
    ...(r === -E.EAGAIN && {
      hint: `end the process that has kept the lock for ${serverLockTime / 1000} s: lsof ${facts.path} shows it`,
    }),
  });
}

/**
 * A listening socket of mode 0600, in a directory that the caller has locked; undefined if a server of ours listens
 * there. Replaces the socket of a killed server, but no other file. @throws RuntError ERR_SHIM
 */
export async function claimSocket(dir: number, name: string, path: string): Promise<number | undefined> {
  const facts = { code: 'ERR_SHIM', message: `listen at ${path}`, path };
  const running = await connectAt(dir, name);
  if (running >= 0) {
    const ours = native.trustedPeer(running) === 1;
    native.close(running);
    if (ours) return undefined;
    throw new RuntError({
      ...facts,
      message: `listen at ${path}: it is in use, another user listens there`,
      hint: 'remove it, and let no other user write to its directory',
    });
  }
  // Only these errnos mean that there is no server. A hanging server keeps its socket.
  if (running !== -E.ECONNREFUSED && running !== -E.ENOENT) {
    throw new RuntError({
      ...facts,
      errno: -running,
      syscall: 'connect',
      ...(running === -E.ETIMEDOUT && { hint: 'end the process that listens there: it accepts no connection' }),
    });
  }
  const existing = tryStat(name, dir, AT_SYMLINK_NOFOLLOW);
  if (existing !== undefined) {
    if ((existing.mode & S_IFMT) !== S_IFSOCK)
      throw new RuntError({ ...facts, message: `listen at ${path}: the file there is not a socket` });
    check(native.unlinkAt(dir, name, 0), facts);
  }
  return check(native.unixListen(dir, name, 128), facts);
}

/**
 * Calls `use` with the directory of a socket, which is locked meanwhile, and the socket's name in it.
 * @throws RuntError ERR_SHIM, and what `use` throws
 */
export async function withSocketDirectory<T>(path: string, use: (dir: number, name: string) => Promise<T>): Promise<T> {
  const slash = path.lastIndexOf('/');
  const [directory, name] = [path.slice(0, slash) || '/', path.slice(slash + 1)];
  const facts = { code: 'ERR_SHIM', message: `listen at ${path}`, path: directory };
  const dir = check(native.openAt(AT_FDCWD, directory, 0, 0), facts);
  try {
    await lockSockets(dir, facts);
    return await use(dir, name);
  } finally {
    native.close(dir);
  }
}

/** The error for a socket at which a server of ours listens. */
export const inUseError = (path: string): RuntError =>
  new RuntError({
    code: 'ERR_SHIM',
    message: `listen at ${path}: it is in use, a server listens there`,
    path,
  });

/** A listening socket of mode 0600; replaces the socket of a killed server. @throws RuntError ERR_SHIM */
export const listenAt = (path: string): Promise<number> =>
  withSocketDirectory(path, async (dir, name) => {
    const listener = await claimSocket(dir, name, path);
    if (listener === undefined) throw inUseError(path);
    return listener;
  });
