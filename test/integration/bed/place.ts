/** The paths of the checkout and of the program under test. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

function findTop(): string {
  for (let dir = process.cwd(); ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'hack', 'rootfs'))) return dir;
    if (dir === '/') throw new Error('run the tests inside the checkout');
  }
}

/** The root of the checkout: the working directory or one above it. */
export const top = findTop();

/** The directory of the C programs that tests run, built by hack/test-c.mjs. */
export const programs = join(top, 'build', 'test-programs');

/** The program under test: RUNT_BIN, else dist/runt. */
export const runtPath = resolve(top, process.env.RUNT_BIN ?? 'dist/runt');

/** The Node.js command without a defence (hack/weak-commands.mjs); tests that use it need `programs`. */
export const weakCommand = (name: 'cgroups' | 'names' | 'annotations') => ({
  program: join(programs, `weak-${name}.mjs`),
  env: { PATH: process.env.PATH ?? '', RUNT_LIBRARY: join(top, 'dist/librunt.so') },
});
