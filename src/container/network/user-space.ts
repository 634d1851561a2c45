/** pasta and slirp4netns: they connect a network namespace through the sockets of an ordinary program. */
import { printable } from '../../plan/printable-text.js';
import { callerIds } from '../../sys/caller-ids.js';
import { RuntError } from '../../sys/error.js';
import { tryReadText } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { R_OK, W_OK } from '../../sys/linux.js';
import { isInUserNamespace } from '../launch/user-namespace.js';
import { endProcesses } from './network-processes.js';
import { findProgram, runProgram } from './network-program.js';
import type { NetworkDirectory } from './network-record.js';

type UserSpaceProgram = 'pasta' | 'slirp4netns';

/** The Debian package of each. */
const packages: { readonly [N in UserSpaceProgram]: string } = { pasta: 'passt', slirp4netns: 'slirp4netns' };

/** The argument by which a program that runs is found. It is of one container, whatever became of its pid. */
const marks: { readonly [N in UserSpaceProgram]: (directory: string) => string } = {
  pasta: (directory) => `${directory}/pasta.pid`,
  slirp4netns: (directory) => `${directory}/slirp4netns.sock`,
};

/**
 * Connects the network namespace of a process, and returns when it is connected. The program runs on.
 * @throws RuntError ERR_NETWORK
 */
export async function connect(
  name: UserSpaceProgram,
  id: string,
  pid: number,
  { path }: NetworkDirectory,
): Promise<void> {
  const what = `connect ${id} by ${name}`;
  const program = findProgram(name);
  if (program === undefined) {
    throw new RuntError({
      code: 'ERR_NETWORK',
      message: `${what}: it is not installed`,
      hint: `install it (Debian: the package ${packages[name]})`,
    });
  }
  if (native.access('/dev/net/tun', R_OK | W_OK) < 0) {
    throw new RuntError({
      code: 'ERR_NETWORK',
      message: `${what}: /dev/net/tun cannot be opened`,
      path: '/dev/net/tun',
      hint: 'load the module tun and run chmod 666 /dev/net/tun, as root: udev does both',
    });
  }
  if (name === 'pasta' && callerIds().uid === 0 && !isInUserNamespace()) {
    throw new RuntError({
      code: 'ERR_NETWORK',
      message: `${what}: pasta gives up root, and then cannot open a container of root`,
      hint: 'choose bridge or slirp4netns, or run the container as an ordinary user',
    });
  }
  const mark = marks[name](path);
  const { end, stdout, stderr } =
    name === 'pasta'
      ? await runProgram(what, {
          // No port is forwarded, and the gateway's address is not that of the host's loopback.
          args: [
            program,
            '--config-net',
            '--quiet',
            '--no-map-gw',
            ...['-t', '-u', '-T', '-U'].flatMap((o) => [o, 'none']),
            '--pid',
            mark,
            String(pid),
          ],
        })
      : await runProgram(what, {
          // It stays in the foreground, and writes to descriptor 3 when the container is connected.
          args: [
            '/bin/sh',
            '-c',
            'log=$1; shift; exec 3>&1 >"$log" 2>&1 </dev/null; "$@" & ',
            'sh',
            `${path}/log`,
            ...[
              program,
              '--configure',
              '--mtu=65520',
              '--disable-host-loopback',
              '--enable-sandbox',
              '--enable-seccomp',
            ],
            ...['--ready-fd=3', '--api-socket', mark, String(pid), 'tap0'],
          ],
          untilClosed: true,
        });
  if (end.status === 0 && (name === 'pasta' || stdout === '1')) return;
  const text = name === 'pasta' ? stderr : (tryReadText(`${path}/log`) ?? '');
  const reason = end.status === 0 ? 'it ended' : `it ${end.description}`;
  throw new RuntError({
    code: 'ERR_NETWORK',
    message: `${what}: ${reason}${text && `: ${printable(text.trim().slice(-2000))}`}`,
  });
}

/** Ends the programs that connect a container. @throws RuntError ERR_NETWORK if one does not end */
export const disconnect = (id: string, { path }: NetworkDirectory): Promise<void> =>
  endProcesses(id, 'cmdline', (args) => {
    const name = args[0]?.slice(args[0].lastIndexOf('/') + 1) ?? '';
    // pasta executes a variant of itself for the CPU, such as pasta.avx2.
    return (Object.keys(marks) as UserSpaceProgram[]).some(
      (program) => (name === program || name.startsWith(`${program}.`)) && args.includes(marks[program](path)),
    );
  });
