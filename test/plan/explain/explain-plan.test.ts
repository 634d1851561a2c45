/** explain: the rows of each operation with named flags, the layout, and the JSON. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DeviceFilter } from '../../../src/cgroup/devices/device-filter.js';
import { explainJson, explainText } from '../../../src/plan/explain/explain-plan.js';
import { rows } from '../../../src/plan/explain/op-messages.js';
import type { Plan } from '../../../src/plan/op-list.js';
import type { FieldType, Note, WireType } from '../../../src/plan/op-shape.js';
import { type Op, ops } from '../../../src/plan/plan-ops.js';

const plain = { colour: false, id: 'web' };
const planOf = (...list: Op[]): Plan => ({ version: 1, ops: list });

/** The line of an operation without its pointer, cells joined by ` | `. */
function words(op: Op): string {
  return rows(op)
    .map(([verb, object, detail]) => [verb, object, detail].filter((c) => c !== '').join(' | '))
    .join('\n');
}

const mount = {
  op: 'mountFs',
  at: '/mounts/1',
  target: '/dev',
  fstype: 'tmpfs',
  source: 'tmpfs',
  options: ['mode=755', 'size=65536k'],
  attrs: 0x22,
  propagation: [],
  inheritMode: false,
  flags: 0,
  copyUp: false,
} as const;

const bind = {
  op: 'mountBind',
  at: '/mounts/9',
  target: '/data',
  source: '/srv/data',
  recursive: true,
  setAttrs: 0,
  clearAttrs: 0,
  setAttrsRec: 0,
  clearAttrsRec: 0,
  propagation: [],
  sourceNofollow: false,
  targetNofollow: false,
  copySymlink: false,
  recursiveIdmap: false,
} as const;

test('a plan is printed by phases in aligned columns, each line with its number and pointer', () => {
  const plan = planOf(
    { op: 'stateDir', at: '', path: '/run/runt/web' },
    { op: 'clone', at: '/linux/namespaces', flags: 0x20000 | 0x20000000 },
    { op: 'keepFds', at: '', count: 0 },
    { op: 'rootfs', at: '/root/path', path: '/b/rootfs' },
    mount,
    { op: 'pivotRoot', at: '/root/path' },
    {
      op: 'exec',
      at: '/process/args',
      args: ['sh', '-c', 'echo hi'],
      env: ['PATH=/bin', 'SECRET=x'],
      homeOfNamed: false,
    },
  );
  assert.is(
    explainText(plan, plain),
    `web: 7 operations

prepare
  0  make directory     /run/runt/web  state of the container  -
  2  close descriptors  all but stdio                          -

namespaces
  1  new namespaces  mount, pid  /linux/namespaces

root and mounts
  3  root        /b/rootfs                                                   /root/path
  4  mount       /dev       tmpfs(mode=755,size=65536k), nosuid,strictatime  /mounts/1
  5  pivot_root  /          old root detached                                /root/path

start
  6  exec         sh -c "echo hi"  /process/args
     environment  PATH SECRET      /process/env
`,
  );
});

test('values of environment variables are not shown', () => {
  const text = explainText(
    planOf({ op: 'exec', at: '/process/args', args: ['sh'], env: ['TOKEN=hunter2'], homeOf: 0, homeOfNamed: false }),
    plain,
  );
  assert.match(text, 'TOKEN');
  assert.not.match(text, 'hunter2');
  assert.match(text, 'of uid 0, from /etc/passwd');
});

test('every operation of the table has a sentence, rows and a phase', () => {
  const sample: Readonly<Record<WireType | Note, unknown>> = {
    str: 'x',
    note: 'x',
    int: 1,
    bool: true,
    flags: 1,
    fd: 1,
    'str?': 'x',
    'int?': 1,
    'fd?': 1,
    list: ['1 2 3'],
    'int[]': [1],
    'flags[]': [262144],
    'range[]': [[0, 1]],
  };
  const data: Readonly<Record<string, unknown>> = {
    filter: { allow: false, exceptions: [] },
    properties: [{ name: 'MemoryMax', signature: 't', value: 5n }],
  };
  for (const [name, shape] of Object.entries(ops)) {
    const fields = Object.fromEntries(
      Object.entries(shape.fields).map(([f, kind]: [string, FieldType]) => [
        f,
        kind === 'data' ? data[f] : sample[kind as WireType | Note],
      ]),
    );
    const op = { op: name, at: '/at', ...fields } as unknown as Op;
    const text = explainText(planOf(op), plain);
    assert.match(text, /\n\n[a-z ]+\n {2}0 {2}\S.* {2}(-|\/\S*)\n/, name);
    assert.not.match(text, /undefined|NaN|object Object/, name);
  }
});

test('a device filter is one line of text, and a list of config rules in JSON', () => {
  const of = (filter: DeviceFilter) =>
    ({ op: 'cgroupDevices', at: '/linux/resources/devices', path: '/sys/fs/cgroup/c1', filter }) as const;
  const rule = { type: 'c', major: 1, minor: 3, access: 'rwm' } as const;
  const list = of({ allow: false, exceptions: [rule, { type: 'b', access: 'm' }] });
  assert.is(words(list), 'device filter | /sys/fs/cgroup/c1 | deny all but c 1:3 rwm, b *:* m');
  assert.is(words(of({ allow: true, exceptions: [] })), 'device filter | /sys/fs/cgroup/c1 | allow all but none');
  assert.is(
    words(of({ allow: true, ordered: [{ ...rule, allow: false }] })),
    'device filter | /sys/fs/cgroup/c1 | allow all, then deny c 1:3 rwm',
  );
  assert.equal(JSON.parse(explainJson(planOf(list))).operations[0].fields, {
    path: '/sys/fs/cgroup/c1',
    filter: { allow: false, exceptions: [rule, { type: 'b', access: 'm' }] },
  });
});

test('unit properties are GVariant text, and values with signatures in JSON', () => {
  const scope = {
    op: 'systemdScope',
    at: '/linux/cgroupsPath',
    path: '/sys/fs/cgroup/system.slice/a.scope',
    unit: 'a.scope',
    properties: [
      { name: 'MemoryMax', signature: 't', value: 2n ** 64n - 1n },
      { name: 'DeviceAllow', signature: 'a(ss)', value: [['char-*', 'm']] },
    ],
    optional: [],
  } as const;
  assert.match(
    words(scope),
    'property | "MemoryMax=uint64 18446744073709551615"\nproperty | "DeviceAllow=[(\'char-*\', \'m\')]"',
  );
  const text = explainJson(planOf(scope));
  assert.match(text, /"name": "MemoryMax",\s+"signature": "t",\s+"value": 18446744073709551615\n/);
  assert.match(text, '["char-*", "m"]');
});

test('mount attributes are named', () => {
  assert.is(words(mount), 'mount | /dev | tmpfs(mode=755,size=65536k), nosuid,strictatime');
  assert.is(
    words({ ...mount, options: [], source: 'shm', attrs: 0xf }),
    'mount | /dev | tmpfs, from shm, ro,nosuid,nodev,noexec',
  );
  assert.is(
    words({ ...mount, options: [], attrs: 0x10 | 0x80 | 0x200000 }),
    'mount | /dev | tmpfs, nodiratime,nosymfollow,noatime',
  );
  // An unknown bit is shown, not dropped.
  assert.is(words({ ...mount, options: [], attrs: 0x1 | 0x4000000 }), 'mount | /dev | tmpfs, ro,0x4000000');
});

test('cleared and recursive attributes of a bind mount are named', () => {
  assert.is(words(bind), 'bind tree | /data | from /srv/data');
  assert.is(
    words({ ...bind, recursive: false, setAttrs: 0x1, clearAttrs: 0x70 | 0x2, slot: 3 }),
    'bind | /data | from /srv/data, ro,suid,relatime, slot 3',
  );
  assert.is(words({ ...bind, setAttrsRec: 0x1, clearAttrsRec: 0x8 }), 'bind tree | /data | from /srv/data, rro,rexec');
  // Set wins over cleared: mount_setattr(2) clears first.
  assert.is(words({ ...bind, setAttrs: 0x10, clearAttrs: 0x70 }), 'bind tree | /data | from /srv/data, noatime');
});

test('propagation is named in the order in which it is set', () => {
  assert.is(
    words({ ...bind, propagation: [1 << 18, (1 << 20) | (1 << 14)] }),
    'bind tree | /data | from /srv/data, private, rshared',
  );
  assert.is(words({ op: 'rootPropagation', at: '', flags: (1 << 19) | (1 << 14) }), 'propagation | / | rslave');
  assert.is(words({ op: 'rootPropagation', at: '', flags: 1 << 17 }), 'propagation | / | unbindable');
});

test('namespaces are named, and a flag without a name is shown in hex', () => {
  const all = 0x80 | 0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 | 0x20000000 | 0x40000000;
  const text = words({ op: 'clone', at: '', flags: all });
  for (const name of ['mount', 'pid', 'network', 'ipc', 'uts', 'user', 'cgroup', 'time']) assert.match(text, name);
  assert.is(words({ op: 'clone', at: '', flags: 0x20000 | 0x100 }), 'new namespaces | mount, 0x100');
  assert.is(words({ op: 'clone', at: '', flags: 0 }), 'new namespaces | none');
});

test('capability masks are named, and equal sets share their lines', () => {
  assert.is(words({ op: 'bounding', at: '', mask: 0n }), 'capabilities | bounding | none');
  assert.is(words({ op: 'bounding', at: '', mask: (1n << 41n) - 1n }), 'capabilities | bounding | all');
  assert.is(
    words({ op: 'bounding', at: '', mask: (1n << 40n) | 1n }),
    'capabilities | bounding | CAP_CHOWN, CAP_CHECKPOINT_RESTORE',
  );
  assert.is(words({ op: 'bounding', at: '', mask: 1n << 50n }), 'capabilities | bounding | bit 50');
  assert.is(
    words({ op: 'capabilities', at: '', effective: 33, permitted: 33n, inheritable: 0, ambient: 0n }),
    'capabilities | effective, permitted | CAP_CHOWN, CAP_KILL\ncapabilities | inheritable, ambient | none',
  );
});

test('a long list takes several lines, each with its pointer', () => {
  const lines = rows({ op: 'bounding', at: '/p', mask: 0xffffn });
  assert.ok(lines.length > 2);
  assert.equal(
    lines.map((l) => l[3]),
    lines.map(() => '/p'),
  );
  assert.equal(
    lines.map((l) => l[0]),
    ['capabilities', ...lines.slice(1).map(() => '')],
  );
  assert.is(
    lines
      .map((l) => l[2])
      .join(' ')
      .split(', ').length,
    16,
  );
});

test('limits are named, 2^64-1 is "unlimited" and wide integers are exact', () => {
  assert.is(
    words({ op: 'prlimit', at: '', resource: 7, soft: 1024, hard: 18446744073709551615n }),
    'limit | RLIMIT_NOFILE | soft 1024, hard unlimited',
  );
  assert.is(
    words({ op: 'prlimit', at: '', resource: 99, soft: 9223372036854771712n, hard: 0 }),
    'limit | resource 99 | soft 9223372036854771712, hard 0',
  );
});

test('id maps take one line each, with their pointers', () => {
  const op: Op = {
    op: 'idMap',
    at: '/linux/uidMappings',
    kind: 'uid',
    lines: ['0 1000 1', '1 100000 65536'],
    helper: '/usr/bin/newuidmap',
  };
  assert.equal(rows(op), [
    ['map uids', '0 ← 1000', 'size 1, by /usr/bin/newuidmap', '/linux/uidMappings/0'],
    ['map uids', '1 ← 100000', 'size 65536, by /usr/bin/newuidmap', '/linux/uidMappings/1'],
  ]);
});

test('devices and users are shown with their numbers and modes', () => {
  const device = {
    op: 'device',
    at: '',
    path: '/dev/null',
    type: 'c',
    major: 1,
    minor: 3,
    mode: 0o666,
    uid: 0,
    gid: 0,
    bind: false,
  } as const;
  assert.is(words(device), 'device | /dev/null | c 1:3, 0666, 0:0');
  assert.is(words({ ...device, bind: true }), 'bind device | /dev/null | c 1:3, from the host');
  assert.is(words({ ...device, type: 'p' }), 'device | /dev/null | p, 0666, 0:0');
  assert.is(
    words({
      op: 'user',
      at: '',
      uid: 1,
      gid: 2,
      groups: [3, 4],
      setGroups: true,
      groupsOptional: false,
      umask: 0o27,
    }),
    'user | 1:2 | groups 3,4, umask 0027',
  );
  assert.is(
    words({ op: 'user', at: '', uid: 1, gid: 2, groups: [], setGroups: false, groupsOptional: false }),
    'user | 1:2 | groups unchanged',
  );
});

test('joined namespaces are shown, with the devices and offsets that are set in them', () => {
  const lines = (op: Op) => words(op);
  assert.is(
    lines({ op: 'namespaceOpen', at: '', path: '/run/netns/x', type: 'network', slot: 3 }),
    'open namespace | /run/netns/x | verified: network, slot 3',
  );
  assert.is(
    lines({ op: 'setns', at: '', path: '/n', flag: 0x40000000, slot: 3, optional: true }),
    'join namespace | /n | network, slot 3, or later, with the rights in the user namespace',
  );
  assert.is(
    lines({ op: 'timeEnter', at: '', monotonic: -5, monotonicNanosecs: 7, boottime: 9, boottimeNanosecs: 0 }),
    'time namespace | enter, monotonic - 5 s + 7 ns, boottime + 9 s',
  );
  assert.is(
    lines({ op: 'netDevice', at: '', name: 'a', target: 'b' }),
    'network device | a | as b, with its permanent global addresses, up',
  );
  assert.is(lines({ op: 'await', at: '', what: 'id maps' }), 'await runtime | id maps');
  assert.is(
    lines({ op: 'idMapVerify', at: '/x', kind: 'uid', lines: ['0 1000 1'] }),
    'verify uids | 0 ← 1000 | size 1',
  );
});

test('a config cannot send control characters to the terminal', () => {
  const evil = '/a\x1b[2J\n\x9b\u202eb c';
  const text = explainText(planOf({ op: 'mask', at: '/x\x1b]0;', path: evil }), {
    colour: false,
    id: 'i\x07d',
  });
  assert.match(text, '"/a\\u001b[2J\\u000a\\u009b\\u202eb c"');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the test asserts their absence
  assert.not.match(text.replaceAll('\n', ''), /[\x00-\x1f\x7f-\x9f\u202e]/);
});

test('the output is coloured only on request', () => {
  const plan = planOf(mount);
  assert.not.match(explainText(plan, plain), '\x1b');
  const coloured = explainText(plan, { colour: true, id: 'web' });
  assert.match(coloured, '\x1b[1m');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it removes the colours
  assert.is(coloured.replace(/\x1b\[[0-9]+m/g, ''), explainText(plan, plain));
});

test('the JSON form has every field, and exact integers', () => {
  const plan = planOf(mount, {
    op: 'prlimit',
    at: '/process/rlimits/0',
    resource: 7,
    soft: 1,
    hard: 18446744073709551615n,
  });
  const text = explainJson(plan);
  assert.match(text, '"hard": 18446744073709551615\n');
  const { op, at, ...fields } = mount;
  assert.equal(JSON.parse(text).operations[0], {
    index: 0,
    op,
    by: 'init',
    phase: 'root and mounts',
    at,
    text: 'mount tmpfs on /dev',
    fields: { ...fields, options: [...fields.options], propagation: [] },
  });
  assert.is(JSON.parse(text).version, 1);
  assert.is(JSON.parse(text).operations[1].by, 'runtime');
});

test.run();
