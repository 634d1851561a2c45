/** The bytecode that each command loads, from the manifest of the build (each KB costs a start 3–6 µs). */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

interface Piece {
  name: string;
  entry: string;
  bytes: number;
  imports: string[];
}

const path = 'build/runt/manifest.json';
const KB = 1024;

/** The bytes of the main module, a command's module and their imports. */
function loaded(pieces: Piece[], command: string): number {
  const names = new Set<string>();
  const add = (piece: Piece | undefined): void => {
    if (!piece) throw new Error(`no piece for ${command}`);
    if (names.has(piece.name)) return;
    names.add(piece.name);
    for (const name of piece.imports) add(pieces.find((p) => p.name === name));
  };
  add(pieces[0]);
  add(pieces.find((p) => p.entry === `src/cli/commands/${command}-command.ts`));
  return [...names].reduce((sum, name) => sum + pieces.find((p) => p.name === name)!.bytes, 0);
}

if (!existsSync(path)) {
  process.stdout.write('# skip budget: quickjs: QuickJS is not available\n');
  test.skip('commands load no more than their budget');
} else {
  const pieces: Piece[] = JSON.parse(readFileSync(path, 'utf8'));
  for (const [commands, budget] of [
    [['version', 'state', 'kill', 'delete', 'start'], 61 * KB],
    [['create', 'run'], 304 * KB],
  ] as const) {
    for (const command of commands) {
      test(`${command} loads at most ${budget / KB} KB`, () => {
        const bytes = loaded(pieces, command);
        assert.ok(bytes > 1 * KB, `${bytes} bytes is too little to be true`);
        assert.ok(bytes <= budget, `${bytes} bytes`);
      });
    }
  }
  test('the binary is static, stripped, smaller than 6 MB and has its snapshot', () => {
    assert.ok(statSync('dist/runt').size < 6e6);
    const elf = readFileSync('dist/runt');
    assert.is(elf.readUInt32BE(0), 0x7f454c46);
    const [offset, size, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(54), elf.readUInt16LE(56)];
    const types = Array.from({ length: count }, (_, i) => elf.readUInt32LE(offset + i * size));
    assert.not.ok(types.includes(3), 'PT_INTERP: the binary needs a dynamic loader');
    assert.not.ok(types.includes(2), 'PT_DYNAMIC');
    // The snapshot: the virtual machine as the build left it, which each command maps instead of making it.
    const address = (i: number) => elf.readBigUInt64LE(offset + i * size + 16);
    assert.ok(
      types.some((type, i) => type === 1 && address(i) === 0x40000000n),
      'no segment of objects: may the build use ptrace(2)?',
    );
    // Section names: strip removes .symtab.
    assert.not.ok(elf.includes('\0.symtab\0'), 'not stripped');
  });
}

test.run();
