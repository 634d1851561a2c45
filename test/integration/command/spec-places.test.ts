/** Mounts, devices, namespaces and variables of `spec`, seen from inside a container. */
import { execFileSync } from 'node:child_process';
import { chmodSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../bed/bed.js';
import { ranBySpec as ran } from '../bed/spec-bundle.js';

const test = needing('mounts, devices and namespaces of spec', 'root');
const maps = ['--uid-map', '0:100000:65536'];
const sh = (script: string) => ['--', 'sh', '-c', script];

test(
  'variables of a file and of the caller, and a working directory',
  onBed((bed) => {
    writeFileSync(join(bed.dir, 'vars'), '# one a line\nA=1 2\nB=3\n');
    const options = [
      '--env-file',
      'vars',
      '--env',
      'B=4',
      '--env',
      'PATH',
      '--env',
      'NOT_SET_ANYWHERE',
      '--workdir',
      '/tmp',
    ];
    assert.is(ran(bed, ...options, ...sh('echo "$A|$B|$(set | grep -c ^NOT_SET)|$PWD"')), '1 2|4|0|/tmp\n');
    const twice = bed.runt(['spec', '--cwd', '/', '-w', '/tmp']);
    assert.equal([twice.code, twice.stderr], [1, 'runt: spec: --workdir and --cwd are the same flag: choose one\n']);
  }),
);

test(
  'a tmpfs, and the size of /dev/shm',
  onBed((bed) => {
    const script = "grep -E ' (/run|/dev/shm) ' /proc/mounts | cut -d' ' -f2-4";
    for (const more of [[], maps]) {
      const out = ran(bed, ...more, '--tmpfs', '/run:size=1m,exec,mode=700', '--shm-size', '2m', ...sh(script));
      assert.match(out, /^\/dev\/shm tmpfs .*size=2048k/m);
      assert.match(out, /^\/run tmpfs (?=.*nosuid)(?=.*nodev)(?!.*noexec)(?=.*size=1024k)(?=.*mode=700)/m);
    }
  }),
);

test(
  'a device of the host works in the container, as root and in a user namespace',
  onBed((bed) => {
    const script =
      'head -c3 /dev/nil | wc -c; head -c 3 /dev/zip | wc -c; echo x 2>/dev/null >/dev/zip || echo refused';
    const options = ['--device', '/dev/null:/dev/nil', '--device', '/dev/zero:/dev/zip'];
    for (const more of [[], maps]) assert.is(ran(bed, ...more, ...options, ...sh(script)), '0\n3\n');
  }),
);

test(
  'sysctls, annotations, labels and hooks',
  onBed((bed) => {
    const hook = join(bed.dir, 'hook');
    writeFileSync(hook, `#!/bin/sh\ncat >${join(bed.dir, 'seen')}\n`);
    chmodSync(hook, 0o755);
    const options = [
      '--sysctl',
      'net.ipv4.ip_forward=1',
      '--annotation',
      'a=b',
      '--label',
      'tier=web',
      '--hook',
      'createRuntime=hook',
    ];
    assert.is(ran(bed, ...options, '--', 'cat', '/proc/sys/net/ipv4/ip_forward'), '1\n');
    assert.equal(JSON.parse(readFileSync(join(bed.dir, 'seen'), 'utf8')).annotations, { tier: 'web', a: 'b' });
    const missing = bed.runt(['spec', '--hook', 'poststop=nothing']);
    assert.match(missing.stderr, /--hook "poststop=nothing": .*nothing does not exist/);
  }),
);

test(
  'a device of CDI, with its variables and mounts',
  onBed((bed) => {
    const edits = {
      env: ['GPU=1'],
      deviceNodes: [{ path: '/dev/gpu', hostPath: '/dev/zero' }],
      mounts: [{ hostPath: bed.rootfs, containerPath: '/home', options: ['ro'] }],
    };
    const devices = [{ name: 'one', containerEdits: edits }];
    writeFileSync(join(bed.dir, 'v.json'), JSON.stringify({ cdiVersion: '0.6.0', kind: 'v.com/gpu', devices }));
    const script =
      'echo $GPU; head -c 3 /dev/gpu | wc -c; ls -d /home/bin; touch /home/x 2>/dev/null || echo read-only';
    for (const more of [[], maps]) {
      const out = ran(bed, ...more, '--cdi-spec-dir', '.', '--device', 'v.com/gpu=one', ...sh(script));
      assert.is(out, '1\n3\n/home/bin\nread-only\n');
    }
  }),
);

const kinds = { pid: 'pid', net: 'net', ipc: 'ipc', uts: 'uts', cgroupns: 'cgroup' } as const;

test(
  'namespaces of the host, of a path and of another container',
  onBed((bed) => {
    const first = join(bed.dir, 'first');
    const spec = ['spec', '-b', first, '--rootfs', bed.rootfs, '--cgroupns', 'new', '--', 'sleep', '1000'];
    assert.is(bed.runt(spec).stderr, '');
    const id = `${bed.id}-first`;
    assert.is(bed.runt(['create', '-b', first, id]).stderr, '');
    const { pid } = JSON.parse(bed.runt(['state', id]).stdout);
    for (const [option, file] of Object.entries(kinds)) {
      const link = (...value: string[]) => ran(bed, ...value, '--', 'readlink', `/proc/self/ns/${file}`).trim();
      const [own, other] = [readlinkSync(`/proc/self/ns/${file}`), readlinkSync(`/proc/${pid}/ns/${file}`)];
      assert.is(link(`--${option}`, 'host'), own, option);
      assert.is(link(`--${option}`, `container:${id}`), other, option);
      assert.is(link(`--${option}`, `/proc/${pid}/ns/${file}`), other, option);
      assert.not.ok([own, other].includes(link(`--${option}`, 'new')), option);
    }
    bed.runt(['delete', '--force', id]);
    const gone = bed.runt(['spec', '--net', `container:${id}`]);
    assert.match(gone.stderr, /container/);
    assert.is(gone.code, 1);
  }),
);

test(
  'namespaces of the host in a user namespace, and the user namespace of another container',
  onBed((bed) => {
    for (const option of ['pid', 'net', 'ipc', 'uts', 'cgroupns']) {
      assert.is(ran(bed, ...maps, `--${option}`, 'host', '--', 'id', '-u'), '0\n', option);
    }
    const first = join(bed.dir, 'first');
    assert.is(bed.runt(['spec', '-b', first, '--rootfs', bed.rootfs, ...maps, '--', 'sleep', '1000']).stderr, '');
    const id = `${bed.id}-first`;
    assert.is(bed.runt(['create', '-b', first, id]).stderr, '');
    const of = `container:${id}`;
    const script = "cut -c1-10 /proc/self/uid_map; tr -s ' ' </proc/self/uid_map; ls -d /sys/class/net";
    const out = ran(bed, '--userns', of, '--net', of, '--ipc', of, ...sh(script));
    assert.match(out, /^ 0 100000 65536$/m);
    bed.runt(['delete', '--force', id]);
  }),
);

test(
  '--force replaces the file, and nothing else does',
  onBed((bed) => {
    const path = join(bed.dir, 'config.json');
    assert.is(bed.runt(['spec']).code, 0);
    const again = bed.runt(['spec', '--', 'true']);
    assert.match(again.stderr, /add --force to replace the file/);
    assert.is(bed.runt(['spec', '--force', '--', 'true']).stderr, '');
    assert.equal(JSON.parse(readFileSync(path, 'utf8')).process.args, ['true']);
    assert.is(execFileSync('stat', ['-c', '%a', path], { encoding: 'utf8' }), '644\n');
  }),
);

test.run();
