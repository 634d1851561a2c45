import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { mountOption, mountOptionNames } from '../../src/spec/mount-options.js';
import * as linux from '../../src/sys/linux.js';

/** The mount options in runtime-spec 1.3, config.md#linux-mount-options. */
const SPEC =
  'async atime bind defaults dev diratime dirsync exec idmap iversion lazytime loud mand noatime nodev nodiratime ' +
  'noexec noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime ' +
  'relatime remount rexec ridmap rnoatime rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro ' +
  'rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave ' +
  'strictatime suid symfollow sync tmpcopyup unbindable';

test('every option of the spec is known', () => {
  assert.equal(
    SPEC.split(' ').filter((name) => mountOption(name) === undefined),
    [],
  );
});

test('every name of the list is known, and appears once', () => {
  const names = mountOptionNames();
  assert.equal(
    names.filter((name) => mountOption(name) === undefined),
    [],
  );
  assert.is(new Set(names).size, names.length);
});

test('attribute options have their bits to set and to clear', () => {
  assert.equal(mountOption('ro'), { kind: 'attr', set: 1, clear: 0, recursive: false, superblock: 'ro' });
  assert.equal(mountOption('rw'), { kind: 'attr', set: 0, clear: 1, recursive: false, superblock: 'rw' });
  assert.equal(mountOption('rro'), { kind: 'attr', set: 1, clear: 0, recursive: true });
  assert.equal(mountOption('rrw'), { kind: 'attr', set: 0, clear: 1, recursive: true });
  assert.equal(mountOption('noexec'), { kind: 'attr', set: 8, clear: 0, recursive: false });
  assert.equal(mountOption('rsuid'), { kind: 'attr', set: 0, clear: 2, recursive: true });
  assert.equal(mountOption('noatime'), { kind: 'attr', set: 0x10, clear: 0x70, recursive: false });
  assert.equal(mountOption('relatime'), { kind: 'attr', set: 0, clear: 0x70, recursive: false });
  assert.equal(mountOption('rstrictatime'), { kind: 'attr', set: 0x20, clear: 0x70, recursive: true });
});

test('propagation, bind and file system options have their flags', () => {
  assert.equal(mountOption('rslave'), { kind: 'propagation', flags: linux.MS_SLAVE | linux.MS_REC });
  assert.equal(mountOption('shared'), { kind: 'propagation', flags: linux.MS_SHARED });
  assert.equal(mountOption('rbind'), { kind: 'bind', recursive: true });
  assert.equal(mountOption('sync'), { kind: 'superblock', flag: linux.MS_SYNCHRONOUS, set: true, key: 'sync' });
  assert.equal(mountOption('loud'), { kind: 'superblock', flag: linux.MS_SILENT, set: false });
});

test('a name that is not in the table is data, even if Object has that name', () => {
  for (const name of [
    'size=64k',
    'rsync',
    'rrro',
    'r',
    '',
    'constructor',
    'toString',
    '__proto__',
    'rtoString',
    'RO',
  ]) {
    assert.is(mountOption(name), undefined, name);
  }
});

test.run();
