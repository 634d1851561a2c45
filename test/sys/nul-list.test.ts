/** Lists of strings in the form that the native functions and runt-init read. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { useNodeHost } from '../../src/sys/node-host.js';
import { countOfNuls, nulList } from '../../src/sys/nul-list.js';

useNodeHost();

const encoded = (items: readonly (string | number | bigint)[]): string =>
  Buffer.from(nulList(items)).toString('latin1');

test('each item is terminated by NUL, the last one too', () => {
  assert.is(encoded(['a', 'bc']), 'a\0bc\0');
});

test('an empty list has no bytes, and an empty item is one NUL', () => {
  assert.is(encoded([]), '');
  assert.is(encoded(['']), '\0');
  assert.is(encoded(['', '']), '\0\0');
});

test('numbers are decimal, whatever their size', () => {
  assert.is(encoded([0, -1, 2n ** 64n - 1n]), '0\x00-1\x0018446744073709551615\0');
});

test('text is UTF-8', () => {
  assert.is(encoded(['ü']), '\xc3\xbc\0');
});

test('the count of NULs is that of the items, unless one contains a NUL', () => {
  assert.is(countOfNuls(nulList(['a', '', 'bc', 7])), 4);
  assert.is(countOfNuls(nulList(['a\0b'])), 2);
  assert.is(countOfNuls(nulList([])), 0);
});

test.run();
