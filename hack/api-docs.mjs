// The reference of the library's API, by TypeDoc, to docs/api (make docs). A warning is a failure.
//
// TypeDoc needs the compiler's API, which TypeScript 7 does not have: it gets an older compiler of its own from npm,
// below build. Nothing else of the project needs either.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const top = fileURLToPath(new URL('..', import.meta.url));
const tools = join(top, 'build/typedoc');
const versions = { typedoc: '0.28.20', typescript: '5.9.3' };

/** Installs TypeDoc and its compiler, unless they are there. */
function install() {
  if (Object.keys(versions).every((name) => existsSync(join(tools, 'node_modules', name)))) return;
  mkdirSync(tools, { recursive: true });
  writeFileSync(join(tools, 'package.json'), JSON.stringify({ private: true, dependencies: versions }));
  const npm = join(dirname(process.execPath), 'npm');
  const args = ['install', '--no-audit', '--no-fund', '--ignore-scripts'];
  execFileSync(existsSync(npm) ? npm : 'npm', args, { cwd: tools, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Types that the types of the API name, and that it does not export. */
const internal = [
  'CpuAffinity',
  'ErrorFacts',
  'IoPriority',
  'NetDevice',
  'Observer',
  'OpFields',
  'OpName',
  'Personality',
  'Rlimit',
  'RootlessMode',
  'Scheduler',
  'SeccompArg',
  'Streams',
  'Switch',
  'TimeOffset',
  'WeightDevice',
];

install();
const tsconfig = join(tools, 'tsconfig.json');
writeFileSync(
  tsconfig,
  JSON.stringify({
    extends: '../../tsconfig.base.json',
    compilerOptions: { lib: ['ES2022'], types: ['node'], typeRoots: ['../../node_modules/@types'], rootDir: '../..' },
    files: ['index', 'client'].map((name) => `../../src/library/${name}.ts`),
  }),
);
const out = join(top, 'docs/api');
rmSync(out, { recursive: true, force: true });
execFileSync(
  process.execPath,
  [
    join(tools, 'node_modules/typedoc/bin/typedoc'),
    ...['--tsconfig', tsconfig, '--out', out, '--name', 'runt-oci'],
    ...['index', 'client'].flatMap((name) => ['--entryPoints', join(top, `src/library/${name}.ts`)]),
    ...internal.flatMap((name) => ['--intentionallyNotExported', name]),
    ...['--readme', 'none', '--excludePrivate', '--excludeExternals', '--disableSources'],
    ...['--treatWarningsAsErrors', '--logLevel', 'Warn'],
  ],
  { cwd: top, stdio: 'inherit' },
);
console.log('docs/api/index.html');
