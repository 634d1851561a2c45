/** native/quickjs/snapshot.c: the same program gives the same snapshot. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const program = 'build/runt/whole';

if (!existsSync(`${program}.bare`)) {
  process.stdout.write('# skip snapshot: quickjs: QuickJS is not available\n');
  test.skip('snapshot');
} else {
  test('a snapshot does not depend on its directory, the environment or address space randomization', () => {
    const symbols = execFileSync('nm', [program], { encoding: 'utf8' });
    const addresses = ['snapshot_wanted', 'memory_gathered_end'].map(
      (name) => new RegExp(`^([0-9a-f]+) . ${name}$`, 'm').exec(symbols)?.[1] ?? '',
    );
    const dir = mkdtempSync(join(tmpdir(), 'runt-snapshot-in-a-directory-with-a-long-name-'));
    try {
      const copy = join(dir, 'program');
      copyFileSync(`${program}.bare`, copy);
      const output = join(dir, 'output');
      // The second command is the first without randomization.
      for (const command of [['build/snapshot'], ['setarch', '-R', 'build/snapshot']]) {
        const [file, ...before] = command as [string, ...string[]];
        execFileSync(file, [...before, copy, output, ...addresses], {
          env: { PATH: process.env.PATH, A: 'x'.repeat(999) },
        });
        assert.ok(readFileSync(output).equals(readFileSync('dist/runt')), command.join(' '));
      }
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
}

test.run();
