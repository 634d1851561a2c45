// Whether golden plans changed in the types of their fields alone: compare-goldens.mjs COMMIT. Each plan of COMMIT is
// rewritten with the types that src/plan/*/*-ops.ts declares now, and must be that of the working tree.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { build } from 'esbuild';

const commit = process.argv[2];
if (!commit) throw new Error('usage: compare-goldens.mjs COMMIT');
const bundled = await build({ entryPoints: ['src/plan/plan-ops.ts'], bundle: true, format: 'esm', write: false });
const { ops } = await import(
  `data:text/javascript;base64,${Buffer.from(bundled.outputFiles[0].contents).toString('base64')}`
);

/** The JSON of an old value of a field as that of a value of its type now. */
const rewritten = {
  bool: (json) => ({ 0: 'false', 1: 'true' })[json] ?? json,
};

/** The members of a line's object, each as [name, JSON]: numbers may be wider than JavaScript's. */
const members = (json) =>
  [...json.matchAll(/"(\w+)":("(?:[^"\\]|\\.)*"|\[(?:"(?:[^"\\]|\\.)*"|[^\]"])*\]|[^,}]+)/g)].map(([, n, v]) => [n, v]);

const directory = 'test/plan/golden';
let [plans, changed] = [0, 0];
for (const name of readdirSync(directory)) {
  const old = execFileSync('git', ['show', `${commit}:${directory}/${name}`], { encoding: 'utf8' });
  const wanted = old.replace(/^(\w+) (\{.*\}) (\S+)$/gm, (line, op, json, at) => {
    const fields = members(json).map(([field, value]) => {
      const kind = ops[op].fields[field];
      return [field, rewritten[kind]?.(value) ?? value];
    });
    const text = `${op} {${fields.map(([field, value]) => `"${field}":${value}`).join(',')}} ${at}`;
    if (text !== line) changed++;
    return text;
  });
  plans++;
  if (wanted === readFileSync(`${directory}/${name}`, 'utf8')) continue;
  console.error(`${name} changed in more than its types`);
  process.exitCode = 1;
}
console.log(`${plans} plans, ${changed} operations rewritten`);
