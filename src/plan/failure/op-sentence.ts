/** An operation as the start of a sentence that says it failed: "mount tmpfs on /dev/shm". */
import { ioPriorityClasses, memoryPolicyModes, schedulerPolicies } from '../../sys/linux.js';
import type { Op } from '../plan-ops.js';

export function sentence(op: Op): string {
  switch (op.op) {
    case 'stateDir':
      return `make the state directory ${op.path}`;
    case 'cgroupCreate':
      return `make the cgroup ${op.path}`;
    case 'cgroupWrite':
      return `write ${JSON.stringify(op.value.trim())} to ${op.path}`;
    case 'cgroupWriteFirst':
      return `write ${JSON.stringify(op.values[0])} to ${op.paths.join(' or ')}`;
    case 'cgroupRealtime':
      return `write ${JSON.stringify(op.value)} to ${op.path}/${op.file}`;
    case 'cgroupInherit':
      return `give ${op.file} of the parents to the cgroup ${op.path}`;
    case 'cgroupControllers':
      return `enable controllers for the cgroup ${op.path}`;
    case 'cgroupDevices':
      return `attach a device filter to the cgroup ${op.path}`;
    case 'systemdScope':
      return `start the unit ${op.unit}`;
    case 'cgroupOwner':
      return `give the cgroup ${op.path} to user ${op.uid}`;
    case 'startSocket':
      return `bind the start socket ${op.path}`;
    case 'supervise':
      return 'start the supervisor';
    case 'openTree':
      return `open the mount tree ${op.source}`;
    case 'scheduler':
      return `set the scheduling policy ${schedulerPolicies()[Number(op.policy)]}`;
    case 'ioPriority':
      return `set the I/O priority ${ioPriorityClasses()[Number(op.class)]} ${op.priority}`;
    case 'keepGroups':
      return 'keep the groups';
    case 'hookFile':
      return `open the file for the output of hooks ${op.path}`;
    case 'hookOutput':
      return 'take the files for the output of hooks';
    case 'seccompData':
      return 'decode the seccomp program';
    case 'rdtGroup':
      return `${op.make === 'there' ? 'use' : 'set up'} the resctrl group ${op.path}`;
    case 'rdtMonitor':
      return `make the resctrl monitoring group ${op.path}`;
    case 'rdtAssign':
      return `enter the resctrl group ${op.paths.join(' and ')}`;
    case 'securityLabel':
      // Engines look for the path in these quotes.
      return `write ${JSON.stringify(op.label)} to \`/proc/self/attr/${op.file}\``;
    case 'cpuAffinity':
      return op.cpus.length > 0 ? `set the CPU affinity ${op.cpus.join(',')}` : 'give up the CPU affinity of runt';
    case 'memoryPolicy':
      return `set the memory policy ${memoryPolicyModes()[Number(op.mode) & 0xff]}`;
    case 'personality':
      return `set the execution domain ${op.domain ? 'LINUX32' : 'LINUX'}`;
    case 'notifyDirectory':
      return `make the socket for sd_notify in ${op.path}`;
    case 'pidfdSocket':
      return `send a pidfd to the socket (--pidfd-socket) ${op.path}`;
    case 'listenFds':
      return 'hand the activated sockets over';
    case 'idMapNamespace':
      return op.path ? `open the user namespace ${op.path}` : 'make a user namespace with the id maps of a mount';
    case 'idMapTree':
      return `map the ids of the mount of ${op.source}`;
    case 'reconfigure':
      return `change the file system on ${op.target}`;
    case 'labelMount':
      return `label ${op.target} as ${op.label}`;
    case 'propagate':
      return `set the propagation of the mount on ${op.target}`;
    case 'clone':
      return 'start runt-init in new namespaces';
    case 'setGroupsPolicy':
      return `write ${op.value} to /proc/PID/setgroups`;
    case 'idMap':
      return `write ${op.kind}_map${op.helper ? ` with ${op.helper}` : ''}`;
    case 'cgroupOpen':
      return `open the cgroup file ${op.path}`;
    case 'cgroupEnter':
      return `enter the cgroup of ${op.path}`;
    case 'undumpable':
      return 'become non-dumpable';
    case 'oomScoreAdj':
      return `set oom_score_adj to ${op.value}`;
    case 'prlimit':
    case 'rlimit':
      return `set resource limit ${op.resource}`;
    case 'keepFds':
      return 'close inherited descriptors';
    case 'procfs':
      return 'open a private procfs';
    case 'session':
      return 'start a new session';
    case 'cgroupDirectory':
      return `open the cgroup ${op.path}`;
    case 'cgroupFork':
      return `begin a process in the cgroup ${op.path}`;
    case 'initProcess':
      return `open the container's process ${op.pid}`;
    case 'processRoot':
      return "open the root of the container's process";
    case 'join':
      return 'join the namespaces of the container';
    case 'namespaceOpen':
      return `open the ${op.type} namespace ${op.path}`;
    case 'setns':
      return `join the namespace ${op.path}`;
    case 'netDevice':
      return `move the network device ${op.name} into the container${op.target === op.name ? '' : ` as ${op.target}`}`;
    case 'idMapVerify':
      return `compare ${op.kind}_map of the joined user namespace`;
    case 'timeOpen':
      return 'open the offsets of the time namespace';
    case 'timeEnter':
      return `enter the time namespace${op.offsets.length > 0 ? ` with ${op.offsets.join(', ')}` : ''}`;
    case 'await':
      return 'wait for the runtime';
    case 'fork':
      return 'begin a process in the pid namespace of the container';
    case 'namedUser':
      return `become user ${op.user}${op.group && `:${op.group}`}`;
    case 'keyring':
      return `join the session keyring ${op.name}`;
    case 'sync':
      return 'wait for the runtime';
    case 'becomeRoot':
      return 'become root in the new user namespace';
    case 'unshare':
      return 'make the namespaces that are made from inside';
    case 'hostPropagation':
      return 'set the propagation of the inherited mounts';
    case 'isolate':
      return `make the mount that ${op.path} is on private`;
    case 'cloneSource':
      return `open the bind source ${op.source}`;
    case 'rootfs':
      return `make a mount of the root file system ${op.path}`;
    case 'mountFs':
      return `mount ${op.fstype} on ${op.target}`;
    case 'mountBind':
      return `bind ${op.source} on ${op.target}`;
    case 'consoleConnect':
      return `connect to the console socket (--console-socket) ${op.path}`;
    case 'consolePair':
      return 'make the socket for the terminal';
    case 'terminal':
      return 'make the terminal';
    case 'mountAttrs':
      return `set the attributes of the mount on ${op.target}`;
    case 'verifyMounts':
      return 'verify the mounts';
    case 'mkdir':
      return `make the directory ${op.path}`;
    case 'symlink':
      return `make the symlink ${op.path} to ${op.content}`;
    case 'device':
      return `make the device ${op.path}`;
    case 'mask':
      return `mask ${op.path}`;
    case 'readonlyPath':
      return `make ${op.path} read-only`;
    case 'leaveChroot':
      return 'leave the chroot of runt';
    case 'pivotRoot':
      return 'pivot into the root file system';
    case 'detachedRoot':
      return `make a detached mount of the root file system ${op.path}`;
    case 'changeRoot':
      return 'change the root to the root file system';
    case 'moveRoot':
      return 'move the root file system to /';
    case 'rootPropagation':
      return 'set the propagation of /';
    case 'readonlyRoot':
      return 'make the root read-only';
    case 'loopback':
      return 'bring up lo';
    case 'sysctl':
      return `write ${JSON.stringify(op.value)} to sysctl ${op.key.replaceAll('/', '.')}`;
    case 'hostname':
      return `set the hostname ${op.name}`;
    case 'domainname':
      return `set the domainname ${op.name}`;
    case 'noNewPrivileges':
      return 'set no_new_privs';
    case 'seccompProgram':
      return 'compile the seccomp profile';
    case 'seccomp':
      return 'load the seccomp filter';
    case 'bounding':
      return 'drop capabilities from the bounding set';
    case 'stdioOwner':
      return `give stdio to user ${op.uid}`;
    case 'user':
      return `become user ${op.uid}:${op.gid}`;
    case 'capabilities':
      return 'set the capabilities';
    case 'cwd':
      return `enter the working directory ${op.path}`;
    case 'findExecutable':
      return `exec ${JSON.stringify(op.name)}`;
    case 'showRoot':
      return `move the root to ${op.path}`;
    case 'awaitHooks':
      return 'wait for the hooks of the runtime';
    case 'hook':
    case 'hostHook':
      return `run the hook ${op.path}`;
    case 'wait':
      return 'wait for start';
    case 'exec':
      return `exec ${JSON.stringify(op.args[0] ?? '')}`;
  }
}
