/** The terminal of a restored container, and the transfer of its master from criu. */

import { check, RuntError } from '../../sys/error.js';
import { fdList, fdPair } from '../../sys/fds.js';
import { host, native } from '../../sys/host.js';
import { connectTo } from '../../sys/sockets/unix-socket.js';
import type { Terminal } from '../stdio/foreground-terminal.js';

/**
 * Sends the master to the console socket, as runt-init does, or attaches it to the caller's terminal. Closes it.
 * @throws RuntError ERR_TERMINAL
 */
export async function passMaster(
  what: string,
  master: number,
  terminal: Terminal | undefined,
  consoleSocket: string | undefined,
): Promise<void> {
  let socket = -1;
  try {
    if (terminal) {
      const pair = new Uint8Array(16);
      check(native.socketPair(pair), { code: 'ERR_TERMINAL', message: `${what}: make a socket pair for the terminal` });
      const [ours, theirs] = fdPair(pair);
      socket = theirs;
      sendMaster(what, socket, master);
      await terminal.attach(ours);
      return;
    }
    if (consoleSocket === undefined) {
      throw new RuntError({
        code: 'ERR_TERMINAL',
        message: `${what}: the images have a terminal, and process.terminal is not true`,
        pointer: '/process/terminal',
        hint: 'set process.terminal to true, and add --console-socket',
      });
    }
    socket = check(await connectTo(consoleSocket), {
      code: 'ERR_TERMINAL',
      message: `${what}: connect to the console socket ${consoleSocket} (--console-socket)`,
      path: consoleSocket,
    });
    sendMaster(what, socket, master);
  } finally {
    native.close(master);
    if (socket >= 0) native.close(socket);
  }
}

function sendMaster(what: string, socket: number, master: number): void {
  const sent = native.sendFds(socket, fdList([master]), host.encode('/dev/ptmx'));
  check(sent, { code: 'ERR_TERMINAL', message: `${what}: send the terminal`, syscall: 'sendmsg' });
}
