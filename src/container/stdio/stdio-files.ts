/** Files as standard input, output and error of a container's process. */
import { check, RuntError } from '../../sys/error.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD, O_PATH, O_RDWR } from '../../sys/linux.js';
import { connectAt } from '../../sys/sockets/connect-deadline.js';
import type { Stdio } from '../launch/spawn-init.js';
import { openRegular } from './regular-file.js';

/**
 * Absolute paths of regular files; `null` is /dev/null, and `journal` (of output) systemd's journal. Streams that are
 * absent are this process's.
 */
export interface StdioFiles {
  readonly stdin?: string;
  readonly stdout?: string;
  readonly stderr?: string;
}

/**
 * Opens the files. Output is appended; a new file has mode 0600.
 * @param id of the container, which identifies its lines in the journal
 * @throws RuntError ERR_IO if one cannot be opened, is not a regular file, or the journal does not run
 */
export async function openStdioFiles({ stdin, stdout, stderr }: StdioFiles, id: string): Promise<Stdio> {
  const output = (stream: string, path: string) =>
    path === 'journal' ? openJournal(stream, id) : openFile(stream, path);
  return [
    stdin === undefined ? 0 : openFile('stdin', stdin),
    stdout === undefined ? 1 : await output('stdout', stdout),
    stderr === undefined ? 2 : await output('stderr', stderr),
  ];
}

const journalDirectory = '/run/systemd/journal';

/** LOG_INFO of syslog(3). */
const info = 6;

/**
 * A stream whose lines the journal takes (sd_journal_stream_fd(3)). Its head has a field a line: the identifier, no
 * unit, the priority, 1 for lines that begin with a priority of their own as `<3>`, and 0 for what is not to be
 * forwarded: to syslog, the kernel's log, the console. The unit and the pid of each line are those of its writer.
 */
async function openJournal(stream: string, id: string): Promise<number> {
  const path = `${journalDirectory}/stdout`;
  const facts = {
    code: 'ERR_IO',
    message: `connect --${stream} to the journal at ${path}`,
    path,
    syscall: 'connect',
    hint: 'start systemd-journald, or give a file: it does not run here',
  };
  const dir = check(native.openAt(AT_FDCWD, journalDirectory, O_PATH, 0), facts);
  const fd = await connectAt(dir, 'stdout');
  native.close(dir);
  check(fd, facts);
  check(native.write(fd, host.encode([id, '', info, 1, 0, 0, 0, ''].join('\n'))), { ...facts, syscall: 'write' });
  return fd;
}

function openFile(stream: string, path: string): number {
  if (path !== 'null')
    return openRegular(
      path,
      stream === 'stdin',
      `--${stream}`,
      `leave --${stream} out, and redirect runt's own stream: the process inherits it`,
    );
  const facts = { code: 'ERR_IO', message: `open /dev/null for --${stream}`, path: '/dev/null' };
  return check(native.openAt(AT_FDCWD, '/dev/null', O_RDWR, 0), facts);
}

/** @param pointer of the terminal in the config; absent if the command asks for it */
export const terminalError = (what: string, pointer?: string): RuntError =>
  new RuntError({
    code: 'ERR_TERMINAL',
    message: `${what}: the process has a terminal, so its streams cannot be files`,
    ...(pointer !== undefined && { pointer, value: true }),
  });
