/** The machine of a measurement: a private mount namespace, the cgroup layout, and the C programs. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statfsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const top = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const build = join(top, 'build', 'bench');

/** Ends the script with an error. */
export function fail(text) {
  process.stderr.write(`bench: ${text}\n`);
  process.exit(1);
}

/** The value after `name` on the command line. */
export function option(name) {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

/** Runs the rest of this script in a private mount namespace, so that its mounts affect no other process. */
export function enterNamespace() {
  if (process.env.RUNT_BENCH_INSIDE === '1') return;
  if (process.geteuid() !== 0) fail('needs root: it makes cgroups and namespaces');
  const r = spawnSync(
    'unshare',
    ['-m', '--propagation', 'private', process.execPath, resolve(process.argv[1]), ...process.argv.slice(2)],
    { stdio: 'inherit', env: { ...process.env, RUNT_BENCH_INSIDE: '1' } },
  );
  if (r.error) fail(`unshare: ${r.error.message}`);
  process.exit(r.status ?? 1);
}

const CGROUP2 = 0x63677270; // linux/magic.h: CGROUP2_SUPER_MAGIC

/**
 * `v2`, or `v1`: crun 1.8 refuses the hybrid layout, so in this namespace an empty tmpfs replaces its v2 mount.
 */
export function cgroupLayout() {
  const unified = '/sys/fs/cgroup/unified';
  if (statfsSync('/sys/fs/cgroup').type === CGROUP2) return 'v2';
  // Once the v2 mount is gone crun writes plain files to its mount point.
  if (existsSync(unified) && statfsSync(unified).type === CGROUP2) {
    execFileSync('umount', [unified]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1g', 'tmpfs', unified]);
  }
  return 'v1';
}

/** The path of a program on PATH; undefined if there is none. */
export function which(name) {
  return (process.env.PATH ?? '')
    .split(':')
    .map((dir) => join(dir || '.', name))
    .find(existsSync);
}

/** Compiles a C program of this folder, static, if it is newer than the program. Returns the program's path. */
export function compile(name) {
  mkdirSync(build, { recursive: true });
  const source = join(top, 'hack', 'bench', `${name}.c`);
  const program = join(build, name);
  if (existsSync(program) && statSync(program).mtimeMs > statSync(source).mtimeMs) return program;
  const musl = which('musl-gcc');
  const multiarch = () => execFileSync('cc', ['-print-multiarch'], { encoding: 'utf8' }).trim();
  // musl has no headers of the kernel.
  const headers = musl ? ['-idirafter', '/usr/include', '-idirafter', `/usr/include/${multiarch()}`] : [];
  const flags = ['-std=c11', '-Wall', '-Wextra', '-Werror', '-O2', '-static', '-s'];
  execFileSync(musl ?? 'cc', [...flags, ...headers, '-o', program, source], { stdio: 'inherit' });
  return program;
}

/** The static root file system of the bundles. */
export function rootfs() {
  const dir = join(top, 'build', 'rootfs');
  execFileSync(join(top, 'hack', 'rootfs'), [dir], { stdio: 'inherit' });
  return dir;
}
