// The Node.js command without one of its defences in TypeScript, for the attacks of test/security. The
// sources have no switch for that: a text of them is replaced in the bundle, and must be there once.
import { chmodSync, existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as esbuild from 'esbuild';
import { define } from './build.mjs';

/** For each program: file, text, and what is in its place. */
const WEAK = {
  'weak-cgroups': [
    [
      'src/plan/cgroup/cgroup-mount.ts',
      'facts.rootless && !view.cgroupNamespace ? attrs | MOUNT_ATTR_RDONLY : attrs',
      'attrs',
    ],
  ],
  'weak-names': [
    ['src/container/criu/criu-external.ts', "b.toString(16).padStart(2, '0')", 'String.fromCharCode(b)'],
    ['src/container/criu/checkpoint.ts', "point.includes(']')", 'false'],
  ],
  'weak-annotations': [['src/plan/annotation-policy.ts', "policy === 'deny' && found.length > 0", 'false']],
};

const replacing = (changes) => ({
  name: 'weaker',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const own = changes.filter(([file]) => path.endsWith(`/${file}`));
      if (own.length === 0) return undefined;
      let contents = readFileSync(path, 'utf8');
      for (const [file, from, to] of own) {
        const parts = contents.split(from);
        if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${from}`);
        contents = parts.join(to);
      }
      return { contents, loader: 'ts' };
    });
  },
});

/** Writes the commands to a directory, unless they are newer than the product's. */
export async function weakCommands(directory) {
  for (const [name, changes] of Object.entries(WEAK)) {
    const output = join(directory, `${name}.mjs`);
    const sources = ['dist/cli.js', 'hack/weak-commands.mjs', ...changes.map(([file]) => file)];
    if (existsSync(output) && sources.every((f) => statSync(f).mtimeMs < statSync(output).mtimeMs)) continue;
    const { outputFiles } = await esbuild.build({
      entryPoints: ['src/entry/node-command.ts'],
      write: false,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      external: ['koffi', '@grpc/proto-loader'],
      define,
      banner: { js: "import { createRequire } from 'node:module';const require = createRequire(import.meta.url);" },
      plugins: [replacing(changes)],
      logLevel: 'warning',
    });
    const next = `${output}.${process.pid}`;
    writeFileSync(next, outputFiles[0].contents);
    chmodSync(next, 0o755);
    renameSync(next, output);
  }
}
