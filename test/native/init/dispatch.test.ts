/** The dispatch of runt-init, which hack/gen.mjs writes from the tables of operations. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ops } from '../../../src/plan/plan-ops.js';

const names = Object.entries(ops).flatMap(([name, { by }]) => (by === 'init' ? [name] : []));
const snake = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);

/** Links a program that performs every operation once; each C function returns the code of its own operation. */
function link(dir: string, defined: readonly string[]): { status: number | null; stderr: string; program: string } {
  const functions = defined.map((name) => {
    const c = snake(name);
    return `int op_${c}(const struct op *op) { (void)op; return OP_${c.toUpperCase()}; }`;
  });
  const main = `int main(void) {
    for (unsigned i = 0; i < sizeof op_shapes / sizeof *op_shapes; i++)
      if (dispatch(op_shapes[i].code, 0) != op_shapes[i].code) { puts(op_shapes[i].name); return 1; }
    return 0;
  }`;
  const [source, program] = [join(dir, 'dispatch.c'), join(dir, 'dispatch')];
  writeFileSync(source, `#include "dispatch.h"\n#include <stdio.h>\n${functions.join('\n')}\n${main}\n`);
  const { status, stderr } = spawnSync('gcc', ['-Wall', '-Werror', '-Ibuild/gen', source, '-o', program], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
  });
  return { status, stderr, program };
}

function inDirectory(f: (dir: string) => void): void {
  const dir = mkdtempSync(join(tmpdir(), 'runt-dispatch-'));
  try {
    f(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test('every operation of runt-init calls its own C function', () => {
  inDirectory((dir) => {
    const { status, stderr, program } = link(dir, names);
    assert.is(status, 0, stderr);
    const run = spawnSync(program, { encoding: 'utf8' });
    assert.is(run.status, 0, `${run.stdout.trim()} reaches another function`);
  });
});

test('an operation of runt-init without a C function does not link', () => {
  inDirectory((dir) => {
    const { status, stderr } = link(
      dir,
      names.filter((name) => name !== 'mask'),
    );
    assert.is(status, 1);
    assert.match(stderr, /undefined reference to .op_mask'/);
  });
});

test.run();
