/** Programs of the pages of docs/recipes, made ready to run. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Bed } from '../bed/bed.js';
import { top } from '../bed/place.js';

/** The TypeScript below a heading of a page. */
function programBelow(page: string, heading: string): string {
  const section = readFileSync(join(top, 'docs/recipes', page), 'utf8')
    .split(/\n###? /)
    .find((part) => part.startsWith(heading));
  const code = /```ts\n([\s\S]*?)```/.exec(section ?? '')?.[1];
  if (code === undefined) throw new Error(`docs/recipes/${page} has no program below "${heading}"`);
  return code;
}

/** Writes a program as JavaScript into a directory in which `runt-oci` is this checkout, and returns its path. */
export function writeProgram(dir: string, code: string, name = 'recipe.mjs'): string {
  const modules = join(dir, 'node_modules');
  mkdirSync(modules, { recursive: true });
  try {
    symlinkSync(top, join(modules, 'runt-oci'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const esbuild = join(top, 'node_modules/.bin/esbuild');
  const path = join(dir, name);
  const flags = ['--loader=ts', '--format=esm', '--target=node20'];
  writeFileSync(path, execFileSync(esbuild, flags, { input: code }));
  return path;
}

/** Writes the program below a heading, with the paths and the state of a bed, and returns its path. */
export function program(bed: Bed, page: string, heading: string, changes: Record<string, string> = {}): string {
  let code = programBelow(page, heading);
  const all = {
    ...changes,
    '/srv/hello/rootfs': bed.rootfs,
    '/srv/image': bed.rootfs,
    '/srv/': `${bed.dir}/`,
    'new Runtime()': `new Runtime({ root: ${JSON.stringify(bed.root)} })`,
  };
  for (const [from, to] of Object.entries(all)) code = code.replaceAll(from, to);
  return writeProgram(bed.dir, code);
}
