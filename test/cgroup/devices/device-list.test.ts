/** Device rules in any order become one list or are refused; a rule must never be lost. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deviceList, v2DeviceList } from '../../../src/cgroup/devices/device-list.js';
import { v2DeviceOps } from '../../../src/plan/cgroup/device-rule-ops.js';
import type { Device, DeviceRule } from '../../../src/spec/config-types.js';
import { orderedRule } from './filter-rule.js';

const at = '/linux/resources/devices';
const defaults =
  'c *:* m,b *:* m,c 1:3 rwm,c 1:8 rwm,c 1:7 rwm,c 5:0 rwm,c 1:5 rwm,c 1:9 rwm,c 136:* rwm,c 5:2 rwm,c 10:200 rwm';

/** "+" or "-" for the default, then the exceptions. */
function list(rules: DeviceRule[] | undefined, devices: Device[] = []): string {
  const { allow, exceptions } = deviceList(rules, at, devices);
  const n = (x: number) => (x < 0 ? '*' : x);
  return `${allow ? '+' : '-'} ${exceptions.map((e) => `${e.type} ${n(e.major)}:${n(e.minor)} ${e.access}`).join(',')}`;
}

test('without rules only the default devices are allowed', () => {
  assert.is(list(undefined), `- ${defaults}`);
  assert.is(list([]), `- ${defaults}`);
  assert.is(list([{ allow: false, access: 'rwm' }]), `- ${defaults}`);
});

test('the rules of the config come before the default devices', () => {
  const rules: DeviceRule[] = [{ allow: false }, { allow: true, type: 'b', major: 8, minor: 0, access: 'r' }];
  assert.is(list(rules), `- b 8:0 r,${defaults}`);
  assert.equal(deviceList(rules, at, []).at, `${at}/0`);
  assert.is(deviceList(rules, at, []).exceptions.at(0).rule, 1);
});

test('access to one device adds up, in the order r, w, m', () => {
  assert.is(
    list([
      { allow: true, type: 'b', major: 8, minor: 0, access: 'mr' },
      { allow: true, type: 'b', major: 8, minor: 0, access: 'w' },
    ]),
    `- b 8:0 rwm,${defaults}`,
  );
});

test('a later rule for all devices replaces the rules before it', () => {
  assert.is(
    list([
      { allow: true, type: 'c', major: 7, minor: 7, access: 'rwm' },
      { allow: false, type: 'a' },
    ]),
    `- ${defaults}`,
  );
});

test('a privileged container may access everything, and the default devices add nothing', () => {
  assert.is(list([{ allow: true, access: 'rwm' }]), '+ ');
  assert.is(list([{ allow: false }, { allow: true, type: 'a', access: 'rwm' }]), '+ ');
});

test('one device can be excluded from access to everything', () => {
  const rules: DeviceRule[] = [
    { allow: true, access: 'rwm' },
    { allow: false, type: 'c', major: 10, minor: 229, access: 'rw' },
  ];
  assert.is(list(rules), '+ c 10:229 rw');
});

test('a rule of the config cannot deny a default device: the defaults come last, as under runc', () => {
  const rules: DeviceRule[] = [
    { allow: true, access: 'rwm' },
    { allow: false, type: 'c', major: 1, minor: 3, access: 'rwm' },
  ];
  assert.is(list(rules), '+ ');
});

test('a denial removes only the access that it names', () => {
  const rules: DeviceRule[] = [
    { allow: true, type: 'b', major: 8, minor: 0, access: 'rwm' },
    { allow: false, type: 'b', major: 8, minor: 0, access: 'w' },
  ];
  assert.is(list(rules), `- b 8:0 rm,${defaults}`);
});

test('a wider denial covers narrower rules', () => {
  const rules: DeviceRule[] = [
    { allow: true, type: 'b', major: 8, minor: 0, access: 'rwm' },
    { allow: true, type: 'b', major: 9, minor: 0, access: 'rwm' },
    { allow: false, type: 'b', major: 8 },
  ];
  assert.is(list(rules), `- b 9:0 rwm,${defaults}`);
});

test('type "a" with numbers means both types, although v1 would read it as all devices', () => {
  assert.is(list([{ allow: true, type: 'a', major: 7, minor: 1, access: 'r' }]), `- c 7:1 r,b 7:1 r,${defaults}`);
});

test('a denial of one kind of access to all devices collides with the default devices', () => {
  assert.throws(
    () =>
      list([
        { allow: true, access: 'rwm' },
        { allow: false, access: 'w' },
      ]),
    (e: { code: string; pointer: string; message: string }) => {
      assert.equal([e.code, e.pointer], ['ERR_UNSUPPORTED', `${at}/1`]);
      return e.message.includes('c 1:3 rwm, because the earlier rule c *:* w');
    },
  );
});

test('-1 means any number, as engines write it', () => {
  assert.is(list([{ allow: true, type: 'b', major: 8, minor: -1, access: 'r' }]), `- b 8:* r,${defaults}`);
});

test('an exception from a wider rule is refused, with the pointers of both rules', () => {
  const rules: DeviceRule[] = [
    { allow: true, type: 'c', major: 4, access: 'rwm' },
    { allow: false, type: 'c', major: 4, minor: 64, access: 'w' },
  ];
  assert.throws(
    () => list(rules),
    (e: { code: string; pointer: string; message: string }) => {
      assert.equal([e.code, e.pointer], ['ERR_UNSUPPORTED', `${at}/1`]);
      assert.match(e.message, `c 4:64 w, because the earlier rule c 4:* rwm (${at}/0)`);
      return true;
    },
  );
});

test('rules that overlap are refused; rules that share no access are not', () => {
  const crossed: DeviceRule[] = [
    { allow: true, type: 'c', minor: 5, access: 'r' },
    { allow: false, type: 'c', major: 7, access: 'rw' },
  ];
  assert.throws(() => list(crossed), /c 7:\* rw, because the earlier rule c \*:5 r/);
  crossed[1]!.access = 'w';
  assert.is(list(crossed), `- c *:5 r,${defaults}`);
});

test('a rule that allows must name the access; a rule that denies means all access', () => {
  for (const access of [undefined, '']) {
    for (const of of [deviceList, v2DeviceList])
      assert.throws(
        () => of([{ allow: true, type: 'c', major: 7, ...(access === undefined ? {} : { access }) }], at, []),
        (e: { code: string; pointer: string }) => e.code === 'ERR_SPEC_VALUE' && e.pointer === `${at}/0/access`,
      );
    const denied: DeviceRule[] = [
      { allow: true, access: 'rwm' },
      { allow: false, type: 'c', major: 7 },
    ];
    // The default devices come last and allow mknod(2) of all devices.
    assert.is(list(denied), '+ c 7:* rw');
  }
});

test('v2 applies in order the rules that v1 cannot hold, and the same list for all others', () => {
  const rules: DeviceRule[] = [
    { allow: true, type: 'b', major: 1, access: 'rwm' },
    { allow: false, access: 'rwm' },
    { allow: true, type: 'c', major: 4, access: 'rwm' },
    { allow: false, type: 'c', major: 4, minor: 64, access: 'w' },
    { allow: true, type: 'a', major: 7, access: 'r' },
  ];
  const [op] = v2DeviceOps('/x', v2DeviceList(rules, at, []), at);
  assert.ok(op?.op === 'cgroupDevices');
  assert.ok('ordered' in op.filter);
  assert.is(op.filter.allow, false);
  assert.equal(
    op.filter.ordered.slice(0, 4),
    ['allow c 4:* rwm', 'deny c 4:64 w', 'allow c 7:* r', 'allow b 7:* r'].map(orderedRule),
  );
  assert.is(op.filter.ordered.length, 4 + 11, 'the default devices come last');
  assert.equal(v2DeviceList(rules.slice(0, 3), at, []), deviceList(rules.slice(0, 3), at, []));
});

test('unknown letters of an allowed access are ignored', () => {
  assert.equal(list([{ allow: true, type: 'c', access: 'rxr' }]), list([{ allow: true, type: 'c', access: 'r' }]));
});

test('an access of unknown letters alone, one of a denied rule, and a number that is too large are refused', () => {
  for (const rule of [
    { allow: true, type: 'c', access: 'x' },
    { allow: false, type: 'c', access: 'rx' },
  ] as const) {
    assert.throws(
      () => list([rule]),
      (e: { code: string; pointer: string }) => e.code === 'ERR_SPEC_VALUE' && e.pointer === `${at}/0/access`,
    );
  }
  assert.throws(
    () => list([{ allow: true, type: 'c', major: 4294967296, access: 'r' }]),
    (e: { code: string; pointer: string }) => e.code === 'ERR_SPEC_VALUE' && e.pointer === `${at}/0/major`,
  );
});

test('a configured node at a default path replaces the default rule', () => {
  const devices: Device[] = [{ path: '/dev/random', type: 'c', major: 1, minor: 9 }];
  assert.not.match(list(undefined, devices), 'c 1:8 rwm');
  assert.match(list(undefined, devices), 'c 1:9 rwm');
});

test.run();
