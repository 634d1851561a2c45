/**
 * The tables of operations are total: an operation without a sentence, an error code or a handler does not compile. The
 * test adds two to a copy of the sources: one of the runtime and one of runt-init.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('operations');

/** The files in which the compiler reports a missing part of an operation. */
const messages = 'src/plan/masks/mask-messages.ts';
const hints = 'src/plan/masks/mask-hints.ts';
const handlers = 'src/container/launch/handlers/handler-table.ts';
/** The tables that collect the operations of all rooms, and their users. */
const roots = ['src/plan/explain/op-messages.ts', 'src/plan/failure/op-hints.ts', 'src/plan/encode-plan.ts', handlers];

class Copy {
  readonly directory = mkdtempSync(join(tmpdir(), 'runt-operations-'));

  constructor() {
    cpSync('src', join(this.directory, 'src'), { recursive: true });
    cpSync('build/gen', join(this.directory, 'build/gen'), { recursive: true });
    cpSync('tsconfig.base.json', join(this.directory, 'tsconfig.base.json'));
    symlinkSync(join(process.cwd(), 'node_modules'), join(this.directory, 'node_modules'));
    const config = { extends: './tsconfig.base.json', compilerOptions: { lib: ['ES2022'], types: [] }, files: roots };
    writeFileSync(join(this.directory, 'tsconfig.json'), JSON.stringify(config));
  }

  /** Puts `text` after the first line of the file that ends with `line`. */
  add(file: string, line: string, text: string): void {
    const path = join(this.directory, file);
    const before = readFileSync(path, 'utf8');
    const at = before.indexOf(`${line}\n`);
    assert.ok(at >= 0, `${file} has no line that ends with ${line}`);
    const end = at + line.length + 1;
    writeFileSync(path, `${before.slice(0, end)}${text}\n${before.slice(end)}`);
  }

  /** The compiler's errors: the file, and the names that the error quotes. */
  errors(): { readonly file: string; readonly text: string }[] {
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(process.cwd(), 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.json', '--pretty', 'false'],
      { cwd: this.directory, encoding: 'utf8' },
    );
    // Further lines of an error are indented.
    const errors = stdout.split(/\n(?=\S)/).filter((text) => text.includes(': error TS'));
    assert.is(status === 0, errors.length === 0, stdout);
    return errors.map((text) => ({ file: text.slice(0, text.indexOf('(')), text }));
  }
}

let copy: Copy;
test.before(() => {
  copy = new Copy();
});
test.after(() => rmSync(copy.directory, { recursive: true, force: true }));

const byRuntime = { by: "'runtime'", phase: "'prepare'" };
const byInit = { by: "'init'", phase: "'hide and protect'", code: '9001' };
/** An entry of a table of operations. */
const shape = (name: string, parts: Readonly<Record<string, string>>): string =>
  `  ${name}: { ${Object.entries(parts)
    .map(([key, value]) => `${key}: ${value}, `)
    .join('')}fields: { path: 'str' }, doc: 'for a test' },`;
const ops = 'src/plan/masks/mask-ops.ts';

test('for an operation that is only declared, the compiler reports messages, codes and handlers by name', () => {
  copy.add(ops, 'table({', [shape('dim', byRuntime), shape('veil', byInit)].join('\n'));
  const errors = copy.errors();
  const missed = (file: string, name: string): boolean =>
    errors.some((e) => e.file === file && new RegExp(`\\b${name}\\b`).test(e.text));
  for (const file of [messages, hints]) {
    assert.ok(missed(file, 'dim'), `${file}: dim\n${errors.map((e) => e.text).join('\n')}`);
    assert.ok(missed(file, 'veil'), `${file}: veil`);
  }
  assert.ok(missed(handlers, 'dim'), `${handlers}: dim`);
  assert.not.ok(missed(handlers, 'veil'), 'runt-init does it');
  assert.equal(
    [...new Set(errors.map((e) => e.file))].sort(),
    [handlers, hints, messages].sort(),
    'there are no other errors',
  );
});

test('operations with messages, codes and a handler compile', () => {
  const words = (name: string): string =>
    `  ${name}: { sentence: (op) => \`${name} \${op.path}\`, rows: (op) => row(op, '${name}', word(op.path)) },`;
  copy.add(messages, '= {', `${words('dim')}\n${words('veil')}`);
  copy.add(hints, '= {', "  dim: { code: 'ERR_MASK' },\n  veil: { code: 'ERR_MASK' },");
  copy.add(
    handlers,
    'handlers: Handlers = {',
    '  dim(op) {\n    checkOp(op, native.close(-1), op.path);\n    return undefined;\n  },',
  );
  assert.equal(copy.errors(), []);
});

test('a missing phase, a missing code of runt-init or a code of the runtime is a compile error', () => {
  const { phase: _, ...phaseless } = byRuntime;
  const { code, ...codeless } = byInit;
  copy.add(ops, 'table({', shape('phaseless', phaseless));
  copy.add('src/plan/network/network-ops.ts', 'table({', shape('codeless', codeless));
  copy.add('src/plan/rdt/rdt-ops.ts', 'table({', shape('coded', { ...byRuntime, code }));
  const of = (file: string): string =>
    errors
      .filter((e) => e.file === file)
      .map((e) => e.text)
      .join('\n');
  const errors = copy.errors();
  assert.match(of(ops), /'phase' is missing/);
  assert.match(of('src/plan/network/network-ops.ts'), /'code' is missing/);
  assert.match(of('src/plan/rdt/rdt-ops.ts'), /'code'|coded/);
});

test.run();
