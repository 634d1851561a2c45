import { constants } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  capabilityNames,
  capabilityNumber,
  rlimitNumber,
  signalName,
  signalNumber,
} from '../../src/sys/kernel-names.js';
import { CAP_LAST } from '../../src/sys/linux.js';

test('capabilities have their numbers', () => {
  assert.is(capabilityNames().length, CAP_LAST + 1);
  const some = {
    CAP_CHOWN: 0,
    CAP_SETPCAP: 8,
    CAP_SYS_ADMIN: 21,
    CAP_MKNOD: 27,
    CAP_AUDIT_READ: 37,
    CAP_CHECKPOINT_RESTORE: 40,
  };
  for (const [name, number] of Object.entries(some)) assert.is(capabilityNumber(name), number);
  for (const name of ['CHOWN', 'cap_chown', 'CAP_', 'constructor', '']) assert.is(capabilityNumber(name), undefined);
});

test('resource limits have their numbers', () => {
  const some = { RLIMIT_CPU: 0, RLIMIT_NOFILE: 7, RLIMIT_MEMLOCK: 8, RLIMIT_AS: 9, RLIMIT_RTTIME: 15 };
  for (const [name, number] of Object.entries(some)) assert.is(rlimitNumber(name), number);
  assert.is(rlimitNumber('NOFILE'), undefined);
});

test('signal names are those of this machine', () => {
  for (const [name, number] of Object.entries(constants.signals)) {
    assert.is(signalNumber(name), number, name);
    assert.is(signalNumber(name.slice(3).toLowerCase()), number, name);
  }
  for (let n = 1; n <= 31; n++) assert.is(signalNumber(signalName(n)), n);
});

test('numbers and real-time signals are parsed', () => {
  assert.is(signalNumber('9'), 9);
  assert.is(signalNumber('64'), 64);
  assert.is(signalNumber('SIGRTMIN+3'), 37);
  assert.is(signalNumber('rtmax-2'), 62);
  assert.is(signalNumber('RTMIN'), 34);
  assert.is(signalNumber(signalName(37)), 37);
});

test('other texts are not signals', () => {
  for (const text of [
    '',
    '0',
    '65',
    '-1',
    '9 ',
    '1e1',
    '0x9',
    'KILLL',
    'SIG',
    'RTMIN-1',
    'RTMAX+1',
    'RTMIN+31',
    'constructor',
  ]) {
    assert.is(signalNumber(text), undefined, text);
  }
});

test.run();
