/** The facts of a failed operation → the error that a person reads (DESIGN §6). */

import { valueAt } from '../../plan/config-pointer.js';
import { sentence } from '../../plan/explain/op-messages.js';
import { hintFor } from '../../plan/failure/op-hints.js';
import type { HostFacts } from '../../plan/host-facts.js';
import type { Op } from '../../plan/plan-ops.js';
import type { Hook, Spec } from '../../spec/config-types.js';
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { hookFailedInside } from '../hooks/hook-failure.js';
import { hostPathHint } from './host-path-hint.js';
import { idmapHint } from './idmap-failure.js';
import { mountMoved } from './moved-mount.js';
import type { Failed } from './op-failed.js';
import { overlayHint } from './overlay-failure.js';

/** Stable codes by operation; what is not listed is ERR_INIT. */
const codes: Readonly<Partial<{ [N in Op['op']]: string }>> = {
  stateDir: 'ERR_STATE',
  startSocket: 'ERR_STATE',
  supervise: 'ERR_SUPERVISOR',
  cgroupCreate: 'ERR_CGROUP',
  cgroupWrite: 'ERR_CGROUP',
  cgroupOpen: 'ERR_CGROUP',
  cgroupWriteFirst: 'ERR_CGROUP',
  cgroupRealtime: 'ERR_CGROUP',
  cgroupEnter: 'ERR_CGROUP',
  undumpable: 'ERR_PRIVILEGE',
  cgroupInherit: 'ERR_CGROUP',
  cgroupControllers: 'ERR_CGROUP',
  cgroupDevices: 'ERR_CGROUP',
  cgroupOwner: 'ERR_CGROUP',
  systemdScope: 'ERR_SYSTEMD',
  openTree: 'ERR_MOUNT',
  idMapNamespace: 'ERR_MOUNT',
  idMapTree: 'ERR_MOUNT',
  reconfigure: 'ERR_MOUNT',
  propagate: 'ERR_MOUNT',
  labelMount: 'ERR_MOUNT',
  clone: 'ERR_NAMESPACE',
  unshare: 'ERR_NAMESPACE',
  loopback: 'ERR_NAMESPACE',
  setGroupsPolicy: 'ERR_ID_MAP',
  idMap: 'ERR_ID_MAP',
  becomeRoot: 'ERR_ID_MAP',
  hostPropagation: 'ERR_MOUNT',
  isolate: 'ERR_MOUNT',
  cloneSource: 'ERR_MOUNT',
  rootfs: 'ERR_ROOTFS',
  leaveChroot: 'ERR_ROOTFS',
  pivotRoot: 'ERR_ROOTFS',
  moveRoot: 'ERR_ROOTFS',
  detachedRoot: 'ERR_ROOTFS',
  changeRoot: 'ERR_ROOTFS',
  rootPropagation: 'ERR_ROOTFS',
  readonlyRoot: 'ERR_ROOTFS',
  mountFs: 'ERR_MOUNT',
  mountBind: 'ERR_MOUNT',
  mountAttrs: 'ERR_MOUNT',
  mkdir: 'ERR_MOUNT',
  verifyMounts: 'ERR_MOUNT',
  symlink: 'ERR_DEVICE',
  device: 'ERR_DEVICE',
  mask: 'ERR_MASK',
  readonlyPath: 'ERR_MASK',
  sysctl: 'ERR_SYSCTL',
  hostname: 'ERR_HOSTNAME',
  domainname: 'ERR_HOSTNAME',
  oomScoreAdj: 'ERR_LIMIT',
  prlimit: 'ERR_LIMIT',
  rlimit: 'ERR_LIMIT',
  noNewPrivileges: 'ERR_PRIVILEGE',
  initProcess: 'ERR_PROCESS',
  processRoot: 'ERR_PROCESS',
  cgroupDirectory: 'ERR_CGROUP',
  cgroupFork: 'ERR_CGROUP',
  join: 'ERR_NAMESPACE',
  namespaceOpen: 'ERR_NAMESPACE',
  setns: 'ERR_NAMESPACE',
  idMapVerify: 'ERR_ID_MAP',
  netDevice: 'ERR_NET_DEVICE',
  timeOpen: 'ERR_NAMESPACE',
  timeEnter: 'ERR_NAMESPACE',
  fork: 'ERR_NAMESPACE',
  namedUser: 'ERR_PRIVILEGE',
  bounding: 'ERR_PRIVILEGE',
  seccompProgram: 'ERR_SECCOMP',
  seccomp: 'ERR_SECCOMP',
  stdioOwner: 'ERR_PRIVILEGE',
  user: 'ERR_PRIVILEGE',
  capabilities: 'ERR_PRIVILEGE',
  notifyDirectory: 'ERR_NOTIFY',
  pidfdSocket: 'ERR_PIDFD_SOCKET',
  scheduler: 'ERR_SCHEDULING',
  ioPriority: 'ERR_SCHEDULING',
  cpuAffinity: 'ERR_SCHEDULING',
  hookFile: 'ERR_HOOK',
  hookOutput: 'ERR_HOOK',
  seccompData: 'ERR_SECCOMP',
  rdtGroup: 'ERR_RDT',
  rdtMonitor: 'ERR_RDT',
  rdtAssign: 'ERR_RDT',
  securityLabel: 'ERR_LABEL',
  memoryPolicy: 'ERR_SCHEDULING',
  personality: 'ERR_SCHEDULING',
  consoleConnect: 'ERR_TERMINAL',
  consolePair: 'ERR_TERMINAL',
  terminal: 'ERR_TERMINAL',
  showRoot: 'ERR_ROOTFS',
  awaitHooks: 'ERR_HOOK',
  hook: 'ERR_HOOK',
  hostHook: 'ERR_HOOK',
  cwd: 'ERR_CWD',
  findExecutable: 'ERR_EXEC',
  exec: 'ERR_EXEC',
};

/** Makes the error of a failed operation. `facts` and `spec` sharpen the hint where they are known. */
export function failure(command: string, id: string, failed: Failed, spec?: Spec, facts?: HostFacts): RuntError {
  const { op, errno, syscall, detail } = failed;
  if (syscall === 'hook') {
    const hookOf = (name: string) => valueAt(spec, `/hooks/${name}`) as Hook | undefined;
    return hookFailedInside(`${command} ${id}`, failed, hookOf, spec);
  }
  if (syscall === 'verifyMount') return mountMoved(`${command} ${id}`, failed, spec);
  const { hint, see } =
    overlayHint(failed) ??
    idmapHint(failed) ??
    hostPathHint(failed, spec) ??
    hintFor({
      op,
      errno,
      syscall,
      detail,
      ...(spec && { spec }),
      facts: {
        userNamespace: spec?.linux?.namespaces?.some((n) => n.type === 'user') ?? false,
        rootless: facts?.rootless ?? false,
        ...(failed.cgroupGone && { cgroupGone: true }),
        ...(facts?.oldMounts && { oldMounts: true }),
      },
    });
  const value = spec && op.at ? valueAt(spec, op.at) : undefined;
  return new RuntError({
    // The clone itself, as that of `fork`: a pid namespace that is over, a limit on processes.
    code: op.op === 'cgroupFork' && syscall === 'clone' ? 'ERR_NAMESPACE' : (codes[op.op] ?? 'ERR_INIT'),
    message: `${command} ${id}: ${what(op, errno)}${detail && !sentence(op).includes(detail) ? ` (${detail})` : ''}`,
    op: op.op,
    errno,
    syscall,
    ...(detail && { path: detail }),
    ...(op.at && { pointer: op.at }),
    ...(value !== undefined && { value }),
    ...(hint !== undefined && { hint }),
    ...(see !== undefined && { see }),
  });
}

/** Engines read "executable file not found in $PATH" as exit status 127. */
function what(op: Op, errno: number): string {
  if (op.op === 'findExecutable' && errno === E.ENOENT && !op.name.includes('/')) {
    return `${sentence(op)}: executable file not found in $PATH`;
  }
  // Docker 20.10 knows these words alone for a status of 126; execve(2) says them too.
  if (op.op === 'findExecutable' && errno === E.EISDIR) return `${sentence(op)}: permission denied`;
  return sentence(op);
}
