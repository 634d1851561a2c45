/**
 * sd_notify(3) of the process: what it says on its own socket is told to who listens at NOTIFY_SOCKET of the command. As
 * runc does: that it is ready, and which process is to be watched. All else it says is read and dropped.
 */

import { notifyDirectory, notifyName } from '../../plan/process/notify-compile.js';
import { E } from '../../sys/errno.js';
import { check, RuntError } from '../../sys/error.js';
import { fdList, fdPair } from '../../sys/fds.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import { firstReadable, forget, readable, until } from '../../sys/waiting/loop.js';
import { connectTime, notifyBarrierTime } from '../../sys/waiting/time-limits.js';

/** Bytes of one message; systemd itself takes no longer ones. */
const longest = 4096;

/** Makes the directory of a container's socket, readable by all: the container's users are nobody here. -errno when it fails. */
export function makeNotifyDirectory(path: string): number {
  return native.mkdirAt(AT_FDCWD, path, 0o755);
}

/** Binds the socket in its directory; the descriptor, or -errno. Every user of the container may send. */
export function bindNotify(path: string): number {
  const dir = native.openAt(AT_FDCWD, `${path}/.`, 0, 0);
  if (dir < 0) return dir;
  // What a start that was killed has left.
  native.unlinkAt(dir, notifyName, 0);
  const fd = native.datagramBind(dir, notifyName, 0o777);
  native.close(dir);
  return fd;
}

/** For `start`: listens for a container that was created with NOTIFY_SOCKET; undefined for any other. @throws RuntError ERR_NOTIFY */
export function notifyOf(stateDir: string, address: string): Notify | undefined {
  const path = `${stateDir}/${notifyDirectory}`;
  const fd = bindNotify(path);
  if (fd === -E.ENOENT) return undefined;
  check(fd, { code: 'ERR_NOTIFY', message: `listen for sd_notify of the container in ${path}`, path, syscall: 'bind' });
  return new Notify(fd, address);
}

/** Tells a service manager that this program itself is ready (sd_notify(3)). @throws RuntError ERR_NOTIFY */
export function tellReady(address: string, status: string): void {
  const facts = { code: 'ERR_NOTIFY', message: `tell NOTIFY_SOCKET ${address} that runt is ready`, path: address };
  const socket = check(native.datagramConnect(address), { ...facts, syscall: 'connect' });
  const sent = native.sendFds(socket, new Uint8Array(0), host.encode(`READY=1\nSTATUS=${status}\n`));
  native.close(socket);
  check(sent, { ...facts, syscall: 'sendmsg' });
}

/** A socket of a container, and who is told. */
export class Notify {
  private over = false;

  constructor(
    private readonly fd: number,
    /** NOTIFY_SOCKET of the command: a path, or @ and an abstract address. */
    private readonly address: string,
  ) {}

  /**
   * Waits until the process is ready, then says so, and that `pid` is the main process. Returns too when the process behind
   * `pidfd`, if given, has ended, or at `stop`.
   * @throws RuntError ERR_NOTIFY when nobody listens
   */
  async forward(pid: number, pidfd = -1): Promise<void> {
    const fds = pidfd >= 0 ? [this.fd, pidfd] : [this.fd];
    // Looked at once more after its end: it may have said so just before.
    for (let waits = true; ; ) {
      if (this.isReady()) return this.tell(pid);
      if (!waits) return;
      waits = !this.over && (await firstReadable(fds)) === 0;
    }
  }

  /** Reads what is said from now on, until `stop`: a socket that nobody reads holds up who writes to it. */
  async drain(): Promise<void> {
    while (!this.over && (await readable(this.fd))) this.isReady();
  }

  /** Ends the waits; what was said by now is still told. */
  stop(): void {
    this.over = true;
    forget(this.fd);
  }

  close(): void {
    this.stop();
    native.close(this.fd);
  }

  /** Reads messages until none is left, or one says READY=1. */
  private isReady(): boolean {
    const data = new Uint8Array(longest);
    for (;;) {
      // Descriptors that come with it are closed.
      const n = native.receiveFds(this.fd, data, new Uint8Array(0));
      if (n < 0) return false;
      if (host.decode(data, n).split('\n').includes('READY=1')) return true;
    }
  }

  private async tell(pid: number): Promise<void> {
    const socket = native.datagramConnect(this.address);
    const failed = (errno: number, syscall: string): RuntError =>
      new RuntError({
        code: 'ERR_NOTIFY',
        message: `tell NOTIFY_SOCKET ${this.address} that the container is ready`,
        path: this.address,
        errno,
        syscall,
        hint: 'NOTIFY_SOCKET names the socket of the service manager, which must listen there',
      });
    if (socket < 0) throw failed(-socket, 'connect');
    const say = async (text: string, fds = new Uint8Array(0)) => {
      let r = -E.EAGAIN;
      await until(() => {
        r = native.sendFds(socket, fds, host.encode(text));
        return r !== -E.EAGAIN;
      }, connectTime);
      if (r < 0) throw failed(r === -E.EAGAIN ? E.ETIMEDOUT : -r, 'sendmsg');
    };
    const pipe = new Uint8Array(16);
    let [reading, writing] = [-1, -1];
    try {
      await say('READY=1\n');
      await say(`MAINPID=${pid}\n`);
      // The manager closes what it gets once it has seen all before: it must know of MAINPID before this process ends.
      if (native.pipe(pipe) < 0) return;
      [reading, writing] = fdPair(pipe);
      await say('BARRIER=1', fdList([writing]));
      native.close(writing);
      writing = -1;
      await readable(reading, notifyBarrierTime);
    } finally {
      for (const fd of [socket, reading, writing]) if (fd >= 0) native.close(fd);
    }
  }
}
