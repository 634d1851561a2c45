/** Names in a seccomp profile that are no system calls here: libseccomp lets them pass, and so does every runtime. */
import type { Violation } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { nulList } from '../../sys/nul-list.js';
import type { Seccomp } from '../config-types.js';

/**
 * The names that this libseccomp knows on no architecture, each once, at its first place. A misspelt call is among them
 * and so is one that is newer than the library: that depends on the machine, so none of them is a violation.
 */
export function unknownCalls(seccomp: Seccomp | undefined): Violation[] {
  const places = new Map<string, string>();
  for (const [i, { names }] of (seccomp?.syscalls ?? []).entries()) {
    for (const [j, name] of names.entries()) {
      if (!places.has(name) && name !== '') places.set(name, `/linux/seccomp/syscalls/${i}/names/${j}`);
    }
  }
  if (places.size === 0) return [];
  const asked = nulList([...places.keys()]);
  const out = new Uint8Array(asked.length);
  const n = native.unknownSyscalls(asked, out);
  const version = new Uint8Array(128);
  const known = host.decode(version, Math.max(0, native.seccompVersion(version))).split(' ')[0];
  return host
    .decode(out, Math.max(0, n))
    .split('\0')
    .filter((name) => name !== '')
    .map((name) => ({
      pointer: places.get(name) ?? '',
      value: name,
      expected: `be a system call that libseccomp ${known} knows: "${name}" is left out of the filter`,
    }));
}
