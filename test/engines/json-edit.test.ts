/** A member that is added to a JSON text: the rest keeps its bytes. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { withMember } from '../../src/engines/json-edit.js';

const add = (text: string): string => withMember(text, 'runtimes', 'runt', { path: '/usr/bin/runt' });

test('the member stands in the form of those before it', () => {
  const member = '"runt": { "path": "/usr/bin/runt" }';
  assert.is(add('{\n}\n'), `{\n  "runtimes": { ${member} }\n}\n`);
  assert.is(add('{"a":[1,{"b":"}"}]}'), `{"a":[1,{"b":"}"}], "runtimes": { ${member} }}`);
  assert.is(add('{\n\t"a": 1\n}'), `{\n\t"a": 1,\n\t"runtimes": { ${member} }\n}`);
  assert.is(
    add('{\n  "runtimes": {\n    "crun": { "path": "x" }\n  },\n  "b": "\\\\\\""\n}\n'),
    `{\n  "runtimes": {\n    "crun": { "path": "x" },\n    ${member}\n  },\n  "b": "\\\\\\""\n}\n`,
  );
});

test('of members of one name the last one counts, as for JSON.parse', () => {
  for (const first of ['5', 'null', '{ "a": 1 }'])
    assert.equal(JSON.parse(add(`{"runtimes": ${first}, "runtimes": {"b": 2}}`)).runtimes, {
      b: 2,
      runt: { path: '/usr/bin/runt' },
    });
});

test('what was there is there with the same value, for texts of many forms', () => {
  for (const value of [
    {},
    { runtimes: {} },
    { a: '"{[,', b: { c: [{}, [], -1.5e9, null, true] } },
    { 'runtimes\n': {} },
  ])
    for (const indent of [0, 2, '\t']) {
      const edited = JSON.parse(add(JSON.stringify(value, null, indent))) as { runtimes: Record<string, unknown> };
      assert.equal(edited, {
        ...value,
        runtimes: { ...(value as { runtimes?: object }).runtimes, runt: { path: '/usr/bin/runt' } },
      });
    }
});

test.run();
