/** A pid namespace of a test's own, whose process 1 is a shell: it reaps orphans at once, and can limit the pids. */
import { spawnSync } from 'node:child_process';

/**
 * Runs this test file again in the namespace, after a shell script, with `env` added to its environment.
 * @param stdio `inherit`, or what the result has to hold
 */
export function runInside(
  script: string,
  env: Record<string, string>,
  options: { stdio: 'inherit' } | { encoding: 'utf8'; timeout: number; killSignal: 'SIGKILL' },
): { status: number | null; stdout: string; stderr: string } {
  const command = [process.execPath, '--enable-source-maps', process.argv[1]!];
  // Not Node.js as process 1: it would not reap orphans.
  const shell = ['sh', '-c', `${script} "$@"; exit $?`, 'sh', ...command];
  const args = ['--pid', '--fork', '--kill-child', '--mount-proc', ...shell];
  const { status, stdout, stderr } = spawnSync('unshare', args, { env: { ...process.env, ...env }, ...options });
  return { status, stdout: String(stdout ?? ''), stderr: String(stderr ?? '') };
}
