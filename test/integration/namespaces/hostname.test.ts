/** Hostname and domain name in a UTS namespace. */
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';

const test = needing('hostname', 'root');
const host = readFileSync('/proc/sys/kernel/hostname', 'utf8');

test(
  "the hostname is that of the config, and the host's does not change",
  onBed((bed) => {
    bed.config.hostname = 'a-name.example';
    assert.is(bed.out('hostname; uname -n'), 'a-name.example\na-name.example\n');
    assert.is(readFileSync('/proc/sys/kernel/hostname', 'utf8'), host);
  }),
);

test(
  'the domain name is that of the config',
  onBed((bed) => {
    bed.config.domainname = 'domain.example';
    assert.is(bed.out('cat /proc/sys/kernel/domainname'), 'domain.example\n');
  }),
);

test(
  "without a hostname in the config, it is the host's",
  onBed((bed) => {
    delete bed.config.hostname;
    assert.is(bed.out('cat /proc/sys/kernel/hostname'), host);
  }),
);

test(
  "a hostname without a UTS namespace is refused, because it would be the host's",
  onBed((bed) => {
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter(({ type }) => type !== 'uts');
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /hostname/);
    assert.is(readFileSync('/proc/sys/kernel/hostname', 'utf8'), host);
  }),
);

test.run();
