// Builds everything: build.mjs [--debug]. Each step runs only when an input is newer than its output.
//   dist/librunt.so, dist/cli.js, dist/index.js   the Node.js host
//   dist/runt                                     the static binary
// With RUNT_COVERAGE=DIR it builds the programs for hack/coverage.mjs, with counters in DIR and no snapshot.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { bindingCounters, blockFlags, linkFlags, nodeCounters, pointCounters } from './coverage/instrument.mjs';
import { fortified, hardened, hardenedLink } from './flags.mjs';
import { quickjs } from './quickjs.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const debug = process.argv.includes('--debug');
const version = JSON.parse(readFileSync('package.json', 'utf8')).version;

/** The commit to build, with `-dirty` if files differ; `unknown` outside of git. */
export function commit() {
  try {
    const describe = ['describe', '--always', '--abbrev=12', '--dirty', '--exclude=*'];
    return execFileSync('git', describe, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}

/** The time of the sources in seconds: SOURCE_DATE_EPOCH, else the commit's; undefined outside of git. */
export function sourceTime() {
  if (process.env.SOURCE_DATE_EPOCH) return process.env.SOURCE_DATE_EPOCH;
  try {
    const log = ['log', '-1', '--format=%ct'];
    return execFileSync('git', log, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return undefined;
  }
}

/** The same as text, `2026-11-29T12:00:00Z`. */
export const sourceDate = (seconds = sourceTime()) =>
  seconds === undefined ? 'unknown' : new Date(Number(seconds) * 1000).toISOString().replace('.000', '');

/** The date of the man pages, `2026-11-29`; '' outside of git. */
export const pageDate = () => (sourceTime() === undefined ? '' : sourceDate().slice(0, 10));

/** Constants of the sources. */
export const define = {
  __RUNT_VERSION__: JSON.stringify(version),
  __RUNT_COMMIT__: JSON.stringify(commit()),
  __RUNT_DATE__: JSON.stringify(sourceDate()),
};

/** Options of esbuild for a program of the tests that Node.js runs. */
export const nodeProgram = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
  define,
  logLevel: 'warning',
};

export const warnings = ['-std=gnu11', '-Wall', '-Wextra', '-Werror'];

function run(command, ...args) {
  if (process.env.V) console.error(command, args.join(' '));
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
}

const time = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);
const isStale = (output, inputs) => {
  const made = time(output);
  return made === 0 || inputs.some((i) => time(i) > made);
};
const files = (dir, end) =>
  existsSync(dir)
    ? readdirSync(dir)
        .filter((f) => f.endsWith(end))
        .sort()
        .map((f) => `${dir}/${f}`)
    : [];

/** The files of a directory and of the directories below it. */
export const filesBelow = (dir, end) =>
  readdirSync(dir, { recursive: true })
    .filter((f) => f.endsWith(end))
    .sort()
    .map((f) => `${dir}/${f}`);

/** The files that define the flags: output built with other flags is stale. */
const recipe = ['hack/build.mjs', 'hack/flags.mjs'];

/** Compiles C files to objects in `out`; an object depends on all of `headers`. */
function objects(cc, sources, headers, out, flags) {
  mkdirSync(out, { recursive: true });
  return sources.map((source) => {
    const object = `${out}/${source.replaceAll('/', '_').replace(/\.c$/, '.o')}`;
    if (isStale(object, [source, ...headers, ...recipe])) {
      run(cc, ...flags, ...blockFlags(source), '-c', source, '-o', `${object}.tmp`);
      renameSync(`${object}.tmp`, object);
    }
    return object;
  });
}

function link(cc, output, inputs, flags) {
  if (!isStale(output, [...inputs, ...recipe])) return;
  mkdirSync(dirname(output), { recursive: true });
  run(cc, '-o', `${output}.tmp`, ...inputs, ...linkFlags(output, flags));
  renameSync(`${output}.tmp`, output);
}

/** Flags for musl-gcc. Debian's lacks the kernel's headers: it gets links to these only, and to none of glibc's. */
export function musl() {
  const multiarch = execFileSync('gcc', ['-print-multiarch'], { encoding: 'utf8' }).trim();
  mkdirSync('build/kernel', { recursive: true });
  for (const [name, from] of [
    ['linux', '/usr/include/linux'],
    ['asm-generic', '/usr/include/asm-generic'],
    ['asm', `/usr/include/${multiarch}/asm`],
    ['seccomp.h', '/usr/include/seccomp.h'],
    ['seccomp-syscalls.h', '/usr/include/seccomp-syscalls.h'],
    ['nghttp2', '/usr/include/nghttp2'],
  ]) {
    if (!existsSync(`build/kernel/${name}`)) symlinkSync(from, `build/kernel/${name}`);
  }
  return ['-static', '-idirafter', 'build/kernel'];
}
const muslLink = ['-static', '-Wl,--gc-sections', '-Wl,--build-id=none', ...hardenedLink];

/**
 * musl's start files and flags for a static-pie program, which its specs for gcc lack. Without gcc's own start
 * files: they serve C++, and would be relocated.
 */
function staticPie() {
  const triplet = execFileSync('gcc', ['-print-multiarch'], { encoding: 'utf8' }).trim().replace(/gnu$/, 'musl');
  const [start, first, last] = ['rcrt1.o', 'crti.o', 'crtn.o'].map((name) => `/usr/lib/${triplet}/${name}`);
  return { before: [start, first], after: ['-nostartfiles', '-Wl,-pie,--no-dynamic-linker,-z,text', last] };
}

/** runt-init: static-pie, musl (docs/security.md#hardening-of-the-binaries). */
function init() {
  const sources = filesBelow('native/init', '.c');
  const headers = [...filesBelow('native/init', '.h'), ...filesBelow('native/core', '.h'), ...files('build/gen', '.h')];
  const sections = ['-ffunction-sections', '-fdata-sections', '-fno-asynchronous-unwind-tables'];
  const list = objects('musl-gcc', sources, headers, 'build/init', [
    ...warnings,
    '-Os',
    '-fPIE',
    ...hardened,
    ...sections,
    '-Ibuild/gen',
    ...musl(),
  ]);
  const { before, after } = staticPie();
  // Few pages matter more here than code separate from constants.
  const small = ['-Wl,-z,noseparate-code', '-Wl,--hash-style=gnu'];
  link('musl-gcc', 'build/runt-init', [...before, ...list], [...muslLink, ...small, '-s', ...after]);
}

/** The first process of a pod: static, musl, of one page or two. */
function pause() {
  const list = objects('musl-gcc', ['native/pause/pause.c'], [], 'build/init', [
    ...warnings,
    '-Os',
    ...hardened,
    ...musl(),
  ]);
  link('musl-gcc', 'build/runt-pause', list, [...muslLink, '-Wl,-z,noseparate-code', '-s']);
}

/** Headers of the libraries of runt-layer: with all of /usr/include, musl-gcc would take glibc's headers. */
const layerHeaders = ['archive.h', 'archive_entry.h', 'zlib.h', 'zconf.h', 'zstd.h', 'zstd_errors.h'];

/** Debian's static libraries of runt-layer. libarchive's other compressions are not linked. */
function layerArchives() {
  return ['archive', 'zstd', 'z'].map((name) => {
    const path = archive(`lib${name}.a`);
    if (!path) throw new Error(`lib${name}.a is missing: install libarchive-dev, libzstd-dev and zlib1g-dev`);
    return path;
  });
}

/** runt-layer, which unpacks images: static-pie, musl, with libarchive, zlib and zstd. */
function layer() {
  const include = 'build/layer-include';
  mkdirSync(include, { recursive: true });
  for (const name of layerHeaders)
    if (!existsSync(`${include}/${name}`)) symlinkSync(`/usr/include/${name}`, `${include}/${name}`);
  const sources = [...filesBelow('native/layer', '.c'), 'native/core/files/tree.c', 'native/core/text/digest.c'];
  const headers = [
    ...filesBelow('native/layer', '.h'),
    ...filesBelow('native/core', '.h'),
    ...files('build/gen', '.h'),
  ];
  const list = objects('musl-gcc', sources, headers, 'build/layer', [
    ...warnings,
    // SHA-256 takes most of the time.
    '-O2',
    '-fPIE',
    '-ffunction-sections',
    '-fdata-sections',
    '-Ibuild/gen',
    ...hardened,
    ...musl(),
    '-idirafter',
    include,
  ]);
  const { before, after } = staticPie();
  link('musl-gcc', 'build/runt-layer', [...before, ...list, ...layerArchives()], [...muslLink, '-s', ...after]);
}

/** Compiles a static program of one file, stripped. Returns its path. */
export function muslProgram(source, output) {
  mkdirSync(dirname(output), { recursive: true });
  run('musl-gcc', ...warnings, '-Os', '-s', ...hardened, ...musl(), ...muslLink, source, '-o', output);
  return output;
}

/** The path of a static library of Debian's; undefined if it is not installed. */
function archive(name) {
  const path = execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
  return path.includes('/') ? path : undefined;
}

/** Debian's static libseccomp, for both hosts: neither needs a shared one at run time. */
function seccompArchive() {
  const path = archive('libseccomp.a');
  if (!path) throw new Error('libseccomp.a is missing: install libseccomp-dev');
  return path;
}

/** Functions that came with the fixes of CVE-2023-44487 and CVE-2024-28182, in Debian's older versions too. */
const http2Fixes = ['nghttp2_option_set_stream_reset_rate_limit', 'nghttp2_option_set_max_continuations'];

/**
 * Debian's static nghttp2, for gRPC in the static binary; undefined if it is missing or lacks a fix. Node.js has gRPC
 * of its own, and the library is not position-independent.
 */
function http2Archive() {
  const path = archive('libnghttp2.a');
  const without = 'dist/runt has no gRPC:';
  if (!path) {
    if (process.env.RUNT_NEED_HTTP2) throw new Error(`${without} install libnghttp2-dev`);
    console.error(`build: ${without} install libnghttp2-dev`);
    return undefined;
  }
  const symbols = readFileSync(path, 'latin1');
  const lost = http2Fixes.filter((name) => !symbols.includes(`\0${name}\0`));
  if (lost.length === 0) return path;
  const why = `${without} ${path} lacks ${lost.join(', ')}, and so fixes of vulnerabilities`;
  if (process.env.RUNT_NEED_HTTP2) throw new Error(why);
  console.error(`build: ${why}`);
  return undefined;
}

function core(cc, out, extra) {
  const sources = [...filesBelow('native/core', '.c'), 'native/pause/pause-image.c'];
  const headers = [...filesBelow('native/core', '.h'), ...files('build/gen', '.h')];
  const flags = [
    ...warnings,
    '-O2',
    '-ffunction-sections',
    '-fdata-sections',
    '-Ibuild/gen',
    '-fvisibility=hidden',
    ...hardened,
    ...extra,
  ];
  flags.push('-DRUNT_INIT_PATH="build/runt-init"', '-DRUNT_PAUSE_PATH="build/runt-pause"');
  flags.push('-DRUNT_LAYER_PATH="build/runt-layer"');
  // image.c embeds runt-init, pause-image.c the first process of a pod.
  for (const [program, source] of [
    ['build/runt-init', 'core_process_image'],
    ['build/runt-pause', 'pause_pause-image'],
    ['build/runt-layer', 'core_process_layer-image'],
  ]) {
    const object = `${out}/native_${source}.o`;
    if (time(program) > time(object)) rmSync(object, { force: true });
  }
  return objects(cc, sources, headers, out, flags);
}

/** The Node.js host; dependencies are in it, all but the native part. Returns the metafile of esbuild. */
async function nodeBundle(entries, options) {
  const { metafile } = await esbuild.build({
    entryPoints: Object.entries(entries).map(([path, out]) => ({ in: path, out })),
    outdir: 'dist',
    bundle: true,
    ...options,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // grpc-js needs a loader of .proto files only to describe its channels, which runt does not.
    external: ['koffi', '@grpc/proto-loader'],
    legalComments: 'none',
    define,
    // CommonJS modules load the modules of Node.js with require.
    banner: {
      js: `import { createRequire } from 'node:module';const require = createRequire(import.meta.url);${nodeCounters()}`,
    },
    plugins: await pointCounters(),
    metafile: true,
    logLevel: 'warning',
  });
  return metafile;
}

async function node() {
  const programs = { 'src/entry/node-command.ts': 'cli', 'src/library/client.ts': 'client' };
  // Whole: a program that has no descriptor left, or whose package was replaced, could not load another file.
  const library = { 'src/library/index.ts': 'index', 'src/entry/library-thread.ts': 'runt-thread' };
  const metafiles = [
    await nodeBundle(programs, { splitting: true, chunkNames: 'chunks/[hash]' }),
    await nodeBundle(library),
  ];
  chmodSync('dist/cli.js', 0o755);
  licences(metafiles.flatMap(({ inputs }) => Object.keys(inputs)));
  const made = new Set(metafiles.flatMap(({ outputs }) => Object.keys(outputs)));
  for (const old of files('dist/chunks', '.js')) if (!made.has(old)) rmSync(old);
}

/** Names of the npm packages that files of a bundle belong to. */
const packagesOf = (inputs) =>
  [...new Set(inputs.map((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]))]
    .filter((name) => name !== undefined)
    .sort();

/** Copies the licences of the packages in the files of dist, and lists these in build/bundled.json. */
function licences(inputs) {
  rmSync('dist/licences', { recursive: true, force: true });
  mkdirSync('dist/licences', { recursive: true });
  const names = packagesOf(inputs);
  writeFileSync('build/bundled.json', `${JSON.stringify(names)}\n`);
  for (const name of names) {
    const file = readdirSync(`node_modules/${name}`).find((f) => /^licen[cs]e/i.test(f));
    if (file) copyFileSync(`node_modules/${name}/${file}`, `dist/licences/${name.replaceAll('/', '-')}`);
  }
}

/** The library's type declarations. */
function types() {
  const sources = readdirSync('src', { recursive: true })
    .filter((f) => f.endsWith('.ts'))
    .map((f) => `src/${f}`);
  const generated = 'build/gen/client-methods.d.ts';
  if (!isStale('dist/types/library/index.d.ts', [...sources, generated])) return;
  rmSync('dist/types', { recursive: true, force: true });
  run('node_modules/.bin/tsc', '-p', 'tsconfig.types.json');
  // tsc does not copy declarations.
  copyFileSync(generated, 'dist/types/library/client-methods.d.ts');
  const client = 'dist/types/library/client.d.ts';
  const text = readFileSync(client, 'utf8');
  writeFileSync(client, text.replaceAll('../../build/gen/client-methods.js', './client-methods.js'));
}

/** Removes the `doc` strings of operations: people and hack/gen.mjs read them, the program does not. */
const withoutDocs = {
  name: 'without docs',
  setup({ onLoad }) {
    onLoad({ filter: /-ops\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/^\s+doc: (['"]).*\1,$|, doc: (['"]).*\2(?= \},$)/gm, ''),
      loader: 'ts',
    }));
  },
};

/**
 * Bundles an entry for QuickJS and compiles every piece to bytecode. Returns the path of the C source of the
 * table of pieces. Writes OUT/manifest.json: for each piece its bytes and its imports, the main module first.
 */
async function bytecode(entry, out, compiler, keepLines) {
  rmSync(`${out}/js`, { recursive: true, force: true });
  for (const old of files(out, '.bc')) rmSync(old);
  mkdirSync(`${out}/js`, { recursive: true });
  const { metafile } = await esbuild.build({
    entryPoints: [
      { in: entry, out: 'main' },
      ...(entry === command
        ? [
            { in: rehearsal, out: 'rehearsal' },
            { in: computed, out: 'computed' },
          ]
        : []),
    ],
    outdir: `${out}/js`,
    bundle: true,
    splitting: true,
    chunkNames: 'c-[hash]',
    format: 'esm',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    target: 'es2022',
    minify: !keepLines,
    legalComments: 'none',
    define,
    plugins: [...(await pointCounters()), withoutDocs],
    metafile: true,
    logLevel: 'warning',
  });
  const manifest = [];
  const rows = [];
  let asm = '';
  const outputs = Object.entries(metafile.outputs).sort(
    ([a], [b]) => Number(b.endsWith('/main.js')) - Number(a.endsWith('/main.js')),
  );
  for (const [path, output] of outputs) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    let text = readFileSync(path, 'utf8');
    const imports = (kind) => [
      ...new Set(output.imports.filter((i) => i.kind === kind).map((i) => i.path.slice(i.path.lastIndexOf('/') + 1))),
    ];
    const outside = output.imports.find((i) => i.external);
    if (outside) throw new Error(`${name} imports ${outside.path}, which is not in the bundle`);
    for (const piece of imports('dynamic-import')) {
      const plain = `import("./${piece}")`;
      if (!text.includes(plain)) throw new Error(`${name}: ${plain} is not there`);
      text = text.replaceAll(plain, `runtHost.load("./${piece}")`);
    }
    writeFileSync(path, text);
    const code = `${out}/${name}.bc`;
    run(compiler, ...(keepLines ? ['-g'] : []), `./${name}`, path, code);
    const bytes = statSync(code).size;
    manifest.push({
      name,
      entry: output.entryPoint ?? '',
      bytes,
      imports: imports('import-statement'),
      loads: imports('dynamic-import'),
    });
    const symbol = `piece_${rows.length}`;
    asm += `.balign 16\n${symbol}:\n.incbin "${code}"\n`;
    rows.push([name, symbol, bytes, when[output.entryPoint] ?? (snapshotted.includes(output.entryPoint) ? 1 : 0)]);
  }
  const entries = manifest.map((piece) => piece.entry);
  const lost = entry === command ? snapshotted.filter((path) => !entries.includes(path)) : [];
  if (lost.length > 0)
    throw new Error(`no piece of the command begins with ${lost.join(', ')}: a snapshot cannot hold it`);
  writeFileSync(`${out}/manifest.json`, `${JSON.stringify(manifest, null, 1)}\n`);
  const source = `/* Made by hack/build.mjs; do not edit. */
#include "bind.h"
__asm__(".section .rodata.pieces, \\"a\\", %progbits\\n"
${asm
  .trimEnd()
  .split('\n')
  .map((l) => `        ${JSON.stringify(`${l}\n`)}`)
  .join('\n')}
        ".previous\\n");
${rows.map(([, s]) => `extern const uint8_t ${s}[];`).join('\n')}
const struct piece pieces[] = {
${rows.map(([n, s, b, r]) => `    {"${n}", ${s}, ${b}, ${r}},`).join('\n')}
};
const uint32_t piece_count = ${rows.length};
`;
  const table = `${out}/pieces.c`;
  writeFileSync(table, source);
  return table;
}

/** What is evaluated for the snapshot alone. */
const rehearsal = 'src/entry/snapshot-rehearsal.ts';
const computed = 'src/entry/snapshot-features.ts';
/** `ready` of these in native/quickjs/bind.h. */
const when = { [rehearsal]: 3, [computed]: 2 };

/**
 * Modules of the snapshot, with all of their imports: the commands that engines call for each container, and what an
 * ordinary container needs besides. Other bytecode is read on demand: a start maps 64 KB around each page that it
 * reads.
 */
const snapshotted = [
  ...['create', 'start', 'run', 'state', 'kill', 'delete', 'exec', 'version'].map(
    (name) => `src/cli/commands/${name}-command.ts`,
  ),
  'src/container/teardown.ts',
  'src/container/launch/handlers/seccomp-cache.ts',
];

/** The main module of the static binary. */
const command = 'src/entry/static-binary.ts';

/** The address of a symbol of an unstripped program, in hexadecimal. */
function symbol(path, name) {
  const line = execFileSync('nm', [path], { encoding: 'utf8' }).match(new RegExp(`^([0-9a-f]+) . ${name}$`, 'm'));
  if (!line) throw new Error(`${path} has no symbol ${name}`);
  return line[1];
}

/** Writes `output`: the program `whole`, stripped, with a snapshot of its state before it reads its arguments. */
function snapshot(whole, output, tool) {
  if (!isStale(output, [whole, tool, ...recipe])) return;
  run('strip', '-o', `${whole}.bare`, whole);
  try {
    run(tool, `${whole}.bare`, `${output}.tmp`, symbol(whole, 'snapshot_wanted'), symbol(whole, 'memory_gathered_end'));
    renameSync(`${output}.tmp`, output);
  } catch (error) {
    if (process.env.RUNT_NEED_SNAPSHOT) throw error;
    console.error(`build: ${output} starts slower, without a snapshot: ${error.message}`);
    renameSync(`${whole}.bare`, output);
  }
}

/**
 * Links a static program that runs `entry` in QuickJS. `keepLines`: errors have line numbers, and there is no
 * snapshot.
 */
export async function program(entry, output, out, keepLines = false) {
  const qjs = quickjs();
  if (!qjs) return false;
  const build = 'build/static';
  const flags = [...warnings, '-O2', '-ffunction-sections', '-fdata-sections', '-Ibuild/gen', '-Inative/quickjs'];
  flags.push('-isystem', qjs.include, '-fno-pie', ...hardened, ...musl());
  const tools = ['native/quickjs/compile.c', 'native/quickjs/snapshot.c'];
  const all = files('native/quickjs', '.c').filter((f) => !tools.includes(f));
  const headers = [...files('native/quickjs', '.h'), 'build/gen/abi.h', `${qjs.include}/quickjs.h`];
  const list = objects('musl-gcc', [...all, 'build/gen/quickjs-abi.c'], headers, build, flags);
  const [compile, take] = objects('musl-gcc', tools, headers, build, flags);
  link('musl-gcc', 'build/compile', [compile, qjs.archive], ['-static', '-lm']);
  link('musl-gcc', 'build/snapshot', [take], ['-static']);
  const table = await bytecode(entry, out, 'build/compile', keepLines);
  // Named by its content: nothing is linked if nothing has changed.
  const key = createHash('sha256').update(readFileSync(table));
  for (const f of files(out, '.bc')) key.update(readFileSync(f));
  const object = `${out}/pieces-${key.digest('hex').slice(0, 16)}.o`;
  if (!existsSync(object)) {
    for (const f of files(out, '.o')) rmSync(f);
    run('musl-gcc', ...flags, '-c', table, '-o', object);
  }
  const whole = `${out}/whole`;
  const http2 = http2Archive();
  const native = http2
    ? [...core('musl-gcc', `${build}/http2`, [...musl(), '-fno-pie', '-DRUNT_HTTP2']), http2]
    : core('musl-gcc', build, [...musl(), '-fno-pie']);
  link(
    'musl-gcc',
    whole,
    [...list, object, ...native, qjs.archive, seccompArchive()],
    [
      ...muslLink,
      '-Wl,-z,separate-code',
      '-Wl,--wrap=memcpy',
      '-Wl,--wrap=gettimeofday',
      '-lm',
      ...bindingCounters(qjs.include),
    ],
  );
  if (keepLines) copyFileSync(whole, output);
  else snapshot(whole, output, 'build/snapshot');
  return true;
}

async function all() {
  mkdirSync('build', { recursive: true });
  mkdirSync('dist', { recursive: true });
  run(process.execPath, 'hack/gen.mjs');
  if (existsSync('hack/validators.mjs')) {
    const inputs = ['hack/validators.mjs', ...files('schemas', '.json')];
    if (isStale('build/gen/.validators', inputs)) {
      run(process.execPath, 'hack/validators.mjs');
      writeFileSync('build/gen/.validators', '');
    }
  }
  run(process.execPath, 'hack/protos.mjs');
  run(process.execPath, 'hack/client.mjs');
  init();
  pause();
  layer();
  link(
    'gcc',
    'dist/librunt.so',
    [...core('gcc', 'build/shared', ['-fPIC', ...fortified]), seccompArchive()],
    // nodelete: a thread of it may still run when Node.js, at its end, closes the library.
    ['-shared', '-Wl,--exclude-libs,ALL', '-s', '-Wl,--gc-sections', '-Wl,-z,nodelete', ...hardenedLink],
  );
  await node();
  types();
  // Man pages and completions, from the same tables as --help.
  const pageSources = [
    'package.json',
    'src/cli/command-syntax.ts',
    'src/cli/commands/completion-command.ts',
    ...files('src/cli/help', '.ts'),
    ...files('src/cli/man', '.ts'),
    'hack/man.mjs',
  ];
  const page = 'dist/share/man8/containerd-shim-runt-v1.8';
  if (isStale(page, pageSources) || !readFileSync(page, 'utf8').includes(`"${pageDate()}"`))
    run(process.execPath, 'hack/man.mjs', 'dist/share');
  if (!(await program(command, 'dist/runt', 'build/runt', debug || process.env.RUNT_COVERAGE !== undefined))) {
    console.error('build: RUNT_WITHOUT_QUICKJS is set: dist/runt is not made, dist/cli.js is');
    return;
  }
  // The same program under the names that containerd looks for.
  for (const name of ['containerd-shim-runt-v1', 'containerd-shim-runt-grpc-v1']) {
    rmSync(`dist/${name}`, { force: true });
    symlinkSync('runt', `dist/${name}`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await all();
  } catch (error) {
    // Commands and esbuild have already printed the error.
    console.error(`build: ${process.env.V ? error.stack : error.message}`);
    process.exitCode = 1;
  }
}
