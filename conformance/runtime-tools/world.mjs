// One validation program with one runtime in a separate bed, and the removal of what it left.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { assertions } from './tap.mjs';

/** The most seconds for one program; the slowest that ends by itself waits 12 s for a container. */
const LIMIT = 60;
/** In User Mode Linux, where a system call takes ten times as long. */
const SLOW_LIMIT = 300;
const here = import.meta.dirname ?? new URL('.', import.meta.url).pathname;
let count = 0;
let running;

/** Kills the running program, if there is one; what it left is removed as usual. */
export function stop() {
  if (running !== undefined) process.kill(-running, 'SIGKILL');
}

/**
 * Runs a program. Its outcome is `passed` (it asserted something and everything holds, or it writes no TAP and exits
 * with 0), `skipped` (it exited with 0, but asserted nothing or skipped everything), or `failed`; with its stderr and
 * its assertions.
 * @param {string} program name of the program in `${directory}/programs`
 * @param {{command: string, unified: boolean, systemd: boolean, slow: boolean}} runtime its path; whether it supports
 * the hybrid layout; whether systemd makes its cgroups; whether it runs slowly
 */
export async function run(program, runtime, directory) {
  const cgroup = `runt-judge-${process.pid}-${++count}`;
  const tmp = join(directory, `tmp-${process.pid}`);
  const files = ['out', 'err'].map((name) => join(directory, `${name}-${process.pid}`));
  mkdirSync(tmp, { recursive: true });
  const [out, err] = files.map((file) => openSync(file, 'w'));
  const limit = runtime.slow ? SLOW_LIMIT : LIMIT;
  // systemd accepts no pid of another namespace, and makes cgroups in its own: the machine is the bed.
  const bed = runtime.systemd
    ? [join(here, 'bed'), '--systemd', tmp, join(directory, 'programs', program)]
    : [join(here, 'bed'), cgroup, runtime.unified ? '0' : '1', tmp, join(directory, 'programs', program)];
  try {
    // A separate process group: after the time limit unshare(1) is killed, and with it the whole pid namespace.
    const child = spawn(bed[0], bed.slice(1), {
      cwd: directory,
      env: { PATH: process.env.PATH, HOME: '/', RUNTIME: runtime.command },
      stdio: ['ignore', out, err],
      detached: true,
    });
    running = child.pid;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      stop();
    }, limit * 1000);
    const status = await new Promise((done, fail) => {
      child.on('error', fail);
      child.on('exit', (code, signal) => done(code ?? signal));
    });
    running = undefined;
    clearTimeout(timer);
    const [stdout, stderr] = files.map((file) => readFileSync(file, 'utf8'));
    const asserted = assertions(stdout);
    const states = [...asserted.values()];
    const bad = status !== 0 || states.includes('failed');
    return {
      outcome: bad ? 'failed' : states.includes('passed') || !stdout.includes('TAP version') ? 'passed' : 'skipped',
      asserted,
      late,
      ended: late ? `still ran after ${limit} s` : status === 0 ? '' : `ended with ${status}`,
      stderr: stderr.trim(),
    };
  } finally {
    closeSync(out);
    closeSync(err);
    for (const file of files) rmSync(file, { force: true });
    if (runtime.systemd)
      spawnSync('systemctl', ['stop', 'runt-*.scope', 'crun-*.scope', 'runc-*.scope'], { stdio: 'ignore' });
    else await removeCgroups(cgroup);
    rmdirSync(tmp);
  }
}

/** Removes the bed's cgroup in each hierarchy, from the leaves up; its processes have ended or are about to. */
async function removeCgroups(name) {
  for (const line of readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
    const [mount, fileSystem] = line.split(' - ');
    if (/^cgroup2? /.test(fileSystem ?? '')) await removeTree(join(mount.split(' ')[4], name));
  }
}

async function removeTree(directory) {
  let below;
  try {
    below = readdirSync(directory, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  } catch {
    return;
  }
  for (const { name } of below) await removeTree(join(directory, name));
  for (let tries = 0; ; tries++) {
    try {
      rmdirSync(directory);
      return;
    } catch (error) {
      if (error.code === 'ENOENT') return;
      if (error.code !== 'EBUSY' || tries === 100) throw error;
      // A killed process leaves its cgroup a little later.
      await new Promise((done) => setTimeout(done, 50));
    }
  }
}
