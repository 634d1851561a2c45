/** Seccomp programs: a cached one is used only if it is ours and complete; a broken cache is not an error. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { openProgram } from '../../../../src/container/launch/handlers/seccomp-cache.js';
import { decode, openProgramData } from '../../../../src/container/launch/handlers/seccomp-data.js';
import { eachFailure } from '../../../sys/fake-host/each-failure.js';
import { FakeKernel } from '../../../sys/fake-host/fake-kernel.js';
import { fill } from '../../../sys/fake-host.js';
import { failed } from './failed-op.js';

const test = suite('seccomp programs');

const at = '/linux/seccomp';
const profile = { defaultAction: 0x7fff0000, architectures: ['x86_64'], syscalls: [] };
const op = { op: 'seccompProgram', at, profile, slot: 0 } as const;

/** A kernel whose libseccomp compiles to two instructions. */
function kernelWith(): FakeKernel {
  const kernel = new FakeKernel();
  kernel.tree.directory(kernel.root, 0o700);
  kernel.on('seccompVersion', (data) => fill(data, '2.5.4 x86_64'));
  kernel.on('compileSeccomp', (_profile, program) => {
    program.fill(7, 0, 16);
    return 16;
  });
  return kernel;
}

const compiled = (kernel: FakeKernel): number => kernel.names.filter((name) => name === 'compileSeccomp').length;
const keptIn = (kernel: FakeKernel): string[] => kernel.tree.list(`${kernel.root}/.seccomp`) ?? [];

/** Opens the program. @returns the path behind the descriptor; asserts that nothing else stays open */
function opened(kernel: FakeKernel): string {
  const fd = openProgram(op, kernel.root, 0);
  const shown = kernel.descriptors.get(fd)?.shown ?? '';
  kernel.descriptors.close(fd);
  assert.equal(kernel.open, [kernel.root]);
  return shown.replace(kernel.root, '~');
}

test('a program is compiled once, and the cached file is private to its owner', () => {
  const kernel = kernelWith();
  assert.is(opened(kernel), '/memfd');
  const [name = ''] = keptIn(kernel);
  assert.match(name, /^[0-9a-f]{64}$/);
  assert.is(kernel.tree.at(`${kernel.root}/.seccomp/${name}`)?.mode, 0o100600);
  assert.is(kernel.tree.at(`${kernel.root}/.seccomp`)?.mode, 0o40700);
  assert.is(opened(kernel), `~/.seccomp/${name}`);
  assert.is(compiled(kernel), 1);
});

test('another version of libseccomp compiles another program', () => {
  const kernel = kernelWith();
  opened(kernel);
  kernel.on('seccompVersion', (data) => fill(data, '2.6.0 x86_64'));
  assert.is(opened(kernel), '/memfd');
  assert.is(keptIn(kernel).length, 2);
});

test('a cached program that another user may have written, or that is incomplete, is compiled again', () => {
  const spoil: [what: string, how: (file: { mode: number; uid: number; data: Uint8Array }) => void][] = [
    ['mode', (file) => (file.mode = 0o100644)],
    ['owner', (file) => (file.uid = 1000)],
    ['a byte', (file) => (file.data[0] = 8)],
    ['cut', (file) => (file.data = file.data.slice(0, 40))],
    ['empty', (file) => (file.data = new Uint8Array(0))],
    ['no whole instructions', (file) => (file.data = file.data.slice(0, 47))],
    ['too long', (file) => (file.data = new Uint8Array(40_000))],
  ];
  for (const [what, how] of spoil) {
    const kernel = kernelWith();
    opened(kernel);
    const path = `${kernel.root}/.seccomp/${keptIn(kernel)[0]}`;
    const file = kernel.tree.at(path);
    if (file) how(file);
    assert.is(opened(kernel), '/memfd', what);
    assert.is.not(kernel.tree.at(path), file, `${what}: it is replaced`);
    assert.match(opened(kernel), /^~\/\.seccomp/, what);
  }
});

test('a cached program that was copied over the name of another profile is compiled again', () => {
  const kernel = kernelWith();
  opened(kernel);
  const [first = ''] = keptIn(kernel);
  kernel.on('seccompVersion', (data) => fill(data, '2.6.0 x86_64'));
  opened(kernel);
  const second = keptIn(kernel).find((name) => name !== first);
  const [from, to] = [first, second].map((name) => kernel.tree.at(`${kernel.root}/.seccomp/${name}`));
  assert.ok(from && to);
  to.data = from.data.slice();
  assert.is(opened(kernel), '/memfd');
  assert.match(opened(kernel), /^~\/\.seccomp/);
});

test('a cache directory that other users can access is not used', () => {
  for (const change of [{ mode: 0o40750 }, { uid: 1000 }]) {
    const kernel = kernelWith();
    opened(kernel);
    const directory = kernel.tree.at(`${kernel.root}/.seccomp`);
    if (directory) Object.assign(directory, change);
    assert.is(opened(kernel), '/memfd');
  }
  const kernel = kernelWith();
  kernel.tree.symlink(`${kernel.root}/.seccomp`, '/elsewhere');
  assert.is(opened(kernel), '/memfd');
});

test('the cache holds 64 programs; the oldest is removed first', () => {
  const kernel = kernelWith();
  opened(kernel);
  const [first = ''] = keptIn(kernel);
  for (let i = 1; i < 65; i++) {
    const file = kernel.tree.file(`${kernel.root}/.seccomp/old-${i}`);
    file.mtime = BigInt(i);
  }
  const kept = kernel.tree.at(`${kernel.root}/.seccomp/${first}`);
  if (kept) kept.data = new Uint8Array(0);
  kernel.on('replaceFile', (_dir, name, mode, data) => {
    const file = kernel.tree.file(`${kernel.root}/.seccomp/${name}`, '', mode);
    file.data = data.slice();
    file.mtime = 1000n;
    return 0;
  });
  opened(kernel);
  const names = keptIn(kernel);
  assert.is(names.length, 64);
  assert.ok(names.includes(first) && !names.includes('old-1') && names.includes('old-2'));
});

test('only a failed call for the program itself is an error', async () => {
  const outcomes = await eachFailure(kernelWith, (kernel) => {
    const fd = openProgram(op, kernel.root, 0);
    kernel.descriptors.close(fd);
  });
  const errors = outcomes.filter(({ error }) => error !== undefined);
  assert.equal(
    errors.map(({ call }) => call.replace(/\(.*/, '')),
    ['stat', 'stat', 'stat', 'compileSeccomp', 'sealedFile'],
    'the first calls check the root, as in every command',
  );
  for (const { call, leftOpen } of outcomes) assert.equal(leftOpen, [], call);
});

const data = (text: string) =>
  ({ op: 'seccompData', at: '/annotations/run.oci.seccomp_bpf_data', data: text, slot: 0 }) as const;

test('ready-made program data is base64 of complete instructions', () => {
  const kernel = new FakeKernel();
  const fd = openProgramData(data('BgAAAAAA/38='));
  const bytes = new Uint8Array(100);
  assert.is(kernel.descriptors.get(fd)?.read(bytes), 8 + 32, 'followed by the space of a digest');
  assert.equal([...bytes.subarray(0, 8)], [6, 0, 0, 0, 0, 0, 255, 127]);
});

test('other ready-made program data is refused with what was found', () => {
  new FakeKernel();
  const why = (text: string): string => (failed(() => openProgramData(data(text))) ?? '').replace(/^.*, found /, '');
  assert.is(why('AAAA'), '3 bytes');
  assert.is(why(''), '0 bytes');
  assert.is(why('no!='), 'no base64');
  assert.is(why('AAA'), 'no base64');
  assert.is(why('A'.repeat(4 * 10_926)), `${3 * 10_926} bytes`);
});

test('base64 is decoded by RFC 4648', () => {
  for (const text of ['', 'f', 'fo', 'foo', 'foob', 'ÿ\x00þ']) {
    const bytes = Buffer.from(text, 'latin1');
    assert.equal([...(decode(bytes.toString('base64')) ?? [])], [...bytes]);
  }
});

test.run();
