/** A container that an engine runs on runt, to see that its config works. */

import { type ProgramResult, runProgram } from '../container/launch/program-output.js';
import { RuntError } from '../sys/error.js';
import { makeDir, readBytes, writeFile } from '../sys/fs.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD, O_CREAT, O_EXCL } from '../sys/linux.js';
import { version } from '../sys/runt-version.js';
import { engineAnswerTime, engineRunTime } from '../sys/waiting/time-limits.js';
import { type EngineName, shimOf } from './engine.js';
import type { HostTree } from './host-tree.js';

/** What came of a trial: `ran`, or why it was not tried. */
type TrialEnd = { readonly ran: true } | { readonly ran: false; readonly why: string };

interface TrialHost {
  readonly tree: HostTree;
  /** Path of runt, which is also the program of the container. */
  readonly program: string;
}

const trials: { readonly [N in EngineName]: (h: TrialHost, directory: string, id: string) => Promise<TrialEnd> } = {
  async podman({ tree }, directory, id) {
    const path = tree.program('podman');
    if (path === undefined) return notThere('podman');
    const flags = ['--runtime', 'runt', 'run', '--rm', '--name', id, '--network', 'none', '--log-driver', 'none'];
    return judged(
      await runProgram([path, ...flags, '--rootfs', `${directory}/rootfs`, '/runt', '--version'], {
        timeout: engineRunTime,
      }),
    );
  },

  async containerd({ tree, program }, directory, id) {
    const path = tree.program('ctr');
    if (path === undefined) return notThere('ctr');
    if ((await runProgram([path, 'version'], { timeout: engineAnswerTime })).status !== 0)
      return doesNotRun('containerd');
    const flags = ['run', '--rm', '--rootfs', '--runtime', shimOf(program), `${directory}/rootfs`, id];
    return judged(await runProgram([path, ...flags, '/runt', '--version'], { timeout: engineRunTime }));
  },

  async docker({ tree }, directory, id) {
    const path = tree.program('docker');
    if (path === undefined) return notThere('docker');
    const info = await runProgram([path, 'info', '--format', '{{json .Runtimes}}'], { timeout: engineAnswerTime });
    if (info.status !== 0) return doesNotRun('dockerd');
    if (!info.output.includes('"runt"'))
      return { ran: false, why: 'dockerd has not read its config yet: add --restart' };
    const image = await runProgram([path, 'import', tarOf(directory), `${id}:trial`], { timeout: engineRunTime });
    if (image.status !== 0) return judged(image);
    try {
      const flags = ['run', '--rm', '--name', id, '--runtime', 'runt', '--network', 'none', `${id}:trial`];
      return judged(await runProgram([path, ...flags, '/runt', '--version'], { timeout: engineRunTime }));
    } finally {
      await runProgram([path, 'rmi', '--force', `${id}:trial`], { timeout: engineRunTime });
    }
  },

  async crio() {
    return { ran: false, why: 'CRI-O runs pods only: apply a RuntimeClass with handler "runt", and a pod of it' };
  },
};

const notThere = (name: string): TrialEnd => ({ ran: false, why: `${name} is not installed` });
const doesNotRun = (name: string): TrialEnd => ({ ran: false, why: `${name} does not run` });

/** @throws RuntError ERR_INSTALL with the output of the engine */
function judged({ status, output }: ProgramResult): TrialEnd {
  if (status === 0 && output.includes(`runt version ${version()}`)) return { ran: true };
  const message = `run a container: the engine ended with status ${status}: ${output.trim().slice(-1000)}`;
  throw new RuntError({ code: 'ERR_INSTALL', message, hint: 'run "runt doctor"; what was written is removed again' });
}

/** Runs a container of one program, runt itself. @throws RuntError ERR_INSTALL, ERR_PROGRAM, ERR_IO */
export async function tryEngine(name: EngineName, h: TrialHost): Promise<TrialEnd> {
  const id = `runt-install-${native.pid()}-${native.monotonic()}`;
  const directory = `/var/tmp/${id}`;
  makeDir(directory, 0o755);
  try {
    makeDir(`${directory}/rootfs`);
    for (const path of ['proc', 'dev', 'sys', 'etc', 'run', 'tmp']) makeDir(`${directory}/rootfs/${path}`);
    writeFile(`${directory}/rootfs/runt`, readBytes(h.tree.outer(h.program)), O_CREAT | O_EXCL, 0o755);
    return await trials[name](h, directory, id);
  } finally {
    native.removeTree(AT_FDCWD, directory);
  }
}

/** A tar archive (POSIX ustar) with the program as /runt. @returns its path */
function tarOf(directory: string): string {
  const data = readBytes(`${directory}/rootfs/runt`);
  const octal = (n: number, digits: number): string => `${n.toString(8).padStart(digits, '0')}\0`;
  const fields = (sum: string): string =>
    `${'runt'.padEnd(100, '\0')}${octal(0o755, 7)}${octal(0, 7)}${octal(0, 7)}${octal(data.length, 11)}${octal(0, 11)}${sum}0${''.padEnd(100, '\0')}ustar\x0000`;
  const header = host.encode(fields('        ').padEnd(512, '\0'));
  const sum = header.reduce((all, byte) => all + byte, 0);
  const all = new Uint8Array(512 + Math.ceil(data.length / 512) * 512 + 1024);
  all.set(host.encode(fields(`${sum.toString(8).padStart(6, '0')}\0 `).padEnd(512, '\0')));
  all.set(data, 512);
  const path = `${directory}/image.tar`;
  writeFile(path, all, O_CREAT | O_EXCL, 0o600);
  return path;
}
