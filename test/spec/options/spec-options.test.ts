/** The options of `spec` and `bundle()`: what each writes into the config, and what each refuses. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Spec } from '../../../src/spec/config-types.js';
import { defaultSpec } from '../../../src/spec/default-config.js';
import type { SpecOptions } from '../../../src/spec/options/option-types.js';
import { specOf } from '../../../src/spec/options/spec-options.js';
import { RuntError } from '../../../src/sys/error.js';
import { complaints } from '../sample.js';
import { lookups } from './lookups.js';

const caller = {
  uid: 1000,
  gid: 100,
  bundle: '/b',
  absolute: (path: string) => (path.startsWith('/') ? path : `/here/${path}`),
  name: (option: string) => `option ${option}`,
};
const of = (options: SpecOptions) => specOf(options, caller, lookups);
type Whole = Required<Spec>;
const plain = () => defaultSpec({ rootless: false, uid: 1000, gid: 100 });

function refused(options: SpecOptions): string {
  try {
    of(options);
  } catch (error) {
    if (!(error instanceof RuntError)) throw error;
    assert.is(error.code, 'ERR_USAGE');
    return error.message;
  }
  throw new Error(`${JSON.stringify(options)} was accepted`);
}

test('without options the config is the template', () => {
  assert.equal(of({}), plain());
  assert.equal(of({ rootless: true }), defaultSpec({ rootless: true, uid: 1000, gid: 100 }));
});

test('each option changes only its own part of the config', () => {
  const cases: [SpecOptions, (spec: Whole) => void][] = [
    [
      { rootfs: 'r' },
      (s) => {
        s.root.path = '/here/r';
      },
    ],
    [
      { cwd: '/tmp' },
      (s) => {
        s.process.cwd = '/tmp';
      },
    ],
    [
      { user: '7:8' },
      (s) => {
        s.process.user = { uid: 7, gid: 8 };
      },
    ],
    [
      { user: '7' },
      (s) => {
        s.process.user = { uid: 7, gid: 0 };
      },
    ],
    [
      { hostname: 'web' },
      (s) => {
        s.hostname = 'web';
      },
    ],
    [
      { env: ['A=b=c', 'TERM=dumb', 'A=d'] },
      (s) => {
        s.process.env = [s.process.env![0]!, 'TERM=dumb', 'A=d'];
      },
    ],
    [
      { args: ['sleep', '60'] },
      (s) => {
        Object.assign(s.process, { args: ['sleep', '60'], terminal: false });
      },
    ],
    [
      { args: ['top'], tty: true },
      (s) => {
        s.process.args = ['top'];
      },
    ],
    [
      { tty: false },
      (s) => {
        s.process.terminal = false;
      },
    ],
    [
      { readOnly: false },
      (s) => {
        s.root.readonly = false;
      },
    ],
    [{ readOnly: true }, () => {}],
    [
      { hostNetwork: true },
      (s) => {
        s.linux.namespaces = s.linux.namespaces!.filter((n) => n.type !== 'network');
      },
    ],
    [
      { memory: '64m' },
      (s) => {
        s.linux.resources!.memory = { limit: 67108864 };
      },
    ],
    [
      { memory: 4096 },
      (s) => {
        s.linux.resources!.memory = { limit: 4096 };
      },
    ],
    [
      { memory: '-1' },
      (s) => {
        s.linux.resources!.memory = { limit: -1 };
      },
    ],
    [
      { cpus: '1.5' },
      (s) => {
        s.linux.resources!.cpu = { quota: 150000, period: 100000 };
      },
    ],
    [
      { cpus: 0.01 },
      (s) => {
        s.linux.resources!.cpu = { quota: 1000, period: 100000 };
      },
    ],
    [
      { pids: 20 },
      (s) => {
        s.linux.resources!.pids = { limit: 20 };
      },
    ],
    [
      { pids: '-1' },
      (s) => {
        s.linux.resources!.pids = { limit: -1 };
      },
    ],
  ];
  for (const [options, change] of cases) {
    const expected = plain();
    change(expected as Whole);
    assert.equal(of(options), expected, JSON.stringify(options));
    assert.equal(complaints(of(options)), []);
  }
});

test('a volume is a recursive bind mount, private unless an option sets the propagation', () => {
  const mount = (text: string, more: SpecOptions = {}) => of({ volume: [text], ...more }).mounts!.at(-1);
  const bound = (...options: string[]) => ({ destination: '/d', type: 'bind', source: '/here/s', options });
  assert.equal(mount('s:/d'), bound('rbind', 'rprivate'));
  assert.equal(mount('s:/d:ro,nosuid'), bound('rbind', 'ro', 'nosuid', 'rprivate'));
  assert.equal(mount('s:/d:bind,rslave'), bound('bind', 'rslave'));
  assert.equal(mount('s:/d:idmap', { uidMap: ['0:100000:10'] }), bound('rbind', 'idmap', 'rprivate'));
  const two = of({ volume: ['/a:/x', '/b:/y'] }).mounts!.slice(-2);
  assert.equal(
    two.map((m) => m.destination),
    ['/x', '/y'],
  );
});

test('only a shared volume makes the propagation of the root shared', () => {
  for (const [option, expected] of [
    ['ro', undefined],
    ['rslave', undefined],
    ['shared', 'shared'],
    ['rshared', 'shared'],
  ]) {
    assert.is(of({ volume: [`/a:/b:${option}`] }).linux!.rootfsPropagation, expected, option);
  }
});

test('an overlay is the first mount, over the image, and writable', () => {
  const spec = of({ overlay: 'w', rootfs: '/image' });
  assert.equal(spec.mounts![0], {
    destination: '/',
    type: 'overlay',
    source: 'overlay',
    options: ['lowerdir=/image', 'upperdir=/here/w/upper', 'workdir=/here/w/work'],
  });
  assert.equal(spec.root, { path: '/image', readonly: false });
  assert.equal(of({ overlay: '/w' }).root, { path: '/b/rootfs', readonly: false });
  assert.equal(of({ overlay: '/w', readOnly: true }).root, { path: '/b/rootfs', readonly: true });
  assert.ok(of({ overlay: '/w', uidMap: ['0:100000:9'] }).mounts![0]!.options!.includes('userxattr'));
  assert.ok(of({ overlay: '/w', rootless: true }).mounts![0]!.options!.includes('userxattr'));
  assert.equal(complaints(spec), []);
});

test('id maps add a user namespace, and adapt the mounts that its root may not make', () => {
  const spec = of({ uidMap: ['0:100000:5', '5:7:1'] });
  const map = [
    { containerID: 0, hostID: 100000, size: 5 },
    { containerID: 5, hostID: 7, size: 1 },
  ];
  assert.equal([spec.linux!.uidMappings, spec.linux!.gidMappings], [map, map]);
  assert.ok(spec.linux!.namespaces!.some((n) => n.type === 'user'));
  const pts = (s: typeof spec) => s.mounts!.find((m) => m.type === 'devpts')!.options!.includes('gid=5');
  assert.ok(pts(spec));
  assert.not.ok(pts(of({ uidMap: ['0:100000:5'] })));
  assert.ok(spec.mounts!.some((m) => m.type === 'sysfs'));
  assert.not.ok(of({ uidMap: ['0:100000:5'], hostNetwork: true }).mounts!.some((m) => m.type === 'sysfs'));
  const rootless = of({ rootless: true, uidMap: ['0:1000:1', '1:100000:9'], gidMap: ['0:100:1'] }).linux!;
  assert.equal([rootless.uidMappings!.length, rootless.gidMappings!.length], [2, 1]);
  assert.is(rootless.namespaces!.filter((n) => n.type === 'user').length, 1);
});

test('an invalid value is refused with the option, the value and the expected form', () => {
  const cases: [SpecOptions, RegExp][] = [
    [{ memory: '12q' }, /^spec: option memory "12q" is not a size such as 64m/],
    [{ memory: '0' }, /memory "0" is not a size/],
    [{ memory: '99999p' }, /is not a size/],
    [{ cpus: '0' }, /cpus "0" is not a number of CPUs/],
    [{ cpus: '-1' }, /is not a number of CPUs/],
    [{ cpus: 'all' }, /is not a number of CPUs/],
    [{ pids: '0' }, /pids "0" is not a number of processes/],
    [{ pids: '1.5' }, /is not a number of processes/],
    [{ user: 'bob' }, /user "bob" is not UID\[:GID\], .*holds no names/],
    [{ user: '4294967295' }, /numbers from 0 to 4294967294/],
    [{ user: '1:' }, /is not UID/],
    [{ env: [''] }, /env "" is not NAME=VALUE/],
    [{ env: ['=x'] }, /is not NAME=VALUE/],
    [{ cwd: 'tmp' }, /cwd "tmp" is not an absolute path/],
    [{ hostname: '' }, /hostname "" is empty/],
    [{ rootfs: '' }, /rootfs needs the path/],
    [{ overlay: '/a:b' }, /overlay "\/a:b" cannot have a colon/],
    [{ overlay: '/w', rootfs: '/i,j' }, /cannot have a colon, a comma/],
    [{ volume: ['/a'] }, /volume "\/a" is not SRC:DST/],
    [{ volume: ['/a:/b:ro:x'] }, /is not SRC:DST/],
    [{ volume: [':/b'] }, /is not SRC:DST/],
    [{ volume: ['/a:b'] }, /has a destination that is not an absolute path: "b"/],
    [{ volume: ['/a://'] }, /replaces the root file system/],
    [
      { volume: ['/a:/b:rpivate'] },
      /has "rpivate", which is not an option of a bind mount; did you mean "r?private"\?/,
    ],
    [{ volume: ['/a:/b:size=1m'] }, /has "size=1m", which is not an option of a bind mount/],
    [{ volume: ['/a:/b:'] }, /has "", which is not an option/],
    [{ volume: ['/a:/b:idmap'] }, /has "idmap", which takes the ids of the user namespace, and there is none/],
    [{ volume: ['/a:/b:idmap'], rootless: true }, /has "idmap": the kernel lets only root of the host/],
    [{ uidMap: ['0:1'] }, /uidMap "0:1" is not CONTAINER:HOST:SIZE/],
    [{ gidMap: ['0:1:1'] }, /gidMap "0:1:1" needs user ids too/],
    [{ readonly: true } as SpecOptions, /unknown option readonly; did you mean readOnly\?/],
    [{ volume: '/a:/b' } as unknown as SpecOptions, /option volume must be a list of strings/],
    [{ tty: 'yes' } as unknown as SpecOptions, /option tty must be a boolean/],
    [{ cpus: true } as unknown as SpecOptions, /option cpus must be a string or a number/],
  ];
  for (const [options, expected] of cases) assert.match(refused(options), expected, JSON.stringify(options));
});

test.run();
