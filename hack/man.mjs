// Man pages and completions, from the tables of --help: man.mjs OUT makes OUT/man1/*.1 and OUT/completion/*.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { define } from './build.mjs';

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

const { manualPages } = await load('src/cli/man-pages.ts');
const { scripts } = await load('src/cli/commands/completion-command.ts');
rmSync(out, { recursive: true, force: true });
for (const [dir, files] of [
  ['man1', manualPages()],
  ['completion', scripts()],
]) {
  mkdirSync(`${out}/${dir}`, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(`${out}/${dir}/${name}`, text);
}
