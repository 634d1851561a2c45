/** Rules of `annotations`: unknown ones are allowed (config.md), but some of crun's deserve a warning. */

import type { Spec } from '../config-types.js';
import { escapeSegment } from '../json/json-pointer.js';
import type { Findings } from '../judge/findings.js';

const SEE = 'config.md#annotations';

/** Warnings for annotations of crun's (crun(1), "EXTENSIONS TO OCI") that have an effect there and none here. */
const others: Readonly<Record<string, string>> = {
  'run.oci.handler': 'no handler (krun, wasm) is run: the process is an ordinary one, in no virtual machine',
  'module.wasm.image/variant': 'WebAssembly is not run: the process is an ordinary one',
  'run.oci.seccomp.plugins': 'no plugin is asked',
  'run.oci.seccomp.receiver': 'the receiver is linux.seccomp.listenerPath',
  'run.oci.seccomp_fail_unknown_syscall': 'a system call that libseccomp does not know is left out of the filter',
  'run.oci.systemd.force_cgroup_v1': 'the cgroup mount is that of the host’s version',
  'run.oci.timens_offset': 'the offsets are linux.timeOffsets',
};

export function annotationRules({ annotations }: Spec, findings: Findings): void {
  if (!annotations) return;
  for (const [name, instead] of Object.entries(others)) {
    const value = annotations[name];
    if (value !== undefined)
      findings.warn(`/annotations/${escapeSegment(name)}`, value, `be absent, it has no effect: ${instead}`, SEE);
  }
}
