/** The user of an image, by name or by number (image-spec conversion.md#configuser). */
import type { IdMapping, Linux, Process } from '../spec/config-types.js';
import { E } from '../sys/errno.js';
import { check, RuntError } from '../sys/error.js';
import { OwnedFd } from '../sys/fds.js';
import { stat } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import {
  AT_EMPTY_PATH,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDONLY,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  S_IFMT,
  S_IFREG,
} from '../sys/linux.js';

/** 2^32-1 is "no change" to setresuid(2). */
const maxId = 0xfffffffe;
/** The most bytes of passwd and group; runt-init has the same limit for `exec --user`. */
const maxDatabase = 1 << 20;
/** The most groups that a user may be a member of, as in runt-init. */
const maxGroups = 256;

export type User = NonNullable<Process['user']>;

/** The text of a file of the image; '' if it does not exist. */
type ReadDatabase = (path: 'etc/passwd' | 'etc/group') => string;

/** Reads in the root file system, whatever symlinks it has. @throws RuntError ERR_IMAGE_USER */
export const databasesOf =
  (rootfs: number): ReadDatabase =>
  (path) => {
    const fail = { code: 'ERR_IMAGE_USER', message: `bundle: read /${path} of the image`, path: `/${path}` };
    const flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
    const fd = native.openAt2(rootfs, path, flags, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    if (fd === -E.ENOENT || fd === -E.ENOTDIR) return '';
    const file = new OwnedFd(check(fd, { ...fail, syscall: 'openat2' }));
    try {
      const { mode, size } = stat('', file.number, AT_EMPTY_PATH);
      if ((mode & S_IFMT) !== S_IFREG || size > maxDatabase) {
        throw new RuntError({ ...fail, message: `${fail.message}: it is not a regular file of at most 1 MiB` });
      }
      const bytes = new Uint8Array(size);
      let length = 0;
      for (let n = 1; n > 0 && length < size; length += n) {
        n = check(native.read(file.number, bytes.subarray(length)), { ...fail, syscall: 'read' });
      }
      return host.decodeRaw(bytes, length);
    } finally {
      file.close();
    }
  };

const isNumber = (text: string): boolean => /^[0-9]+$/.test(text);

/**
 * The ids of `USER[:GROUP]`, each a name or a number. Without a group: the group of the user's line in passwd, and
 * those that list the user.
 * @param where names the text in errors
 * @throws RuntError ERR_IMAGE_USER
 */
export function userOf(text: string, where: string, read: ReadDatabase): User {
  const fail = (problem: string): RuntError =>
    new RuntError({
      code: 'ERR_IMAGE_USER',
      message: `bundle: ${where} ${JSON.stringify(text)} ${problem}`,
      hint: 'add --user UID[:GID]',
    });
  const parts = text.split(':');
  const [name = '', group] = parts;
  if (parts.length > 2 || name === '' || group === '') throw fail('is not USER[:GROUP]');
  const id = (digits: string, what: string): number => {
    // Number('') is 0, and 0 is root.
    const value = isNumber(digits) ? Number(digits) : Number.NaN;
    if (value <= maxId) return value;
    throw fail(`${what} ${JSON.stringify(digits)}, which is not a number from 0 to ${maxId}`);
  };
  const lines = (path: 'etc/passwd' | 'etc/group') =>
    read(path)
      .split('\n')
      .map((line) => line.split(':'));
  // Digits are always a number, whatever the files contain (CVE-2024-40635).
  const number = isNumber(name) ? id(name, 'has the user') : undefined;
  const entry = lines('etc/passwd').find(
    (line) =>
      line.length >= 4 && (number === undefined ? line[0] === name : isNumber(line[2]!) && Number(line[2]) === number),
  );
  if (number === undefined && !entry) throw fail(`names a user that the image's /etc/passwd does not have`);
  const uid = number ?? id(entry![2]!, 'has in /etc/passwd the id');
  if (group !== undefined) {
    if (isNumber(group)) return { uid, gid: id(group, 'has the group') };
    const found = lines('etc/group').find((line) => line.length >= 3 && line[0] === group);
    if (!found) throw fail(`names a group that the image's /etc/group does not have`);
    return { uid, gid: id(found[2]!, 'has in /etc/group the id') };
  }
  if (!entry) return { uid, gid: 0 };
  const gid = id(entry[3]!, 'has in /etc/passwd the group');
  const user = entry[0]!;
  const groups = lines('etc/group')
    .filter((line) => line.length >= 4 && line[3]!.split(',').includes(user))
    .map((line) => id(line[2]!, 'has in /etc/group the id'));
  const more = [...new Set(groups)].filter((other) => other !== gid);
  if (more.length > maxGroups) throw fail(`is a member of more than ${maxGroups} groups`);
  return { uid, gid, ...(more.length > 0 && { additionalGids: more }) };
}

/**
 * The user as far as the user namespace of the container has its ids.
 * @returns the user, and the additional groups that are not mapped
 * @throws RuntError ERR_IMAGE_USER
 */
export function mappedUser(user: User, text: string, where: string, linux: Linux | undefined) {
  const { uidMappings, gidMappings } = linux ?? {};
  const has = (mappings: readonly IdMapping[] | undefined, id: number): boolean =>
    mappings === undefined ||
    mappings.length === 0 ||
    mappings.some(({ containerID, size }) => containerID <= id && id < containerID + size);
  const { uid, gid, additionalGids = [], ...rest } = user;
  if (!has(uidMappings, uid) || !has(gidMappings, gid)) {
    throw new RuntError({
      code: 'ERR_IMAGE_USER',
      message: `bundle: ${where} ${JSON.stringify(text)} is ${uid}:${gid}, which the user namespace does not map`,
      hint: 'add --user 0, or --uid-map with a range for it, such as --uid-map 0:1000:1 --uid-map 1:100000:65536',
      see: 'user_namespaces(7), subuid(5)',
    });
  }
  const kept = additionalGids.filter((id) => has(gidMappings, id));
  const mapped: User = { ...rest, uid, gid, ...(kept.length > 0 && { additionalGids: kept }) };
  return { user: mapped, lost: additionalGids.filter((id) => !kept.includes(id)) };
}
