// Additions of hack/build.mjs to a coverage build. RUNT_COVERAGE is the directory of its counters; without it, none.
// RUNT_COVERAGE_PID is a process that sees this directory until the tests end.
import { relative } from 'node:path';

const directory = process.env.RUNT_COVERAGE;
/** Sizes of the counter files in bytes: more than the code of any program, and more points than src/ has. */
export const BLOCKS_SIZE = 8 << 20;
export const POINTS_SIZE = 1 << 16;

/** The file that counts the blocks of a program: each program has its own addresses. */
export const blocksFile = (program) => program.replaceAll('/', '_');

/** Flags for a C file, after all others: a call in each block, and code that keeps the lines apart. */
export const BLOCK_FLAGS = ['-g', '-O0', '-U_FORTIFY_SOURCE', '-fsanitize-coverage=trace-pc'];
export const blockFlags = (source) => (directory && source.startsWith('native/') ? BLOCK_FLAGS : []);

/**
 * The counters as a source to link a program with, after the flags that it needs. `pid` is a process that sees the
 * directory `counts`.
 */
export const countersOf = (program, counts, pid) => [
  '-fPIC',
  `-DBLOCKS_PATH="${counts}/${blocksFile(program)}"`,
  `-DPOINTS_PATH="${counts}/points"`,
  `-DOUTSIDE="/proc/${pid}/root"`,
  `-DBLOCKS_SIZE=${BLOCKS_SIZE}ul`,
  `-DPOINTS_SIZE=${POINTS_SIZE}ul`,
  'hack/coverage/counters.c',
];

/** Flags to link a program: its counters, and everything that objdump must see, even dead code. */
export const linkFlags = (program, flags) =>
  directory
    ? [
        ...flags.filter((flag) => flag !== '-s' && flag !== '-Wl,--gc-sections'),
        ...countersOf(program, directory, process.env.RUNT_COVERAGE_PID),
      ]
    : flags;

/** Flags to link a static program: the counters of its TypeScript. */
export const bindingCounters = (include) =>
  directory
    ? ['-Wl,--wrap=bind_native', '-Inative/quickjs', '-isystem', include, 'hack/coverage/quickjs-points.c']
    : [];

/** The same for a bundle of Node.js: code for its start. */
export function nodeCounters() {
  if (!directory) return '';
  const library = JSON.stringify(`${process.cwd()}/dist/librunt.so`);
  const points = `koffi.load(${library}).func('void *runt_coverage_points()')()`;
  return `globalThis.runtPoints ??= ((koffi) => new Uint8Array(koffi.view(${points}, ${POINTS_SIZE})))(require('koffi'));`;
}

/** The plugin for esbuild that counts the points of src/. Only it loads the parser: no other build needs one. */
export async function pointCounters() {
  if (!directory) return [];
  const { instrumented } = await import('./points.mjs');
  const { typeScriptSources } = await import('./sources.mjs');
  const sources = typeScriptSources();
  return [
    {
      name: 'point counters',
      setup({ onLoad }) {
        onLoad({ filter: /\.ts$/ }, ({ path }) => {
          const source = sources.get(relative(process.cwd(), path));
          if (!source) return undefined;
          return { contents: instrumented(source.text, source.points, source.first, 'runtPoints'), loader: 'ts' };
        });
      },
    },
  ];
}
