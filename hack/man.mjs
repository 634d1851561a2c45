// Man pages and completions, from the tables of --help: man.mjs OUT makes OUT/man1, OUT/man8 and OUT/completion.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { define, pageDate } from './build.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const out = process.argv[2] ?? 'dist/share';

/** A bundled module of the sources, with the constants of the build. */
async function load(entry) {
  const file = `build/gen/${entry.replaceAll('/', '-').replace(/\.ts$/, '.mjs')}`;
  await esbuild.build({
    entryPoints: [entry],
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    target: 'node20',
    define,
    logLevel: 'warning',
  });
  return import(new URL(`../${file}`, import.meta.url));
}

const { manPages } = await load('src/cli/man/man-pages.ts');
const { scripts } = await load('src/cli/commands/completion-command.ts');
const pages = Object.entries(manPages(pageDate()));
rmSync(out, { recursive: true, force: true });
for (const [dir, files] of [
  ['man1', pages.filter(([name]) => name.endsWith('.1'))],
  ['man8', pages.filter(([name]) => name.endsWith('.8'))],
  ['completion', Object.entries(scripts())],
]) {
  mkdirSync(`${out}/${dir}`, { recursive: true });
  for (const [name, text] of files) writeFileSync(`${out}/${dir}/${name}`, text);
}
