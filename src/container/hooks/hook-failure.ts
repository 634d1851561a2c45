/** Errors and warnings of hooks. */
import { asConfigured } from '../../plan/hooks/hook-compile.js';
import { noexecHint } from '../../plan/mounts/noexec-mounts.js';
import { printable, word } from '../../plan/printable-text.js';
import type { Hook, HookName, Hooks, Spec } from '../../spec/config-types.js';
import { E } from '../../sys/errno.js';
import { RuntError } from '../../sys/error.js';
import { signalName } from '../../sys/kernel-names.js';
import type { HookEndKind } from '../../sys/protocol.js';
import { slowHookTime } from '../../sys/waiting/time-limits.js';
import { hostExecutableHint } from '../failure/host-path-hint.js';

/** Position of a hook in `hooks`. */
export interface HookPosition {
  readonly point: HookName;
  readonly index: number;
}

/** The hook at that position. */
export const hookAt = (hooks: Hooks | undefined, { point, index }: HookPosition): Hook | undefined =>
  hooks?.[point]?.[index];

/** The warning about a slow hook. @param command the current action, "create web" */
export function slowHookWarning(command: string, position: HookPosition, hook: Hook | undefined): string {
  const { path, timeout = 0 } = hook ?? { path: '' };
  const end = Number(timeout) > 0 ? `it is killed after ${timeout} s` : 'it has no timeout';
  return `${command}: hook ${position.point} ${position.index}, ${word(path)}: not done after ${slowHookTime / 1000} s; ${end}`;
}

/** How a hook ended. */
export interface HookEnd {
  /** Meaning of `number`: exit status, signal, timeout in seconds, or none (it could not be executed). */
  readonly how: HookEndKind;
  readonly number: number;
  /** Duration. */
  readonly ms: number;
  /** The stream of `output`, the end of its output: stdout only if stderr was empty. */
  readonly stream: string;
  readonly output: string;
  /** Positive; the reason why it could not be executed. */
  readonly errno?: number;
  readonly spec?: Spec;
}

/** The error of one hook. @param command the failed action, "create web" */
export function hookError(command: string, { point, index }: HookPosition, hook: Hook, end: HookEnd): RuntError {
  const { how, number, errno } = end;
  const commandLine = (hook.args?.length ? [hook.path, ...hook.args.slice(1)] : [hook.path]).map(word).join(' ');
  const output = end.output.trim();
  const what =
    how === 'exit'
      ? `exit status ${number} after ${duration(end.ms)}`
      : how === 'signal'
        ? `ended by ${signalText(number)} after ${duration(end.ms)}`
        : how === 'timeout'
          ? `not done after ${duration(end.ms)}, its timeout is ${number} s; it was killed`
          : 'cannot be executed';
  return new RuntError({
    code: how === 'timeout' ? 'ERR_HOOK_TIMEOUT' : 'ERR_HOOK',
    message: `${command}: error running ${point} hook #${index}: ${commandLine}: ${what}${output && `, ${end.stream}: ${quoted(output)}`}`,
    op: 'hook',
    path: hook.path,
    pointer: `/hooks/${point}/${index}`,
    value: asConfigured(hook),
    ...(errno ? { errno, syscall: 'execve' } : {}),
    ...endHint(point, hook.path, end),
    see: 'config.md#posix-platform-hooks',
  });
}

/**
 * The error of a hook that runt-init ran (native/init/hooks/hook.c). Lines of the report: point and index; how, number,
 * milliseconds and stream; the hook's output.
 */
export function innerHookError(
  command: string,
  report: { readonly errno: number; readonly detail: string },
  hooks: Hooks | undefined,
  spec?: Spec,
): RuntError {
  const [positionText = '', facts = '', ...rest] = report.detail.split('\n');
  const [how = '', number, ms, stream = ''] = facts.split(' ');
  const [point, index] = positionText.split(' ');
  const position = { point: point as HookName, index: Number(index) };
  return hookError(command, position, hookAt(hooks, position) ?? { path: positionText }, {
    how: how as HookEndKind,
    number: Number(number),
    ms: Number(ms),
    stream,
    output: rest.join('\n'),
    ...(report.errno ? { errno: report.errno } : {}),
    ...(spec && { spec }),
  });
}

/** Quotes text of several lines, with \n: an error is one line. */
function quoted(text: string): string {
  return text.includes('\n')
    ? `"${text.split('\n').map(printable).join('\\n').replaceAll('"', '\\"')}"`
    : printable(text);
}

/** What strsignal(3) says of the signals that end a hook; engines search runc's errors for these. */
const signalMeanings: Readonly<Record<string, string>> = {
  SIGABRT: 'aborted',
  SIGBUS: 'bus error',
  SIGFPE: 'floating point exception',
  SIGILL: 'illegal instruction',
  SIGKILL: 'killed',
  SIGPIPE: 'broken pipe',
  SIGSEGV: 'segmentation fault',
  SIGSYS: 'bad system call',
  SIGTERM: 'terminated',
};

function signalText(signal: number): string {
  const name = signalName(signal);
  const meaning = signalMeanings[name];
  return meaning === undefined ? name : `${name} (${meaning})`;
}

const duration = (ms: number): string => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);

function endHint(point: HookName, path: string, { how, number, errno = 0, spec }: HookEnd): { hint?: string } {
  if (how === 'signal' && point === 'startContainer' && signalName(number) === 'SIGSYS' && spec?.linux?.seccomp)
    return {
      hint: "allow what the hook calls in linux.seccomp.syscalls: a startContainer hook runs under the container's seccomp filter, which killed it",
    };
  if (how === 'timeout')
    return {
      hint: 'find out what it waits for, or raise its "timeout" (in seconds) or --hook-timeout',
    };
  if (how !== 'exec') return {};
  if (errno === E.E2BIG)
    return { hint: 'shorten its "args" and "env": each string may have 128 KiB, and all a quarter of RLIMIT_STACK' };
  if (errno === E.EAGAIN)
    return {
      hint: 'raise linux.resources.pids.limit, or RLIMIT_NPROC: no process may be added where the hook would run',
    };
  return {
    hint: point === 'startContainer' ? containerHookHint(path, errno, spec) : hostHookHint(point, path, errno),
  };
}

/** A hook of the host's file system, which the runtime can inspect. */
function hostHookHint(point: HookName, path: string, errno: number): string {
  const onHost = 'install the program on the host, and the interpreter that its first line names';
  return (
    hostExecutableHint(path, errno) ??
    (point === 'createContainer'
      ? `${onHost}, and let root of the container execute both, as the id that it has on the host`
      : `${onHost}, and make both executable`)
  );
}

function containerHookHint(path: string, errno: number, spec?: Spec): string {
  switch (errno) {
    case E.ENOENT:
      return `add ${path}, its interpreter or its dynamic loader to the image, or use a createContainer hook: startContainer hooks are looked up in the container, and one of these is not in the rootfs`;
    case E.ENOTDIR:
      return `correct the hook's path: a component of ${path} is a file in the container, where startContainer hooks are looked up`;
    case E.EACCES:
      return (
        noexecHint(spec, path) ??
        `add the x permission (chmod +x) to ${path} in the container, or remove "noexec" from the mount that it is on: the user of the process may not execute it`
      );
    default:
      return 'put the program, its interpreter and its libraries into the rootfs, and let the user of the process execute it: startContainer hooks are looked up in the container';
  }
}
