/**
 * The messages of proto/ as code, made at build time by protobufjs: build/gen/protos.js, an ES module that needs
 * protobufjs/minimal, and protos.d.ts. No reflection, no descriptor is left for the run time.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, 'build/gen/protos');
const sources = readdirSync(join(root, 'proto'))
  .filter((f) => f.endsWith('.proto'))
  .sort()
  .map((f) => join(root, 'proto', f));
const time = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);
const tool = (name, ...args) =>
  execFileSync(process.execPath, [join(root, 'node_modules/protobufjs-cli/bin', name), ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });

if ([...sources, fileURLToPath(import.meta.url)].some((f) => time(f) > time(`${out}.d.ts`))) {
  const leave = ['verify', 'convert', 'delimited', 'create', 'typeurl', 'service', 'beautify'].map((w) => `--no-${w}`);
  // Numbers, exact up to 2^53: there is no Long. Greater ones are written as {low, high} (src/shim/wide.ts).
  tool('pbjs', '-t', 'static-module', '-w', 'es6', ...leave, '--force-number', '-o', `${out}.js`, ...sources);
  tool('pbts', '--no-comments', '-o', `${out}.d.ts.tmp`, `${out}.js`);
  // Only needed with Long.
  writeFileSync(`${out}.d.ts.tmp`, readFileSync(`${out}.d.ts.tmp`, 'utf8').replace(/^import Long.*\n/gm, ''));
  renameSync(`${out}.d.ts.tmp`, `${out}.d.ts`);
}
