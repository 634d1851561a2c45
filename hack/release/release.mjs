// All files of a release, in dist/release/; docs/releasing.md lists them.
//
//   release.mjs [ARCH…]                amd64, arm64; without one, both on an amd64 machine (hack/arm64 builds arm64)
//   release.mjs --deb DIR [ARCH…]      only the Debian package runt, in DIR; without ARCH, for this machine
//   release.mjs --archive DIR [ARCH…]  only the archive of the command
//   release.mjs --image DIR [ARCH…]    only the image runt-install
//   release.mjs --npm DIR [ARCH…]      only the npm package
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { archive, shimArchive } from './archive.mjs';
import { debian } from './deb.mjs';
import { here, names, run, version } from './files.mjs';
import { notes } from './notes.mjs';
import { npm } from './npm.mjs';
import { image } from './oci.mjs';
import { rpm } from './rpm.mjs';
import { sbom } from './sbom.mjs';

const [first, directory] = process.argv.slice(2);
const only = /^--(deb|archive|image|npm)$/.exec(first ?? '')?.[1];
if (only ? !directory : first?.startsWith('-')) throw new Error(`release: unknown argument ${first}`);
const asked = process.argv.slice(only ? 4 : 2);
const possible = here === 'amd64' ? Object.keys(names) : [here];
const architectures = asked.length > 0 ? asked : only ? [here] : possible;
for (const arch of architectures) {
  if (!possible.includes(arch)) throw new Error(`release: this machine builds ${possible.join(' and ')}, not ${arch}`);
}
if (architectures.some((arch) => arch !== here)) run('hack/arm64', ['--build'], { stdio: ['ignore', 2, 2] });

const out = only ? directory : 'dist/release';
if (!only) rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const made = [];
if (!only || only === 'deb') for (const arch of architectures) made.push(await debian(arch, out));
if (!only || only === 'archive') for (const arch of architectures) made.push(await archive(arch, out));
if (!only)
  for (const arch of architectures)
    made.push(await rpm(arch, out), await image(arch, out), await shimArchive(arch, out));
if (only === 'image') for (const arch of architectures) made.push(await image(arch, out));
if (!only || only === 'npm') made.push(await npm(architectures, out));
const base = (path) => path.slice(out.length + 1);
if (!only) {
  made.sort();
  const add = (name, text) => {
    writeFileSync(`${out}/${name}`, text);
    made.push(`${out}/${name}`);
  };
  add(`runt-${version}.spdx.json`, sbom(made));
  add('NOTES.md', notes(made.map(base)));
  const sum = (path) => createHash('sha256').update(readFileSync(path)).digest('hex');
  add('SHA256SUMS', made.map((path) => `${sum(path)}  ${base(path)}\n`).join(''));
}
for (const path of made) {
  if (!existsSync(path)) throw new Error(`release: ${path} was not made`);
  console.log(path);
}
