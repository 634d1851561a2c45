/**
 * The allocator of the static binary (native/quickjs/memory.c, slabs.c) compared with a model, with the address
 * sanitizer.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const quickjs = 'build/quickjs/source';
const flags = '-std=gnu11 -g -O1 -Wall -Wextra -Werror -fsanitize=address,undefined -fno-sanitize-recover=undefined';

/** Builds the model with more flags, runs it, and returns its result. */
function run(lives: number, seed: number, ...more: string[]): { status: number | null; stderr: string } {
  const dir = mkdtempSync(join(tmpdir(), 'runt-memory-'));
  try {
    const program = join(dir, 'model');
    const sources = ['native/fuzz/memory_fuzz.c', 'native/quickjs/slabs.c'];
    const args = [...flags.split(' '), '-isystem', quickjs, '-DRANDOM', ...more, ...sources, '-o', program];
    const built = spawnSync('gcc', args, { encoding: 'utf8' });
    assert.is(built.status, 0, built.stderr);
    // The model counts leaks itself. The sanitizer's search for them needs ptrace(2).
    const env = { ...process.env, ASAN_OPTIONS: 'detect_leaks=0' };
    return spawnSync(program, [String(lives), String(seed)], { encoding: 'utf8', env });
  } finally {
    rmSync(dir, { recursive: true });
  }
}

if (!existsSync(`${quickjs}/quickjs.h`)) {
  process.stdout.write('# skip memory: quickjs: QuickJS is not available\n');
  test.skip('memory');
} else {
  test('no block changes another and none is lost, in the modes of a command, a server and the build', () => {
    // hack/fuzz runs longer.
    const { status, stderr } = run(4, 1);
    assert.is(status, 0, stderr);
    const [, lives, made, moved, freed, reused] = (
      /(\d+) lives, (\d+) blocks made, (\d+) moved, (\d+) freed, (\d+) reused/.exec(stderr) ?? []
    ).map(Number);
    assert.is(lives, 4);
    assert.is(made, freed);
    // It was effective: more than half of its steps, thousands of each kind.
    assert.ok(made! > 4000 && moved! > 1300 && reused! > 1300, stderr);
  });

  test('the model finds a block that is handed out twice', () => {
    const { status, stderr } = run(12, 1, '-DPLANT_CRASH');
    assert.is.not(status, 0, 'the planted bug was not found');
    assert.match(stderr, /memory_fuzz: a block's content has changed|AddressSanitizer/);
  });
}

test.run();
