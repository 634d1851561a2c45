/** Kernels, and other engines' seccomp profiles, without the newer system calls: the container is the same. */
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../../integration/bed/bed.js';
import { withUserNamespace } from '../../integration/bed/config.js';
import { filtered, mountApi } from './perform.js';

const test = needing('kernels', 'root', 'programs');

/** Prints what must not depend on the kernel's age: each line of mountinfo without its numbers, and other facts. */
const script =
  "sed 's/^[0-9 :]*//; s/ \\(shared\\|master\\):[0-9]*//' /proc/self/mountinfo; grep -E '^(Cap|NoNew|Groups)' /proc/self/status; " +
  // Without times: a minute may end between two containers.
  "ls -l /dev | sed 's/ [A-Z][a-z][a-z] .*:[0-9][0-9] / /'; " +
  '(: >/x) 2>&1; (: >/data/x) 2>&1; (echo 1 >/proc/sys/kernel/panic) 2>&1; ls /proc/self/fd | wc -l';

const others = ['memfd_create', 'execveat', 'pidfd_open', 'pidfd_send_signal', 'clone3', 'openat2', 'faccessat2'];
/** Without openat2, statx and others alone, and together. move_mount alone has no fallback. */
const lacks: Record<string, string[]> = {
  'the mount API of Linux 5.2': mountApi,
  'memfd_create and the mount API': ['memfd_create', ...mountApi],
  'all newer calls, which an old Docker refuses': [...mountApi, ...others, 'close_range'],
};
for (const call of [...mountApi, ...others, 'close_range', 'statx', 'io_uring_setup'])
  if (call !== 'move_mount') lacks[call] = [call];

function prepare(bed: Bed): void {
  const data = join(bed.dir, 'data');
  mkdirSync(data);
  // An existing target gives its mode to a tmpfs, and the first container would make it for the second.
  mkdirSync(join(bed.rootfs, 'slave'));
  writeFileSync(join(data, 'file'), 'x');
  bed.config.mounts.push(
    { destination: '/data', type: 'bind', source: data, options: ['bind', 'ro', 'nosuid', 'nodev', 'noatime'] },
    { destination: '/slave', type: 'tmpfs', source: 'tmpfs', options: ['rslave', 'noexec'] },
  );
}

for (const [name, calls] of Object.entries(lacks)) {
  for (const [errno, whose] of [
    [38, 'on an older kernel'],
    [1, 'under a seccomp filter'],
  ] as const) {
    test(
      `a container is the same without ${name}, as ${whose}`,
      onBed((bed) => {
        prepare(bed);
        const program = filtered(
          bed.dir,
          calls.map((call) => `${call}=${errno}`),
        );
        for (const userNamespace of [false, true]) {
          if (userNamespace) {
            withUserNamespace(bed.config);
            // Without open_tree the bind mount is made inside, where the host's atime option is locked.
            bed.config.mounts.at(-2)?.options?.pop();
            execFileSync('chown', ['-R', '100000:100000', bed.rootfs]);
          }
          const expected = bed.out(script);
          assert.match(expected, userNamespace ? /\/data ro,nosuid,nodev,/ : /\/data ro,nosuid,nodev,noatime/);
          const r = bed.sh(script, [], { program });
          assert.is(r.code, 0, r.stderr);
          // mountinfo lists mounts in the order in which the kernel made them.
          assert.equal(r.stdout.split('\n').sort(), expected.split('\n').sort());
        }
      }),
    );
  }
}

test(
  'a container is the same without keyrings',
  onBed((bed) => {
    const expected = bed.out(script);
    assert.is(bed.sh(script, [], { program: filtered(bed.dir, ['keyctl=38']) }).stdout, expected);
  }),
);

for (const rule of ['close_range=38', 'close_range=1']) {
  test(
    `CVE-2024-21626: with ${rule}, leaked descriptors are closed all the same`,
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
