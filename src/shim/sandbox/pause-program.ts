/** The root file system of a pod's first process: one program of a few KB, which is part of this one. */
import { check } from '../../sys/error.js';
import { makeDir, writeFile } from '../../sys/fs.js';
import { native } from '../../sys/host.js';
import { O_CREAT, O_TRUNC } from '../../sys/linux.js';
import { pausePath } from './pod-spec.js';

/** Also makes the mount points: root of a user namespace may not write here. @throws RuntError ERR_IO */
export function makePauseRoot(rootfs: string): void {
  for (const path of ['', '/proc', '/dev']) makeDir(`${rootfs}${path}`);
  const program = new Uint8Array(64 << 10);
  const size = check(native.pauseProgram(program), { code: 'ERR_IO', message: 'copy the program pause' });
  writeFile(`${rootfs}${pausePath}`, program.subarray(0, size), O_CREAT | O_TRUNC, 0o555);
}
