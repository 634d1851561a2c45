/** The seccomp features of this machine's libseccomp and kernel. */
import { E } from '../errno.js';
import { host, native } from '../host.js';
import { nulList } from '../nul-list.js';
import { packProfile, type SeccompProfile } from './seccomp-profile.js';

/** The names that libseccomp does not know on any architecture. */
export function unknownSyscalls(names: readonly string[]): string[] {
  const list = nulList(names);
  const out = new Uint8Array(list.length);
  const n = native.unknownSyscalls(list, out);
  return host
    .decode(out, Math.max(0, n))
    .split('\0')
    .filter((name) => name !== '');
}

/** The version of libseccomp, `2.5.5`. */
export function libseccompVersion(): string {
  const data = new Uint8Array(128);
  return host.decode(data, Math.max(0, native.seccompVersion(data))).split(' ')[0]!;
}

/** Whether the kernel knows these flags of seccomp(2), SECCOMP_SET_MODE_FILTER. */
export const knowsFilterFlags = (flags: number): boolean => native.seccompFlags(flags) === 0;

/** Whether libseccomp accepts a profile. EDOM: it knows the architecture, but the kernel has the other byte order. */
export function canCompile(profile: SeccompProfile): boolean {
  const r = native.compileSeccomp(packProfile(profile), new Uint8Array(4096));
  return r >= 0 || r === -E.EDOM;
}
