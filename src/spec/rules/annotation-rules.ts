/** Rules of `annotations`: unknown ones are allowed (config.md), but some of crun's deserve a warning. */

import type { Spec } from '../config-types.js';
import { escapeSegment } from '../json/json-pointer.js';
import type { Findings } from '../judge/findings.js';

const SEE = 'config.md#annotations';

/** Warnings for annotations of crun's (crun(1), "EXTENSIONS TO OCI") that have an effect there and none here. */
const others: Readonly<Record<string, string>> = {
  'run.oci.handler': 'runt runs no handler (krun, wasm): the process is an ordinary one, not in a virtual machine',
  'module.wasm.image/variant': 'runt does not run WebAssembly: the process is an ordinary one',
  'run.oci.seccomp.plugins': 'runt has no seccomp plugins',
  'run.oci.seccomp.receiver': 'runt takes the receiver from linux.seccomp.listenerPath',
  'run.oci.seccomp_fail_unknown_syscall': 'a system call that libseccomp does not know is left out of the filter',
  'run.oci.systemd.force_cgroup_v1': 'runt mounts the cgroup version of the host',
  'run.oci.timens_offset': 'runt takes the offsets from linux.timeOffsets',
};

export function annotationRules({ annotations }: Spec, findings: Findings): void {
  if (!annotations) return;
  for (const [name, instead] of Object.entries(others)) {
    const value = annotations[name];
    if (value !== undefined)
      findings.warn(`/annotations/${escapeSegment(name)}`, value, `be absent, it has no effect: ${instead}`, SEE);
  }
}
