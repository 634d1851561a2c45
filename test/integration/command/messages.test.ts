/** Error messages: what failed, on which path, and which of two paths is wrong. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';

const test = needing('messages', 'root', 'mount', 'unshare');

const bind = (source: string, destination: string) => ({ source, destination, type: 'bind', options: ['bind'] });

function program(path: string, mode = 0o755, text = '#!/bin/sh\n'): string {
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function noexec(bed: Bed): void {
  mkdirSync(`${bed.rootfs}/ne`);
  program(`${bed.rootfs}/ne/p`);
  bed.config.mounts.push({ destination: '/ne', type: 'tmpfs', source: 't', options: ['noexec', 'tmpcopyup'] });
}

/** How a bundle is broken, and the error's text; DIR stands for the bed's directory. */
const cases: Record<string, [(bed: Bed) => void, string]> = {
  'a component of a bind source is a file': [
    (b) => {
      writeFileSync(`${b.dir}/f`, '');
      b.config.mounts.push(bind(`${b.dir}/f/x`, '/mnt'));
    },
    "why DIR/f is a file, and the source DIR/f/x is looked for in it: correct the mount's source",
  ],
  'a component of a bind destination is a file': [
    (b) => {
      writeFileSync(`${b.rootfs}/ff`, '');
      b.config.mounts.push(bind(b.dir, '/ff/x'));
    },
    'why a component of /ff/x is a file in the rootfs: correct the image or the path',
  ],
  'a component of another destination is a file': [
    (b) => {
      writeFileSync(`${b.rootfs}/ff`, '');
      b.config.mounts.push({ destination: '/ff/x', type: 'tmpfs', source: 't' });
    },
    'why a component of /ff/x is a file in the rootfs',
  ],
  'a directory is bind-mounted on a file': [
    (b) => {
      writeFileSync(`${b.rootfs}/ff`, '');
      b.config.mounts.push(bind(b.dir, '/ff'));
    },
    'why the source DIR is a directory, and /ff is a file in the rootfs',
  ],
  'a file is bind-mounted on a directory': [
    (b) => {
      writeFileSync(`${b.dir}/f`, '');
      mkdirSync(`${b.rootfs}/dd`);
      b.config.mounts.push(bind(`${b.dir}/f`, '/dd'));
    },
    'why the source DIR/f is a file, and /dd is a directory in the rootfs',
  ],
  'a directory on the way to a bind source is missing': [
    (b) => b.config.mounts.push(bind(`${b.dir}/none/x`, '/mnt')),
    'why there is no DIR/none on the way to the source DIR/none/x: make it',
  ],
  'a bind source is a loop of symlinks': [
    (b) => {
      symlinkSync('loop', `${b.dir}/loop`);
      b.config.mounts.push(bind(`${b.dir}/loop/x`, '/mnt'));
    },
    'why the symbolic links at DIR/loop lead in a circle',
  ],
  'a component of the root is a file': [
    (b) => {
      writeFileSync(`${b.dir}/f`, '');
      b.config.root.path = `${b.dir}/f/x`;
    },
    'why DIR/f is a file, and the root file system DIR/f/x is looked for in it: correct root.path',
  ],
  'a program is on a noexec mount': [
    (b) => {
      noexec(b);
      b.config.process.args = ['/ne/p'];
    },
    'why /ne/p is on the mount /ne (/mounts/7), which has "noexec": remove it',
  ],
  'the interpreter of a program is on a noexec mount': [
    (b) => {
      noexec(b);
      execFileSync('cp', [`${b.rootfs}/bin/busybox`, `${b.rootfs}/ne/sh`]);
      program(`${b.rootfs}/p`, 0o755, '#!/ne/sh\n');
      b.config.process.args = ['/p'];
    },
    'why /ne/sh is on the mount /ne (/mounts/7), which has "noexec"',
  ],
  'a program lacks the x permission': [
    (b) => {
      b.config.process.args = [program(`${b.rootfs}/p`, 0o644).slice(b.rootfs.length)];
    },
    'add the x permission (chmod +x)',
  ],
  'a component of a hook is a file': [
    (b) => {
      b.config.hooks = { createRuntime: [{ path: `${program(`${b.dir}/f`)}/x` }] };
    },
    "why DIR/f is a file, and DIR/f/x on the host is looked for in it: correct the hook's path",
  ],
  'a hook is missing': [
    (b) => {
      b.config.hooks = { createContainer: [{ path: `${b.dir}/hook` }] };
    },
    'why there is no DIR/hook on the host: install the program',
  ],
  'the interpreter of a hook is missing': [
    (b) => {
      b.config.hooks = { createRuntime: [{ path: program(`${b.dir}/hook`, 0o755, '#!/none -x\n') }] };
    },
    'why DIR/hook is a script, and its interpreter /none is not on the host',
  ],
  'a hook lacks the x permission': [
    (b) => {
      b.config.hooks = { createRuntime: [{ path: program(`${b.dir}/hook`, 0o644) }] };
    },
    'why DIR/hook lacks the x permission on the host: make it executable (chmod +x)',
  ],
  'a startContainer hook is on a noexec mount': [
    (b) => {
      noexec(b);
      b.config.hooks = { startContainer: [{ path: '/ne/p' }] };
    },
    'why /ne/p is on the mount /ne (/mounts/7), which has "noexec"',
  ],
  'a startContainer hook is missing': [
    (b) => {
      b.config.hooks = { startContainer: [{ path: '/none' }] };
    },
    'why startContainer hooks are looked up in the container, and /none, its interpreter',
  ],
};

for (const [name, [change, said]] of Object.entries(cases)) {
  test(
    `the error explains that ${name}`,
    onBed((bed) => {
      bed.config.process.args = ['true'];
      assert.is(bed.config.mounts.length, 7);
      change(bed);
      const { code, stderr } = bed.run();
      assert.is(code, 1);
      assert.match(stderr, said.replaceAll('DIR', bed.dir));
    }),
  );
}

test(
  "the error explains that the host mounts a volume or a hook's file system with noexec",
  onBed((bed) => {
    const directory = `${bed.dir}/ne`;
    mkdirSync(directory);
    // In a mount namespace of its own, in which the command runs too.
    const wrapped = [
      'unshare',
      '-m',
      'sh',
      '-c',
      `mount -t tmpfs -o noexec x ${directory} && cp -p ${bed.dir}/p ${directory} && exec "$@"`,
      'sh',
    ];
    program(`${bed.dir}/p`);
    bed.config.process.args = ['/volume/p'];
    bed.config.mounts.push(bind(directory, '/volume'));
    const volume = bed.run([], { wrapped });
    assert.match(volume.stderr, `why /volume (/mounts/7) shows ${directory}, which the host has mounted with "noexec"`);
    bed.config.hooks = { createRuntime: [{ path: `${directory}/p` }] };
    const hook = bed.run([], { wrapped });
    assert.match(hook.stderr, `why ${directory}/p is on a file system that is mounted with "noexec" on the host: move`);
  }),
);

test(
  'messages name the path',
  onBed((bed) => {
    bed.config.process.args = ['true'];
    const pidFile = `${bed.dir}/none/pid`;
    assert.match(bed.run(['--pid-file', pidFile]).stderr, `write the pid file ${pidFile}: ENOENT`);
    assert.match(bed.run(['--trace', pidFile]).stderr, `write the trace ${pidFile}: ENOENT`);
    const bundle = bed.runt(['create', '--bundle', `${bed.dir}/none`, 'x']);
    assert.match(bundle.stderr, `read ${bed.dir}/none/config.json: ENOENT (no such file or directory)`);
    assert.match(bundle.stderr, `why there is no directory ${bed.dir}/none: correct the path of the bundle (--bundle)`);
    const config = bed.runt(['create', '--bundle', bed.bundle, '--config', 'none.json', 'x']);
    assert.match(config.stderr, `why there is no ${bed.bundle}/none.json: name a config file`);
    assert.match(
      bed.runt(['validate', `${bed.dir}/gone`]).stderr,
      `why there is no ${bed.dir}/gone: name a config file`,
    );
    assert.match(bed.runt(['create', '--bundle', bed.dir, 'x']).stderr, `why ${bed.dir} is not a bundle: write`);
  }),
);

test(
  'numbers are printed as numbers, and only similar names are suggested',
  onBed((bed) => {
    bed.config.process.args = ['true'];
    bed.config.process.rlimits = [{ type: 'RLIMIT_FOO', soft: 1, hard: 2n ** 64n }];
    bed.write();
    const wrong = bed.runt(['validate', bed.bundle]).stderr;
    assert.match(wrong, '/process/rlimits/0/type must be a resource limit of Linux, found "RLIMIT_FOO"');
    assert.match(wrong, '/process/rlimits/0/hard must be 0 to 18446744073709551615, found 18446744073709551616 (');
  }),
);

test.run();
