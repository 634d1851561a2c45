// C programs of the tests: test/**/NAME.c becomes build/test-programs/NAME, static, so that hack/vm can run it too. A
// runt-init without one of its defences becomes build/test-programs/weak-NAME; librunt.so without its check of peers
// weak-library.so; the Node.js command without a defence of TypeScript another one (hack/weak-commands.mjs).
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { filesBelow, musl, warnings } from './build.mjs';
import { weakCommands } from './weak-commands.mjs';

const OUT = 'build/test-programs';
/** Headers that several of the programs include. */
const SHARED = 'test/integration/programs';
/** Switches RUNT_WEAK_… of native/init that the product never has, by the name of the program. */
const WEAK = {
  'weak-mounts': ['MOUNTS'],
  'weak-resolve': ['RESOLVE', 'MOUNTS'],
  'weak-null': ['NULL'],
  'weak-console': ['CONSOLE'],
  'weak-dumpable': ['DUMPABLE'],
  'weak-ids': ['IDS'],
  'weak-capabilities': ['CAPABILITIES'],
  'weak-procfs': ['PROCFS'],
  'weak-cwd': ['CWD'],
  'weak-remount': ['REMOUNT'],
  'weak-lengths': ['LENGTHS'],
  'weak-peers': ['PEERS'],
};

/**
 * Builds programs that are older than their sources. Without musl-gcc it builds nothing, and the tests that need it
 * skip with that reason.
 */
export async function testPrograms() {
  mkdirSync(OUT, { recursive: true });
  const programs = readdirSync('test', { recursive: true }).filter((f) => f.endsWith('.c'));
  const headers = [
    ...filesBelow('native/init', '.h'),
    ...['ops', 'dispatch', 'protocol'].map((name) => `build/gen/${name}.h`),
  ];
  const sources = filesBelow('native/init', '.c');
  if (!callNames()) return;
  const shared = filesBelow('test', '.h');
  for (const f of programs) if (!build(basename(f, '.c'), [`test/${f}`], shared, [`-I${OUT}`, `-I${SHARED}`])) return;
  for (const [name, switches] of Object.entries(WEAK)) {
    const flags = switches.map((word) => `-DRUNT_WEAK_${word}`);
    if (!build(name, sources, headers, [...flags, '-Ibuild/gen'])) return;
  }
  weakLibrary();
  await weakCommands(OUT);
}

/** librunt.so without its check of peers, around the runt-init without it. */
function weakLibrary() {
  const output = `${OUT}/weak-library.so`;
  const sources = [...filesBelow('native/core', '.c'), 'native/pause/pause-image.c'];
  const inputs = [
    ...sources,
    ...filesBelow('native/core', '.h'),
    `${OUT}/weak-peers`,
    'build/runt-pause',
    'build/runt-layer',
  ];
  const made = existsSync(output) ? statSync(output).mtimeMs : 0;
  if (inputs.every((f) => statSync(f).mtimeMs < made)) return;
  const seccomp = execFileSync('gcc', ['-print-file-name=libseccomp.a'], { encoding: 'utf8' }).trim();
  const paths = [
    `-DRUNT_INIT_PATH="${OUT}/weak-peers"`,
    '-DRUNT_PAUSE_PATH="build/runt-pause"',
    '-DRUNT_LAYER_PATH="build/runt-layer"',
  ];
  const flags = [...warnings, '-O1', '-fPIC', '-shared', '-DRUNT_WEAK_PEERS', '-Ibuild/gen', ...paths];
  const next = `${output}.${process.pid}`;
  execFileSync('gcc', [...flags, '-o', next, ...sources, seccomp], { stdio: 'inherit' });
  renameSync(next, output);
}

/**
 * Writes the names of all system calls in the kernel's headers, as a header for calls.h. Returns false without
 * musl-gcc.
 */
function callNames() {
  const output = join(OUT, 'call-names.h');
  const options = { input: '#include <asm/unistd.h>\n', encoding: 'utf8' };
  try {
    const macros = execFileSync('musl-gcc', [...musl(), '-E', '-dM', '-'], options);
    const names = [...macros.matchAll(/^#define __NR_([a-z]\w*) /gm)].map(([, name]) => `CALL(${name})\n`);
    const text = names.sort().join('');
    if (!existsSync(output) || readFileSync(output, 'utf8') !== text) writeFileSync(output, text);
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
  return true;
}

/** Builds one program. Returns false without musl-gcc. */
function build(name, sources, headers, flags) {
  const output = `${OUT}/${name}`;
  const made = existsSync(output) ? statSync(output).mtimeMs : 0;
  if ([...sources, ...headers].every((f) => statSync(f).mtimeMs < made)) return true;
  // Under another name first, because two runs may build at once.
  const next = `${output}.${process.pid}`;
  try {
    execFileSync('musl-gcc', [...warnings, '-O1', ...flags, ...musl(), '-o', next, ...sources], { stdio: 'inherit' });
  } catch (error) {
    if (error.code === 'ENOENT') return false;
    throw error;
  }
  renameSync(next, output);
  return true;
}
