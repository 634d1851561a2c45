/** Error messages: what failed, on which path, and which of two paths is wrong. */
import { execFileSync } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync, readSync, symlinkSync, writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { type Bed, needing, onBed } from '../bed/bed.js';

const test = needing('messages', 'root', 'mount', 'unshare');

const bind = (source: string, destination: string) => ({ source, destination, type: 'bind', options: ['bind'] });

function program(path: string, mode = 0o755, text: string | Buffer = '#!/bin/sh\n'): string {
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

function noexec(bed: Bed): void {
  mkdirSync(`${bed.rootfs}/ne`);
  program(`${bed.rootfs}/ne/p`);
  bed.config.mounts.push({ destination: '/ne', type: 'tmpfs', source: 't', options: ['noexec', 'tmpcopyup'] });
}

/** An ELF program of one program header, which names a loader (PT_INTERP); `machine` is that of Node.js by default. */
function elf(loader: string, machine?: number): Buffer {
  const name = `${loader}\0`;
  const head = Buffer.alloc(64 + 56);
  const node = openSync(process.execPath, 'r');
  readSync(node, head, 0, 64, 0);
  closeSync(node);
  if (machine !== undefined) head.writeUInt16LE(machine, 18);
  head.writeBigUInt64LE(64n, 32);
  head.writeUInt16LE(1, 56);
  head.writeUInt32LE(3, 64);
  head.writeBigUInt64LE(BigInt(head.length), 64 + 8);
  head.writeBigUInt64LE(BigInt(name.length), 64 + 32);
  return Buffer.concat([head, Buffer.from(name)]);
}

function runs(b: Bed, text: string | Buffer): void {
  program(`${b.rootfs}/app`, 0o755, text);
  b.config.process.args = ['/app'];
}

/** How a bundle is broken, and the error's text; DIR stands for the bed's directory. */
const cases: Record<string, [(bed: Bed) => void, string]> = {
  'a component of a bind source is a file': [
    (b) => {
      writeFileSync(`${b.dir}/f`, '');
      b.config.mounts.push(bind(`${b.dir}/f/x`, '/mnt'));
    },
    "fix correct the mount's source: DIR/f is a file, and the source DIR/f/x is looked for in it",
  ],
  'a component of a bind destination is a file': [
    (b) => {
      writeFileSync(`${b.rootfs}/ff`, '');
      b.config.mounts.push(bind(b.dir, '/ff/x'));
    },
    'fix correct the image or the path: a component of /ff/x is a file in the rootfs',
  ],
  'a component of another destination is a file': [
    (b) => {
      writeFileSync(`${b.rootfs}/ff`, '');
      b.config.mounts.push({ destination: '/ff/x', type: 'tmpfs', source: 't' });
    },
    'fix correct the image or the path: a component of /ff/x is a file in the rootfs',
  ],
  'a directory is bind-mounted on a file': [
    (b) => {
      writeFileSync(`${b.rootfs}/ff`, '');
      b.config.mounts.push(bind(b.dir, '/ff'));
    },
    'remove /ff from the rootfs: the source DIR is a directory, and /ff is a file in the rootfs',
  ],
  'a file is bind-mounted on a directory': [
    (b) => {
      writeFileSync(`${b.dir}/f`, '');
      mkdirSync(`${b.rootfs}/dd`);
      b.config.mounts.push(bind(`${b.dir}/f`, '/dd'));
    },
    'remove /dd from the rootfs: the source DIR/f is a file, and /dd is a directory in the rootfs',
  ],
  'a directory on the way to a bind source is missing': [
    (b) => b.config.mounts.push(bind(`${b.dir}/none/x`, '/mnt')),
    'fix make DIR/none, or correct the mount',
  ],
  'a bind source is a loop of symlinks': [
    (b) => {
      symlinkSync('loop', `${b.dir}/loop`);
      b.config.mounts.push(bind(`${b.dir}/loop/x`, '/mnt'));
    },
    'fix correct the symbolic links at DIR/loop',
  ],
  'a component of the root is a file': [
    (b) => {
      writeFileSync(`${b.dir}/f`, '');
      b.config.root.path = `${b.dir}/f/x`;
    },
    'fix correct root.path: DIR/f is a file, and the root file system DIR/f/x is looked for in it',
  ],
  'a program is on a noexec mount': [
    (b) => {
      noexec(b);
      b.config.process.args = ['/ne/p'];
    },
    'fix remove "noexec" from the options of the mount /ne (/mounts/7)',
  ],
  'the interpreter of a program is on a noexec mount': [
    (b) => {
      noexec(b);
      execFileSync('cp', [`${b.rootfs}/bin/busybox`, `${b.rootfs}/ne/sh`]);
      program(`${b.rootfs}/p`, 0o755, '#!/ne/sh\n');
      b.config.process.args = ['/p'];
    },
    'put the program elsewhere: /ne/sh is on that mount',
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
    "fix correct the hook's path: DIR/f is a file, and DIR/f/x on the host is looked for in it",
  ],
  'a hook is missing': [
    (b) => {
      b.config.hooks = { createContainer: [{ path: `${b.dir}/hook` }] };
    },
    'fix install DIR/hook on the host',
  ],
  'the interpreter of a hook is missing': [
    (b) => {
      b.config.hooks = { createRuntime: [{ path: program(`${b.dir}/hook`, 0o755, '#!/none -x\n') }] };
    },
    'fix install /none on the host, or correct the first line of the script DIR/hook',
  ],
  'a hook lacks the x permission': [
    (b) => {
      b.config.hooks = { createRuntime: [{ path: program(`${b.dir}/hook`, 0o644) }] };
    },
    'fix make DIR/hook executable on the host (chmod +x)',
  ],
  'a startContainer hook is on a noexec mount': [
    (b) => {
      noexec(b);
      b.config.hooks = { startContainer: [{ path: '/ne/p' }] };
    },
    'fix remove "noexec" from the options of the mount /ne (/mounts/7)',
  ],
  'a startContainer hook is missing': [
    (b) => {
      b.config.hooks = { startContainer: [{ path: '/none' }] };
    },
    'fix add /none, its interpreter or its dynamic loader to the image',
  ],
  'the loader of the program is missing': [(b) => runs(b, elf('/lib/none.so.1')), 'its loader /lib/none.so.1 is not'],
  'the program is for another machine': [(b) => runs(b, elf('/lib/none.so.1', 2)), 'for ELF machine 2'],
  'the interpreter of the program is missing': [(b) => runs(b, '#!/none -x\n'), '/none'],
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
    assert.match(volume.stderr, `fix add "exec" to the options of /volume (/mounts/7)`);
    bed.config.hooks = { createRuntime: [{ path: `${directory}/p` }] };
    const hook = bed.run([], { wrapped });
    assert.match(hook.stderr, `fix move ${directory}/p, or mount its file system with "exec"`);
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
    assert.match(bundle.stderr, `fix correct the path of the bundle: there is no directory ${bed.dir}/none`);
    const config = bed.runt(['create', '--bundle', bed.bundle, '--config', 'none.json', 'x']);
    assert.match(config.stderr, `fix name a config file or a bundle that exists: there is no ${bed.bundle}/none.json`);
    assert.match(
      bed.runt(['validate', `${bed.dir}/gone`]).stderr,
      `fix name a config file or a bundle that exists: there is no ${bed.dir}/gone`,
    );
    assert.match(bed.runt(['create', '--bundle', bed.dir, 'x']).stderr, `fix write a config.json with "runt spec"`);
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
    bed.config.process.rlimits = [{ type: 'NOFILE', soft: 1, hard: 1 }];
    bed.config.process.capabilities.bounding = ['CAP_KIL'];
    bed.write();
    const near = bed.runt(['run', '--bundle', bed.bundle, 'x']).stderr;
    assert.match(near, 'resource limit of Linux, found "NOFILE"; did you mean "RLIMIT_NOFILE"? (');
    const { stderr } = bed.runt(['validate', bed.bundle]);
    assert.match(stderr, 'found "NOFILE"; did you mean "RLIMIT_NOFILE"? (');
    bed.config.process.rlimits = [];
    bed.write();
    const warning = bed.runt(['run', '--bundle', bed.bundle, 'x']).stderr;
    assert.match(warning, 'should be a capability: it is left out, found "CAP_KIL"; did you mean "CAP_KILL"?');
  }),
);

test(
  'a member in another letter case has no effect, which create says and validate --strict refuses',
  onBed((bed) => {
    const { noNewPrivileges: _, ...rest } = bed.config.process;
    Object.assign(bed.config, { process: { ...rest, nonewprivileges: true }, HOSTNAME: 'other' });
    bed.config.process.args = ['/bin/sh', '-c', 'grep NoNewPrivs /proc/self/status; hostname'];
    bed.config.hostname = 'exact';
    const run = bed.run();
    assert.equal([run.code, run.stdout], [0, 'NoNewPrivs:\t0\nexact\n']);
    assert.match(run.stderr, /^runt: warning: \/process\/nonewprivileges should be written "noNewPrivileges": /m);
    assert.match(run.stderr, /^runt: warning: \/HOSTNAME should be written "hostname": /m);
    const log = `${bed.dir}/log.json`;
    const logged = (...level: string[]) => {
      writeFileSync(log, '');
      const r = bed.runt(['--log', log, '--log-format', 'json', ...level, 'run', '--bundle', bed.bundle, bed.id]);
      assert.equal([r.code, r.stderr], [0, '']);
      return readFileSync(log, 'utf8');
    };
    assert.is(logged(), '', 'an engine takes each line for a failure');
    assert.match(
      logged('--log-level', 'warning'),
      /"level":"warning","msg":"\/process\/nonewprivileges should be written/,
    );
    assert.is(bed.runt(['validate', bed.bundle]).code, 0);
    const strict = bed.runt(['validate', '--strict', bed.bundle]);
    assert.is(strict.code, 1);
    assert.match(strict.stderr, '/process/nonewprivileges must be written "noNewPrivileges": ');
  }),
);

test.run();
