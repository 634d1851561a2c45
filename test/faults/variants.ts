/** The containers with which each operation is tried. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Bed } from '../integration/bed/bed.js';
import { withUserNamespace } from '../integration/bed/config.js';
import { missing } from '../integration/bed/needs.js';
import { hookOf, type Variant } from './operations.js';

const hooks = ['prestart', 'createRuntime', 'createContainer', 'startContainer', 'poststart', 'poststop'] as const;

/** What all variants have: limits, and a root file system that the program can write to. */
function basic(bed: Bed): void {
  bed.config.root.readonly = false;
  bed.config.linux.resources.pids = { limit: 100 };
  bed.config.linux.resources.memory = { limit: 1n << 28n };
  bed.config.linux.resources.cpu = { shares: 512n };
}

const all: readonly Variant[] = [
  { name: 'plain', flags: [], hooks: [], change: basic },
  {
    name: 'hooks',
    flags: [],
    hooks,
    change(bed) {
      basic(bed);
      const source = join(bed.dir, 'log');
      mkdirSync(source);
      bed.config.mounts.push({ destination: '/log', type: 'bind', source, options: ['bind'] });
      bed.config.hooks = Object.fromEntries(hooks.map((name) => [name, [hookOf(bed, name)]]));
    },
  },
  {
    name: 'userns',
    flags: [],
    hooks: [],
    change(bed) {
      basic(bed);
      withUserNamespace(bed.config);
      execFileSync('chown', ['-R', '100000:100000', bed.rootfs]);
    },
  },
  { name: 'supervisor', flags: ['--supervise'], hooks: [], change: basic },
  {
    name: 'filter',
    flags: [],
    hooks: [],
    change(bed) {
      basic(bed);
      bed.config.linux.seccomp = {
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['personality'], action: 'SCMP_ACT_ERRNO' }],
      };
    },
  },
];

/** By systemd's manager of cgroups; only where systemd runs. */
const systemd: Variant = {
  name: 'systemd',
  globals: ['--systemd-cgroup'],
  flags: [],
  hooks: [],
  change: basic,
};

/** The variants that this machine can have. */
export const variants: readonly Variant[] = missing('systemd') === undefined ? [...all, systemd] : all;
