/** Mounts, devices, namespaces, variables and metadata of `spec`: what each option writes, and what it refuses. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Spec } from '../../../src/spec/config-types.js';
import type { SpecOptions } from '../../../src/spec/options/option-types.js';
import { specOf } from '../../../src/spec/options/spec-options.js';
import { complaints } from '../sample.js';
import { files, lookups } from './lookups.js';

const test = suite('mounts, devices and namespaces of spec');
const caller = {
  uid: 0,
  gid: 0,
  bundle: '/b',
  absolute: (path: string) => (path.startsWith('/') ? path : `/here/${path}`),
  name: (option: string) => `option ${option}`,
};
const of = (options: SpecOptions, more = {}) => {
  const spec = specOf(options, caller, { ...lookups, ...more }) as Required<Spec>;
  assert.equal(complaints(spec), [], JSON.stringify(options));
  return spec;
};
const refused = (options: SpecOptions): string => {
  try {
    specOf(options, caller, lookups);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`${JSON.stringify(options)} was accepted`);
};
const mountAt = ({ mounts }: Spec, path: string) => mounts!.find(({ destination }) => destination === path);
const mapped = { uidMap: ['0:100000:65536'] };

test('variables are those of the files, then of the flags; a name alone takes the value of the caller', () => {
  files['/here/vars'] = '# comment\n\nA=1 2\n  B="x"\nHERE\nABSENT\nC=\r\n';
  const env = of({ envFile: ['vars'], env: ['B=3', 'HERE', 'GONE'] }).process.env!.slice(2);
  assert.equal(env, ['A=1 2', 'C=', 'B=3', 'HERE=a=b']);
  files['/here/bad'] = 'A=1\nB C=2\n';
  assert.match(refused({ envFile: ['bad'] }), /envFile "bad" has line 2, which is not NAME=VALUE/);
  assert.match(refused({ envFile: ['none'] }), /envFile "none" does not exist/);
});

test('a tmpfs has the options of engines, and those of the flag after them', () => {
  const options = (text: string) => of({ tmpfs: [text] }).mounts!.at(-1)!.options;
  assert.equal(options('/run'), ['nosuid', 'nodev', 'noexec']);
  assert.equal(options('/run:size=1m,exec,mode=700'), ['nosuid', 'nodev', 'noexec', 'size=1m', 'exec', 'mode=700']);
  assert.equal(mountAt(of({ shmSize: '1g' }), '/dev/shm')!.options!.at(-1), 'size=1073741824');
});

test('a device is a node and a rule, or a bind mount in a user namespace', () => {
  const { linux } = of({ device: ['/dev/fuse:/dev/f:rw'] });
  assert.equal(linux.devices, [{ path: '/dev/f', type: 'c', major: 10, minor: 229, fileMode: 0o660, uid: 1, gid: 2 }]);
  const rule = { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' };
  assert.equal(linux.resources!.devices!.at(-1), rule);
  const inside = of({ device: ['/dev/fuse:rw'], ...mapped });
  assert.is(inside.linux.devices, undefined);
  assert.equal(mountAt(inside, '/dev/fuse')!.source, '/dev/fuse');
  assert.equal(inside.linux.resources!.devices!.at(-1), rule);
  assert.is(of({ device: ['/dev/fuse'], rootless: true }).linux.resources, undefined);
  assert.ok(mountAt(of({ device: ['/dev/fuse'] }, { bindsDevices: () => true }), '/dev/fuse'));
  const many = of({ device: ['/dev/two:/dev/x'] }).linux.devices!.map(({ path }) => path);
  assert.equal(many, ['/dev/x/a', '/dev/x/sub/b']);
});

test('annotations, labels, sysctls and hooks are entries of the config', () => {
  const spec = of({
    annotation: ['a=b=c'],
    label: ['l', 'm=1'],
    sysctl: ['net.ipv4.ip_forward=1', 'net/core/somaxconn=9'],
    hook: ['poststart=bin/x', 'startContainer=/in', 'poststart=/y'],
  });
  assert.equal(spec.annotations, { l: '', m: '1', a: 'b=c' });
  assert.equal(spec.linux.sysctl, { 'net.ipv4.ip_forward': '1', 'net.core.somaxconn': '9' });
  assert.equal(
    spec.hooks.poststart!.map(({ path }) => path),
    ['/here/bin/x', '/y'],
  );
  assert.equal(spec.hooks.startContainer, [{ path: '/in', args: ['/in'] }]);
});

test('a namespace is new, of the host, of a container or of a path', () => {
  const at = (options: SpecOptions, type: string) => of(options).linux.namespaces!.find((n) => n.type === type);
  for (const [option, type, file] of [
    ['pid', 'pid', 'pid'],
    ['net', 'network', 'net'],
    ['ipc', 'ipc', 'ipc'],
    ['uts', 'uts', 'uts'],
    ['userns', 'user', 'user'],
    ['cgroupns', 'cgroup', 'cgroup'],
  ] as const) {
    assert.is(at({ [option]: 'host' }, type), undefined, option);
    if (option !== 'userns') assert.equal(at({ [option]: 'new' }, type), { type });
    assert.equal(at({ [option]: 'container:web' }, type), { type, path: `/proc/42/ns/${file}` });
    assert.equal(at({ [option]: './ns' }, type), { type, path: '/here/./ns' });
  }
  assert.is(of({ uts: 'host' }).hostname, undefined);
  assert.is(of({ uts: '/ns', hostname: 'x' }).hostname, 'x');
});

test('mounts fit the namespaces', () => {
  assert.is(mountAt(of({ ipc: 'host' }), '/dev/shm')!.source, '/dev/shm');
  assert.is(mountAt(of({ ipc: 'host' }), '/dev/mqueue')!.type, 'mqueue');
  assert.is(mountAt(of({ ipc: 'host', ...mapped }), '/dev/mqueue')!.type, 'none');
  const bare = of({ ipc: 'host', ...mapped }, { exists: () => false });
  assert.equal([mountAt(bare, '/dev/mqueue'), mountAt(bare, '/dev/shm')!.type], [undefined, 'tmpfs']);
  assert.is(mountAt(of({ ipc: '/ns', ...mapped }), '/dev/mqueue'), undefined);
  assert.is(mountAt(of({ pid: 'host' }), '/proc')!.type, 'proc');
  assert.is(mountAt(of({ pid: 'host', ...mapped }), '/proc')!.source, '/proc');
  assert.is(mountAt(of({ net: '/ns', ...mapped }), '/sys')!.type, 'none');
  assert.is(mountAt(of({ net: '/ns', userns: '/ns' }), '/sys')!.type, 'sysfs');
});

test('an invalid value is refused by its option and value', () => {
  const cases: [SpecOptions, RegExp][] = [
    [{ tmpfs: ['run'] }, /tmpfs "run" has a destination that is not an absolute path/],
    [{ tmpfs: ['/'] }, /replaces the root/],
    [{ tmpfs: ['/run:sise=1m'] }, /has "sise=1m", which is not an option of a tmpfs/],
    [{ tmpfs: ['/run:bind'] }, /has "bind", which is not an option of a tmpfs/],
    [{ shmSize: '0' }, /shmSize "0" is not a size/],
    [{ device: ['/none'] }, /device "\/none" does not exist on the host/],
    [{ device: ['/etc'] }, /is not a device, nor a directory/],
    [{ device: ['/dev/fuse:x'] }, /path in the container that is not absolute: "x"/],
    [{ device: ['/dev/fuse:/x:rx'] }, /an access that is not of r, w and m: "rx"/],
    [{ device: ['/dev/fuse:r'], rootless: true }, /only root of the host can restrict it/],
    [{ sysctl: ['x'] }, /sysctl "x" is not NAME=VALUE/],
    [{ annotation: ['=x'] }, /annotation "=x" is not NAME=VALUE/],
    [{ label: ['=x'] }, /label "=x" is not NAME\[=VALUE\]/],
    [{ hook: ['/x'] }, /hook "\/x" is not POINT=PATH/],
    [{ hook: ['createruntime=/x'] }, /unknown POINT; did you mean createRuntime\?/],
    [{ hook: ['startContainer=x'] }, /path in the container that is not absolute/],
    [
      { net: 'brigde' },
      /net "brigde" is not new, host, container:ID, bridge, cni:NAME, pasta, slirp4netns or the path/,
    ],
    [{ net: 'cni:' }, /net "cni:" has no NAME or FILE/],
    [{ net: 'cni:web', rootless: true }, /net "cni:web" needs root: an ordinary user has pasta and slirp4netns/],
    [{ pid: 'bridge' }, /pid "bridge" is not new, host, container:ID or the path of a namespace/],
    [{ net: 'container:gone' }, /net "container:gone" names a container that does not run/],
    [{ net: 'new', hostNetwork: true }, /net "new" excludes option hostNetwork/],
    [{ userns: 'new' }, /userns "new" needs option uidMap/],
    [{ userns: 'host', rootless: true }, /userns "host" excludes option rootless/],
    [{ userns: '/ns', ...mapped }, /userns "\/ns" excludes option uidMap/],
  ];
  for (const [options, expected] of cases) assert.match(refused(options), expected, JSON.stringify(options));
});

test('a network is a new namespace and two hooks: add before those of other options, del after them', () => {
  const { hooks, linux } = of({ net: 'bridge', hook: ['createRuntime=/a', 'poststop=/b'] });
  assert.equal(
    linux.namespaces!.filter(({ type }) => type === 'network'),
    [{ type: 'network' }],
  );
  assert.equal(hooks.createRuntime, [
    { path: '/usr/bin/runt', args: ['runt', 'network', 'add', 'bridge'] },
    { path: '/a', args: ['/a'] },
  ]);
  assert.equal(hooks.poststop, [
    { path: '/b', args: ['/b'] },
    { path: '/usr/bin/runt', args: ['runt', 'network', 'del'] },
  ]);
  const added = (options: SpecOptions) => of(options).hooks.createRuntime![0]!.args!.at(-1);
  assert.is(added({ net: 'cni:web' }), 'cni:web');
  assert.is(added({ net: 'cni:./web.conflist' }), 'cni:/here/./web.conflist');
  assert.is(added({ net: 'pasta', rootless: true }), 'pasta');
  assert.match(String(of({ net: 'pasta', rootless: true }).linux.namespaces!.map(({ type }) => type)), /network/);
  const without = { ...lookups, program: () => undefined };
  assert.throws(() => specOf({ net: 'bridge' }, caller, without), /needs the program runt in PATH/);
});

test.run();
