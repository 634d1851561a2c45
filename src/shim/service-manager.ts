/** The service manager that started a server, such as systemd: its socket, readiness, and watchdog. */

import { notifyService } from '../container/stdio/notify-socket.js';
import { checkOpen, listenFds } from '../container/stdio/preserved-descriptors.js';
import { printable } from '../plan/printable-text.js';
import { RuntError } from '../sys/error.js';
import { readLink, readText } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { sleep } from '../sys/waiting/loop.js';

/** The first descriptor of sd_listen_fds(3). */
const firstSocket = 3;

export class ServiceManager {
  private isStopping = false;

  /** The listening socket that it passed (LISTEN_FDS); undefined for none. @throws RuntError ERR_USAGE */
  listener(): { readonly fd: number; readonly path: string } | undefined {
    const passed = listenFds(host.env, 'named');
    if (!passed) return undefined;
    const what = `LISTEN_FDS=${passed.count}`;
    checkOpen(firstSocket, what, 'open the socket as descriptor 3 before you run runt');
    const inode = /^socket:\[(\d+)\]$/.exec(readLink(`/proc/self/fd/${firstSocket}`))?.[1];
    const path = inode && socketPath(readText('/proc/net/unix'), inode);
    if (passed.count === 1 && path) return { fd: firstSocket, path };
    throw new RuntError({
      code: 'ERR_USAGE',
      message: `${what}: serve needs one listening unix socket with a path`,
      hint: 'give the socket unit one line, such as ListenStream=/run/runt/serve.sock',
    });
  }

  /** Reports readiness on stderr and to the service manager, so that neither has to poll the socket. */
  ready(sentence: string): void {
    writeLine(sentence);
    this.notify([`READY=1`, `STATUS=${sentence}`], 'runt is ready');
    void this.feedWatchdog();
  }

  stopping(): void {
    this.isStopping = true;
    this.notify(['STOPPING=1'], 'runt stops');
  }

  /** Shows twice in each period of the watchdog that the event loop turns (sd_watchdog_enabled(3)). */
  private async feedWatchdog(): Promise<void> {
    const [usec, pid] = [host.env.WATCHDOG_USEC ?? '', host.env.WATCHDOG_PID];
    if (!/^[1-9]\d{0,15}$/.test(usec) || (pid && pid !== String(native.pid()))) return;
    const pause = Math.max(1, Math.floor(Number(usec) / 2000));
    while (!this.isStopping) {
      this.notify(['WATCHDOG=1'], 'runt works');
      await sleep(pause);
    }
  }

  private notify(lines: readonly string[], what: string): void {
    const { NOTIFY_SOCKET } = host.env;
    if (!NOTIFY_SOCKET) return;
    try {
      notifyService(NOTIFY_SOCKET, lines, what);
    } catch (error) {
      writeLine(`warning: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** The path of a socket in the text of /proc/net/unix; undefined for none. */
export function socketPath(table: string, inode: string): string | undefined {
  // Num RefCount Protocol Flags Type St Inode Path
  for (const line of table.split('\n')) {
    const [, found, path] = /^\S+: \S+ \S+ \S+ \S+ \S+ +(\d+) (\/.*)$/.exec(line) ?? [];
    if (found === inode) return path;
  }
  return undefined;
}

const writeLine = (text: string): void => {
  native.write(2, host.encode(`runt: ${printable(text)}\n`));
};
