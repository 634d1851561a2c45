/** The command line of the shim, as containerd writes it. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseArguments } from '../../../src/shim/containerd/shim-arguments.js';

test("flags have Go's form: one dash or two, with = or a space; the action is last", () => {
  const a = parseArguments(
    '-namespace k8s.io -id=abc --address /run/c.sock -debug -publish-binary /c start'.split(' '),
  );
  assert.equal([a.namespace, a.id, a.address, a.debug, a.action], ['k8s.io', 'abc', '/run/c.sock', true, 'start']);
  assert.is(parseArguments(['-v']).version, true);
  assert.is(parseArguments(['-info']).info, true);
  assert.is(parseArguments(['-debug=false', 'delete']).debug, false);
  assert.is(parseArguments([]).action, '');
});

test('an unknown flag, an unknown action and a missing value are refused by name', () => {
  assert.throws(() => parseArguments(['-nonsense']), /unknown flag -nonsense/);
  assert.throws(() => parseArguments(['explode']), /unknown action explode/);
  assert.throws(() => parseArguments(['-id']), /-id needs a value/);
});

test.run();
