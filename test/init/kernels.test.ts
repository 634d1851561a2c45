/** Kernels, and other engines' seccomp profiles, without the newer system calls: the container is the same. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../integration/bed.js';
import { filtered } from './perform.js';

const test = needing('kernels', 'root', 'programs');

/** What of the container must not depend on the kernel's age: each line of mountinfo without its numbers, the rest. */
const script =
  "sed 's/^[0-9 :]*//; s/ \\(shared\\|master\\):[0-9]*//' /proc/self/mountinfo; grep -E '^(Cap|NoNew|Groups)' /proc/self/status; ls -l /dev; " +
  '(: >/x) 2>&1; (: >/data/x) 2>&1; (echo 1 >/proc/sys/kernel/panic) 2>&1; ls /proc/self/fd | wc -l';

const lacks: Record<string, string[]> = {
  'openat2 (before 5.6)': ['openat2=38'],
  'openat2, by a filter': ['openat2=1'],
  'close_range (before 5.9)': ['close_range=38'],
  'close_range, by a filter': ['close_range=1'],
  'mount_setattr (before 5.12)': ['mount_setattr=38'],
  'key rings': ['keyctl=38'],
  'all of these': ['openat2=38', 'close_range=38', 'mount_setattr=38', 'keyctl=38'],
};

function prepare(bed: Bed): void {
  const data = join(bed.dir, 'data');
  mkdirSync(data);
  // A target that is there gives its mode to a tmpfs, and the first container would make it for the second.
  mkdirSync(join(bed.rootfs, 'slave'));
  writeFileSync(join(data, 'file'), 'x');
  bed.config.mounts.push(
    { destination: '/data', type: 'bind', source: data, options: ['bind', 'ro', 'nosuid', 'nodev', 'noatime'] },
    { destination: '/slave', type: 'tmpfs', source: 'tmpfs', options: ['rslave', 'noexec'] },
  );
}

for (const [name, rules] of Object.entries(lacks)) {
  test(
    `without ${name}`,
    onBed((bed) => {
      prepare(bed);
      const expected = bed.out(script);
      assert.match(expected, /\/data ro,nosuid,nodev,noatime/);
      const r = bed.sh(script, [], { program: filtered(bed.dir, rules) });
      assert.is(r.code, 0, r.stderr);
      assert.is(r.stdout, expected);
    }),
  );
}

for (const rule of ['close_range=38', 'close_range=1']) {
  test(
    `${rule}: leaked descriptors are closed all the same (CVE-2024-21626)`,
    onBed((bed) => {
      bed.config.process.args = ['/bin/sh', '-c', 'ls /proc/self/fd'];
      bed.write();
      const host = openSync('/', 'r');
      const leaked = Array.from({ length: 200 }, () => host);
      const args = ['--root', bed.root, 'run', '--bundle', bed.bundle, '--preserve-fds', '2', bed.id];
      const r = spawnSync(filtered(bed.dir, [rule]), args, {
        stdio: ['ignore', 'pipe', 'pipe', ...leaked],
        encoding: 'utf8',
      });
      closeSync(host);
      assert.is(r.stderr, '');
      assert.is(r.stdout, '0\n1\n2\n3\n4\n5\n');
    }),
  );
}

test.run();
