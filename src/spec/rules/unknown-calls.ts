/** Names in a seccomp profile that are not system calls here; libseccomp and every runtime ignore them. */
import type { Violation } from '../../sys/error.js';
import { libseccompVersion, unknownSyscalls } from '../../sys/seccomp/seccomp-support.js';
import type { Seccomp } from '../config-types.js';
import type { SeccompRule } from '../linux-types.js';

/**
 * The names that this libseccomp has on no architecture, each once, with its first pointer. They can be misspelt or
 * newer than the library: that depends on the machine, so none is a violation.
 */
export function unknownCalls(seccomp: Seccomp | undefined): Violation[] {
  const pointers = new Map<string, string>();
  const { syscalls = [] } = seccomp ?? {};
  for (let i = 0; i < syscalls.length; i++) {
    const { names } = syscalls[i] as SeccompRule;
    for (let j = 0; j < names.length; j++) {
      const name = names[j] as string;
      if (!pointers.has(name) && name !== '') pointers.set(name, `/linux/seccomp/syscalls/${i}/names/${j}`);
    }
  }
  if (pointers.size === 0) return [];
  const version = libseccompVersion();
  return unknownSyscalls([...pointers.keys()]).map((name) => ({
    pointer: pointers.get(name) ?? '',
    value: name,
    expected: `be a system call that libseccomp ${version} knows: "${name}" is left out of the filter`,
  }));
}
