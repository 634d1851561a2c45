/** The user: ids, additional groups, umask; and the source of HOME. */
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';

const test = needing('user', 'root');

const ids = 'grep -E "^(Uid|Gid|Groups):" /proc/self/status | tr "\\t" " " | sed "s/ *$//"; umask';

test(
  'root has no additional group and umask 022',
  onBed((bed) => {
    assert.is(bed.out(ids), 'Uid: 0 0 0 0\nGid: 0 0 0 0\nGroups:\n0022\n');
  }),
);

test(
  "ids, groups and umask are the config's, regardless of /etc/passwd",
  onBed((bed) => {
    bed.config.process.user = { uid: 4242, gid: 4343, additionalGids: [5, 4294967294, 100], umask: 0o077 };
    assert.is(bed.out(ids), 'Uid: 4242 4242 4242 4242\nGid: 4343 4343 4343 4343\nGroups: 5 100 4294967294\n0077\n');
  }),
);

test(
  "HOME comes from the container's /etc/passwd unless it is set",
  onBed((bed) => {
    bed.config.process.user = { uid: 1000, gid: 1000 };
    assert.is(bed.out('echo $HOME'), '/home/user\n');
    bed.config.process.env.push('HOME=/elsewhere');
    assert.is(bed.out('echo $HOME'), '/elsewhere\n');
  }),
);

test(
  'HOME of an id without an entry is /',
  onBed((bed) => {
    bed.config.process.user = { uid: 31337, gid: 0 };
    assert.is(bed.out('echo $HOME'), '/\n');
  }),
);

test(
  'the user cannot read files without permission',
  onBed((bed) => {
    bed.config.process.user = { uid: 1000, gid: 1000 };
    const r = bed.sh('ls /root');
    assert.is.not(r.code, 0);
    assert.match(r.stderr, /Permission denied/);
  }),
);

test.run();
