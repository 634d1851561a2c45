/** runt-init compiles with each musl: since 1.2.4, sys/stat.h has a struct statx that lacks stx_mnt_id. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing } from '../../integration/bed/bed.js';

const test = needing('libc-headers', 'musl-gcc');

/** What an older musl lacks of the newer one's header. */
const NEWER = `#define _GNU_SOURCE
#include <sys/stat.h>
#ifndef STATX_TYPE
#define STATX_TYPE 1U
struct statx_timestamp { long long tv_sec; unsigned tv_nsec, __pad; };
struct statx { unsigned stx_mask; };
int statx(int, const char *, int, unsigned, struct statx *);
#endif
`;

test('a struct statx of the C library is not that of the kernel', () => {
  const dir = mkdtempSync(join(tmpdir(), 'runt-headers-'));
  try {
    writeFileSync(join(dir, 'newer.h'), NEWER);
    const flags = ['-std=gnu11', '-Werror', '-fsyntax-only', '-Ibuild/gen', '-idirafter', 'build/kernel'];
    const sources = ['mounts/mountinfo.c', 'proc.c'].map((name) => `native/init/${name}`);
    const r = spawnSync('musl-gcc', [...flags, '-include', join(dir, 'newer.h'), ...sources], { encoding: 'utf8' });
    assert.is(r.stderr, '');
    assert.is(r.status, 0);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test.run();
