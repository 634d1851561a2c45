/** Bundles of the benchmark: the config of a `spec` command without a terminal, and the additions of a row. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Writes the bundle `dir`: `args` in `rootfs`, with the config of `spec` (a program with a `spec` command), which
 * `change` may change. Returns `dir`.
 */
export function makeBundle(dir, spec, rootfs, args, change = () => {}) {
  mkdirSync(dir, { recursive: true });
  execFileSync(spec, ['spec'], { cwd: dir, stdio: ['ignore', 'ignore', 'inherit'] });
  const path = join(dir, 'config.json');
  const config = JSON.parse(readFileSync(path, 'utf8'));
  config.process.terminal = false;
  config.process.args = args;
  config.root.path = rootfs;
  change(config);
  writeFileSync(path, JSON.stringify(config));
  return dir;
}

/** A copy of a root file system with the directories /m/0 to /m/(count - 1), so that no runtime has to make them. */
export function rootfsWithTargets(dir, rootfs, count) {
  execFileSync('cp', ['-a', rootfs, dir]);
  for (let i = 0; i < count; i++) mkdirSync(join(dir, 'm', String(i)), { recursive: true });
  return dir;
}

/** Adds `count` mounts at /m/…: for three binds of `source`, every other of them read-only, two tmpfs. */
export function addMounts(config, count, source) {
  for (let i = 0; i < count; i++) {
    const destination = `/m/${i}`;
    config.mounts.push(
      i % 5 < 3
        ? { destination, type: 'bind', source, options: i % 2 ? ['rbind', 'ro', 'rprivate'] : ['rbind', 'rprivate'] }
        : { destination, type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', 'size=64k', 'mode=755'] },
    );
  }
}

/** Docker's default seccomp profile. */
export function addProfile(config, top) {
  config.linux.seccomp = JSON.parse(readFileSync(join(top, 'profiles', 'default.json'), 'utf8'));
}

/** Adds annotations until the config has `bytes`. */
export function padTo(config, bytes) {
  const value = 'x'.repeat(200);
  config.annotations ??= {};
  for (let left = bytes - JSON.stringify(config).length, i = 0; left > 0; left -= 230, i++) {
    config.annotations[`org.example.bench.a${100000 + i}`] = value;
  }
}

/** Adds `count` rules, each for a device of its own. */
export function addDeviceRules(config, count) {
  config.linux.resources ??= {};
  config.linux.resources.devices ??= [];
  for (let i = 0; i < count; i++) {
    const rule = { allow: true, type: 'c', major: 200 + (i >> 8), minor: i & 255, access: 'rwm' };
    config.linux.resources.devices.push(rule);
  }
}

/** A seccomp profile with `count` rules: each refuses an ioctl(2) of one number. */
export function addSeccompRules(config, count) {
  const syscalls = Array.from({ length: count }, (_, i) => ({
    names: ['ioctl'],
    action: 'SCMP_ACT_ERRNO',
    args: [{ index: 1, value: 0x10000 + i, op: 'SCMP_CMP_EQ' }],
  }));
  config.linux.seccomp = { defaultAction: 'SCMP_ACT_ALLOW', architectures: ['SCMP_ARCH_X86_64'], syscalls };
}

/** No limits and no cgroup mount: what a container without a cgroup can have. */
export function withoutCgroups(config) {
  delete config.linux.resources;
  delete config.linux.cgroupsPath;
  config.mounts = config.mounts.filter(({ type }) => type !== 'cgroup' && type !== 'cgroup2');
}
