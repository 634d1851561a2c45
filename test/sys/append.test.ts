/** Lists of any length: none of them becomes the arguments of a call. */
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { append } from '../../src/sys/append.js';

test('append adds more entries than a call may have arguments', () => {
  const list = [1];
  append(list, Array(300_000).fill(2));
  assert.is(list.length, 300_001);
  assert.is(list[300_000], 2);
});

/** Functions that take any number of arguments. Other functions have as many as their types declare. */
const VARIADIC = /\b(?:push|unshift|splice|concat|max|min|hypot|fromCharCode|fromCodePoint|of)\(/g;

/** The arguments of a call whose bracket opens before `at`. */
function argumentsAt(text: string, at: number): string {
  let depth = 1;
  let end = at;
  for (; depth > 0 && end < text.length; end++) {
    if ('([{'.includes(text[end]!)) depth++;
    else if (')]}'.includes(text[end]!)) depth--;
  }
  return text.slice(at, end - 1);
}

/** The text without its brackets: a spread in those makes an array or an object, which have no such limit. */
function outer(text: string): string {
  for (let before = ''; before !== text; ) {
    before = text;
    text = text.replace(/[([{][^()[\]{}]*[)\]}]/g, '');
  }
  return text;
}

test('no source spreads a list into a call that takes any number of arguments', () => {
  const found: string[] = [];
  for (const name of readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))) {
    const text = readFileSync(`src/${name}`, 'utf8');
    for (const { index, 0: call } of text.matchAll(VARIADIC)) {
      if (outer(argumentsAt(text, index + call.length)).includes('...'))
        found.push(`src/${name}:${text.slice(0, index).split('\n').length} ${call}`);
    }
    // So is a function of ours with a rest parameter; the bindings have as many as the table of functions declares.
    for (const { index, 0: rest } of text.matchAll(/\(\.\.\.\w+(?::|\) =>)/g)) {
      if (name !== 'sys/node-host.ts' && name !== 'sys/host.ts')
        found.push(`src/${name}:${text.slice(0, index).split('\n').length} ${rest}`);
    }
  }
  assert.equal(found, []);
});

test.run();
