/** Descriptors beyond stdio: --preserve-fds and socket activation. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from './bed.js';
import { runtPath } from './place.js';

const test = needing('descriptors', 'root');

/** `run` by a shell that opens descriptors 3 to 6 first. */
function runWithFds(bed: Bed, environment: string, ...flags: string[]): string {
  bed.config.process.args = ['/bin/sh', '-c', 'ls /proc/1/fd | tr "\\n" " "; echo; env | grep ^LISTEN || true'];
  bed.write();
  const words = [runtPath, '--root', bed.root, 'run', '--bundle', bed.bundle, ...flags, bed.id];
  const script = `exec 3</etc/passwd 4</etc/group 5</etc/hostname 6</etc/hosts; ${environment} exec "$0" "$@"`;
  return execFileSync('sh', ['-c', script, ...words], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    cwd: join(bed.dir),
  });
}

test(
  'without --preserve-fds none is passed on',
  onBed((bed) => {
    assert.is(runWithFds(bed, ''), '0 1 2 \n');
  }),
);

test(
  '--preserve-fds 2 passes 3 and 4 and nothing else',
  onBed((bed) => {
    assert.is(runWithFds(bed, '', '--preserve-fds', '2'), '0 1 2 3 4 \n');
  }),
);

test.run();
