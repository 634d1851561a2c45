/** Unused exports, members of classes and interfaces, native functions and npm dependencies. */
import { readdirSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { abi } from '../src/sys/abi.js';

const test = suite('unused');

interface Source {
  readonly file: string;
  readonly text: string;
}

const sourcesOf = (room: string, end: RegExp): Source[] =>
  readdirSync(room, { recursive: true, encoding: 'utf8' })
    .filter((name) => end.test(name))
    .map((name) => ({ file: `${room}/${name}`, text: withoutComments(readFileSync(`${room}/${name}`, 'utf8')) }));

const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`])\/\/.*$/gm, '$1');

const src = sourcesOf('src', /\.ts$/);
const typed = [...src, ...sourcesOf('test', /\.ts$/)];
const all = [...typed, ...sourcesOf('hack', /\.mjs$/)];

/** The files that contain each word. */
const files = new Map<string, Set<string>>();
for (const { file, text } of all)
  for (const [word] of text.matchAll(/[\w$]+/g)) {
    const known = files.get(word);
    if (known) known.add(file);
    else files.set(word, new Set([file]));
  }

/** Exports that are used in other ways: by the npm package, hack/gen.mjs, hack/newcomer, a program in a test. */
const reached =
  /^(?:src\/(?:library\/(?:index|client)|sys\/protocol)|test\/(?:hack\/coverage\.test|integration\/docs\/shell))\.ts /;

test('every export is imported by another file', () => {
  const exported = typed.flatMap(({ file, text }) =>
    [
      ...text.matchAll(
        /^export (?:declare |abstract |async )*(?:function\*?|const|let|class|interface|type|enum) (\w+)/gm,
      ),
    ].map(([, name]) => ({ file, name: name! })),
  );
  assert.ok(exported.length > 1000, `${exported.length} exports`);
  assert.equal(
    exported
      .filter(({ name }) => files.get(name)!.size === 1)
      .map(({ file, name }) => `${file} ${name}`)
      .filter((line) => !reached.test(line)),
    [],
  );
});

/** Types declared elsewhere: runt writes or passes on members of configs, documents and statistics as a whole. */
const passedOn =
  /^src\/(?:library\/(?:index|process-run)|spec\/(?:config|linux|document)-types|cgroup\/stats\/stats-types)\.ts /;

test('every member of a class or an interface is read', () => {
  const read = new Set<string>();
  for (const { text } of src) {
    for (const [, name] of text.matchAll(/\.#?(\w+)/g)) read.add(name!);
    for (const [, name] of text.matchAll(/['"`](\w+)['"`]/g)) read.add(name!);
    // Destructuring and shorthand, on one line or one name a line.
    for (const [, names] of text.matchAll(/\{([^{}]*)\}(?=\s*(?:[=:),]|of\b))/g))
      for (const [, name] of names!.matchAll(/(?:^|,)\s*(\w+)(?=\s*(?:[,:=]|$))/g)) read.add(name!);
  }
  // An override is called by the parent class, which may be Node.js's.
  const members = src.flatMap(({ file, text }) =>
    [...text.matchAll(/^(?:export )?(?:abstract )?(?:class|interface) (\w+)[^\n]*\{\n([\s\S]*?)^\}/gm)].flatMap(
      ([, type, body]) =>
        [
          ...body!.matchAll(
            /^ {2}(?:(?:private|protected|readonly|static|async|get|set|abstract) )*\*?#?(?!override )(\w+)(?=[(?:!<]| =|;)/gm,
          ),
        ]
          .map(([, name]) => name!)
          .filter((name) => !read.has(name) && name !== 'constructor' && name !== 'doc')
          .map((name) => `${file} ${type}.${name}`),
    ),
  );
  assert.ok(members.includes('src/spec/config-types.ts User.username'), 'the pattern finds unread members');
  assert.equal(
    members.filter((line) => !passedOn.test(line)),
    [],
  );
});

test('every native function is called', () => {
  const called = new Set(
    src.flatMap(({ text }) =>
      [...text.matchAll(/\bnative\.(\w+)|\bcallApart\(\s*'(\w+)'/g)].map(([, name, apart]) => (name ?? apart)!),
    ),
  );
  assert.ok(called.size > 50);
  assert.equal(
    Object.keys(abi).filter((name) => !called.has(name)),
    [],
  );
});

/** Types that the compiler reads by itself. */
const implicit = ['@types/node'];

test('every npm dependency is imported or run', () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync('package.json', 'utf8'));
  const texts = [
    ...all.map(({ text }) => text),
    ...['hack/lint', 'Makefile'].map((name) => readFileSync(name, 'utf8')),
  ];
  const unused = Object.keys({ ...dependencies, ...devDependencies }).filter(
    (name) => !implicit.includes(name) && !texts.some((text) => new RegExp(`['/]${name}['/]`).test(text)),
  );
  assert.equal(unused, []);
});

test.run();
