/** Known causes of failures of the process: its state, limits, privileges, working directory and execution. */
import { E } from '../../sys/errno.js';
import { type Failure, type Failures, type Hint, hintOf, lowMemoryHint } from '../failure/known-cause.js';
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
  reaper: {
    code: 'ERR_INIT',
    hint: ({ errno, syscall }) =>
      errno === E.EPERM
        ? hintOf(`allow ${syscall} in the seccomp profile, or leave --init out: the reaper has the program's filter`)
        : undefined,
  },
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
        ? hintOf(
            'set oom_score_adj no lower than that of runt itself, or give runt CAP_SYS_RESOURCE: lowering it needs that capability',
            'proc_pid_oom_score_adj(5)',
          )
        : undefined,
  },
  stdioOwner: {
    code: 'ERR_PRIVILEGE',
    hint: (f, op) =>
      f.errno === E.EDQUOT
        ? hintOf(
            `raise the quota of user ${op.uid}, or use another file as ${f.detail}: the user has used up the quota of that file system`,
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
    return hintOf(
      facts.rootless
        ? 'set XDG_RUNTIME_DIR to a directory of the user, or name one with --root: the user may not write to the state root'
        : 'name another directory with --root: the state root cannot be written',
    );
  }
  if (errno === E.ENOSPC || errno === E.EDQUOT) {
    return hintOf('make room on the file system of the state root, or name another directory with --root: it is full');
  }
  if (errno === E.ENOTDIR)
    return hintOf('name another directory with --root: a part of the path of the state root is a file');
  return undefined;
}

function capabilityHint(f: Failure): Hint | undefined {
  if (f.errno !== E.EPERM) return undefined;
  return hintOf(
    'remove from process.capabilities those that runt does not have, and ambient ones that are not permitted and inheritable too: runt cannot grant them',
    'capabilities(7)',
  );
}

function rlimitHint(f: Failure, op: OpOf<'rlimit' | 'prlimit'>): Hint | undefined {
  const nofile = 7;
  if (f.errno === E.EPERM) {
    return hintOf(
      `set a limit no higher than that of runt itself${Number(op.resource) === nofile ? ' and the sysctl fs.nr_open' : ''}, or give runt CAP_SYS_RESOURCE: raising a hard limit needs that capability`,
      'getrlimit(2)',
    );
  }
  if (f.errno === E.EINVAL)
    return hintOf(
      'lower the soft limit, or remove the entry: the soft limit is above the hard one, or the kernel does not know this limit',
      'getrlimit(2)',
    );
  return undefined;
}

function cwdHint(f: Failure, path: string): Hint | undefined {
  const see = 'runtime-spec config.md#process';
  switch (f.errno) {
    case E.ENOENT:
      if (f.syscall.startsWith('getcwd')) {
        return hintOf(`choose a process.cwd inside of the container's root: ${path} leads out of it`, 'CVE-2024-21626');
      }
      return hintOf(
        `make ${path} in the image, or correct process.cwd: it is not in the container, and runt-init could not make it`,
        see,
      );
    case E.ENOTDIR:
      return hintOf(`name a directory in process.cwd: ${path}, or a part of it, is a file in the container`, see);
    case E.EACCES:
    case E.EPERM:
      return hintOf(
        `give the process's user search permission on ${path} and its parents, or correct process.cwd: the user may not enter it`,
        see,
      );
    default:
      return undefined;
  }
}

/** The process.cwd of the config, if the program is that of the config, not of an exec. */
const ownCwd = ({ spec }: Failure, name: string): string =>
  spec?.process?.args?.[0] === name ? ` ${spec.process.cwd}` : '';

/** A whole command line as one word, as a shell or a Dockerfile takes it. */
function wordsHint(name: string): Hint {
  const isShell = /[|&;<>$`]/.test(name);
  const words = isShell ? ['sh', '-c', name] : name.trim().split(/\s+/);
  return hintOf(
    `write process.args as ${JSON.stringify(words)}: each element is one word, and ${isShell ? 'only a shell knows && and the like' : 'the first one is the program'}`,
    'runtime-spec config.md#process',
  );
}

function findHint(f: Failure, op: OpOf<'findExecutable'>): Hint | undefined {
  const see = 'execve(2)';
  switch (f.errno) {
    case E.ENOENT:
      if (op.name === '')
        return hintOf('name the program to run in process.args[0]: it is empty', 'runtime-spec config.md#process');
      if (/\s/.test(op.name)) return wordsHint(op.name);
      if (op.name.includes('/') && op.name[0] !== '/')
        return hintOf(
          `correct process.args[0], or add ${op.name} to the image: it is not in the working directory${ownCwd(f, op.name)}, which runt makes when the image does not have it`,
          see,
        );
      if (op.name.includes('/'))
        return hintOf(
          `correct process.args[0], or add ${op.name} to the image: it is not in the container's root file system`,
          see,
        );
      return op.path === ''
        ? hintOf(
            `set PATH in process.env, or give an absolute path as process.args[0]: without PATH runt-init cannot look for "${op.name}"`,
            see,
          )
        : hintOf(
            `add "${op.name}" to the image, or give an absolute path as process.args[0]: it is in none of the directories of the container's PATH (${op.path})`,
            see,
          );
    case E.EISDIR:
      return hintOf(`name a program in process.args[0]: ${f.detail || op.name} is a directory`, see);
    case E.EACCES:
      return hintOf(
        noexecHint(f.spec, f.detail || op.name) ??
          `add the x permission (chmod +x) to ${f.detail || op.name} and to its parents, or remove "noexec" from the mount that it is on: the process's user may not execute it`,
        see,
      );
    case E.ENOTDIR:
      return hintOf(`correct process.args[0]: a component of ${op.name} is a file`, see);
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
        return hintOf(
          `add the interpreter of the script ${name} to the image, or correct its first line (a carriage return at its end counts): ${detail.slice(detail.indexOf('#!'))} is not in the container`,
          see,
        );
      }
      if (detail.includes(': loader ')) {
        const loader = detail.slice(detail.indexOf(': loader ') + 9);
        return hintOf(
          `use an image with the same C library, or a static program: ${name} is linked dynamically, and its loader ${loader} is not in the container`,
          'ld.so(8)',
        );
      }
      return hintOf(
        `add ${name}, its interpreter or its dynamic loader to the image: one of them is not in the container, or no longer`,
        see,
      );
    case E.ENOEXEC: {
      const machine = machineOf(detail);
      return machine === undefined
        ? hintOf(
            `add a first line "#!/bin/sh" to ${name} if it is a script, or replace it: the kernel cannot run it without that line, or it is empty or damaged`,
            see,
          )
        : hintOf(
            `use an image for this machine, or install an emulator (binfmt_misc): ${name} is a program for ${machine}, and this kernel does not run those`,
            see,
          );
    }
    case E.EACCES:
      return hintOf(
        noexecHint(f.spec, interpreterIn(detail) ?? name) ??
          `remove "noexec" from the mount that ${name} or its interpreter is on, add the x permission, or allow it in AppArmor or SELinux: it may not be executed`,
        see,
      );
    case E.EPERM:
      return hintOf(
        `add the file capabilities of ${name} to process.capabilities.bounding, or remove them (setcap -r): the bounding set does not hold them, or a security module forbids the program`,
        'capabilities(7)',
      );
    case E.E2BIG:
      return hintOf(
        'shorten process.args and process.env, or raise RLIMIT_STACK: together they have more than a quarter of the stack limit, or one string has more than 128 KiB',
        see,
      );
    case E.ETXTBSY:
      return hintOf(`wait until ${name} is closed: a process has it open for writing, perhaps still to copy it`, see);
    case E.ELIBBAD:
      return hintOf(
        `use an image of one architecture: the dynamic loader of ${name} is not an ELF program for this machine`,
        see,
      );
    case E.EISDIR:
      return hintOf(`correct the first line of ${name}: the interpreter that it names is a directory`, see);
    case E.ELOOP:
      return hintOf(
        `correct the first line of ${name}: its interpreter is a script, and such interpreters nest more than four deep, or links lead in a circle`,
        see,
      );
    case E.EAGAIN:
      return hintOf('raise RLIMIT_NPROC in process.rlimits: the user has more processes than it allows', see);
    case E.ENOMEM:
      return lowMemoryHint(f);
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
