/** Known causes of failures of the process: its state, limits, privileges, working directory and execution. */
import { E } from '../../sys/errno.js';
import { because, type Failure, type Failures, type Hint, smallMemory } from '../failure/known-cause.js';
import { procHint } from '../mounts/file-system-hints.js';
import { noexecHint } from '../mounts/noexec-mounts.js';
import type { OpOf } from '../plan-ops.js';
import { deniedExecHint } from '../seccomp/seccomp-hints.js';
import type { processTable } from './process-ops.js';

export const processFailures: Failures<keyof typeof processTable> = {
  stateDir: { code: 'ERR_STATE', hint: stateHint },
  startSocket: { code: 'ERR_STATE', hint: stateHint },
  supervise: { code: 'ERR_SUPERVISOR' },
  keepFds: { code: 'ERR_INIT' },
  procfs: { code: 'ERR_INIT', hint: (f) => (f.errno === E.EPERM ? procHint() : undefined) },
  listenFds: { code: 'ERR_INIT' },
  session: { code: 'ERR_INIT' },
  undumpable: { code: 'ERR_PRIVILEGE' },
  cwd: { code: 'ERR_CWD', hint: (f, op) => cwdHint(f, op.path) },
  findExecutable: { code: 'ERR_EXEC', hint: findHint },
  wait: { code: 'ERR_INIT' },
  exec: { code: 'ERR_EXEC', hint: (f, op) => deniedExecHint(f) ?? execHint(f, op.args[0] ?? '') },
  noNewPrivileges: { code: 'ERR_PRIVILEGE' },
  bounding: { code: 'ERR_PRIVILEGE', hint: capabilityHint },
  capabilities: { code: 'ERR_PRIVILEGE', hint: capabilityHint },
  rlimit: { code: 'ERR_LIMIT', hint: rlimitHint },
  prlimit: { code: 'ERR_LIMIT', hint: rlimitHint },
  oomScoreAdj: {
    code: 'ERR_LIMIT',
    hint: (f) =>
      f.errno === E.EACCES || f.errno === E.EPERM
        ? because(
            'only CAP_SYS_RESOURCE may lower oom_score_adj, and runt has not got it: ask for a value that is not below its own, or give it the capability',
            'proc_pid_oom_score_adj(5)',
          )
        : undefined,
  },
  stdioOwner: {
    code: 'ERR_PRIVILEGE',
    hint: (f, op) =>
      f.errno === E.EDQUOT
        ? because(
            `the file that is ${f.detail} is on a file system where user ${op.uid} has used up the quota: raise it, or give another file`,
            'quota(1)',
          )
        : undefined,
  },
  initProcess: { code: 'ERR_PROCESS' },
  processRoot: { code: 'ERR_PROCESS' },
  notifyDirectory: { code: 'ERR_NOTIFY' },
  pidfdSocket: { code: 'ERR_PIDFD_SOCKET' },
};

function stateHint({ errno, facts }: Failure): Hint | undefined {
  if (errno === E.EACCES || errno === E.EPERM || errno === E.EROFS) {
    return because(
      facts.rootless
        ? 'the user may not write where containers are kept: set XDG_RUNTIME_DIR to a directory of the user, or name one with --root'
        : 'the directory where containers are kept cannot be written: name another with --root',
    );
  }
  if (errno === E.ENOSPC || errno === E.EDQUOT) {
    return because(
      'the file system of the state directory is full: make room on it, or name another directory with --root',
    );
  }
  if (errno === E.ENOTDIR)
    return because('a part of the path of the state directory is a file: name another directory with --root');
  return undefined;
}

function capabilityHint(f: Failure): Hint | undefined {
  if (f.errno !== E.EPERM) return undefined;
  return because(
    'runt cannot give capabilities that it has not got itself; ambient ones must be permitted and inheritable too: remove those from process.capabilities',
    'capabilities(7)',
  );
}

function rlimitHint(f: Failure, op: OpOf<'rlimit' | 'prlimit'>): Hint | undefined {
  const nofile = 7;
  if (f.errno === E.EPERM) {
    return because(
      `only CAP_SYS_RESOURCE may raise a hard limit, and runt has not got it${Number(op.resource) === nofile ? ' (or the limit is above the sysctl fs.nr_open)' : ''}: ask for a limit that is not above its own`,
      'getrlimit(2)',
    );
  }
  if (f.errno === E.EINVAL)
    return because('the soft limit is above the hard limit, or the kernel does not know this limit', 'getrlimit(2)');
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

function findHint(f: Failure, op: OpOf<'findExecutable'>): Hint | undefined {
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

/** Names of e_machine values (elf(5)) that images are commonly built for. */
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

/** The machine in runt-init's "PATH: ELF machine 183, class 2"; undefined if the file is not an ELF program. */
function machineOf(detail: string): string | undefined {
  const at = detail.lastIndexOf(': ELF machine ');
  if (at < 0) return undefined;
  const number = detail.slice(at + 14).split(',')[0]!;
  return machines[number] ?? `ELF machine ${number}`;
}
