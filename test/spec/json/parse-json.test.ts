/** The position and the text of JSON syntax errors, from the native scanner. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseJson, syntaxError } from '../../../src/spec/json/parse-json.js';
import { useNodeHost } from '../../../src/sys/node-host.js';

useNodeHost([]);

const cases: [text: string, at: string, problem: string][] = [
  ['', '1:1', 'expected a value, found the end of the text'],
  ['{', '1:2', 'expected a key in double quotes or "}", found the end of the text'],
  ['{"a":1', '1:7', 'expected "," or "}", found the end of the text'],
  ['{"a" 1}', '1:6', 'expected ":", found "1"'],
  ["{'a':1}", '1:2', 'expected a key in double quotes or "}", found "\'"'],
  ['{"a":1,}', '1:8', 'a comma before "}"'],
  ['[1,\n 2,\n]', '3:1', 'a comma before "]"'],
  ['[1 2]', '1:4', 'expected "," or "]", found "2"'],
  ['[01]', '1:3', 'expected "," or "]", found "1"'],
  ['[+1]', '1:2', 'expected a value, found "+"'],
  ['{"a":tru}', '1:6', 'expected a value, found "t"'],
  ['{]', '1:2', 'expected a key in double quotes or "}", found "]"'],
  ['{"a":[}', '1:7', 'expected a value, found "}"'],
  ['"abc', '1:1', 'a string has no closing quote'],
  ['"a\nb"', '1:3', 'a string has a control character; write it as an escape such as \\n'],
  ['"\\x"', '1:2', 'a string has an unknown escape'],
  ['{} {}', '1:4', 'expected the end of the text, found "{"'],
  ['// x', '1:1', 'expected a value, found "/"'],
  ['[-]', '1:2', 'expected a value, found "-"'],
  ['[1.]', '1:3', 'expected "," or "]", found "."'],
  ['[1e+]', '1:3', 'expected "," or "]", found "e"'],
  ['[truex]', '1:6', 'expected "," or "]", found "x"'],
  ['["a\\', '1:2', 'a string has no closing quote'],
  ['["\\u12"]', '1:3', 'a string has an unknown escape'],
  // Columns count UTF-16 units; the message shows a whole character.
  ['{"é":"😀",\n"ü😀" 1}', '2:7', 'expected ":", found "1"'],
  ['[😀]', '1:2', 'expected a value, found "😀"'],
  ['\ufeff{}', '1:1', 'expected a value, found "\ufeff"'],
  // Any number of wide integers before the error makes no difference.
  [`[${'1e5,'.repeat(9000)}`, '1:36002', 'expected a value, found the end of the text'],
  ['{"a":1, // x\n}', '1:9', 'expected a key in double quotes, found "/"'],
];

for (const [text, at, problem] of cases) {
  test(`${JSON.stringify(text)} is not JSON`, () => {
    assert.throws(() => JSON.parse(text));
    const error = syntaxError(text);
    assert.is(`${error?.line}:${error?.column}`, at);
    assert.is(error?.problem, problem);
  });
}

test('the scanner agrees with JSON.parse about 20000 random texts', () => {
  let seed = 1;
  const random = (n: number): number => {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    return (seed >> 8) % n;
  };
  const parts = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"a"',
    '"',
    '1',
    '-0',
    '1.5e3',
    '.',
    'true',
    'null',
    ' ',
    '\n',
    '\\n',
    '\\u12',
  ];
  let valid = 0;
  for (let i = 0; i < 20000; i++) {
    let text = '';
    for (let n = 1 + random(7); n > 0; n--) text += parts[random(parts.length)];
    let isJson = true;
    try {
      JSON.parse(text);
      valid++;
    } catch {
      isJson = false;
    }
    assert.is(syntaxError(text) === undefined, isJson, JSON.stringify(text));
  }
  assert.ok(valid > 500, `${valid} of the texts were JSON`);
});

test('a text that is nested too deeply has its own error, whether it is JSON or not', () => {
  for (const text of [`${'['.repeat(100_000)}${']'.repeat(100_000)}`, '['.repeat(600)]) {
    assert.is(syntaxError(text), undefined);
  }
  assert.throws(() => parseJson('['.repeat(600), 'x.json'), /^x\.json is nested deeper than 512 levels$/);
});

test.run();
