/** Mount options (config.md#linux-mount-options), as mountinfo and files show them. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';
import { runtPath } from '../bed/place.js';
import { parseMount, type Value } from '../bed/probe.js';

const test = needing('mount-options', 'root');
const below = needing('mount-options with mounts below', 'root', 'linux-5.14', 'mount', 'unshare');
/** nosymfollow needs Linux 5.14, options for the mounts below need 5.12. */
const flagged = needing('mount-options flags', 'root', 'linux-5.14');

type Facts = { [key: string]: Value };

function parse(mountinfo: string): Map<string, Facts> {
  const lines = mountinfo.trim().split('\n');
  return new Map(lines.map((line) => Object.values(parseMount(line)) as [string, Facts]));
}

const mounts = (bed: Bed) => parse(bed.out('cat /proc/self/mountinfo'));

/** Runs the bundle in a mount namespace of the test's own, after a shell script. */
function inMountNamespace(bed: Bed, script: string, ...flags: string[]) {
  const program = join(bed.dir, 'in-namespace');
  writeFileSync(
    program,
    `#!/bin/sh\nexec unshare -m --propagation private sh -ec '${script}\nexec "$@"' sh '${runtPath}' "$@"\n`,
    { mode: 0o755 },
  );
  bed.write();
  return bed.runt(['run', '--bundle', bed.bundle, ...flags, bed.id], { program });
}

flagged(
  'each mount flag is set, on a new file system and on a bind mount',
  onBed((bed) => {
    bed.config.root.readonly = false;
    const expected: Record<string, string[]> = {
      ro: ['relatime', 'ro'],
      nosuid: ['nosuid', 'relatime', 'rw'],
      nodev: ['nodev', 'relatime', 'rw'],
      noexec: ['noexec', 'relatime', 'rw'],
      nosymfollow: ['nosymfollow', 'relatime', 'rw'],
      noatime: ['noatime', 'rw'],
      strictatime: ['rw'],
      nodiratime: ['nodiratime', 'relatime', 'rw'],
      relatime: ['relatime', 'rw'],
      defaults: ['relatime', 'rw'],
    };
    const source = join(bed.dir, 'source');
    mkdirSync(source);
    for (const option of Object.keys(expected)) {
      bed.config.mounts.push(
        { destination: `/fs/${option}`, type: 'tmpfs', source: 't', options: [option] },
        { destination: `/bind/${option}`, source, options: ['bind', option] },
      );
    }
    const found = mounts(bed);
    for (const [option, flags] of Object.entries(expected)) {
      for (const kind of ['fs', 'bind']) {
        assert.equal(found.get(`/${kind}/${option}`)?.flags, flags, `${kind} ${option}`);
      }
    }
  }),
);

flagged(
  'the opposite of each flag clears it, and the last option wins',
  onBed((bed) => {
    bed.config.root.readonly = false;
    const source = join(bed.dir, 'source');
    mkdirSync(source);
    const all = ['ro', 'nosuid', 'nodev', 'noexec', 'nosymfollow', 'noatime', 'nodiratime'];
    const back = ['rw', 'suid', 'dev', 'exec', 'symfollow', 'atime', 'diratime'];
    bed.config.mounts.push(
      { destination: '/on', type: 'tmpfs', source: 't', options: [...back, ...all] },
      { destination: '/off', type: 'tmpfs', source: 't', options: [...all, ...back] },
      { destination: '/bind-off', source, options: ['bind', ...all, ...back] },
    );
    const found = mounts(bed);
    assert.equal(found.get('/on')!.flags, ['noatime', 'nodev', 'nodiratime', 'noexec', 'nosuid', 'nosymfollow', 'ro']);
    for (const target of ['/off', '/bind-off']) assert.equal(found.get(target)!.flags, ['relatime', 'rw'], target);
  }),
);

below(
  'r… options change the mounts below a bind mount, and plain ones do not',
  onBed((bed) => {
    const source = join(bed.dir, 'source');
    mkdirSync(join(source, 'below'), { recursive: true });
    bed.config.root.readonly = false;
    bed.config.process.args = ['/bin/cat', '/proc/self/mountinfo'];
    bed.config.mounts.push(
      { destination: '/plain', source, options: ['rbind', 'ro', 'nosuid', 'noatime'] },
      {
        destination: '/deep',
        source,
        options: ['rbind', 'rro', 'rnosuid', 'rnodev', 'rnoexec', 'rnosymfollow', 'rnoatime', 'rnodiratime'],
      },
      { destination: '/back', source, options: ['rbind', 'rrw', 'rexec', 'rstrictatime'] },
      // CRI-O writes both and means a recursive bind.
      { destination: '/both', source, options: ['rbind', 'rprivate', 'ro', 'bind'] },
    );
    const r = inMountNamespace(bed, `mount -t tmpfs -o noexec,noatime,ro below ${source}/below`);
    assert.is(r.code, 0, r.stderr);
    const found = parse(r.stdout);
    assert.equal(found.get('/plain')!.flags, ['noatime', 'nosuid', 'ro']);
    assert.equal(found.get('/plain/below')!.flags, ['noatime', 'noexec', 'ro']);
    const all = ['noatime', 'nodev', 'nodiratime', 'noexec', 'nosuid', 'nosymfollow', 'ro'];
    for (const target of ['/deep', '/deep/below']) assert.equal(found.get(target)!.flags, all, target);
    assert.equal(found.get('/back/below')!.flags, ['rw']);
    assert.ok(found.has('/both/below'));
  }),
);

below(
  'a bind with a flag loses noexec of the host mount, and keeps its nosuid, nodev and ro unless they are cleared',
  onBed((bed) => {
    const source = join(bed.dir, 'source');
    mkdirSync(source);
    bed.config.root.readonly = false;
    bed.config.process.args = ['/bin/cat', '/proc/self/mountinfo'];
    const host = ['nodev', 'noexec', 'nosuid', 'relatime', 'ro'];
    const without = (...flags: string[]) => host.filter((flag) => !flags.includes(flag));
    const expected: [options: string[], flags: string[]][] = [
      [['bind'], host],
      [['rbind', 'rprivate'], host],
      [['bind', 'rro'], host],
      [['bind', 'ro'], without('noexec')],
      [['bind', 'noexec', 'ro'], host],
      [['bind', 'ro', 'rnoexec'], host],
      [['bind', 'nosuid'], without('noexec')],
      [['bind', 'relatime'], without('noexec')],
      [['bind', 'suid'], without('noexec', 'nosuid')],
      [['bind', 'dev'], without('noexec', 'nodev')],
      [
        ['bind', 'rw'],
        [...without('noexec', 'ro'), 'rw'],
      ],
    ];
    expected.forEach(([options], i) => {
      bed.config.mounts.push({ destination: `/v${i}`, source, options });
    });
    const r = inMountNamespace(bed, `mount -t tmpfs -o noexec,nosuid,nodev,ro t ${source}`);
    assert.equal([r.code, r.stderr], [0, '']);
    const found = parse(r.stdout);
    expected.forEach(([options, flags], i) => {
      assert.equal(found.get(`/v${i}`)!.flags, flags, options.join());
    });
  }),
);

below(
  'a bind below a bind with a flag keeps its noexec',
  onBed((bed) => {
    const source = join(bed.dir, 'source');
    mkdirSync(join(source, 'below'), { recursive: true });
    bed.config.process.args = ['/bin/cat', '/proc/self/mountinfo'];
    bed.config.mounts.push({ destination: '/tmp', source, options: ['rbind', 'ro'] });
    const r = inMountNamespace(bed, `mount -t tmpfs -o noexec t ${source}/below`);
    assert.is(r.code, 0, r.stderr);
    assert.equal(parse(r.stdout).get('/tmp/below')!.flags, ['noexec', 'relatime', 'rw']);
  }),
);

test(
  'flags and data of the file system reach the kernel',
  onBed((bed) => {
    bed.config.root.readonly = false;
    bed.config.mounts.push({
      destination: '/fs',
      type: 'tmpfs',
      source: 't',
      options: ['sync', 'dirsync', 'lazytime', 'nr_inodes=100', 'huge=never'],
    });
    bed.config.mounts.push(
      {
        destination: '/off',
        type: 'tmpfs',
        source: 't',
        options: ['sync', 'async', 'lazytime', 'nolazytime', 'mand', 'nomand'],
      },
      {
        destination: '/by-number',
        type: 'tmpfs',
        source: 't',
        options: ['silent', 'iversion', 'sync', 'dirsync', 'lazytime', 'ro', 'nr_inodes=100', 'slave', 'nosuid'],
      },
      {
        destination: '/quiet-off',
        type: 'tmpfs',
        source: 't',
        options: ['silent', 'loud', 'iversion', 'noiversion', 'acl', 'noacl'],
      },
    );
    const found = mounts(bed);
    const options = (target: string) =>
      (found.get(target)!.options as string[]).filter((o) => !/^(inode64|noswap|mode=|huge)/.test(o));
    assert.equal(options('/fs'), ['dirsync', 'lazytime', 'nr_inodes=100', 'rw', 'sync']);
    assert.equal(options('/off'), ['rw']);
    assert.equal(options('/by-number'), ['dirsync', 'lazytime', 'nr_inodes=100', 'ro', 'sync']);
    assert.equal(found.get('/by-number')!.flags, ['nosuid', 'relatime', 'ro']);
    assert.equal(options('/quiet-off'), ['rw']);
  }),
);

test(
  'mand reaches the kernel, which ignores it but shows the option',
  onBed((bed) => {
    bed.config.mounts.push({ destination: '/tmp', type: 'tmpfs', source: 't', options: ['mand'] });
    assert.ok((mounts(bed).get('/tmp')!.options as string[]).includes('mand'));
  }),
);

test(
  'an option without meaning for a bind mount is ignored with a warning; runc ignores it silently',
  onBed((bed) => {
    bed.config.mounts.push({ destination: '/tmp', source: bed.dir, options: ['rbind', 'sync', 'size=1m', 'ro'] });
    const r = bed.sh('grep -c " /tmp ro,relatime" /proc/self/mountinfo');
    assert.is(r.code, 0, r.stderr);
    assert.is(r.stdout, '1\n');
    for (const [i, name] of [
      [1, 'sync'],
      [2, 'size=1m'],
    ] as const) {
      assert.match(r.stderr, new RegExp(`/mounts/7/options/${i} should be absent.*left out, found "${name}"`));
    }
  }),
);

test(
  "tmpcopyup copies the image's directory into the tmpfs, and does not change the image",
  onBed((bed) => {
    const below = join(bed.rootfs, 'var', 'lib');
    mkdirSync(join(below, 'deep', 'er'), { recursive: true });
    writeFileSync(join(below, 'deep', 'er', 'f'), 'x'.repeat(100_000));
    writeFileSync(join(below, 'suid'), '#!\n');
    chownSync(join(below, 'suid'), 3, 4);
    chmodSync(join(below, 'suid'), 0o4711);
    utimesSync(join(below, 'suid'), 1e9, 1e9);
    linkSync(join(below, 'suid'), join(below, 'again'));
    symlinkSync('/nowhere/else', join(below, 'link'));
    execFileSync('mkfifo', ['-m', '0640', join(below, 'fifo')]);
    execFileSync('mknod', ['-m', '0600', join(below, 'node'), 'c', '1', '3']);
    chownSync(below, 5, 6);
    chmodSync(below, 0o1755);
    bed.config.mounts.push({ destination: '/var/lib', type: 'tmpfs', source: 't', options: ['tmpcopyup', 'size=1m'] });
    const said = bed.out(
      `cd /var/lib; stat -c '%n %a %u:%g %F' . suid link fifo node deep/er; stat -c %Y suid; readlink link;
       wc -c <deep/er/f; rm deep/er/f; echo new >deep/new; grep -c ' /var/lib ' /proc/self/mountinfo`,
    );
    assert.is(
      said,
      `. 1755 5:6 directory
suid 4711 3:4 regular file
link 777 0:0 symbolic link
fifo 640 0:0 fifo
node 600 0:0 character special file
deep/er 755 0:0 directory
1000000000
/nowhere/else
100000
1
`,
    );
    assert.ok(lstatSync(join(below, 'deep', 'er', 'f')).isFile());
    assert.throws(() => lstatSync(join(below, 'deep', 'new')));
  }),
);

test(
  'tmpcopyup works in a user namespace with mode and uid options, and fails if the size is too small',
  onBed((bed) => {
    withUserNamespace(bed.config);
    const below = join(bed.rootfs, 'var', 'lib');
    mkdirSync(below);
    writeFileSync(join(below, 'f'), 'kept\n');
    execFileSync('chown', ['-R', '100000:100000', bed.rootfs]);
    bed.config.mounts.push(
      { destination: '/var/lib', type: 'tmpfs', source: 't', options: ['tmpcopyup', 'mode=0711', 'uid=5'] },
      { destination: '/var/none', type: 'tmpfs', source: 't', options: ['tmpcopyup'] },
    );
    assert.is(bed.out('cat /var/lib/f; stat -c "%a %u" /var/lib; ls /var/none'), 'kept\n711 5\n');
    writeFileSync(join(below, 'big'), 'x'.repeat(50_000));
    bed.config.mounts[7]!.options = ['tmpcopyup', 'size=8k'];
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /mount tmpfs on \/var\/lib: ENOSPC/);
    assert.match(r.stderr, /what \/var\/lib holds[^\n]* does not fit/);
  }),
);

test(
  'a symlink as source is followed, mounted itself, or copied',
  onBed((bed) => {
    const data = join(bed.dir, 'data');
    writeFileSync(data, 'data\n');
    symlinkSync('data', join(bed.dir, 'link'));
    bed.config.root.readonly = false;
    const source = join(bed.dir, 'link');
    const run = (options: string[], script: string) => {
      bed.config.mounts = [...bed.config.mounts.slice(0, 7), { destination: '/here/x', source, options }];
      return bed.sh(script);
    };
    for (const userNamespace of [false, true]) {
      if (userNamespace) {
        withUserNamespace(bed.config);
        execFileSync('chown', ['-R', '100000:100000', bed.rootfs]);
      }
      execFileSync('rm', ['-rf', join(bed.rootfs, 'here')]);
      const root = userNamespace ? 'chown' : 'plain';
      assert.is(run(['bind', 'ro'], 'cat /here/x; readlink /here/x || echo none').stdout, 'data\nnone\n', root);
      const mounted = run(['bind', 'src-nofollow'], 'readlink /here/x; grep -c " /here/x " /proc/self/mountinfo');
      assert.is(mounted.stdout, 'data\n1\n', mounted.stderr);
      execFileSync('rm', ['-rf', join(bed.rootfs, 'here')]);
      const copied = run(['bind', 'copy-symlink'], 'readlink /here/x; grep -c " /here/x " /proc/self/mountinfo');
      assert.is(copied.stdout, 'data\n0\n', copied.stderr);
      assert.is(readlinkSync(join(bed.rootfs, 'here', 'x')), 'data');
      // It exists by now, with the same target.
      assert.is(run(['bind', 'copy-symlink'], 'readlink /here/x').stdout, 'data\n');
      execFileSync('ln', ['-sfn', 'other', join(bed.rootfs, 'here', 'x')]);
      const other = run(['bind', 'copy-symlink'], 'true');
      assert.is(other.code, 1);
      assert.match(other.stderr, /EEXIST/);
      assert.match(other.stderr, /remove \/here\/x from the rootfs/);
    }
  }),
);

test(
  'copy-symlink of another file is a bind mount, and dest-nofollow mounts on a symlink',
  onBed((bed) => {
    const data = join(bed.dir, 'data');
    writeFileSync(data, 'data\n');
    symlinkSync('/etc/target', join(bed.rootfs, 'on'));
    writeFileSync(join(bed.rootfs, 'etc', 'target'), 'target\n');
    bed.config.mounts.push(
      { destination: '/etc/copy', source: data, options: ['bind', 'copy-symlink'] },
      { destination: '/on', source: data, options: ['bind', 'dest-nofollow'] },
    );
    bed.config.root.readonly = false;
    assert.is(
      bed.out('cat /etc/copy /on /etc/target; grep -c " /on " /proc/self/mountinfo'),
      'data\ndata\ntarget\n1\n',
    );
    bed.config.mounts = [...bed.config.mounts.slice(0, 8), { destination: '/on', source: data, options: ['bind'] }];
    assert.is(bed.out('cat /on /etc/target'), 'data\ndata\n');
    bed.config.mounts[8] = { destination: '/on', type: 'tmpfs', options: ['dest-nofollow'] };
    assert.match(bed.run().stderr, /be used with bind mounts only/);
  }),
);

test(
  'a read-only tmpfs can hold mount points of later mounts, and an empty option has no effect',
  onBed((bed) => {
    bed.config.root.readonly = false;
    bed.config.mounts.find((m) => m.destination === '/dev')!.options!.push('ro', '');
    bed.config.mounts.push(
      { destination: '/outer', type: 'tmpfs', source: 't', options: ['ro', '', 'size=64k'] },
      { destination: '/outer/inner', type: 'tmpfs', source: 't', options: [''] },
    );
    const found = mounts(bed);
    assert.equal(found.get('/dev')!.flags, ['nosuid', 'ro']);
    assert.equal(found.get('/outer')!.flags, ['relatime', 'ro']);
    assert.equal(found.get('/outer/inner')!.flags, ['relatime', 'rw']);
    const said = bed.out('(touch /dev/x; touch /outer/x; touch /outer/inner/x; echo data >/dev/null) 2>&1; true');
    assert.equal(said.match(/Read-only file system/g)?.length, 2);
  }),
);

test(
  'remount changes the file system, or with bind the mount, and propagation alone changes an existing mount',
  onBed((bed) => {
    bed.config.root.readonly = false;
    bed.config.mounts.push(
      { destination: '/a', type: 'tmpfs', source: 't', options: ['size=64k'] },
      { destination: '/a', type: 'tmpfs', source: 't', options: ['remount', 'ro', 'size=128k', 'nosuid'] },
      { destination: '/b', type: 'tmpfs', source: 't', options: ['size=64k', 'ro'] },
      { destination: '/b', type: 'tmpfs', source: 't', options: ['remount', 'rw'] },
      { destination: '/c', type: 'tmpfs', source: 't', options: ['size=64k'] },
      { destination: '/c', options: ['bind', 'remount', 'ro', 'nodev'] },
      { destination: '/c', options: ['shared'] },
    );
    const found = mounts(bed);
    assert.equal(found.get('/a')!.flags, ['nosuid', 'relatime', 'ro']);
    assert.ok((found.get('/a')!.options as string[]).includes('size=128k'));
    assert.ok((found.get('/a')!.options as string[]).includes('ro'));
    assert.equal(found.get('/b')!.flags, ['relatime', 'rw']);
    assert.ok((found.get('/b')!.options as string[]).includes('rw'));
    assert.equal(found.get('/c')!.flags, ['nodev', 'relatime', 'ro']);
    assert.ok((found.get('/c')!.options as string[]).includes('rw'));
    assert.equal(found.get('/c')!.propagation, ['shared']);
    bed.config.mounts = [
      ...bed.config.mounts.slice(0, 7),
      { destination: '/a', type: 'tmpfs', options: ['remount', 'ro'] },
    ];
    execFileSync('mkdir', ['-p', join(bed.rootfs, 'a')]);
    const r = bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /nothing is mounted on \/a/);
  }),
);

test(
  'a mount covers earlier ones, and later ones are mounted inside it',
  onBed((bed) => {
    bed.config.root.readonly = false;
    bed.config.mounts.push(
      { destination: '/a', type: 'tmpfs', source: 'one', options: [] },
      { destination: '/a/b', type: 'tmpfs', source: 'two', options: [] },
      { destination: '/a', type: 'tmpfs', source: 'three', options: [] },
      { destination: '/a/c', type: 'tmpfs', source: 'four', options: [] },
    );
    assert.is(
      bed.out('ls /a; sed -n "s/.* \\(\\/a[^ ]*\\) .* - tmpfs \\([^ ]*\\) .*/\\1 \\2/p" /proc/self/mountinfo'),
      'c\n/a one\n/a/b two\n/a three\n/a/c four\n',
    );
  }),
);

test(
  'a relative destination is a warning; one that cannot be made or has another type is an error',
  onBed((bed) => {
    bed.config.root.readonly = false;
    bed.config.mounts.push({ destination: 'rel/./ative/', type: 'tmpfs', source: 't', options: [] });
    const r = bed.sh('grep -c " /rel/ative " /proc/self/mountinfo');
    assert.is(r.stdout, '1\n', r.stderr);
    assert.match(r.stderr, /\/mounts\/7\/destination should be an absolute path/);
    const fails = (destination: string, source: string, why: RegExp) => {
      bed.config.mounts = [
        ...bed.config.mounts.slice(0, 7),
        { destination: '/ro', source: bed.dir, options: ['bind', 'ro'] },
        { destination, source, options: ['bind'] },
      ];
      const failed = bed.run();
      assert.is(failed.code, 1);
      assert.match(failed.stderr, why);
      assert.match(failed.stderr, /\/mounts\/8(\/source)? in config.json/);
    };
    fails('/ro/missing', bed.dir, /make \/ro\/missing in the image/);
    fails('/true', bed.dir, /the source .* is a directory, and \/true is a file in the rootfs/);
    fails('/tmp', join(bed.bundle, 'config.json'), /the source .* is a file, and \/tmp is a directory in the rootfs/);
    fails('/tmp', join(bed.dir, 'missing'), /make [^\n]*missing on the host/);
  }),
);

test(
  "a bind mount of the host's /dev is not changed",
  onBed((bed) => {
    bed.config.mounts = bed.config.mounts.filter((m) => !m.destination.startsWith('/dev'));
    bed.config.mounts.push({ destination: '/dev', source: '/dev', options: ['rbind', 'ro'] });
    const before = execFileSync('ls', ['/dev'], { encoding: 'utf8' });
    assert.is(bed.out('ls /dev'), before);
    assert.is(execFileSync('ls', ['/dev'], { encoding: 'utf8' }), before);
    assert.ok(readFileSync('/dev/null').length === 0);
  }),
);

test.run();
below.run();
flagged.run();
