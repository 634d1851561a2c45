/** Kernel parameters of the container's own namespaces. */
import { existsSync, readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';

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
  'a parameter that is not namespaced is refused and not written',
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

test(
  'each key needs a new namespace of its kind, and is refused with its JSON pointer without one',
  onBed((bed) => {
    const values = {
      ipc: ['fs.mqueue.msg_max', '13'],
      network: ['net.core.somaxconn', '77'],
      uts: ['kernel.domainname', 'example.org'],
    } as const;
    for (const [type, [key, value]] of Object.entries(values)) {
      const path = `/proc/sys/${key.replaceAll('.', '/')}`;
      const before = existsSync(path) ? readFileSync(path, 'utf8') : '';
      bed.config.linux.sysctl = { [key]: value };
      assert.is(bed.out(`cat ${path}`), `${value}\n`);
      const namespaces = bed.config.linux.namespaces;
      bed.config.linux.namespaces = namespaces.filter((n) => n.type !== type);
      const { hostname } = bed.config;
      if (type === 'uts') delete bed.config.hostname;
      const r = bed.run();
      assert.is(r.code, 1, key);
      assert.match(r.stderr, new RegExp(`/linux/sysctl/${key}[\\s\\S]*an entry of type ${type}`));
      bed.config.linux.namespaces = namespaces;
      if (hostname !== undefined) bed.config.hostname = hostname;
      if (before) assert.is(readFileSync(path, 'utf8'), before);
    }
  }),
);

test(
  'kernel.hostname, and a kernel.domainname that differs from domainname, are refused',
  onBed((bed) => {
    bed.config.linux.sysctl = { 'kernel.hostname': 'x' };
    assert.match(bed.run().stderr, /kernel\.hostname[\s\S]*hostname is the field for it/);
    bed.config.linux.sysctl = { 'kernel.domainname': 'x' };
    bed.config.domainname = 'y';
    assert.match(bed.run().stderr, /kernel\.domainname[\s\S]*equal domainname/);
  }),
);

test.run();
