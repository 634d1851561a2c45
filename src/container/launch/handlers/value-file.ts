/** The cgroup file that a launch wrote last. */
import { OwnedFd } from '../../../sys/fds.js';
import { native } from '../../../sys/host.js';
import { AT_FDCWD, O_TRUNC, O_WRONLY } from '../../../sys/linux.js';

/** Stays open for further values: each rule of a v1 device list is a write to devices.allow. */
export class ValueFile {
  private path = '';
  private file: OwnedFd | undefined;

  /** Writes one value. @returns a number ≥ 0 or -errno */
  write(path: string, value: Uint8Array): number {
    if (path !== this.path) {
      this.close();
      const fd = native.openAt(AT_FDCWD, path, O_WRONLY | O_TRUNC, 0);
      if (fd < 0) return fd;
      this.file = new OwnedFd(fd);
      this.path = path;
    }
    return native.writeOnce(this.file!.number, value);
  }

  close(): void {
    this.file?.close();
    this.path = '';
  }
}
