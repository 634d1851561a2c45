/** Where the server is put when it starts: its score for the OOM killer, and its cgroup. */
import { readCgroupFacts } from '../../cgroup/cgroup-facts.js';
import { RuntError } from '../../sys/error.js';
import { exists, readText, tryReadText } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import type { google } from '../transport/protos.js';
import { StatusError } from '../transport/status-code.js';
import { runtimeOptions } from './runtime-options.js';

const worst = 1000;

/**
 * The server gets a score one worse than that of containerd, which started this process, and the cgroup that the runtime's options
 * name (`shim_cgroup`), if they do. The server is ended when that cannot be. @throws RuntError ERR_SHIM
 */
export async function prepare(pid: number, options: google.protobuf.Any.$Properties): Promise<void> {
  const parent = /^PPid:\s*(\d+)/m.exec(readText('/proc/self/status'))?.[1];
  const score = Math.min(Number(tryReadText(`/proc/${parent}/oom_score_adj`) ?? 0) + 1, worst);
  native.writeFile(AT_FDCWD, `/proc/${pid}/oom_score_adj`, 0, 0, host.encode(String(score)));
  const cgroup = await cgroupOf(options);
  if (cgroup) enter(pid, cgroup);
}

/** Empty when the options cannot be taken: Create gets them too, and says why. */
async function cgroupOf(options: google.protobuf.Any.$Properties): Promise<string> {
  try {
    return (await runtimeOptions(options)).shimCgroup;
  } catch (error) {
    if (error instanceof StatusError) return '';
    throw error;
  }
}

/** Into the cgroup of that path in every hierarchy that has it. */
function enter(pid: number, path: string): void {
  const { v1, unified } = readCgroupFacts();
  const places = [...v1, ...(unified ? [unified] : [])].map((h) => `${h.mountPoint}/${path}/cgroup.procs`);
  const there = places.filter((file) => exists(file));
  const written = there.map((file) => native.writeFile(AT_FDCWD, file, 0, 0, host.encode(String(pid))));
  const failed = written.find((r) => r < 0);
  if (there.length > 0 && failed === undefined) return;
  // A child of this process that nobody has reaped: the pid is its own.
  native.killProcess(pid, 9);
  throw new RuntError({
    code: 'ERR_SHIM',
    message: `put the shim into the cgroup ${path}`,
    ...(failed !== undefined && { errno: -failed }),
    hint: 'it must be there already (the runtime option shim_cgroup)',
  });
}
