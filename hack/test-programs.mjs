// Programs of test/sys/abi.test.ts: build/test/abi-node.mjs, and build/test/abi-quickjs if QuickJS is available. With
// an argument only build/test/faulty, for test/shim/unhandled.test.ts, or build/test/immortal or build/test/fast, for
// their tests in test/native/quickjs.
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';
import { nodeProgram, program } from './build.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
if (process.argv[2] === 'faulty')
  process.exit((await program('test/shim/faulty.ts', 'build/test/faulty', 'build/test/faulty-pieces', true)) ? 0 : 3);
if (['immortal', 'fast'].includes(process.argv[2])) {
  const output = `build/test/${process.argv[2]}`;
  process.exit((await program(`test/native/quickjs/${process.argv[2]}.ts`, output, `${output}-pieces`)) ? 0 : 3);
}
await esbuild.build({
  entryPoints: ['test/sys/abi-node.ts'],
  outfile: 'build/test/abi-node.mjs',
  ...nodeProgram,
});
if (!(await program('test/sys/abi-quickjs.ts', 'build/test/abi-quickjs', 'build/test/quickjs', true))) process.exit(3);
