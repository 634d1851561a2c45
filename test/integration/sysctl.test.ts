/** Kernel parameters of the container's own namespaces. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { needing, onBed } from './bed.js';

const test = needing('sysctl', 'root');

test(
  'net and ipc values are set inside only',
  onBed((bed) => {
    const before = readFileSync('/proc/sys/kernel/msgmax', 'utf8');
    bed.config.linux.sysctl = {
      'net.ipv4.ip_forward': '1',
      'kernel.msgmax': '4242',
      'net.ipv4.ip_unprivileged_port_start': '80',
    };
    assert.is(
      bed.out(
        'cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_unprivileged_port_start',
      ),
      '1\n4242\n80\n',
    );
    assert.is(readFileSync('/proc/sys/kernel/msgmax', 'utf8'), before);
  }),
);

test(
  'one that belongs to no namespace of the container is refused and not written',
  onBed((bed) => {
    const before = readFileSync('/proc/sys/vm/swappiness', 'utf8');
    bed.config.linux.sysctl = { 'vm.swappiness': '1' };
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /vm\.swappiness/);
    assert.is(readFileSync('/proc/sys/vm/swappiness', 'utf8'), before);
  }),
);

test(
  'a net value without a network namespace is refused',
  onBed((bed) => {
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter(({ type }) => type !== 'network');
    bed.config.linux.sysctl = { 'net.ipv4.ip_forward': '1' };
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /net\.ipv4\.ip_forward/);
  }),
);

test.run();
