/** The seccomp filter of a pod's first process. */
import type { Seccomp } from '../../spec/config-types.js';
import { RuntError } from '../../sys/error.js';
import { readText } from '../../sys/fs.js';
import { pod } from './pod-protos.js';

const { RuntimeDefault, Localhost } = pod.SecurityProfile.ProfileType;

/**
 * RuntimeDefault: what the first process (native/pause/) calls, and runt-init on the way to it. The default profile
 * for containers allows much more.
 */
const pauseProfile: Seccomp = {
  defaultAction: 'SCMP_ACT_ERRNO',
  syscalls: [
    {
      names: [
        'execve',
        'execveat',
        'exit',
        'exit_group',
        'close',
        'close_range',
        'write',
        'sendmsg',
        'arch_prctl',
        'set_tid_address',
        'rt_sigaction',
        'rt_sigprocmask',
        'rt_sigreturn',
        'rt_sigtimedwait',
        'restart_syscall',
        'wait4',
        'waitid',
      ],
      action: 'SCMP_ACT_ALLOW',
    },
  ],
};

/** The filter that the pod's security context names; undefined for none. @throws RuntError ERR_SANDBOX, ERR_IO */
export function podSeccomp({
  seccomp,
  seccompProfilePath,
  privileged,
}: pod.LinuxSandboxSecurityContext.$Properties): Seccomp | undefined {
  if (privileged) return undefined;
  const profile = seccomp ?? ofPath(seccompProfilePath ?? '');
  if (profile?.profileType === RuntimeDefault) return pauseProfile;
  if (profile?.profileType !== Localhost) return undefined;
  const path = profile.localhostRef ?? '';
  if (!path.startsWith('/')) throw invalid(`the profile "${path}" is not an absolute path`);
  try {
    return JSON.parse(readText(path)) as Seccomp;
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(`${path} is not JSON: ${error.message}`);
    throw error;
  }
}

/** The older field: empty or `unconfined` for none. */
function ofPath(path: string): pod.SecurityProfile.$Properties | undefined {
  if (path === '' || path === 'unconfined') return undefined;
  if (path === 'runtime/default' || path === 'docker/default') return { profileType: RuntimeDefault };
  if (path.startsWith('localhost/')) return { profileType: Localhost, localhostRef: path.slice('localhost/'.length) };
  throw invalid(`the profile "${path}" is not known`);
}

const invalid = (why: string): RuntError =>
  new RuntError({ code: 'ERR_SANDBOX', message: `load the seccomp profile of the pod: ${why}` });
