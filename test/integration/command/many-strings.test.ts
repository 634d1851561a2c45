/** More strings than a function call of the runtime could take as arguments: they reach the process, or the kernel's limit is named. */
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';

const test = needing('many-strings', 'root');
const MANY = 100_000;
const variables = Array.from({ length: MANY }, (_, i) => `A${i}=1`);

test(
  '100,000 arguments',
  onBed((bed) => {
    bed.config.process.args = ['sh', '-c', 'echo $#', 'x', ...Array(MANY).fill('a')];
    assert.equal(bed.run().stdout, `${MANY}\n`);
  }),
);

test(
  '100,000 variables',
  onBed((bed) => {
    bed.config.process.env = ['PATH=/bin', ...variables];
    bed.config.process.args = ['sh', '-c', `echo $A${MANY - 1}`];
    assert.equal(bed.run().stdout, '1\n');
  }),
);

test(
  'as many groups as the kernel takes, and one more',
  onBed((bed) => {
    bed.config.process.user.additionalGids = Array.from({ length: 65_536 }, (_, i) => i);
    bed.config.process.args = ['sh', '-c', 'id -G | wc -w'];
    assert.equal(bed.run().stdout, '65536\n');
    bed.config.process.user.additionalGids.push(70_000);
    const { code, stderr } = bed.run();
    assert.is(code, 1);
    assert.match(stderr, 'there are more than 65536 groups in process.user.additionalGids');
  }),
);

test(
  'more text than the kernel takes is refused with its limit',
  onBed((bed) => {
    bed.config.process.args = ['sh', ...variables];
    bed.config.process.env = ['PATH=/bin', ...variables];
    const { code, stderr } = bed.run();
    assert.is(code, 1);
    assert.match(stderr, 'E2BIG');
    assert.match(stderr, 'larger than the kernel allows');
  }),
);

test.run();
