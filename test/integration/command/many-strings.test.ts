/**
 * More strings than a JavaScript function call can take as arguments: they reach the process, or the error names the
 * kernel's limit.
 */
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';

const test = needing('many-strings', 'root');
const MANY = 100_000;
const variables = Array.from({ length: MANY }, (_, i) => `A${i}=1`);

test(
  '100,000 arguments reach the process',
  onBed((bed) => {
    bed.config.process.args = ['sh', '-c', 'echo $#', 'x', ...Array(MANY).fill('a')];
    assert.equal(bed.run().stdout, `${MANY}\n`);
  }),
);

test(
  '100,000 variables reach the process',
  onBed((bed) => {
    bed.config.process.env = ['PATH=/bin', ...variables];
    bed.config.process.args = ['sh', '-c', `echo $A${MANY - 1}`];
    assert.equal(bed.run().stdout, '1\n');
  }),
);

test(
  "65,536 groups are set, and one more is refused with the kernel's limit",
  onBed((bed) => {
    bed.config.process.user.additionalGids = Array.from({ length: 65_536 }, (_, i) => i);
    bed.config.process.args = ['sh', '-c', 'id -G | wc -w'];
    assert.equal(bed.run().stdout, '65536\n');
    bed.config.process.user.additionalGids.push(70_000);
    const { code, stderr } = bed.run();
    assert.is(code, 1);
    assert.match(stderr, 'remove groups from process.user.additionalGids');
  }),
);

test(
  'arguments and variables shorten process.args and process.env are refused with the limit',
  onBed((bed) => {
    bed.config.process.args = ['sh', ...variables];
    bed.config.process.env = ['PATH=/bin', ...variables];
    const { code, stderr } = bed.run();
    assert.is(code, 1);
    assert.match(stderr, 'E2BIG');
    assert.match(stderr, 'shorten process.args and process.env');
  }),
);

test.run();
