// The static binary's C with sanitizers, and tests with it: sanitize.mjs [--build] [part of a test's path …] (as root).
//
// build/sanitize/runt is the host, its native functions and QuickJS for glibc, with ASan and UBSan; build/sanitize/
// runt-init has UBSan that traps, because neither works with musl. A report of a sanitizer fails the run, whatever the
// test says. --build only builds. Before the tests: the thread of librunt.so with TSan, and the plan's decoder under
// valgrind, which sees what ASan cannot: values that were never written.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { filesBelow, musl, nodeProgram, warnings } from './build.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const out = 'build/sanitize';
const reports = join(process.cwd(), out, 'reports');
const quickjs = 'build/quickjs/source';
/** A shard of the tests: what reaches most of the C code in two minutes. */
const SHARD = [
  'integration/lifecycle/lifecycle.test',
  'integration/lifecycle/wait.test',
  'integration/mounts/masks',
  'integration/process/exec.test',
];
mkdirSync(out, { recursive: true });

const newest = (paths) => Math.max(...paths.map((path) => statSync(path).mtimeMs));
const isFresh = (output, inputs) => existsSync(output) && statSync(output).mtimeMs > newest(inputs);
const headers = [
  ...['native/core', 'native/init', 'native/quickjs', 'build/gen'].flatMap((dir) => filesBelow(dir, '.h')),
];

/** runt-init. A program's own headers (native/init/relro.h) begin before the object that names them. */
function init() {
  const sources = filesBelow('native/init', '.c');
  const output = `${out}/runt-init`;
  if (isFresh(output, [...sources, ...headers])) return;
  const traps = ['-fsanitize=undefined', '-fno-sanitize=object-size', '-fsanitize-undefined-trap-on-error'];
  const flags = ['-O1', '-g', ...traps, '-Ibuild/gen', ...musl()];
  execFileSync('musl-gcc', [...warnings, ...flags, '-o', output, ...sources], { stdio: 'inherit' });
}

/** Objects of sources, with flags. */
function objects(sources, flags) {
  return sources.map((source) => {
    const object = `${out}/${source.replaceAll('/', '_')}.o`;
    const inputs = [source, ...headers];
    if (/process_image|(?:pause|layer)-image/.test(source))
      inputs.push(`${out}/runt-init`, 'build/runt-pause', 'build/runt-layer');
    if (!isFresh(object, inputs)) execFileSync('gcc', [...flags, '-c', source, '-o', object], { stdio: 'inherit' });
    return object;
  });
}

function host() {
  // The tests clear the environment, so the options are in the program.
  const options = `log_path=${reports}/report:exitcode=99:detect_leaks=0:detect_stack_use_after_return=0`;
  writeFileSync(
    `${out}/options.c`,
    `#include <stdlib.h>
__attribute__((constructor)) static void planted(void) {
  volatile char *bytes = getenv("RUNT_PLANT") ? malloc(8) : 0;
  free((void *)bytes);
  if (bytes)
    bytes[0] = 1;
}
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__asan_default_options(void) { return "${options}"; }
const char *__ubsan_default_options(void) { return "log_path=${reports}/report:print_stacktrace=1"; }
`,
  );
  const both = ['-std=gnu11', '-g', '-O1', '-fno-omit-frame-pointer', '-fsanitize=address'];
  const undefinedToo = [...both, '-fsanitize=undefined', '-fno-sanitize-recover=undefined', '-Ibuild/gen'];
  const images = [
    `-DRUNT_INIT_PATH="${out}/runt-init"`,
    '-DRUNT_PAUSE_PATH="build/runt-pause"',
    '-DRUNT_LAYER_PATH="build/runt-layer"',
    '-DRUNT_HTTP2',
  ];
  // Tools of the build, and what only musl needs.
  const without = ['compile', 'snapshot', 'glibc', 'copy'].map((name) => `native/quickjs/${name}.c`);
  const list = [
    ...objects([...filesBelow('native/core', '.c'), 'native/pause/pause-image.c'], [...undefinedToo, ...images]),
    ...objects(
      [
        ...filesBelow('native/quickjs', '.c').filter((path) => !without.includes(path)),
        'build/gen/quickjs-abi.c',
        'build/runt/pieces.c',
      ],
      [...undefinedToo, '-Inative/quickjs', '-isystem', quickjs, '-fno-sanitize=object-size'],
    ),
    ...objects([`${out}/options.c`], both),
    // QuickJS is not ours: only what it does to memory counts.
    ...objects(
      ['quickjs', 'libregexp', 'libunicode', 'cutils', 'dtoa'].map((name) => `${quickjs}/${name}.c`),
      [...both, '-w', '-D_GNU_SOURCE', '-DCONFIG_VERSION="sanitize"'],
    ),
  ];
  const archive = (name) => execFileSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
  const libraries = [archive('libseccomp.a'), archive('libnghttp2.a'), '-lm', '-lpthread'];
  execFileSync('gcc', ['-fsanitize=address,undefined', '-o', `${out}/runt`, ...list, ...libraries], {
    stdio: 'inherit',
  });
}

/** Runs a command that must succeed, or report a planted bug with its text. */
function demand(what, [command, ...args], planted) {
  const { status, signal, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  const isRight = planted ? status !== 0 && stderr.includes(planted) : status === 0;
  if (isRight) return;
  console.error(`${stdout}${stderr}`.slice(0, 8000));
  throw new Error(planted ? `${what}: the planted bug was not reported` : `${what}: ${signal ?? `status ${status}`}`);
}

/** The thread that forwards events, beside the one that calls the library (native/sanitize/forward.c). */
function threads() {
  const program = `${out}/forward`;
  const sources = ['native/sanitize/forward.c', 'native/core/events.c'];
  const flags = [...warnings, '-g', '-O1', '-fsanitize=thread', '-Ibuild/gen'];
  execFileSync('gcc', [...flags, '-o', program, ...sources], { stdio: 'inherit' });
  // gcc 12's TSan ends where addresses are too random for it.
  const command = ['setarch', '-R', program];
  demand('forward', [...command, 'planted'], 'data race');
  demand('forward', command);
  console.log('sanitize: the thread of librunt.so: no race, and a planted one is reported');
}

/** The plan's decoder on the plans from which hack/fuzz begins, whole and damaged (native/sanitize/decode.c). */
function decoder() {
  const seeds = `${out}/seeds.mjs`;
  buildSync({
    entryPoints: ['test/native/init/seeds.ts'],
    outfile: seeds,
    ...nodeProgram,
  });
  rmSync(`${out}/seeds`, { recursive: true, force: true });
  execFileSync(process.execPath, [seeds, `${out}/seeds`]);
  const plans = readdirSync(`${out}/seeds/plan`).map((name) => `${out}/seeds/plan/${name}`);
  const sources = [
    'native/sanitize/decode.c',
    'native/fuzz/decode_fuzz.c',
    'native/init/decode.c',
    'native/init/text.c',
  ];
  for (const [name, more] of Object.entries({ decode: [], 'decode-planted': ['-DPLANT_UNDEFINED'] }))
    execFileSync('gcc', [...warnings, '-g', '-O1', '-Ibuild/gen', ...more, '-o', `${out}/${name}`, ...sources], {
      stdio: 'inherit',
    });
  const valgrind = ['valgrind', '--quiet', '--error-exitcode=9'];
  demand('decode', [...valgrind, `${out}/decode-planted`, ...plans.slice(0, 2)], 'uninitialised value');
  demand('decode', [...valgrind, '--leak-check=full', `${out}/decode`, ...plans]);
  console.log(
    `sanitize: the decoder of ${plans.length} plans: nothing unwritten is read, and a planted one is reported`,
  );
}

init();
host();
const args = process.argv.slice(2);
if (args.includes('--build')) process.exit(0);
threads();
decoder();
rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { mode: 0o777 });
const planted = spawnSync(`${out}/runt`, ['--version'], { env: { RUNT_PLANT: '1' } });
if (planted.status !== 99 || readdirSync(reports).length !== 1)
  throw new Error(`the planted bug was not reported: ${planted.status} ${planted.stderr}`);
for (const name of readdirSync(reports)) rmSync(join(reports, name));
console.log('sanitize: the planted bug was reported');
const env = { ...process.env, RUNT_BIN: `${out}/runt` };
const parts = args.length > 0 ? args : SHARD;
const { status } = spawnSync(process.execPath, ['hack/test.mjs', ...parts], { stdio: 'inherit', env });
const found = readdirSync(reports);
for (const name of found) console.log(`sanitize: ${name}\n${readFileSync(join(reports, name), 'utf8').slice(0, 4000)}`);
console.log(`sanitize: ${found.length} reports`);
process.exit(found.length > 0 ? 1 : (status ?? 1));
