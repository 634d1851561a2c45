// The C programs that tests run: test/**/NAME.c becomes build/test-programs/NAME, static, so that hack/vm runs it too.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { musl, warnings } from './build.mjs';

const OUT = 'build/test-programs';

/** Builds what is older than its source. Without musl-gcc nothing is built: the tests that need it skip with that reason. */
export function testPrograms() {
  const sources = readdirSync('test', { recursive: true }).filter((f) => f.endsWith('.c'));
  mkdirSync(OUT, { recursive: true });
  for (const source of sources.map((f) => `test/${f}`)) {
    const output = `${OUT}/${basename(source, '.c')}`;
    if (existsSync(output) && statSync(output).mtimeMs > statSync(source).mtimeMs) continue;
    // By another name first: two runs at a time.
    const made = `${output}.${process.pid}`;
    try {
      execFileSync('musl-gcc', [...warnings, '-O1', ...musl(), '-o', made, source], { stdio: 'inherit' });
    } catch (error) {
      if (error.code === 'ENOENT') return;
      throw error;
    }
    renameSync(made, output);
  }
}
