// Checks that golden plans changed only in the types of their fields: compare-goldens.mjs COMMIT. It rewrites each
// plan of COMMIT with the types that src/plan/*/*-ops.ts declares now, and compares it with the working tree's.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { build } from 'esbuild';

const commit = process.argv[2];
if (!commit) throw new Error('usage: compare-goldens.mjs COMMIT');
const bundled = await build({ entryPoints: ['src/plan/plan-ops.ts'], bundle: true, format: 'esm', write: false });
const { ops } = await import(
  `data:text/javascript;base64,${Buffer.from(bundled.outputFiles[0].contents).toString('base64')}`
);

// Integers may exceed JavaScript's numbers: they become strings that begin with a mark.
const mark = '\u0001';
const parse = (json) =>
  JSON.parse(json.replace(/"(?:[^"\\]|\\.)*"|-?\d+/g, (token) => (token[0] === '"' ? token : `"\\u0001${token}"`)));
const text = (value) => JSON.stringify(value).replace(/"\\u0001(-?\d+)"/g, '$1');
const integer = (value) => mark + value;

/** Converts the old value of a field to its current type. */
const byType = {
  'str?': (string) => string || undefined,
  'int?': (number) => (number === integer(-1) ? undefined : number),
  'fd?': (slot) => (slot === integer(-1) ? undefined : slot),
  'int[]': (list) => list.map(integer),
  'range[]': (list) => list.map((text) => [text.split('-')[0], text.split('-').at(-1)].map(integer)),
  'flags[]': (list) => list.map(integer),
};

/** Converts an operation whose fields changed in more than their types. */
const hook = ({ name, timeout, state, inside, ...op }) => ({
  point: name.split('/')[0],
  index: integer(name.split('/')[1]),
  ...op,
  timeout: timeout === integer(0) ? undefined : timeout,
  beforePid: state?.[0],
  afterPid: state?.[1],
  inside,
});
const directory = ({ path, ...op }) => ({ path: path.replace(/\/$/, ''), ...op });
const byOp = {
  cgroupDirectory: directory,
  cgroupFork: directory,
  exec: (op) => ({ ...op, homeOfNamed: false }),
  hook,
  hostHook: hook,
  memoryPolicy: ({ mode, nodes, ...op }) => {
    const number = Number(mode.slice(1));
    return { ...op, mode: integer(number & 0xfff), flags: integer(number & ~0xfff), nodes };
  },
  timeEnter: ({ offsets }) => {
    const [monotonic = [], boottime = []] = ['monotonic', 'boottime'].map((clock) =>
      offsets
        .find((line) => line.startsWith(clock))
        ?.split(' ')
        .slice(1)
        .map(integer),
    );
    const zero = integer(0);
    return {
      monotonic: monotonic[0],
      monotonicNanosecs: monotonic[1] ?? zero,
      boottime: boottime[0],
      boottimeNanosecs: boottime[1] ?? zero,
    };
  },
  terminal: (op) =>
    op.width === integer(0) && op.height === integer(0) ? { ...op, width: undefined, height: undefined } : op,
  user: ({ setGroups, umask, ...op }) => ({
    ...op,
    setGroups: setGroups !== integer(0),
    groupsOptional: setGroups === integer(2),
    umask,
  }),
};

/** A line of a golden plan with the current types. */
function rewritten(op, old) {
  const fields = Object.entries(old).map(([name, value]) => {
    const type = ops[op].fields[name];
    return [name, type in byType ? byType[type](value) : value];
  });
  return byOp[op]?.(Object.fromEntries(fields)) ?? Object.fromEntries(fields);
}

const goldens = 'test/plan/golden';
let [plans, changed] = [0, 0];
for (const name of readdirSync(goldens)) {
  const old = execFileSync('git', ['show', `${commit}:${goldens}/${name}`], { encoding: 'utf8' });
  const expected = old.replace(/^(\w+) (\{.*\}) (\S+)$/gm, (line, op, json, at) => {
    const now = `${op} ${text(rewritten(op, parse(json)))} ${at}`;
    if (now !== line) changed++;
    return now;
  });
  plans++;
  if (expected === readFileSync(`${goldens}/${name}`, 'utf8')) continue;
  console.error(`${name} changed in more than its types`);
  process.exitCode = 1;
}
console.log(`${plans} plans, ${changed} operations rewritten`);
