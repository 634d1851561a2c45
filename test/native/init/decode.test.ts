/** Invalid plans: refused as a whole, before anything is done (CVE-2021-43784: a length that is not checked). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Op } from '../../../src/plan/plan-ops.js';
import { needing } from '../../integration/bed/needs.js';
import { encoded, errorOf, frame, intoRoot, onGround, perform, program } from './perform.js';

const test = needing('decode', 'root');
const weak = needing('decode on a weaker runt-init', 'root', 'programs');
const EBADMSG = 74;
const bytes = (text: string) => new TextEncoder().encode(text);

/** Operations that leave a directory behind, and their encoded text. */
const marking = (rootfs: string): { ops: Op[]; text: string; mark: string } => {
  const ops: Op[] = [...intoRoot(rootfs), { op: 'mkdir', at: '', path: '/mark', mode: 0o755 }];
  return { ops, text: new TextDecoder().decode(encoded(ops)), mark: join(rootfs, 'mark') };
};

/** Appends one operation, given as its fields. */
const withOperation = (text: string, ...fields: (string | number)[]) =>
  bytes(`${text.replace(/^runt-plan-1\0(\d+)/, (_, n) => `runt-plan-1\0${Number(n) + 1}`)}${fields.join('\0')}\0`);

const broken: Record<string, (text: string) => Uint8Array> = {
  'an unknown operation': (t) => withOperation(t, 999, 9),
  'an operation of the runtime': (t) => withOperation(t, 1, 9, '/x'),
  'an extra byte': (t) => bytes(`${t}\0`),
  'an extra field': (t) => bytes(`${t}x\0`),
  'a missing NUL': (t) => bytes(t.slice(0, -1)),
  'a missing field': (t) => withOperation(t, 66, 9, '/x'),
  'fewer operations than its count': (t) => bytes(t.replace('runt-plan-1\x005', 'runt-plan-1\x006')),
  'more operations than its count': (t) => bytes(t.replace('runt-plan-1\x005', 'runt-plan-1\x004')),
  'another version': (t) => bytes(t.replace('runt-plan-1', 'runt-plan-2')),
  'text instead of a number': (t) => withOperation(t, 66, 9, '/x', '0755x'),
  'an empty number': (t) => withOperation(t, 66, 9, '/x', ''),
  'a boolean that is neither 0 nor 1': (t) => withOperation(t, 210, 9, 2),
  'a negative boolean': (t) => withOperation(t, 210, 9, -1),
  'a number beyond 64 bits': (t) => withOperation(t, 66, 9, '/x', '18446744073709551616'),
  'a negative number beyond 64 bits': (t) => withOperation(t, 66, 9, '/x', '-9223372036854775809'),
  'negative flags': (t) => withOperation(t, 38, 9, -1),
  'flags without a digit': (t) => withOperation(t, 38, 9, ''),
  'a list of flags with one that is not a number': (t) => withOperation(t, 113, 9, '/x', 2, 1, 'a'),
  'a list of flags with a negative one': (t) => withOperation(t, 113, 9, '/x', 1, -1),
  'a slot beyond the table': (t) => withOperation(t, 39, 9, '/x', 0),
  'a negative slot': (t) => withOperation(t, 39, 9, '/x', -1),
  'a missing required slot': (t) => withOperation(t, 88, 9, '/x', ''),
  'an empty group (CVE-2026-30892)': (t) => withOperation(t, 58, 9, 0, 0, 1, '', 1, 0, ''),
  'a group that is not a number (CVE-2026-30892)': (t) => withOperation(t, 58, 9, 0, 0, 2, 5, 'x', 1, 0, ''),
  'a group that begins with a space (CVE-2024-40635)': (t) => withOperation(t, 58, 9, 0, 0, 1, ' 0', 1, 0, ''),
  'a range that is not in ascending order': (t) => withOperation(t, 135, 9, 1, 3, 2),
  'half a range': (t) => withOperation(t, 135, 9, 1, 3),
  'an optional number that is not a number': (t) => withOperation(t, 82, 9, 0, 0, 'x', '', 0),
  'a list count above the number of strings (CVE-2021-43784)': (t) => withOperation(t, 63, 9, 3, 'a', 'b'),
  'a list count that would overflow (CVE-2021-43784)': (t) => withOperation(t, 63, 9, '4294967297', 'a', 0, -1, 0),
  'a list whose bytes would overflow 64 bits (CVE-2021-43784)': (t) =>
    withOperation(t, 63, 9, '2305843009213693953', 'a'),
  'more slots than allowed': (t) => bytes(t.replace('\x000\0\x000\0', '\x000\0\x0099999\0')),
  'a slot that is not a descriptor': (t) => bytes(t.replace('\x000\0\x000\0', '\x000\0\x001\x00-2\0')),
  'only its magic': () => bytes('runt-plan-1\0'),
};

test(
  'the plan from which the broken ones are made is valid',
  onGround(async ({ rootfs }) => {
    const { ops, mark } = marking(rootfs);
    const outcome = await perform(ops);
    assert.equal(errorOf(outcome), { index: 4, errno: EBADMSG, syscall: 'plan', detail: 'it ends without an exec' });
    assert.ok(existsSync(mark));
  }),
);

for (const [name, breakIt] of Object.entries(broken)) {
  test(
    `a plan with ${name} is refused before anything is done`,
    onGround(async ({ rootfs }) => {
      const { text, mark } = marking(rootfs);
      const body = breakIt(text);
      assert.not.equal(Buffer.from(body), Buffer.from(text));
      const outcome = await perform([], { raw: frame(body) });
      assert.equal(errorOf(outcome), { index: 0, errno: EBADMSG, syscall: 'plan', detail: 'it cannot be decoded' });
      assert.is(outcome.code, 1);
      assert.not.ok(existsSync(mark));
    }),
  );
}

weak(
  'CVE-2021-43784: the attack works on a runt-init that cuts counts to 32 bits: the plan is performed',
  onGround(async ({ rootfs }) => {
    const { text, mark } = marking(rootfs);
    const body = broken['a list count that would overflow (CVE-2021-43784)']!(text);
    const outcome = await perform([], { raw: frame(body), init: program('weak-lengths') });
    assert.is.not(errorOf(outcome).detail, 'it cannot be decoded');
    assert.ok(existsSync(mark));
  }),
);

for (const [name, length] of [
  ['0', 0],
  ['17 MiB', 17 << 20],
  ['2^32-1', 2 ** 32 - 1],
] as const) {
  test(`CVE-2021-43784: a frame of ${name} bytes is refused`, async () => {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(length);
    assert.is(errorOf(await perform([], { raw: head })).errno, EBADMSG);
  });
}

test('after a truncated frame runt-init ends without a report', async () => {
  const whole = frame(encoded([{ op: 'procfs', at: '' }]));
  const outcome = await perform([], { raw: whole.subarray(0, -3), hangUp: true });
  assert.equal([outcome.code, outcome.reports], [1, []]);
});

test.run();
weak.run();
