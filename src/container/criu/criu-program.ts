/** The criu program: its path and its oldest usable version (criu(8)). */
import { RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { X_OK } from '../../sys/linux.js';

/** Directories to search after PATH. */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** Oldest version. Earlier ones mishandle a container with its own network namespace, or a status descriptor. */
const oldestVersion = [3, 15] as const;

/** The hint for a missing criu. */
const remedy = 'install the package criu, or name the program with the global flag --criu PATH';

/**
 * Absolute path of criu: the named one, or the first in PATH and the usual directories.
 * @param named the value of `--criu`: a path, or a name to search for
 * @throws RuntError ERR_CRIU_MISSING
 */
export function findCriu(what: string, named: string | undefined): string {
  const name = named || 'criu';
  const missingError = (where: string): RuntError =>
    new RuntError({
      code: 'ERR_CRIU_MISSING',
      message: `${what}: the program criu is not installed: it is not ${where}`,
      ...(name.includes('/') && { path: name }),
      hint: remedy,
      see: 'criu(8)',
    });
  if (name.includes('/')) {
    if (name.startsWith('/') && native.access(name, X_OK) === 0) return name;
    throw missingError(`at ${name}${name.startsWith('/') ? '' : ', which is not an absolute path'}`);
  }
  const directories = searchPath()
    .split(':')
    .filter((d, i, all) => d.startsWith('/') && all.indexOf(d) === i);
  const found = directories.map((d) => `${d}/${name}`).find((p) => native.access(p, X_OK) === 0);
  if (found === undefined) throw missingError(`in ${directories.join(', ')}`);
  return found;
}

/** PATH and the usual directories, also for criu itself, which runs host programs (ip, iptables). */
export function searchPath(): string {
  return `${host.env.PATH ?? ''}:${defaultPath}`;
}

/** The version in criu's answer to VERSION. */
export interface CriuVersion {
  readonly major_number: number;
  readonly minor_number: number;
  readonly sublevel?: number | null;
}

/** @throws RuntError ERR_CRIU_VERSION if it is older than `wanted`, which `feature` requires */
export function checkVersion(
  what: string,
  path: string,
  version: CriuVersion,
  wanted: readonly [major: number, minor: number] = oldestVersion,
  feature = '',
): void {
  const { major_number: major, minor_number: minor, sublevel } = version;
  if (major > wanted[0] || (major === wanted[0] && minor >= wanted[1])) return;
  throw new RuntError({
    code: 'ERR_CRIU_VERSION',
    message: `${what}: ${path} is criu ${major}.${minor}${sublevel ? `.${sublevel}` : ''}, and ${feature && `${feature} needs `}${wanted.join('.')} or newer${feature ? '' : ' is needed'}`,
    path,
    hint: 'install a newer package criu, or name another program with the global flag --criu PATH',
    see: 'criu(8)',
  });
}

/** criu reads any process's memory and makes processes with any id, which requires root. @throws RuntError ERR_CRIU */
export function checkRoot(what: string, euid: number): void {
  if (euid === 0) return;
  throw new RuntError({
    code: 'ERR_CRIU',
    message: `${what}: only root can checkpoint and restore containers`,
    see: 'criu(8)',
  });
}
