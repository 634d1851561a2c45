/** GVariant texts as D-Bus values, as in the annotations `org.systemd.property.*`. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseVariant, types } from '../../../src/cgroup/systemd/variant.js';
import { variantText } from '../../../src/cgroup/systemd/variant-text.js';

const read = (text: string) => {
  const { signature, value } = parseVariant(text);
  return [signature, value];
};

test('a single value has the type that GVariant infers, or the type that it names', () => {
  assert.equal(read('true'), ['b', true]);
  assert.equal(read(' 5 '), ['i', 5n]);
  assert.equal(read('-0x10'), ['i', -16n]);
  assert.equal(read('uint64 18446744073709551615'), ['t', 18446744073709551615n]);
  assert.equal(read('byte 255'), ['y', 255n]);
  assert.equal(read('1.5'), ['d', 1.5]);
  assert.equal(read("'it\\'s\\n\\u00e9'"), ['s', "it's\né"]);
  assert.equal(read('"two words"'), ['s', 'two words']);
  assert.equal(read("objectpath '/a'"), ['o', '/a']);
});

test('arrays, tuples, dictionaries and variants are parsed, and one typed element gives the type of all', () => {
  assert.equal(read('[\'a\', "b"]'), ['as', ['a', 'b']]);
  assert.equal(read('[1, byte 2]'), ['ay', [1n, 2n]]);
  assert.equal(read('@a(ss) []'), ['a(ss)', []]);
  assert.equal(read("[('/dev/null', 'rwm'), ('char-*', 'm')]"), [
    'a(ss)',
    [
      ['/dev/null', 'rwm'],
      ['char-*', 'm'],
    ],
  ]);
  assert.equal(read("{'a': uint32 1}"), ['a{su}', [['a', 1n]]]);
  assert.equal(read("('x', <true>)"), ['(sv)', ['x', { signature: 'b', value: true }]]);
});

test('a value is written as a text that names its type and is parsed to the same value', () => {
  for (const text of [
    'true',
    '-5',
    'uint64 18446744073709551615',
    'byte 7',
    'double 1.5',
    'double 2',
    "'it\\'s \\\\ \\u000a\\u007f é'",
    "objectpath '/a'",
    '[byte 7, byte 2]',
    '@a(ss) []',
    "[('/dev/null', 'rwm'), ('char-*', 'm')]",
    "{'a': uint32 1, 'b': uint32 2}",
    '@a{sv} []',
    "('x', <true>)",
    '(<@as []>,)',
  ]) {
    const variant = parseVariant(text);
    assert.is(variantText(variant), text);
    assert.equal(parseVariant(variantText(variant)), variant, text);
  }
  assert.is(variantText(parseVariant('"x"')), "'x'");
});

test('a text that is not a value is refused with the reason', () => {
  for (const [text, why] of [
    ['', 'ends too early'],
    ['5 6', 'after its end'],
    ['yes', '"yes", which is not a value'],
    ['byte 256', 'not a value of the type "y"'],
    ['uint64 -1', 'not a value of the type "t"'],
    ["'open", 'without its closing'],
    ['[]', 'is an empty array'],
    ['[1, true]', 'not a value of the type "i"'],
    ['@zz 1', 'not a type of D-Bus'],
    ["'\\uD8'", 'not a character'],
    ['['.repeat(40), 'nested too deep'],
  ] as const) {
    assert.throws(
      () => parseVariant(text),
      (e: Error) => e.message.includes(why),
      text,
    );
  }
});

test('a signature is split into its single types', () => {
  assert.equal(types('ssa(sv)a(sa(sv))a{sv}aay'), ['s', 's', 'a(sv)', 'a(sa(sv))', 'a{sv}', 'aay']);
});

test.run();
