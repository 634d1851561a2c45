/** The OOM score and the cgroup of a new server. */
import { readCgroupFacts } from '../../cgroup/cgroup-facts.js';
import { RuntError } from '../../sys/error.js';
import { exists, readText, tryReadText } from '../../sys/fs.js';
import { host, native } from '../../sys/host.js';
import { AT_FDCWD } from '../../sys/linux.js';
import type { google } from '../transport/protos.js';
import { StatusError } from '../transport/status-code.js';
import { runtimeOptions } from './runtime-options.js';

const maxOomScore = 1000;

/**
 * Sets the server's OOM score to containerd's (our parent's) plus one, and moves it to the cgroup of the option
 * `shim_cgroup`, if set. Kills the server if that fails. @throws RuntError ERR_SHIM
 */
export async function setUpServer(pid: number, options: google.protobuf.Any.$Properties): Promise<void> {
  const parent = /^PPid:\s*(\d+)/m.exec(readText('/proc/self/status'))?.[1];
  const score = Math.min(Number(tryReadText(`/proc/${parent}/oom_score_adj`) ?? 0) + 1, maxOomScore);
  native.writeFile(AT_FDCWD, `/proc/${pid}/oom_score_adj`, 0, 0, host.encode(String(score)));
  const cgroup = await cgroupOf(options);
  if (cgroup) moveToCgroup(pid, cgroup);
}

/** Empty for invalid options: Create gets the same options and reports the error. */
async function cgroupOf(options: google.protobuf.Any.$Properties): Promise<string> {
  try {
    return (await runtimeOptions(options)).shimCgroup;
  } catch (error) {
    if (error instanceof StatusError) return '';
    throw error;
  }
}

/** Moves a process to the cgroup `path` in every hierarchy that has it. */
function moveToCgroup(pid: number, path: string): void {
  const { v1, unified } = readCgroupFacts();
  const files = [...v1, ...(unified ? [unified] : [])].map((h) => `${h.mountPoint}/${path}/cgroup.procs`);
  const existing = files.filter((file) => exists(file));
  const written = existing.map((file) => native.writeFile(AT_FDCWD, file, 0, 0, host.encode(String(pid))));
  const failed = written.find((r) => r < 0);
  if (existing.length > 0 && failed === undefined) return;
  // The pid cannot be another process's: it is our child, and not reaped yet.
  native.killProcess(pid, 9);
  throw new RuntError({
    code: 'ERR_SHIM',
    message: `put the shim into the cgroup ${path}`,
    ...(failed !== undefined && { errno: -failed }),
    hint: 'make the cgroup first, or correct the runtime option shim_cgroup',
  });
}
