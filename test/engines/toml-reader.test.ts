/** The reader of TOML: the values of the specification, and the line of each mistake. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { at, parseToml } from '../../src/engines/toml-reader.js';
import { textHost } from '../sys/fake-host.js';

textHost();
const read = (text: string): unknown => JSON.parse(JSON.stringify(parseToml(text, 'f')));

test('tables, dotted keys and quoted keys make the same structure', () => {
  const expected = { plugins: { 'io.containerd.cri.v1.runtime': { containerd: { runtimes: { runt: { a: 1 } } } } } };
  for (const text of [
    '[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runt]\na = 1\n',
    "[plugins.'io.containerd.cri.v1.runtime']\ncontainerd.runtimes.runt.a = 1",
    'plugins = { "io.containerd.cri.v1.runtime" = { containerd = { runtimes = { runt = { a = 1 } } } } }',
    '[plugins]\r\n  [plugins."io.containerd.cri.v1.runtime"]\r\n    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runt] # x\r\n    a = 1\r\n',
  ])
    assert.equal(read(text), expected, text);
});

test('a byte order mark before the first line is ignored, and nowhere else', () => {
  assert.equal(read('\ufeffversion = 3\n[a]\nb = 1\n'), { version: 3, a: { b: 1 } });
  assert.throws(() => read('version = 3\n\ufeffb = 1\n'), /2/);
});

test('strings, numbers, booleans, arrays and dates have their values', () => {
  const text = String.raw`
a = "x\t\u00e9\"y"
b = 'C:\no'
c = """
one \
   two "quoted" """
d = '''
raw\n'''
e = [ 1, 2_000, # comment
  0x1F, -3, 1.5e3, ]
f = true
g = 2026-11-30 12:00:00Z
h = 07:32:00
[[list]]
n = 1
[[list]]
n = 2
`;
  assert.equal(read(text), {
    a: 'x\té"y',
    b: 'C:\\no',
    c: 'one two "quoted" ',
    d: 'raw\\n',
    e: [1, 2000, 31, -3, 1500],
    f: true,
    g: '2026-11-30 12:00:00Z',
    h: '07:32:00',
    list: [{ n: 1 }, { n: 2 }],
  });
});

test('a mistake is refused with its line', () => {
  for (const [text, line] of [
    ['a = 1\nb\n', 2],
    ['a = "open\n', 1],
    ['[a]\n[a]\n', 2],
    ['a = 1\na = 2\n', 2],
    ['a = {}\n[a.b]\n', 2],
    ['a = 1 b = 2\n', 1],
    ['a = [1, 2\n', 2],
    ['a = yes\n', 1],
    ['a = "\\q"\n', 1],
    ['a = 1\n[a]\n', 2],
  ] as const) {
    try {
      parseToml(text, 'f.toml');
      assert.unreachable(text);
    } catch (error) {
      assert.is((error as { code?: string }).code, 'ERR_ENGINE_CONFIG', text);
      assert.match((error as Error).message, `f.toml:${line} is not TOML`, text);
    }
  }
});

test('a key called __proto__ is a key', () => {
  const table = parseToml('__proto__ = 1\n[a.__proto__]\nb = 2\n', 'f');
  assert.is(at(table, '__proto__'), 1);
  assert.is(at(table, 'a', '__proto__', 'b'), 2);
  assert.is(({} as { b?: number }).b, undefined);
});

test.run();
