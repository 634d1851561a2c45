/** The hardening of the built programs, read from their ELF headers (docs/security.md#hardening-of-the-binaries). */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { suite, type Test } from 'uvu';
import * as assert from 'uvu/assert';

const PT = { LOAD: 1, DYNAMIC: 2, INTERP: 3, GNU_STACK: 0x6474e551, GNU_RELRO: 0x6474e552 };
const PF = { X: 1, W: 2 };
const DT = { NULL: 0n, RPATH: 15n, TEXTREL: 22n, RUNPATH: 29n, FLAGS: 30n, FLAGS_1: 0x6ffffffbn };
const [ET_EXEC, ET_DYN, PAGE] = [2, 3, 4096n];

interface Segment {
  type: number;
  flags: number;
  offset: bigint;
  address: bigint;
  end: bigint;
}

function elf(path: string) {
  const data = readFileSync(path);
  assert.is(data.readUInt32BE(0), 0x7f454c46, path);
  const [table, size, count] = [Number(data.readBigUInt64LE(32)), data.readUInt16LE(54), data.readUInt16LE(56)];
  const segments: Segment[] = Array.from({ length: count }, (_, i) => {
    const at = table + i * size;
    const address = data.readBigUInt64LE(at + 16);
    return {
      type: data.readUInt32LE(at),
      flags: data.readUInt32LE(at + 4),
      offset: data.readBigUInt64LE(at + 8),
      address,
      end: address + data.readBigUInt64LE(at + 40),
    };
  });
  const dynamic = new Map<bigint, bigint>();
  const found = segments.find((s) => s.type === PT.DYNAMIC);
  for (let at = Number(found?.offset); found; at += 16) {
    const tag = data.readBigInt64LE(at);
    if (tag === DT.NULL) break;
    dynamic.set(tag, data.readBigUInt64LE(at + 8));
  }
  return {
    data,
    kind: data.readUInt16LE(16),
    segments,
    dynamic,
    of: (type: number) => segments.filter((s) => s.type === type),
  };
}

/** Whether a function reads the canary: `mov` or `sub` of %fs:0x28 with any register. */
const readsCanary = (data: Buffer) =>
  data.toString('latin1').match(/dH[\x2b\x8b].%\x28\0{3}|dL\x8b.%\x28\0{3}/gs)?.length ?? 0;

const programs = ['build/runt-init', 'dist/runt', 'dist/librunt.so'];

function tests(test: Test): void {
  for (const path of programs) {
    test(`${path}: no segment is writable and executable, and the stack is not executable`, () => {
      const { of } = elf(path);
      assert.ok(of(PT.LOAD).length > 1);
      for (const { flags } of of(PT.LOAD)) assert.is.not(flags & (PF.W | PF.X), PF.W | PF.X);
      // Without this header the kernel makes the stack, and all readable memory, executable.
      assert.equal(
        of(PT.GNU_STACK).map((s) => s.flags & PF.X),
        [0],
      );
    });

    test(`${path}: data that is written only before main is read-only (RELRO), in whole pages`, () => {
      const [relro, ...more] = elf(path).of(PT.GNU_RELRO);
      assert.ok(relro && relro.end > relro.address, 'PT_GNU_RELRO');
      assert.is(more.length, 0);
      assert.is(relro.end % PAGE, 0n, 'the last page is shared with data that stay writable');
    });
  }

  for (const path of ['build/runt-init', 'dist/librunt.so']) {
    test(`${path}: the code is position-independent, bound before it runs (BIND_NOW) and has no relocations`, () => {
      const { kind, dynamic } = elf(path);
      assert.is(kind, ET_DYN);
      assert.ok((dynamic.get(DT.FLAGS) ?? 0n) & 8n, 'DF_BIND_NOW');
      assert.ok((dynamic.get(DT.FLAGS_1) ?? 0n) & 1n, 'DF_1_NOW');
      for (const tag of [DT.TEXTREL, DT.RPATH, DT.RUNPATH]) assert.not(dynamic.has(tag));
      assert.not((dynamic.get(DT.FLAGS) ?? 0n) & 4n, 'DF_TEXTREL');
    });
  }

  test('build/runt-init is static-pie, without a dynamic loader', () => {
    const { dynamic, of } = elf('build/runt-init');
    assert.ok((dynamic.get(DT.FLAGS_1) ?? 0n) & 0x08000000n, 'DF_1_PIE');
    assert.is(of(PT.INTERP).length, 0);
  });

  test('dist/runt has fixed addresses for its snapshot, and nothing is bound or relocated at run time', () => {
    const { kind, of } = elf('dist/runt');
    assert.is(kind, ET_EXEC);
    assert.is(of(PT.DYNAMIC).length, 0);
    assert.is(of(PT.INTERP).length, 0);
  });

  test('the file of dist/runt maps RELRO read-only, and code apart from constants and headers', () => {
    const { of, data } = elf('dist/runt');
    const [relro] = of(PT.GNU_RELRO);
    const mapped = of(PT.LOAD).filter((s) => s.address < relro!.end && s.end > relro!.address);
    assert.equal(
      mapped.map((s) => [s.address, s.end, s.flags & PF.W, s.offset]),
      [[relro!.address, relro!.end, 0, relro!.offset]],
    );
    const code = of(PT.LOAD).filter((s) => s.flags & PF.X);
    assert.is(code.length, 1);
    // The page of the headers is not executable, nor is a page with constants.
    assert.ok(code[0]!.address % PAGE === 0n && code[0]!.offset > 0n);
    for (const other of of(PT.LOAD))
      if (other !== code[0]) assert.ok(other.address >= code[0]!.end || other.end <= code[0]!.address);
    assert.ok(data.length > Number(relro!.offset));
  });

  test('functions with buffers check a canary', () => {
    // The stripped programs have no symbols; the objects that they are linked from have.
    assert.ok(readFileSync('build/runt/whole').includes('\0__stack_chk_fail\0'), 'build/runt/whole');
    assert.ok(readFileSync('dist/librunt.so').includes('\0__stack_chk_fail\0'), 'dist/librunt.so');
    const objects = readdirSync('build/init').filter((f) => f.endsWith('.o'));
    const guarded = objects.filter((f) => readFileSync(`build/init/${f}`).includes('\0__stack_chk_fail\0'));
    for (const name of ['root_resolve', 'mounts_mount', 'hooks_hook', 'report', 'supervisor_record'])
      assert.ok(guarded.includes(`native_init_${name}.o`), name);
    if (process.arch !== 'x64') return;
    assert.ok(readsCanary(elf('build/runt-init').data) >= 50, 'build/runt-init');
    assert.ok(readsCanary(elf('dist/runt').data) >= 500, 'dist/runt');
  });

  test("dist/librunt.so calls glibc's checked functions (FORTIFY)", () => {
    const names = readFileSync('dist/librunt.so', 'latin1').match(/\0__[a-z_0-9]+_chk(?=\0)/g) ?? [];
    assert.ok(
      names.some((name) => name !== '\0__stack_chk'),
      names.join(' '),
    );
  });
}

const test = suite('hardening');
const absent = programs.find((path) => !existsSync(path));
if (absent) {
  process.stdout.write(`# skip hardening: quickjs: ${absent} is not built\n`);
  tests(Object.assign((name: string) => test.skip(name), test) as unknown as Test);
} else {
  tests(test);
}
test.run();
