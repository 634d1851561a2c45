/** errno names and texts, compared with the C library of the machine for every number. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { E, errnoName, errnoText } from '../../src/sys/errno.js';

/** strerrorname_np(3) and strerror(3) of 1…140. */
const program = `#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
int main(void) {
  for (int n = 1; n <= 140; n++) {
    const char *name = strerrorname_np(n);
    printf("%d\\t%s\\t%s\\n", n, name ? name : "", strerror(n));
  }
}
`;

test('names and texts are those of glibc', () => {
  const dir = mkdtempSync(join(tmpdir(), 'runt-errno-'));
  writeFileSync(join(dir, 'a.c'), program);
  execFileSync('gcc', ['-o', join(dir, 'a'), join(dir, 'a.c')]);
  const lines = execFileSync(join(dir, 'a'), { encoding: 'utf8', env: { LC_ALL: 'C' } })
    .trimEnd()
    .split('\n');
  rmSync(dir, { recursive: true });
  assert.is(lines.length, 140);
  for (const line of lines) {
    const [number, name, text] = line.split('\t') as [string, string, string];
    assert.is(errnoText(Number(number)), text);
    assert.is(errnoName(Number(number)), name || `errno ${number}`);
    if (name) assert.is(E[name as keyof typeof E], Number(number));
  }
});

test('numbers outside of the table have a text too', () => {
  for (const n of [0, -1, 4095]) {
    assert.is(errnoName(n), `errno ${n}`);
    assert.is(errnoText(n), `Unknown error ${n}`);
  }
});

test.run();
