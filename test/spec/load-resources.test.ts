/** LinuxResources alone: the rules of a config, pointers into the object, exact integers. */

import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseResources } from '../../src/spec/load-resources.js';
import type { RuntError } from '../../src/sys/error.js';
import { useNodeHost } from '../../src/sys/node-host.js';
import { reportOf } from '../../src/sys/report/error-report.js';

useNodeHost([]);

function refused(text: string, code: string, ...pointers: string[]): RuntError {
  try {
    parseResources(text, 'standard input');
  } catch (error) {
    const e = error as RuntError;
    assert.is(e.code, code, e.message);
    assert.equal(
      (e.violations ?? []).map((v) => v.pointer),
      pointers,
    );
    return e;
  }
  throw new Error(`not refused: ${text}`);
}

test('the limits of an engine are parsed, with integers that no double represents', () => {
  assert.equal(parseResources('{"memory":{"limit":9223372036854771713,"swap":-1},"cpu":{}}', 'x'), {
    memory: { limit: 9223372036854771713n, swap: -1 },
    cpu: {},
  });
  assert.equal(parseResources('{}', 'x'), {});
});

test('swap without a limit is valid in an update, and a limit above it is not', () => {
  assert.equal(parseResources('{"memory":{"swap":5}}', 'x'), { memory: { swap: 5 } });
  refused('{"memory":{"swap":5,"limit":6}}', 'ERR_SPEC_INVALID', '/memory/swap');
  refused('{"memory":{"swap":5,"limit":-1}}', 'ERR_SPEC_INVALID', '/memory/swap');
});

test('violations of the schema and of other rules are refused with their pointers', () => {
  const e = refused('{"cpu":{"shares":"many"}}', 'ERR_SPEC_INVALID', '/cpu/shares');
  assert.match(reportOf(e), '/cpu/shares must be an integer, found "many"');
  refused('{"blockIO":{"weight":5}}', 'ERR_SPEC_INVALID', '/blockIO/weight');
  refused('{"unified":{"a/b":"1"}}', 'ERR_SPEC_INVALID', '/unified/a~1b');
  refused('{"unified":{"cgroup.procs":"1"}}', 'ERR_SPEC_INVALID', '/unified/cgroup.procs');
  refused('[]', 'ERR_SPEC_INVALID', '');
});

test('a text that is not JSON, or has more than one value, is refused', () => {
  assert.match(refused('{"cpu":', 'ERR_SPEC_JSON').message, 'standard input:1:8');
  refused('{}},"process":{"args":["x"]', 'ERR_SPEC_JSON');
  refused('', 'ERR_SPEC_JSON');
});

test('shares beside idle 1, of which the kernel takes one, cause a warning', () => {
  const warnings: string[] = [];
  parseResources('{"cpu":{"shares":200,"idle":1}}', 'the flags', (sentence) => warnings.push(sentence));
  parseResources('{"cpu":{"shares":200,"idle":0}}', 'the flags', (sentence) => warnings.push(sentence));
  assert.is(warnings.length, 1);
  assert.match(warnings[0] ?? '', /^the flags: \/cpu\/shares should be absent with idle 1: .* unable to apply both/);
});

test.run();
