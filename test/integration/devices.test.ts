/** Devices: the default nodes and links, the config's own, and what the device list allows. */
import * as assert from 'uvu/assert';
import { needing, onBed } from './bed.js';

const test = needing('devices', 'root');

test(
  'the default nodes with number and mode',
  onBed((bed) => {
    const said = bed.out('for d in null zero full random urandom tty; do stat -c "%n %F %t:%T %a %u:%g" /dev/$d; done');
    assert.is(
      said,
      [
        '/dev/null character special file 1:3 666 0:0',
        '/dev/zero character special file 1:5 666 0:0',
        '/dev/full character special file 1:7 666 0:0',
        '/dev/random character special file 1:8 666 0:0',
        '/dev/urandom character special file 1:9 666 0:0',
        '/dev/tty character special file 5:0 666 0:0',
        '',
      ].join('\n'),
    );
  }),
);

test(
  'the links',
  onBed((bed) => {
    assert.is(
      bed.out('cd /dev; for l in fd stdin stdout stderr ptmx; do echo $l $(readlink $l); done'),
      'fd /proc/self/fd\nstdin /proc/self/fd/0\nstdout /proc/self/fd/1\nstderr /proc/self/fd/2\nptmx pts/ptmx\n',
    );
  }),
);

test(
  'they work: read, write, full',
  onBed((bed) => {
    assert.is(
      bed.out(
        'head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo x >/dev/null; ( echo x >/dev/full ) 2>/dev/null || echo full',
      ),
      '3\n3\nfull\n',
    );
  }),
);

test(
  'a device of the config: node, mode, owner; other directories are made',
  onBed((bed) => {
    bed.config.linux.devices = [
      { path: '/dev/sub/null', type: 'c', major: 1, minor: 3, fileMode: 0o604, uid: 7, gid: 8 },
      { path: '/dev/pipe', type: 'p', fileMode: 0o600 },
    ];
    assert.is(
      bed.out('stat -c "%n %F %t:%T %a %u:%g" /dev/sub/null; stat -c "%n %F %a" /dev/pipe'),
      '/dev/sub/null character special file 1:3 604 7:8\n/dev/pipe fifo 600\n',
    );
  }),
);

test(
  'what the list does not allow cannot be opened',
  onBed((bed) => {
    // Opening /dev/fuse needs no capability.
    bed.config.linux.devices = [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666 }];
    const r = bed.sh('exec 3</dev/fuse');
    assert.match(r.stderr, /not permitted/);
    assert.is.not(r.code, 0);
  }),
);

test(
  'and what it allows can',
  onBed((bed) => {
    bed.config.linux.devices = [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666 }];
    bed.config.linux.resources.devices!.push({ allow: true, type: 'c', major: 10, minor: 229, access: 'r' });
    const r = bed.sh('exec 3</dev/fuse && echo opened; ( exec 4>/dev/fuse ) 2>/dev/null || echo not for writing');
    assert.is(r.stdout, 'opened\nnot for writing\n');
  }),
);

test(
  'mknod by the container is allowed, use is not',
  onBed((bed) => {
    bed.config.process.capabilities!.bounding!.push('CAP_MKNOD');
    bed.config.process.capabilities!.permitted!.push('CAP_MKNOD');
    bed.config.process.capabilities!.effective!.push('CAP_MKNOD');
    const r = bed.sh('mknod /dev/shm/m c 10 229 && echo made; cat /dev/shm/m >/dev/null || true');
    assert.is(r.stdout, 'made\n');
    assert.match(r.stderr, /Permission denied|not permitted/);
  }),
);

test.run();
