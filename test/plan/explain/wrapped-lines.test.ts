/** explain on a terminal: lines fit its width, and nothing is dropped. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../../src/plan/compile.js';
import { explainText } from '../../../src/plan/explain/explain-plan.js';
import { explainDiff } from '../../../src/plan/explain/plan-diff.js';
import { wrap } from '../../../src/plan/explain/wrapped-lines.js';
import { defaultSpec } from '../../../src/spec/default-config.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { compileOptions, hostFacts } from '../facts.js';

useNodeHost([]);

function plan(args: string[]) {
  const spec = defaultSpec({ rootless: false, uid: 0, gid: 0 });
  spec.process!.args = args;
  spec.mounts!.push({
    destination: `/srv/${'a-long-name/'.repeat(12)}end`,
    source: `/data/${'x'.repeat(150)}`,
    type: 'bind',
    options: ['rbind'],
  });
  return compile(spec, hostFacts(), compileOptions()).plan;
}

const words = (text: string): string => text.replace(/[ \n]/g, '');

test('every line of explain fits the width, and the text has the same words as without a width', () => {
  const ops = plan(['sh']);
  const whole = explainText(ops, { colour: false, id: 'web' });
  assert.ok(whole.split('\n').some((line) => line.length > 200));
  for (const width of [40, 60, 80, 100, 132, 200, 500]) {
    const text = explainText(ops, { colour: false, id: 'web', width });
    for (const line of text.split('\n')) assert.ok(line.length <= width, `${width}: ${line}`);
    // The pointer may move to the next line, so only the sorted words are equal.
    assert.equal([...words(text)].sort(), [...words(whole)].sort(), String(width));
  }
  assert.is(explainText(ops, { colour: false, id: 'web', width: 500 }), whole, 'a large width changes nothing');
});

test('colours do not count as width', () => {
  const ops = plan(['sh']);
  const plain = explainText(ops, { colour: false, id: 'web', width: 80 });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours are removed
  const shown = explainText(ops, { colour: true, id: 'web', width: 80 }).replace(/\x1b\[\d+m/g, '');
  assert.is(shown, plain);
});

test('every line of a difference fits the width, and has its sign', () => {
  const text = explainDiff(plan(['sh']), plan(['echo', 'y'.repeat(200)]), { colour: false, width: 80 });
  for (const line of text.trimEnd().split('\n')) assert.ok(line.length <= 80, line);
  assert.ok(
    text
      .trimEnd()
      .split('\n')
      .slice(1)
      .every((line) => line === '' || /^[-+]/.test(line)),
    text,
  );
});

test('a text is broken at spaces and slashes, else anywhere', () => {
  assert.equal(wrap('a short text', 20), ['a short text']);
  assert.equal(wrap('one two three', 8), ['one two', 'three']);
  assert.equal(wrap('/usr/local/share', 12), ['/usr/local/', 'share']);
  assert.equal(wrap('x'.repeat(10), 4), ['xxxx', 'xxxx', 'xx']);
  assert.equal(wrap('', 4), ['']);
});

test.run();
