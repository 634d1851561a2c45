/** Known causes of failures of the process: kernel settings, identity, working directory, execution. */
import { E } from '../../sys/errno.js';
import { because, type Failure, type Hint, smallMemory } from '../failure/known-cause.js';
import { noexecHint } from '../mounts/noexec-mounts.js';
import type { Op } from '../plan-ops.js';

export function processHint(f: Failure): Hint | undefined {
  const { op } = f;
  switch (op.op) {
    case 'sysctl':
      return sysctlHint(f, op.key.replaceAll('/', '.'), op.value);
    case 'hostname':
    case 'domainname':
      return hostnameHint(f, op.op);
    case 'keyring':
      return keyringHint(f);
    case 'stdioOwner':
      if (f.errno !== E.EDQUOT) return undefined;
      return because(
        `the file that is ${f.detail} is on a file system where user ${op.uid} has used up the quota: raise it, or give another file`,
        'quota(1)',
      );
    case 'user':
      return userHint(f, op);
    case 'namedUser':
      return namedUserHint(f, op);
    case 'bounding':
    case 'capabilities':
      if (f.errno !== E.EPERM) return undefined;
      return because(
        'runt cannot give capabilities that it has not got itself; ambient ones must be permitted and inheritable too: remove those from process.capabilities',
        'capabilities(7)',
      );
    case 'cwd':
      return cwdHint(f, op.path);
    case 'findExecutable':
      return findHint(f, op);
    case 'exec':
      return execHint(f, op.args[0] ?? '');
    case 'loopback':
      if (f.errno !== E.EPERM) return undefined;
      return because('bringing up lo needs CAP_NET_ADMIN over the network namespace', 'network_namespaces(7)');
    default:
      return undefined;
  }
}

function namedUserHint(f: Failure, op: Extract<Op, { op: 'namedUser' }>): Hint | undefined {
  const file = f.syscall === 'group' || f.detail === '/etc/group' ? '/etc/group' : '/etc/passwd';
  const see = file === '/etc/group' ? 'group(5)' : 'passwd(5)';
  const kind = file === '/etc/group' ? 'group' : 'user';
  if (f.syscall === 'open') return because(`${file} of the container cannot be read: give numbers`, see);
  if (f.syscall.startsWith('setgroups')) return userHint(f, { ...op, op: 'user', uid: 0 });
  if (f.syscall !== 'passwd' && f.syscall !== 'group') {
    if (f.errno !== E.EINVAL || !f.facts.userNamespace) return undefined;
    return because(`${op.user} is not mapped in the user namespace: use one that is`, 'user_namespaces(7)');
  }
  const name = JSON.stringify(f.detail);
  return f.errno === E.ENOENT
    ? because(`${file} of the container has no ${kind} ${name}: add it to the image, or give a number`, see)
    : because(`${file} of the container has no usable id for ${name}: correct the line, or give a number`, see);
}

function sysctlHint(f: Failure, name: string, value: string): Hint | undefined {
  const see = 'runtime-spec config-linux.md#sysctl';
  switch (f.errno) {
    case E.ENOENT:
      return because(
        `this kernel has no sysctl ${name}, or not in the container's namespaces: load the module that brings it, or remove it`,
        see,
      );
    case E.EACCES:
    case E.EPERM:
    case E.EROFS:
      return because(
        `${name} belongs to the whole host, or to a namespace that the container has not got of its own (net.* needs network, kernel.msg*, sem, shm* and fs.mqueue.* ipc): set it on the host, or add the namespace`,
        see,
      );
    case E.EINVAL:
    case E.ERANGE:
      return because(`the kernel does not take ${JSON.stringify(value)} for ${name}: correct the value`, see);
    default:
      return undefined;
  }
}

function hostnameHint(f: Failure, field: string): Hint | undefined {
  if (f.errno === E.EINVAL || f.errno === E.ENAMETOOLONG) {
    return because(`a ${field} has at most 64 bytes: shorten it`, 'sethostname(2)');
  }
  if (f.errno === E.EPERM) {
    return because(
      `the container has no uts namespace of its own, so the ${field} would be the host's: add "uts" to linux.namespaces`,
      'uts_namespaces(7)',
    );
  }
  return undefined;
}

function keyringHint(f: Failure): Hint | undefined {
  switch (f.errno) {
    case E.EDQUOT:
      return because(
        'the user has all the keyrings that he may have: raise the sysctls kernel.keys.maxkeys and maxbytes (root_maxkeys for root), or use --no-new-keyring',
        'keyrings(7)',
      );
    case E.ENOSYS:
    case E.EPERM:
    case E.EACCES:
      return because(
        'use --no-new-keyring: this kernel has no keyrings, or a seccomp filter around runt forbids keyctl(2)',
        'keyctl(2)',
      );
    default:
      return undefined;
  }
}

function userHint(f: Failure, op: Extract<Op, { op: 'user' }>): Hint | undefined {
  const { userNamespace } = f.facts;
  const groups = f.syscall.startsWith('setgroups');
  if (f.errno === E.EINVAL && userNamespace) {
    return groups
      ? because(
          'a group of process.user.additionalGids is not mapped in the user namespace: map it in linux.gidMappings, or remove it',
          'user_namespaces(7)',
        )
      : because(
          `user ${op.uid} or group ${op.gid} is not mapped in the user namespace: map it in linux.uidMappings and gidMappings, or use a mapped one in process.user`,
          'user_namespaces(7)',
        );
  }
  if (f.errno === E.EINVAL && groups)
    return because('there are more than 65536 groups in process.user.additionalGids', 'setgroups(2)');
  if (f.errno === E.EPERM && groups) {
    return because(
      'setgroups is denied in this user namespace, because an ordinary user wrote its gid map: remove process.user.additionalGids, or map groups through newgidmap',
      'user_namespaces(7), "The /proc/pid/setgroups file"',
    );
  }
  if (f.errno === E.EAGAIN)
    return because(
      'the user has more processes than his limit allows (RLIMIT_NPROC in process.rlimits): raise it',
      'setresuid(2)',
    );
  return undefined;
}

function cwdHint(f: Failure, path: string): Hint | undefined {
  const see = 'runtime-spec config.md#process';
  switch (f.errno) {
    case E.ENOENT:
      if (f.syscall.startsWith('getcwd')) {
        return because(`${path} leads out of the container's root: process.cwd must be inside of it`, 'CVE-2024-21626');
      }
      return because(
        `there is no ${path} in the container and it could not be made: make it in the image, or correct process.cwd`,
        see,
      );
    case E.ENOTDIR:
      return because(`${path}, or a part of it, is a file in the container: process.cwd must be a directory`, see);
    case E.EACCES:
    case E.EPERM:
      return because(
        `the process's user may not enter ${path}: give it search permission on that directory and its parents, or correct process.cwd`,
        see,
      );
    default:
      return undefined;
  }
}

function findHint(f: Failure, op: Extract<Op, { op: 'findExecutable' }>): Hint | undefined {
  const see = 'execve(2)';
  switch (f.errno) {
    case E.ENOENT:
      if (op.name === '')
        return because('process.args[0] is empty: name the program to run', 'runtime-spec config.md#process');
      if (op.name.includes('/'))
        return because(
          `there is no ${op.name} in the container's root file system: correct process.args[0], or add it to the image`,
          see,
        );
      return op.path === ''
        ? because(
            `process.env has no PATH, so "${op.name}" is looked for nowhere: set PATH, or give the absolute path in process.args[0]`,
            see,
          )
        : because(
            `"${op.name}" is in none of the directories of the container's PATH (${op.path}): add it to the image, or give the absolute path in process.args[0]`,
            see,
          );
    case E.EISDIR:
      return because(`${f.detail || op.name} is a directory: process.args[0] must name a program`, see);
    case E.EACCES:
      return because(
        noexecHint(f.spec, f.detail || op.name) ??
          `${f.detail || op.name} is not a file that the process's user may execute: add the x permission (chmod +x) to it and to its parents, or remove "noexec" from the mount that it is on`,
        see,
      );
    case E.ENOTDIR:
      return because(`a component of ${op.name} is a file: correct process.args[0]`, see);
    default:
      return undefined;
  }
}

/** The interpreter in runt-init's detail of a script, "PATH: #!INTERPRETER". */
const interpreterIn = (detail: string): string | undefined => /: #!\s*(\S+)/.exec(detail)?.[1];

function execHint(f: Failure, name: string): Hint | undefined {
  const { detail } = f;
  const see = 'execve(2)';
  switch (f.errno) {
    case E.ENOENT:
      if (detail.includes('#!')) {
        return because(
          `${name} is a script, and its interpreter (${detail.slice(detail.indexOf('#!'))}) is not in the container: add it to the image, or correct the first line (a carriage return at its end counts)`,
          see,
        );
      }
      if (detail.includes(': loader ')) {
        const loader = detail.slice(detail.indexOf(': loader ') + 9);
        return because(
          `${name} is linked dynamically, and its loader ${loader} is not in the container: use an image with the same C library, or a static program`,
          'ld.so(8)',
        );
      }
      return because(
        `${name} was there and is gone, or its interpreter or dynamic loader is not in the container`,
        see,
      );
    case E.ENOEXEC: {
      const machine = machineOf(detail);
      return machine === undefined
        ? because(
            `the kernel cannot run ${name}: it is a script without "#!" in its first line, or an empty or damaged file`,
            see,
          )
        : because(
            `${name} is a program for ${machine}, and this kernel does not run those: use an image for this machine, or install an emulator (binfmt_misc)`,
            see,
          );
    }
    case E.EACCES:
      return because(
        noexecHint(f.spec, interpreterIn(detail) ?? name) ??
          `${name} may not be executed: remove "noexec" from the mount that it or its interpreter is on, add the x permission, or ask the security module (AppArmor, SELinux)`,
        see,
      );
    case E.EPERM:
      return because(
        `${name} has capabilities of a file that the bounding set does not hold, or a security module forbids it: add them to process.capabilities.bounding, or remove them (setcap -r)`,
        'capabilities(7)',
      );
    case E.E2BIG:
      return because(
        'process.args and process.env together are larger than the kernel allows (a quarter of the stack limit, 128 KiB for each string): shorten them, or raise RLIMIT_STACK',
        see,
      );
    case E.ETXTBSY:
      return because(`${name} is open for writing, perhaps still being copied: wait until it is closed`, see);
    case E.ELIBBAD:
      return because(
        `the dynamic loader of ${name} is no ELF program for this machine: the image mixes architectures`,
        see,
      );
    case E.EISDIR:
      return because(`the interpreter of ${name} is a directory: correct the first line of the script`, see);
    case E.ELOOP:
      return because(
        `${name} is a script whose interpreter is a script, more than four deep, or its links lead in a circle`,
        see,
      );
    case E.EAGAIN:
      return because(
        'the user has more processes than his limit allows (RLIMIT_NPROC in process.rlimits): raise it',
        see,
      );
    case E.ENOMEM:
      return smallMemory(f);
    default:
      return undefined;
  }
}

/** e_machine of elf(5) by name, for what images are commonly built. */
const machines: Readonly<Record<string, string>> = {
  3: 'x86 (32 bits)',
  8: 'MIPS',
  20: 'PowerPC',
  21: 'PowerPC 64',
  22: 's390x',
  40: 'ARM (32 bits)',
  62: 'x86-64',
  183: 'ARM 64',
  243: 'RISC-V',
  258: 'LoongArch',
};

/** The machine in runt-init's "PATH: ELF machine 183, class 2"; undefined when the file is no ELF program. */
function machineOf(detail: string): string | undefined {
  const at = detail.lastIndexOf(': ELF machine ');
  if (at < 0) return undefined;
  const number = detail.slice(at + 14).split(',')[0]!;
  return machines[number] ?? `ELF machine ${number}`;
}
