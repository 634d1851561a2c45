/** Scenarios of youki's contest that no other test has: docs/contest.md has the list. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';

const test = needing('contest', 'root');

test(
  'kill refuses an empty id, an unknown id and a stopped container, and ends a created and a running one',
  onBed((bed) => {
    assert.is(bed.runt(['kill', '', 'KILL']).code, 1);
    assert.is(bed.kill('KILL').code, 1);
    for (const prepare of [() => bed.create(), () => bed.started()]) {
      prepare();
      assert.is(bed.kill('KILL').code, 0);
      bed.until('stopped');
      assert.is(bed.kill('KILL').code, 1);
      assert.is(bed.delete().code, 0);
    }
  }),
);

test(
  'delete refuses an unknown id and a running container, and removes a created and a stopped one',
  onBed((bed) => {
    assert.is(bed.delete().code, 1);
    assert.is(bed.create().code, 0);
    assert.is(bed.delete().code, 0);
    bed.started();
    assert.is(bed.delete().code, 1);
    assert.is(bed.state().status, 'running');
    assert.is(bed.kill('KILL').code, 0);
    bed.until('stopped');
    assert.is(bed.delete().code, 0);
  }),
);

test(
  'create refuses an empty id and one that is in use',
  onBed((bed) => {
    bed.write();
    assert.is(bed.runt(['create', '--bundle', bed.bundle, '']).code, 1);
    assert.is(bed.create().code, 0);
    assert.is(bed.create().code, 1);
    assert.is(bed.state().status, 'created');
    bed.delete('--force');
  }),
);

test(
  'a poststart hook that fails fails start, and the hooks after it do not run',
  onBed((bed) => {
    const log = join(bed.dir, 'log');
    const hook = (script: string) => ({ path: '/bin/sh', args: ['sh', '-c', script] });
    bed.config.hooks = {
      poststart: [hook(`echo 1 >>${log}`), hook(`echo 2 >>${log}; exit 1`), hook(`echo 3 >>${log}`)],
    };
    assert.is(bed.create().code, 0);
    assert.is(bed.start().code, 1);
    assert.is(readFileSync(log, 'utf8'), '1\n2\n');
  }),
);

test(
  'a prestart hook that fails fails create, and nothing is left',
  onBed((bed) => {
    bed.config.hooks = { prestart: [{ path: '/bin/false' }] };
    assert.is(bed.create().code, 1);
    assert.is(bed.runt(['state', bed.id]).code, 1);
    assert.not(existsSync(join(bed.root, bed.id)));
  }),
);

test(
  'an ociVersion that is none, a network device that does not exist and a limit above fs.nr_open are errors',
  onBed((bed) => {
    const { ociVersion } = bed.config;
    bed.config.ociVersion = 'invalid';
    assert.match(bed.run().stderr, /\/ociVersion must be a version/);
    bed.config.ociVersion = ociVersion;
    bed.config.linux.netDevices = { nowhere0: {} };
    assert.match(bed.run().stderr, /network device nowhere0 .*ENODEV/);
    delete bed.config.linux.netDevices;
    bed.config.process.rlimits = [{ type: 'RLIMIT_NOFILE', hard: 2 ** 53, soft: 2 ** 53 }];
    assert.match(bed.run().stderr, /RLIMIT_NOFILE: EPERM/);
  }),
);

test(
  'devices have the mode and the owner of the config, or 0666 and root, and a FIFO needs no number',
  onBed((bed) => {
    bed.config.linux.devices = [
      { path: '/dev/test1', type: 'c', major: 10, minor: 666, fileMode: 0o660, uid: 1, gid: 2 },
      { path: '/dev/test2', type: 'b', major: 8, minor: 666, fileMode: 0o660, uid: 0, gid: 0 },
      { path: '/dev/test3', type: 'p', fileMode: 0o660 },
      { path: '/dev/kmsg', type: 'c', major: 1, minor: 11 },
    ];
    const format = '%n %a %u:%g %t:%T %F';
    assert.is(
      bed.out(`stat -c '${format}' /dev/test1 /dev/test2 /dev/test3 /dev/kmsg`),
      [
        '/dev/test1 660 1:2 a:29a character special file',
        '/dev/test2 660 0:0 8:29a block special file',
        '/dev/test3 660 0:0 0:0 fifo',
        '/dev/kmsg 666 0:0 1:b character special file\n',
      ].join('\n'),
    );
  }),
);

test.run();
