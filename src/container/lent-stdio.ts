/** Stdio of a command in the foreground: the process owns it (op `stdioOwner`) as long as it runs, as who logs in does a terminal. */
import { native } from '../sys/host.js';
import { AT_EMPTY_PATH } from '../sys/linux.js';

/** The uid of what is at fd; undefined where nothing is. */
function owner(fd: number): bigint | undefined {
  const stat = new BigInt64Array(8);
  return native.stat(fd, '', AT_EMPTY_PATH, new Uint8Array(stat.buffer)) < 0 ? undefined : stat[1];
}

/** Who owned 0, 1 and 2 before the launch. A detached process keeps them, as with runc: nobody waits for its end. */
export class LentStdio {
  private readonly before = [0, 1, 2].map(owner);

  /** Owners are again who they were; best effort, what it was lent for is over. */
  giveBack(): void {
    for (const [fd, uid] of this.before.entries()) {
      if (uid !== undefined && owner(fd) !== uid) native.chownAt(fd, '', uid, -1n);
    }
  }
}
