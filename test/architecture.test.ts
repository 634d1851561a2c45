/** Rules of the source tree (docs/architecture.md): imports between rooms, sizes of folders, names of files. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';

const test = suite('architecture');

/** From the bottom to the top: a room imports from itself and from those before it. */
const rooms = [
  'sys',
  'spec',
  'cgroup',
  'plan',
  'container',
  'image',
  'library',
  'shim',
  'engines',
  'doctor',
  'cli',
  'entry',
];
/** A folder that has one file for each command. */
const unbounded = ['src/cli/commands'];

const sources = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => `src/${name}`)
  .sort();

interface Import {
  readonly path: string;
  /** By import(): a module that is loaded later may import back. */
  readonly later: boolean;
}

/** The imports of a file, types included, without generated files and packages. */
function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const found: Import[] = [];
  for (const { 1: later, 2: name } of text.matchAll(/(?:\bfrom |^import |\b(import)\()'(\.[^']+)'/gm)) {
    const path = normalize(join(dirname(file), name!)).replace(/\.js$/, '.ts');
    if (!path.startsWith('src/')) continue;
    assert.ok(existsSync(path), `${file} imports ${name}, which is not there`);
    found.push({ path, later: later !== undefined });
  }
  return found;
}

const imports = new Map(sources.map((file) => [file, importsOf(file)]));
const roomOf = (file: string): string => file.split('/')[1]!;
/** The importer, and the file that it must not import. */
const arrow = (file: string, path: string): string => `${file} → ${path}`;

/** The files of each import cycle, found by a depth-first search from every file. */
function circles(): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const go = (file: string, way: readonly string[]): void => {
    if (way.includes(file)) found.push([...way.slice(way.indexOf(file)), file].join(' → '));
    if (done.has(file)) return;
    done.add(file);
    for (const { path, later } of imports.get(file) ?? []) if (!later) go(path, [...way, file]);
  };
  for (const file of sources) go(file, []);
  return found;
}

test('every room has files with imports', () => {
  assert.equal([...new Set(sources.map(roomOf))].sort(), [...rooms].sort());
  for (const room of rooms) {
    const some = sources.filter((file) => roomOf(file) === room).flatMap((file) => imports.get(file)!);
    assert.ok(some.length > 0, `${room} imports nothing`);
  }
});

test('no room imports from one above it, nor the shim from the library', () => {
  const up = sources.flatMap((file) =>
    imports
      .get(file)!
      .filter(({ path }) => {
        const [from, to] = [roomOf(file), roomOf(path)];
        return rooms.indexOf(to) > rooms.indexOf(from) || (from === 'shim' && to === 'library');
      })
      .map(({ path }) => arrow(file, path)),
  );
  assert.equal(up, []);
});

test('there is no import cycle, types included', () => {
  assert.equal(circles(), []);
});

test('spec and plan call no native function, except to parse JSON', () => {
  const calling = sources.filter(
    (file) => ['spec', 'plan'].includes(roomOf(file)) && /\bnative\./.test(readFileSync(file, 'utf8')),
  );
  assert.equal(calling, ['src/spec/json/parse-json.ts', 'src/spec/json/wide-integers.ts']);
});

test('no two files have the same name, except for index.ts', () => {
  const names = sources.map((file) => basename(file)).filter((name) => name !== 'index.ts');
  assert.equal(
    names.filter((name, i) => names.indexOf(name) !== i),
    [],
  );
});

test('every folder holds two to twenty files', () => {
  const folders = [...new Set(sources.map((file) => dirname(file)))];
  const sizes = folders.map((folder) => [folder, sources.filter((file) => dirname(file) === folder).length] as const);
  assert.equal(
    sizes.filter(([folder, n]) => (n < 2 || n > 20) && !unbounded.includes(folder)),
    [],
  );
});

test('constants of the kernel are declared only in src/sys', () => {
  const kernel =
    /^(?:export )?const ((?:SIG|O|S_I|AT|MS|CLONE|MNT|RESOLVE|SECCOMP|IN|PR|CAP|EPOLL|POLL|LOCK|RLIMIT|IFLA|NLM|RTM|CLD|SO|MSG)_?[A-Z0-9_]*|E[A-Z]+|[FRWX]_OK|\w+_MAGIC) = -?\d/gm;
  const found = sources
    .filter((file) => roomOf(file) !== 'sys')
    .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(kernel)].map(([, name]) => `${file}: ${name}`))
    // D-Bus's message types (bus-message.ts) are neither errnos nor signals.
    .filter((line) => !line.startsWith('src/cgroup/systemd/bus-message.ts') && !line.includes(': EXIT'));
  assert.equal(found, []);
});

/** Files and folders that a page names, such as `src/…`; `<noun>` and `*` stand for any name. */
function named(page: string): string[] {
  const found =
    readFileSync(page, 'utf8').match(/\b(?:src|native|test|hack|schemas|proto|profiles|docs)\/[\w./<>*-]*/g) ?? [];
  return found.map((path) => path.replace(/[./]+$/, '')).filter((path) => !/[<*]/.test(path));
}

test('every file and folder that docs/architecture.md and docs/internals.md name exists', () => {
  for (const page of ['docs/architecture.md', 'docs/internals.md']) {
    const paths = named(page);
    assert.ok(paths.length > 10, `${page} names ${paths.length}`);
    assert.equal(
      paths.filter((path) => !existsSync(path)),
      [],
      page,
    );
  }
});

const native = readdirSync('native', { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.[ch]$/.test(name))
  .map((name) => `native/${name}`)
  .sort();

test('every folder of C holds two to twenty files', () => {
  const folders = [...new Set(native.map((file) => dirname(file)))];
  const sizes = folders.map((folder) => [folder, native.filter((file) => dirname(file) === folder).length] as const);
  assert.ok(folders.length > 10);
  assert.equal(
    // A program of one file.
    sizes.filter(([folder, n]) => folder !== 'native/pause' && (n < 2 || n > 20)),
    [],
  );
});

test('no two files of one C program have the same name, because hack/arm64 names objects by their source', () => {
  for (const program of ['native/core/', 'native/init/', 'native/quickjs/']) {
    const names = native.filter((file) => file.startsWith(program)).map((file) => basename(file));
    assert.ok(names.length > 5);
    assert.equal(
      names.filter((name, i) => names.indexOf(name) !== i),
      [],
    );
  }
});

test("C takes the kernel's declarations from its headers, or from native/core/kernel.h", () => {
  const kernel =
    /(?:#define |[{,]\s*)((?:SYS|NR|MS|AT|ST|CLONE|MOUNT_ATTR|MOVE_MOUNT|OPEN_TREE|FSOPEN|FSPICK|FSMOUNT|FSCONFIG|RESOLVE|STATX|CLOSE_RANGE|MFD|KEYCTL|PIDFD|PR|P|IOPRIO)_[A-Z0-9_]+|[A-Z0-9]+_(?:SUPER_)?MAGIC)\s*=?\s*(?:\d|_IO)|struct (?:clone\w*_args|mount_attr\w*|open_how_?|statx_?|cap_\w+|__user_cap\w+) \{/g;
  const found = native
    .filter((file) => file !== 'native/core/kernel.h')
    .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(kernel)].map(([text]) => `${file}: ${text}`));
  assert.equal(found, []);
});

test.run();
