/** The JSON writer: the same text as JSON.stringify, and exact integers. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { toJson } from '../../../src/spec/json/exact-json.js';

test('without indentation the text is that of JSON.stringify', () => {
  for (const value of [
    null,
    true,
    1.5,
    -0,
    'a"\n\u2028',
    [],
    {},
    [1, [2, {}]],
    { a: undefined, 'b c': [null, { d: 'e' }] },
  ]) {
    assert.is(toJson(value), JSON.stringify(value));
  }
});

test('integers of any width are exact', () => {
  assert.is(
    toJson({ a: [18446744073709551615n, -9223372036854775808n] }),
    '{"a":[18446744073709551615,-9223372036854775808]}',
  );
});

test('with indentation, objects take several lines and lists of plain values one', () => {
  assert.is(
    toJson({ a: [1, 'x'], b: [{ c: 1n }], d: {}, e: [] }, '  '),
    '{\n  "a": [1, "x"],\n  "b": [\n    {\n      "c": 1\n    }\n  ],\n  "d": {},\n  "e": []\n}',
  );
});

test.run();
