/** `process.apparmorProfile` and `process.selinuxLabel`: the confinement of the process from its execve on. */
import type { Process } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import type { HostFacts } from '../host-facts.js';
import type { Op } from '../plan-ops.js';

const clause = 'config.md#linux-process';

/**
 * Written before the user changes and before a filter is loaded. The next execve applies it: the process's, or that of
 * a startContainer hook.
 * @throws RuntError ERR_UNSUPPORTED when the security module is off
 */
export function labelOps(process: Process, facts: HostFacts): Op[] {
  const { apparmorProfile: profile, selinuxLabel: label } = process;
  const ops: Op[] = [];
  if (label) {
    const at = '/process/selinuxLabel';
    if (!facts.selinux()) throw moduleOffError('SELinux', at, label, clause);
    ops.push({ op: 'securityLabel', at, file: 'exec', label });
  }
  if (profile) {
    const at = '/process/apparmorProfile';
    if (!facts.apparmor()) throw moduleOffError('AppArmor', at, profile, clause);
    ops.push({ op: 'securityLabel', at, file: 'apparmor/exec', label: `exec ${profile}` });
  }
  return ops;
}

/** Creates the session keyring with the process's label, as runc does: sets the label, then resets it. */
export function keyringOps(process: Process | undefined, id: string): Op[] {
  const keyring: Op = { op: 'keyring', at: '', name: `_ses.${id}` };
  const label = process?.selinuxLabel;
  if (!label) return [keyring];
  const set = (text?: string): Op => ({
    op: 'securityLabel',
    at: '/process/selinuxLabel',
    file: 'keycreate',
    label: text,
  });
  return [set(label), keyring, set()];
}

const reasons = {
  SELinux: 'the kernel was built without it or booted without selinux=1, or /sys/fs/selinux is not mounted',
  AppArmor: 'the kernel was built without it or booted without apparmor=1',
};

/** The error for a value that needs a disabled security module. */
export const moduleOffError = (
  module: keyof typeof reasons,
  pointer: string,
  value: string,
  clause: string,
): RuntError =>
  new RuntError({
    code: 'ERR_UNSUPPORTED',
    message: `${module} is not enabled on this host`,
    pointer,
    value,
    hint: `enable it, or remove the field, which would have no effect: ${reasons[module]}`,
    see: `runtime-spec ${clause}`,
  });
