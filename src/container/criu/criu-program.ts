/** The program criu: where it is, and whether it is new enough (criu(8)). */
import { RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { X_OK } from '../../sys/linux.js';

/** Where it is looked for after PATH. */
const usual = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** The oldest version: before it a container in a network namespace of its own, or a status descriptor, is not handled as it is asked for here. */
const oldest = [3, 15] as const;

/** What a person can do about a criu that is not there. */
const remedy = 'install the package criu, or name the program with the global flag --criu PATH';

/**
 * The absolute path of criu: the one that is named, or the first in PATH and the usual directories.
 * @param named the value of `--criu`: a path, or a name that is looked for
 * @throws RuntError ERR_CRIU_MISSING
 */
export function findCriu(what: string, named: string | undefined): string {
  const name = named || 'criu';
  const missing = (where: string): RuntError =>
    new RuntError({
      code: 'ERR_CRIU_MISSING',
      message: `${what}: the program criu is not installed: it is not ${where}`,
      ...(name.includes('/') && { path: name }),
      hint: remedy,
      see: 'criu(8)',
    });
  if (name.includes('/')) {
    if (name.startsWith('/') && native.access(name, X_OK) === 0) return name;
    throw missing(`at ${name}${name.startsWith('/') ? '' : ', which is no absolute path'}`);
  }
  const directories = searchPath()
    .split(':')
    .filter((d, i, all) => d.startsWith('/') && all.indexOf(d) === i);
  const found = directories.map((d) => `${d}/${name}`).find((p) => native.access(p, X_OK) === 0);
  if (found === undefined) throw missing(`in ${directories.join(', ')}`);
  return found;
}

/** PATH and the usual directories; criu itself runs programs of the host (ip, iptables). */
export function searchPath(): string {
  return `${host.env.PATH ?? ''}:${usual}`;
}

/** The parts of criu's answer to VERSION. */
export interface CriuVersion {
  readonly major_number: number;
  readonly minor_number: number;
  readonly sublevel?: number | null;
}

/** @throws RuntError ERR_CRIU_VERSION when it is older than `wanted`, for a feature that needs it */
export function checkVersion(
  what: string,
  path: string,
  version: CriuVersion,
  wanted: readonly [major: number, minor: number] = oldest,
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

/** criu reads the memory of any process, and makes them with any id: root's work. @throws RuntError ERR_CRIU */
export function needRoot(what: string, euid: number): void {
  if (euid === 0) return;
  throw new RuntError({
    code: 'ERR_CRIU',
    message: `${what}: only root can checkpoint and restore containers`,
    see: 'criu(8)',
  });
}
