/**
 * The messages of proto/ as code, made at build time by protobufjs: build/gen/protos.js (containerd's) and criu.js, ES
 * modules that need protobufjs/minimal, each with its .d.ts. No reflection, no descriptor is left for the run time.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const all = readdirSync(join(root, 'proto'))
  .filter((f) => f.endsWith('.proto'))
  .sort()
  .map((f) => join(root, 'proto', f));
const isCriu = (f) => f.endsWith('/criu.proto');
const time = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);
const tool = (name, ...args) =>
  execFileSync(process.execPath, [join(root, 'node_modules/protobufjs-cli/bin', name), ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });

for (const [name, sources] of [
  ['protos', all.filter((f) => !isCriu(f))],
  ['criu', all.filter(isCriu)],
]) {
  const out = join(root, 'build/gen', name);
  if ([...sources, fileURLToPath(import.meta.url)].every((f) => time(f) <= time(`${out}.d.ts`))) continue;
  const leave = ['verify', 'convert', 'delimited', 'create', 'typeurl', 'service', 'beautify'].map((w) => `--no-${w}`);
  // Numbers, exact up to 2^53: there is no Long. Greater ones are written as {low, high} (src/shim/wide.ts).
  const names = name === 'criu' ? ['--keep-case'] : [];
  // A root of its own: two modules that share one would take each other's messages away.
  tool(
    'pbjs',
    '-t',
    'static-module',
    '-w',
    'es6',
    '-r',
    name,
    ...names,
    ...leave,
    '--force-number',
    '-o',
    `${out}.js`,
    ...sources,
  );
  tool('pbts', '--no-comments', '-o', `${out}.d.ts.tmp`, `${out}.js`);
  // Only needed with Long.
  writeFileSync(`${out}.d.ts.tmp`, readFileSync(`${out}.d.ts.tmp`, 'utf8').replace(/^import Long.*\n/gm, ''));
  renameSync(`${out}.d.ts.tmp`, `${out}.d.ts`);
}
