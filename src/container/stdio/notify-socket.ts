/** sd_notify(3) of the process, forwarded to the command's NOTIFY_SOCKET: only READY and the main pid, as in runc. */

import { notifyDirectory, notifyName } from '../../plan/process/notify-compile.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { fdList, fdPair } from '../../sys/fds.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { firstReadable, forget, pollUntil, readable } from '../../sys/waiting/loop.js';
import { connectTime, notifyBarrierTime } from '../../sys/waiting/time-limits.js';

/** Bytes of one message; systemd does not accept longer ones. */
const maxMessage = 4096;

/** Makes the directory of a container's socket, readable by all: its users are unmapped here. @returns 0 or -errno */
export function makeNotifyDirectory(path: string): number {
  return native.mkdirAt(AT_FDCWD, path, 0o755);
}

/** Binds the socket in its directory, writable for every user of the container. @returns the descriptor, or -errno */
export function bindNotify(path: string): number {
  const dir = native.openAt(AT_FDCWD, `${path}/.`, 0, 0);
  if (dir < 0) return dir;
  // A killed start may have left one.
  native.unlinkAt(dir, notifyName, 0);
  const fd = native.datagramBind(dir, notifyName, 0o777);
  native.close(dir);
  return fd;
}

/** For `start`: listens if the create had a NOTIFY_SOCKET, else undefined. @throws RuntError ERR_NOTIFY */
export function notifyOf(stateDir: string, address: string): Notify | undefined {
  const path = `${stateDir}/${notifyDirectory}`;
  const fd = bindNotify(path);
  if (fd === -E.ENOENT) return undefined;
  check(fd, { code: 'ERR_NOTIFY', message: `listen for sd_notify of the container in ${path}`, path, syscall: 'bind' });
  return new Notify(fd, address);
}

/**
 * Notifies a service manager of this program (sd_notify(3)).
 * @param lines such as `READY=1`
 * @param what what they say, as a clause that follows "that"
 * @throws RuntError ERR_NOTIFY
 */
export function notifyService(address: string, lines: readonly string[], what: string): void {
  const facts = { code: 'ERR_NOTIFY', message: `tell NOTIFY_SOCKET ${address} that ${what}`, path: address };
  const socket = check(native.datagramConnect(address), { ...facts, syscall: 'connect' });
  const sent = native.sendFds(socket, new Uint8Array(0), host.encode(lines.map((line) => `${line}\n`).join('')));
  native.close(socket);
  check(sent, { ...facts, syscall: 'sendmsg' });
}

/** A container's socket, and the address to forward to. */
export class Notify {
  private isStopped = false;

  constructor(
    private readonly fd: number,
    /** NOTIFY_SOCKET of the command: a path, or @ and an abstract address. */
    private readonly address: string,
  ) {}

  /**
   * Waits for the process's READY=1, then sends READY=1 and `pid` as MAINPID. Also returns when the process behind
   * `pidfd`, if any, has ended, or at `stop`.
   * @throws RuntError ERR_NOTIFY if the service manager does not listen
   */
  async forward(pid: number, pidfd = -1): Promise<void> {
    const fds = pidfd >= 0 ? [this.fd, pidfd] : [this.fd];
    // Check once more after its end: it may have sent READY=1 just before.
    for (let waits = true; ; ) {
      if (this.isReady()) return this.notifyManager(pid);
      if (!waits) return;
      waits = !this.isStopped && (await firstReadable(fds)) === 0;
    }
  }

  /** Reads and drops messages until `stop`: a full socket would block its senders. */
  async drain(): Promise<void> {
    while (!this.isStopped && (await readable(this.fd))) this.isReady();
  }

  /** Ends the waits; messages that have arrived are still forwarded. */
  stop(): void {
    this.isStopped = true;
    forget(this.fd);
  }

  close(): void {
    this.stop();
    native.close(this.fd);
  }

  /** Reads messages until none is left or one has READY=1. */
  private isReady(): boolean {
    const data = new Uint8Array(maxMessage);
    for (;;) {
      // This closes descriptors sent with the message.
      const n = native.receiveFds(this.fd, data, new Uint8Array(0));
      if (n < 0) return false;
      if (host.decode(data, n).split('\n').includes('READY=1')) return true;
    }
  }

  private async notifyManager(pid: number): Promise<void> {
    const socket = native.datagramConnect(this.address);
    const notifyError = (errno: number, syscall: string): RuntError =>
      new RuntError({
        code: 'ERR_NOTIFY',
        message: `tell NOTIFY_SOCKET ${this.address} that the container is ready`,
        path: this.address,
        errno,
        syscall,
        hint: 'unset NOTIFY_SOCKET, or start the service manager that listens there',
      });
    if (socket < 0) throw notifyError(-socket, 'connect');
    const send = async (text: string, fds = new Uint8Array(0)) => {
      let r = -E.EAGAIN;
      await pollUntil(() => {
        r = native.sendFds(socket, fds, host.encode(text));
        return r !== -E.EAGAIN;
      }, connectTime);
      if (r < 0) throw notifyError(r === -E.EAGAIN ? E.ETIMEDOUT : -r, 'sendmsg');
    };
    const pipe = new Uint8Array(16);
    let [reading, writing] = [-1, -1];
    try {
      await send('READY=1\n');
      await send(`MAINPID=${pid}\n`);
      // The manager closes the descriptor after it has processed MAINPID. This process must not end before that.
      if (native.pipe(pipe) < 0) return;
      [reading, writing] = fdPair(pipe);
      await send('BARRIER=1', fdList([writing]));
      native.close(writing);
      writing = -1;
      await readable(reading, notifyBarrierTime);
    } finally {
      for (const fd of [socket, reading, writing]) if (fd >= 0) native.close(fd);
    }
  }
}
