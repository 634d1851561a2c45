/** Operations of the seccomp filter. */
import type { SeccompProfile } from '../../sys/seccomp/seccomp-profile.js';
import { type Data, table } from '../op-shape.js';

export const seccompTable = table({
  seccompProgram: {
    by: 'runtime',
    phase: 'prepare',
    fields: { profile: 'data' as Data<SeccompProfile>, slot: 'int' },
    doc: 'compile the profile, or use its cached program; runt-init finds it at slot',
  },
  seccompData: {
    by: 'runtime',
    phase: 'prepare',
    fields: { data: 'str', slot: 'fd' },
    doc: 'decode a seccomp program from base64; runt-init finds it at slot',
  },
  seccomp: {
    code: 71,
    by: 'init',
    phase: 'identity',
    fields: {
      slot: 'fd',
      flags: 'flags',
      late: 'bool',
      agent: 'str?',
      metadata: 'str?',
      summary: 'note',
    },
    doc: 'load the BPF program at slot with the flags of seccomp(2), at once or (late) right before the execve; with an agent (path of its socket), never late, the runtime receives the listener and sends it to the agent before it continues',
  },
});
