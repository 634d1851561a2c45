/** Callers of runt that are not root on the host: an ordinary user, and root of a user namespace. */
import { execFileSync, spawn } from 'node:child_process';
import { chownSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, eventually, type Result } from './bed.js';
import type { Config } from './config.js';
import { runtPath } from './place.js';

/** The ordinary user's id. */
export const me = 1000;

/**
 * Gives the bed to the user, with a config of `runt spec --rootless`, and returns a function that runs runt as that
 * user. /etc has a `subuid` and a `subgid` of the test's own there.
 */
export function asUser(bed: Bed, subordinate = `${me}:100000:65536\n`): (...args: string[]) => Result {
  for (const path of [bed.dir, bed.bundle]) chownSync(path, me, me);
  const own = join(bed.dir, 'runt');
  execFileSync('cp', [runtPath, own]);
  const passwd = readFileSync('/etc/passwd', 'utf8');
  const known = new RegExp(`^[^:]+:[^:]*:${me}:`, 'm').test(passwd);
  const files = {
    passwd: known ? passwd : `${passwd}somebody:x:${me}:${me}::/:/bin/sh\n`,
    subuid: subordinate,
    subgid: subordinate,
  };
  let binds = '';
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(bed.dir, `etc-${name}`), text);
    binds += `touch /etc/${name} && mount --bind "${bed.dir}/etc-${name}" /etc/${name} && `;
  }
  const program = join(bed.dir, 'as-user');
  const become = `setpriv --reuid ${me} --regid ${me} --clear-groups`;
  writeFileSync(
    program,
    `#!/bin/sh\nexec unshare -m --propagation private sh -c '${binds} exec ${become} "$@"' sh '${own}' "$@"\n`,
    { mode: 0o755 },
  );
  const call = (...args: string[]) =>
    bed.runt(args, { program, env: { PATH: process.env.PATH ?? '', XDG_RUNTIME_DIR: bed.dir } });
  rmSync(join(bed.bundle, 'config.json'), { force: true });
  const spec = call('spec', '--rootless', '--bundle', bed.bundle);
  assert.is(spec.code, 0, spec.stderr);
  bed.config = JSON.parse(readFileSync(join(bed.bundle, 'config.json'), 'utf8')) as Config;
  bed.config.process.terminal = false;
  return call;
}

/**
 * Runs runt as root of a new user namespace that maps the ids from 0 to the host's ids from 100000.
 * @param mounts its mount namespace: `own` belongs to the user namespace, `outer` to the host's
 */
export async function runAsRootOfANamespace(
  bed: Bed,
  mounts: 'own' | 'outer' = 'own',
  args: readonly string[] = ['run', '--bundle', bed.bundle, bed.id],
): Promise<Result> {
  for (const path of [bed.dir, bed.bundle]) chownSync(path, 100000, 100000);
  bed.write();
  // A process is root there only if it enters after the maps were written.
  const holder = spawn('unshare', ['-U', 'sleep', '60'], { stdio: 'ignore' });
  try {
    const own = readlinkSync('/proc/self/ns/user');
    await eventually('the namespace', () => readlinkSync(`/proc/${holder.pid}/ns/user`) !== own);
    for (const map of ['gid_map', 'uid_map']) writeFileSync(`/proc/${holder.pid}/${map}`, '0 100000 65536\n');
    return bed.runt(args, {
      wrapped: [
        ...['nsenter', '-t', String(holder.pid), '-U', '-S', '0', '-G', '0'],
        ...(mounts === 'own' ? ['unshare', '-m'] : []),
      ],
    });
  } finally {
    holder.kill('SIGKILL');
  }
}
