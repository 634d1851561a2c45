/** The report of an error. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RuntError } from '../../../src/sys/error.js';
import { reportOf } from '../../../src/sys/report/error-report.js';

test('a line break in a message, a pointer, an expectation or a hint does not make a line of the report', () => {
  const error = new RuntError({
    code: 'ERR_SPEC_INVALID',
    message: 'open /a\n  fix b',
    violations: [{ pointer: '/c\nd', expected: 'be e\nf' }],
    pointer: '/g\nh',
    hint: 'make i\nj',
  });
  assert.equal(reportOf(error).split('\n'), [
    'open /a\\u000a  fix b',
    '  at  /c\\u000ad must be e\\u000af',
    '  at  /g\\u000ah in config.json',
    '  fix make i\\u000aj',
  ]);
});
test.run();
