/** hack/coverage.mjs on small samples: which lines have code, and which of them were executed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build, transform } from 'esbuild';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

interface Point {
  readonly line: number;
}
interface File {
  readonly path: string;
  readonly lines: number;
  readonly covered: number[];
  readonly uncovered: string;
}
interface Source {
  readonly points: readonly Point[];
  readonly hits: Uint8Array;
}
interface Tool {
  pointsOf(text: string, path: string): Point[];
  instrumented(text: string, points: readonly Point[], first: number, name: string): string;
  markV8(dir: string, top: string, sources: ReadonlyMap<string, Source>): void;
  cLines(program: string, top: string): Map<string, Map<number, Set<number>>>;
  folderTable(files: readonly File[], columns: readonly string[]): string;
  fileList(files: readonly File[]): string;
  rangesOf(lines: readonly number[], uncovered: ReadonlySet<number>): string;
  blocksFile(program: string): string;
  countersOf(program: string, counts: string, pid: number): string[];
  readonly BLOCK_FLAGS: string[];
  readonly BLOCKS_SIZE: number;
}
const parts = ['points', 'v8', 'c-lines', 'table', 'instrument'];
const modules = await Promise.all(parts.map((name) => import(resolve(`hack/coverage/${name}.mjs`))));
const tool = Object.assign({}, ...modules) as Tool;

const test = suite('hack/coverage');

/**
 * Runs a test's body in a directory of its own. The path is resolved: tools may name the directory by that path only.
 */
const inDirectory = (body: (dir: string) => Promise<void> | void) => async (): Promise<void> => {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'runt-coverage-test-')));
  try {
    await body(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};

/** A line with code ends in `// +` if it is executed, in `// -` if not. */
const typeScript = `import { sep } from 'node:path';
interface Shape { readonly side: number }
export type { Shape };
export const double = (n: number): number => n * 2; // +
const quadruple = (n: number): number => // +
  double(double(n)); // -
enum Colour { Red }

/** A comment. */
export class Square {
  readonly side: number;
  area = () => 1; // +
  constructor(o: Shape) {
    this.side = o.side; // +
  }
  cut(depth: number): number {
    if (depth > 2) return quadruple(depth); // +
    else if (depth > 1) // +
      return 2; // -
    for (let i = 0; i < 1; i++) this.side > 0 && double(i); // +
    switch (depth) { // +
      case 0:
        return this.side // +
          ? depth // +
          : 7; // -
      default: {
        const never = sep; // -
        throw new Error(never); // -
      }
    }
  }
}

export async function late(): Promise<number> {
  try { // +
    await Promise.reject(new Error('x')); // +
    return 1; // -
  } catch {
    return ( // +
      Colour.Red ||
      { n: 5 }.n // +
    );
  } finally {
    double(1); // +
  }
}

function unused(): void {
  outer: for (;;) { // -
    break outer; // -
  }
}
void (unused.name || (() => { // +
  unused(); // -
})());
export const result = [new Square({ side: 3 }).cut(0), await late()]; // +
`;
/** The numbers of the lines that end in `mark`. */
const marked = (text: string, mark: string): number[] =>
  text.split('\n').flatMap((line, n) => (line.endsWith(mark) ? [n + 1] : []));

const points = tool.pointsOf(typeScript, 'sample.ts');
const all = [...new Set(points.map(({ line }) => line))].sort((a, b) => a - b);
const executed = (hits: ArrayLike<number>): number[] =>
  [...new Set(points.filter((_, n) => hits[n]).map(({ line }) => line))].sort((a, b) => a - b);

test('a line of TypeScript has a point if code begins on it', () => {
  const expected = [...marked(typeScript, '// +'), ...marked(typeScript, '// -')].sort((a, b) => a - b);
  assert.ok(expected.length > 25);
  assert.equal(all, expected);
});

test(
  'counters in the text mark the executed lines and do not change what the program does',
  inDirectory(async (dir) => {
    const hits = new Uint8Array(points.length + 10);
    const text = tool.instrumented(typeScript, points, 10, 'globalThis.sampleHits');
    assert.is(text.split('\n').length, typeScript.split('\n').length);
    const { code } = await transform(text, { loader: 'ts' });
    writeFileSync(join(dir, 'sample.mjs'), code);
    Object.assign(globalThis, { sampleHits: hits });
    const sample = await import(join(dir, 'sample.mjs'));
    assert.equal(sample.result, [0, 5]);
    assert.equal(executed(hits.subarray(10)), marked(typeScript, '// +'));
    assert.equal([...hits.subarray(0, 10)], new Array(10).fill(0));
  }),
);

test(
  "V8's coverage of a bundle marks the same lines as the counters do",
  inDirectory(async (dir) => {
    mkdirSync(join(dir, 'src'));
    writeFileSync(join(dir, 'src/sample.ts'), typeScript);
    const entry = join(dir, 'entry.ts');
    writeFileSync(entry, "import { result } from './src/sample.js';\nconsole.log(result.join());\n");
    const out = join(dir, 'out/entry.mjs');
    const options = {
      bundle: true,
      platform: 'node',
      format: 'esm',
      sourcemap: 'inline',
      minifyWhitespace: true,
    } as const;
    await build({ entryPoints: [entry], outfile: out, ...options });
    const env = { PATH: process.env.PATH, NODE_V8_COVERAGE: join(dir, 'v8') };
    assert.is(execFileSync(process.execPath, [out], { encoding: 'utf8', env }), '0,5\n');
    const source = { points, hits: new Uint8Array(points.length) };
    tool.markV8(join(dir, 'v8'), dir, new Map([['src/sample.ts', source]]));
    assert.equal(executed(source.hits), marked(typeScript, '// +'));
  }),
);

const c = `#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static int unused(int a) { // -
  return a + 1; // -
} // -

static void leave(const char *how) { // +
  char *argv[] = {"true", NULL}; // +
  if (*how == 'e') // +
    execv("/bin/true", argv); // E
  if (*how == 'k') // +
    raise(SIGKILL); // K
  if (*how == 'x')
    _exit(unused(0)); // -
}

int main(int argc, char **argv) { // +
  if (argc > 5) // +
    abort(); // -
  leave(argv[1]); // +
}
`;

test(
  'blocks of C are counted although the process ends in execve or by SIGKILL',
  inDirectory((dir) => {
    const at = (name: string): string => join(dir, name);
    writeFileSync(at('sample.c'), c);
    const flags = ['-O2', ...tool.BLOCK_FLAGS, '-c', at('sample.c'), '-o', at('sample.o')];
    execFileSync('gcc', flags, { stdio: 'pipe' });
    const counters = tool.countersOf('out/sample', dir, process.pid);
    execFileSync('gcc', ['-o', at('sample'), at('sample.o'), ...counters], { stdio: 'pipe' });
    const counts = at(tool.blocksFile('out/sample'));
    const executedBy = (how: string) => {
      writeFileSync(counts, '');
      truncateSync(counts, tool.BLOCKS_SIZE);
      const { status, signal } = spawnSync(at('sample'), [how]);
      const blocks = readFileSync(counts);
      const lines = tool.cLines(at('sample'), dir).get('sample.c') ?? new Map<number, Set<number>>();
      const hit = [...lines].filter(([, places]) => [...places].some((p) => blocks[p + tool.BLOCKS_SIZE / 2]));
      return { status, signal, lines: [...lines.keys()], hit: hit.map(([line]) => line) };
    };
    for (const [how, mark, status, signal] of [
      ['execve', '// E', 0, null],
      ['kill', '// K', null, 'SIGKILL'],
    ] as const) {
      const r = executedBy(how);
      assert.equal([r.status, r.signal], [status, signal]);
      for (const line of marked(c, mark)) assert.ok(r.hit.includes(line), `${how}: line ${line}`);
      for (const line of marked(c, '// -')) assert.not(r.hit.includes(line), `${how}: line ${line}`);
      for (const line of [...marked(c, '// -'), ...marked(c, mark)]) assert.ok(r.lines.includes(line), `line ${line}`);
    }
    const { hit } = executedBy('kill');
    for (const line of marked(c, '// +')) assert.ok(hit.includes(line), `line ${line}`);
    assert.not(hit.includes(marked(c, '// E')[0]!));
  }),
);

const asRoot = process.geteuid?.() === 0;
if (!asRoot) process.stdout.write('# skip hidden counters: root: not root\n');
(asRoot ? test : test.skip)(
  'a process counts although a mount hides its counters from it',
  inDirectory((dir) => {
    const hidden = join(dir, 'hidden');
    mkdirSync(hidden);
    writeFileSync(join(dir, 'sample.c'), 'int main(void) {\n  return 0;\n}\n');
    const [sample, object] = [join(dir, 'sample'), join(dir, 'sample.o')];
    execFileSync('gcc', [...tool.BLOCK_FLAGS, '-c', join(dir, 'sample.c'), '-o', object]);
    execFileSync('gcc', ['-o', sample, object, ...tool.countersOf('sample', hidden, process.pid)]);
    const counts = join(hidden, tool.blocksFile('sample'));
    writeFileSync(counts, '');
    truncateSync(counts, tool.BLOCKS_SIZE);
    const script = 'mount -t tmpfs hidden "$1" && exec "$0"';
    const r = spawnSync('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script, sample, hidden], {
      encoding: 'utf8',
    });
    assert.is(r.status, 0, r.stderr);
    assert.ok(readFileSync(counts).includes(1));
  }),
);

test('the table has a row for each folder, and percentages are never rounded up', () => {
  const files = [
    { path: 'src/a/one.ts', lines: 3, covered: [0, 2], uncovered: '3' },
    { path: 'src/a/b/two.ts', lines: 1000, covered: [999, 1000], uncovered: '' },
    { path: 'src/a/types.ts', lines: 0, covered: [0, 0], uncovered: '' },
  ];
  assert.is(
    tool.folderTable(files, ['unit', 'all']),
    `folder   lines  unit           all
src       1003   999  99.6 %  1002   99.9 %
src/a     1003   999  99.6 %  1002   99.9 %
src/a/b   1000   999  99.9 %  1000  100.0 %
`,
  );
  assert.is(tool.fileList(files), 'src/a/one.ts 66.6 %: 3\n');
});

test('a range of unexecuted lines spans lines without code and ends at an executed line', () => {
  assert.is(tool.rangesOf([1, 3, 7, 8, 9, 12], new Set([1, 3, 8, 12])), '1-3, 8, 12');
  assert.is(tool.rangesOf([1, 2], new Set()), '');
});

test('arguments are checked before anything is built', () => {
  for (const [args, reason] of [
    [['--all'], 'unknown flag --all'],
    [['--unit', 'cli/arguments', 'no-such-test'], 'no test has "no-such-test" in its path'],
    [['--unit', 'mounts/overlay.test'], 'no unit test has "mounts/overlay.test" in its path'],
  ] as const) {
    const r = spawnSync(process.execPath, ['hack/coverage.mjs', ...args], { encoding: 'utf8' });
    assert.is(r.status, 1);
    assert.match(r.stderr, reason);
  }
});

test.run();
