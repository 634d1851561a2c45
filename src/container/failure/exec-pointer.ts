/** Origin of the value with which an exec failed: the command line, the file of --process, or the config.json. */
import { RuntError } from '../../sys/error.js';
import type { ExecOptions } from '../exec.js';

/** Whether a flag sets each field of the process. */
const isSetByFlag: Readonly<Record<string, (o: ExecOptions) => boolean>> = {
  args: () => true,
  cwd: (o) => o.cwd !== undefined,
  env: (o) => o.env.length > 0,
  user: (o) => o.user !== undefined || o.additionalGids.length > 0,
  capabilities: (o) => o.capabilities.length > 0,
  noNewPrivileges: (o) => o.noNewPrivileges !== undefined,
  apparmorProfile: (o) => o.apparmor !== undefined,
  selinuxLabel: (o) => o.processLabel !== undefined,
  terminal: (o) => o.terminal,
};

/** Names of fields in hints, and what sets them on the command line. */
const named = [
  ['process.args[0]', 'the command'],
  ['process.args', 'the command'],
  ['process.cwd', '--cwd'],
  ['process.env', '--env'],
  ['process.user.additionalGids', '--additional-gids'],
  ['process.user', '--user'],
  ['process.capabilities', '--cap'],
  ['process.apparmorProfile', '--apparmor'],
] as const;

/**
 * Corrects an error's pointer and document. The compiler has one process, merged of all three; a pointer into the file
 * of --process is relative to the process.
 * @param fileFields the fields that the file has
 * @param document name of the file in errors; undefined without one
 */
export function withExecOrigin(
  error: unknown,
  o: ExecOptions,
  fileFields: readonly string[],
  document: string | undefined,
): unknown {
  if (!(error instanceof RuntError)) return error;
  if (document !== undefined && error.path === document) {
    for (const violation of error.violations ?? []) violation.pointer = inFile(violation.pointer);
  }
  const field = /^\/process\/([^/]+)/.exec(error.pointer ?? '')?.[1];
  if (field === undefined || error.document !== undefined) return error;
  if (document === undefined) {
    if (!isSetByFlag[field]?.(o)) return error;
    error.document = 'the command line';
    for (const [name, flag] of named) if (error.hint) error.hint = error.hint.replaceAll(name, flag);
  } else if (fileFields.includes(field)) {
    error.document = document;
    error.pointer = inFile(error.pointer ?? '');
  }
  return error;
}

/** A pointer into the file of --process, which holds only a process. */
export const inFile = (pointer: string): string =>
  pointer.startsWith('/process/') ? pointer.slice('/process'.length) : pointer;
