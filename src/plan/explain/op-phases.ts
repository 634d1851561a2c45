/** The phases under which explain groups the operations of a plan. */
import type { Op, OpName } from '../plan-ops.js';

export type Phase =
  | 'prepare'
  | 'namespaces'
  | 'root and mounts'
  | 'devices'
  | 'hide and protect'
  | 'identity'
  | 'limits'
  | 'start';

/** Phases in the order in which explain prints them. */
export const phases: readonly Phase[] = [
  'prepare',
  'namespaces',
  'root and mounts',
  'devices',
  'hide and protect',
  'identity',
  'limits',
  'start',
];

const phaseOf: { readonly [N in OpName]: Phase } = {
  stateDir: 'prepare',
  cgroupCreate: 'prepare',
  startSocket: 'prepare',
  openTree: 'prepare',
  idMapNamespace: 'prepare',
  idMapTree: 'prepare',
  reconfigure: 'root and mounts',
  propagate: 'root and mounts',
  labelMount: 'root and mounts',
  keepFds: 'prepare',
  procfs: 'prepare',
  keyring: 'prepare',
  clone: 'namespaces',
  setGroupsPolicy: 'namespaces',
  idMap: 'namespaces',
  sync: 'namespaces',
  becomeRoot: 'namespaces',
  unshare: 'namespaces',
  namespaceOpen: 'namespaces',
  setns: 'namespaces',
  await: 'namespaces',
  idMapVerify: 'namespaces',
  netDevice: 'namespaces',
  timeOpen: 'namespaces',
  timeEnter: 'namespaces',
  loopback: 'namespaces',
  hostname: 'namespaces',
  domainname: 'namespaces',
  sysctl: 'namespaces',
  hostPropagation: 'root and mounts',
  isolate: 'root and mounts',
  cloneSource: 'root and mounts',
  rootfs: 'root and mounts',
  mountFs: 'root and mounts',
  mountBind: 'root and mounts',
  mountAttrs: 'root and mounts',
  mkdir: 'root and mounts',
  verifyMounts: 'root and mounts',
  leaveChroot: 'root and mounts',
  pivotRoot: 'root and mounts',
  moveRoot: 'root and mounts',
  detachedRoot: 'root and mounts',
  changeRoot: 'root and mounts',
  rootPropagation: 'root and mounts',
  symlink: 'devices',
  device: 'devices',
  notifyDirectory: 'prepare',
  pidfdSocket: 'start',
  listenFds: 'start',
  scheduler: 'limits',
  ioPriority: 'limits',
  cpuAffinity: 'limits',
  keepGroups: 'identity',
  hookFile: 'prepare',
  hookOutput: 'prepare',
  seccompData: 'prepare',
  rdtGroup: 'limits',
  rdtMonitor: 'limits',
  rdtAssign: 'limits',
  securityLabel: 'identity',
  memoryPolicy: 'limits',
  personality: 'identity',
  consoleConnect: 'prepare',
  consolePair: 'prepare',
  terminal: 'devices',
  mask: 'hide and protect',
  readonlyPath: 'hide and protect',
  readonlyRoot: 'hide and protect',
  noNewPrivileges: 'identity',
  bounding: 'identity',
  seccompProgram: 'prepare',
  seccomp: 'identity',
  stdioOwner: 'identity',
  user: 'identity',
  capabilities: 'identity',
  cgroupInherit: 'limits',
  cgroupWriteFirst: 'limits',
  cgroupRealtime: 'limits',
  cgroupControllers: 'limits',
  cgroupDevices: 'limits',
  cgroupOwner: 'limits',
  systemdScope: 'prepare',
  cgroupWrite: 'limits',
  cgroupOpen: 'limits',
  cgroupEnter: 'limits',
  undumpable: 'identity',
  supervise: 'prepare',
  session: 'identity',
  initProcess: 'prepare',
  processRoot: 'prepare',
  cgroupDirectory: 'limits',
  cgroupFork: 'limits',
  join: 'namespaces',
  fork: 'namespaces',
  namedUser: 'identity',
  oomScoreAdj: 'limits',
  prlimit: 'limits',
  rlimit: 'limits',
  showRoot: 'root and mounts',
  awaitHooks: 'root and mounts',
  hook: 'start',
  hostHook: 'start',
  cwd: 'start',
  findExecutable: 'start',
  wait: 'start',
  exec: 'start',
};

/** The phase under which explain prints an operation. */
export function phase(op: Op): Phase {
  // Hooks before the switch of root.
  if (op.op === 'hook' && !op.inside) return 'root and mounts';
  if (op.op === 'verifyMounts' && op.last) return 'hide and protect';
  if (op.op === 'hostHook' && !op.name.startsWith('post')) return 'root and mounts';
  return phaseOf[op.op];
}
