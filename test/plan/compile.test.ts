/**
 * Golden plans: the plan of each config, operation by operation, on invented hosts. `RUNT_GOLDEN=write` writes the
 * files again; review their diff like code.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/plan/compile.js';
import { rows, sentence } from '../../src/plan/explain/op-messages.js';
import type { CompileOptions, HostFacts } from '../../src/plan/host-facts.js';
import type { Plan } from '../../src/plan/op-list.js';
import type { Spec } from '../../src/spec/config-types.js';
import { defaultSpec } from '../../src/spec/default-config.js';
import { toJson } from '../../src/spec/json/exact-json.js';
import type { Propagation } from '../../src/spec/linux-types.js';
import type { RuntError } from '../../src/sys/error.js';
import { CLONE_NEWNS } from '../../src/sys/linux.js';
import { compileOptions, hostFacts, none, rootlessFacts, v2 } from './facts.js';

/** The template of `runt spec`, without a terminal. */
function base(change: (spec: Spec) => void = () => {}): Spec {
  const spec = defaultSpec({ rootless: false, uid: 0, gid: 0 });
  spec.process!.terminal = false;
  change(spec);
  return spec;
}

const lines = (plan: Plan): string =>
  [...plan.ops].map(({ op, at, ...fields }) => `${op} ${toJson(fields)} ${at || '-'}\n`).join('');

interface Case {
  spec: Spec;
  facts?: HostFacts;
  options?: Partial<CompileOptions>;
}

const userMappings = (spec: Spec): void => {
  spec.linux!.namespaces!.push({ type: 'user' });
  spec.linux!.uidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
  spec.linux!.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
};

function rootlessSpec(): Spec {
  const spec = defaultSpec({ rootless: true, uid: 1000, gid: 1000 });
  spec.process!.terminal = false;
  return spec;
}

const cgroupMount = (s: Spec) => s.mounts!.find(({ type }) => type === 'cgroup')!;

/** As podman runs systemd: user and cgroup namespaces, cgroups mounted read-write. */
function owned(change: (spec: Spec) => unknown = () => {}): Spec {
  return base((s) => {
    userMappings(s);
    s.linux!.namespaces!.push({ type: 'cgroup' });
    cgroupMount(s).options = ['nosuid', 'noexec', 'nodev', 'rw'];
    change(s);
  });
}

const cases: Record<string, Case> = {
  'default-v1': { spec: base() },
  'default-v2': {
    spec: base((s) => s.linux!.namespaces!.push({ type: 'cgroup' })),
    facts: hostFacts({ cgroup: v2 }),
  },
  'default-without-cgroups': {
    spec: base((s) => {
      delete s.linux!.resources;
      s.mounts = s.mounts!.filter((m) => m.type !== 'cgroup');
    }),
    facts: hostFacts({ cgroup: none }),
  },
  'mount-template': {
    spec: base((s) => {
      s.mounts!.push({ destination: '/data', source: '/srv/data', options: ['rbind'] });
    }),
    facts: hostFacts({ hasMountTemplate: () => true }),
  },
  hooks: {
    spec: base((s) => {
      s.annotations = { key: 'value' };
      s.hooks = {
        prestart: [{ path: '/h/prestart' }],
        createContainer: [
          { path: '/h/create', args: ['create', 'a b'], env: ['A=1'], timeout: 5 },
          { path: '/h/bare' },
        ],
        startContainer: [{ path: '/h/start' }],
        poststop: [{ path: '/h/poststop' }],
      };
    }),
  },
  'hooks-of-start': {
    spec: base((s) => {
      s.hooks = { startContainer: [{ path: '/h/start', env: [] }], poststart: [{ path: '/h/poststart' }] };
    }),
    options: { startSocket: false },
  },
  run: { spec: base(), options: { startSocket: false, noNewKeyring: true, preserveFds: 2 } },
  'terminal-console-socket': {
    spec: base((s) => {
      s.process!.terminal = true;
      s.process!.user = { uid: 1000, gid: 1000 };
      s.process!.consoleSize = { width: 80, height: 25 };
    }),
    options: { consoleSocket: '/run/console.sock' },
  },
  'terminal-run': {
    spec: base((s) => {
      s.process!.terminal = true;
    }),
    options: { startSocket: false },
  },
  'read-only-tmpfs': {
    spec: base((s) => {
      const dev = s.mounts!.find((m) => m.destination === '/dev')!;
      dev.options = [...dev.options!, 'ro', ''];
      s.mounts!.push({ destination: '/outer/', type: 'tmpfs', options: ['ro', 'size=1m'] });
      s.mounts!.push({ destination: '/outer/inner', type: 'tmpfs', options: ['ro'] });
    }),
  },
  scheduling: {
    spec: base((s) => {
      s.process!.scheduler = {
        policy: 'SCHED_DEADLINE',
        flags: ['SCHED_FLAG_RESET_ON_FORK', 'SCHED_FLAG_DL_OVERRUN'],
        runtime: 10_000_000,
        deadline: 2n ** 63n,
        period: 2n ** 63n,
      };
      s.process!.ioPriority = { class: 'IOPRIO_CLASS_BE', priority: 6 };
      s.process!.execCPUAffinity = { initial: '0' };
      s.linux!.memoryPolicy = { mode: 'MPOL_INTERLEAVE', nodes: '0-1,4-7:1/2', flags: ['MPOL_F_STATIC_NODES'] };
      s.linux!.personality = { domain: 'LINUX32' };
    }),
  },
  'security-labels': {
    spec: base((s) => {
      s.process!.apparmorProfile = 'docker-default';
      s.process!.selinuxLabel = 'system_u:system_r:container_t:s0:c1,c2';
    }),
  },
  'rdt-own-class': {
    spec: base((s) => {
      s.linux!.intelRdt = {
        l3CacheSchema: 'L3:0=7f0;1=1f\nMB:0=10',
        memBwSchema: 'MB:0=20;1=70',
        schemata: ['L2:0=ff'],
        enableMonitoring: true,
      };
    }),
  },
  'no-pivot': { spec: base(), options: { noPivot: true } },
  init: { spec: base(), options: { init: true } },
  'run-as-a-service': {
    spec: base((s) => s.process!.env!.push('NOTIFY_SOCKET=/old', 'LISTEN_FDS=old')),
    options: {
      startSocket: false,
      preserveFds: 3,
      listen: { count: 2, names: 'http:ctl' },
      notify: true,
      pidfdSocket: '/run/pidfd.sock',
    },
  },
  'cgroup-namespace-v1': { spec: base((s) => s.linux!.namespaces!.push({ type: 'cgroup' })) },
  'user-namespace': {
    spec: base((s) => {
      userMappings(s);
      s.mounts!.push({ destination: '/data', source: 'data', type: 'bind', options: ['rbind', 'ro'] });
    }),
  },
  'owned-cgroup-v2': { spec: owned(), facts: hostFacts({ cgroup: v2 }) },
  rootless: { spec: rootlessSpec(), facts: rootlessFacts() },
  'rootless-subuid-v2': {
    spec: ((s: Spec) => {
      s.linux!.uidMappings = [
        { containerID: 0, hostID: 1000, size: 1 },
        { containerID: 1, hostID: 100000, size: 65536 },
      ];
      s.linux!.gidMappings = structuredClone(s.linux!.uidMappings);
      s.linux!.namespaces!.push({ type: 'cgroup' });
      return s;
    })(rootlessSpec()),
    facts: rootlessFacts({ cgroup: v2, isCgroupWritable: () => true }),
  },
  'joined-pod': {
    spec: base((s) => {
      for (const n of s.linux!.namespaces!) if (n.type !== 'mount') n.path = `/ns/${n.type}`;
      s.process!.oomScoreAdj = 1;
    }),
    facts: hostFacts({ cgroup: v2 }),
  },
  'joined-network-new-user': {
    spec: base((s) => {
      userMappings(s);
      s.linux!.namespaces!.find((n) => n.type === 'network')!.path = '/run/netns/x';
      s.linux!.namespaces!.push({ type: 'cgroup' }, { type: 'time' });
      s.linux!.timeOffsets = { monotonic: { secs: -3600, nanosecs: 5 }, boottime: {} };
    }),
  },
  'joined-user': {
    spec: base((s) => {
      s.linux!.namespaces!.push({ type: 'user', path: '/ns/user' });
      for (const n of s.linux!.namespaces!) if (n.type === 'ipc' || n.type === 'mount') n.path = `/ns/${n.type}`;
    }),
    facts: rootlessFacts(),
  },
  'net-devices': {
    spec: base((s) => {
      s.linux!.netDevices = { eth0: {}, eth1: { name: 'c' } };
    }),
  },
  'time-namespace': {
    spec: base((s) => {
      s.linux!.namespaces!.push({ type: 'time' });
      s.linux!.timeOffsets = { boottime: { secs: 86400 } };
    }),
  },
  mounts: {
    spec: base((s) => {
      s.mounts = [
        { destination: '/proc', type: 'proc', source: 'proc' },
        {
          destination: '/a',
          type: 'tmpfs',
          source: 'tmpfs',
          options: ['ro', 'rw', 'nosuid', 'noatime', 'size=1m', 'sync'],
        },
        { destination: '/b/', type: 'none', source: '/src', options: ['bind', 'rro', 'nodev', 'rslave', 'private'] },
        { destination: 'rel//x', source: 'rel', options: ['rbind', 'suid', 'rexec'] },
        { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['rnosuid', 'strictatime', 'nodiratime'] },
      ];
      s.linux!.rootfsPropagation = 'rshared';
    }),
  },
  'overlay-root': {
    spec: base((s) => {
      const many = Array.from({ length: 3 }, (_, i) => `/layers/${'x'.repeat(90)}${i}`);
      s.mounts = [
        {
          destination: '//.',
          type: 'overlay',
          source: 'overlay',
          options: ['lowerdir=../image', 'upperdir=up', 'workdir=work', 'shared'],
        },
        {
          destination: '/many',
          type: 'overlay',
          options: [`lowerdir=${many.join(':')}:rel\\:x::data`, 'volatile'],
        },
        { destination: '/proc', type: 'proc', source: 'proc' },
      ];
    }),
  },
  'mount-label': {
    spec: base((s) => {
      s.linux!.mountLabel = 'system_u:object_r:container_file_t:s0:c1,c2';
      s.mounts!.push(
        { destination: '/own', type: 'tmpfs', options: ['context=system_u:object_r:tmp_t:s0'] },
        { destination: '/bound', source: '/bound', options: ['bind'] },
      );
    }),
  },
  'mount-options': {
    spec: base((s) => {
      s.mounts = [
        {
          destination: '/a',
          type: 'tmpfs',
          options: ['tmpcopyup', 'silent', 'iversion', 'acl', 'noacl', 'lazytime', 'rw'],
        },
        { destination: '/b', type: 'bind', source: '/b', options: ['bind', 'sync', 'size=1m', 'copy-symlink'] },
        { destination: '/c', source: '/c', options: ['bind', 'src-nofollow', 'dest-nofollow', 'rnosuid'] },
        { destination: '/a', type: 'tmpfs', options: ['remount', 'ro', 'size=2m', 'rnodev', 'rslave'] },
        { destination: '/b', options: ['bind', 'remount', 'rw', 'noexec'] },
        { destination: '/c', options: ['rprivate'] },
      ];
    }),
  },
  'idmapped-mounts': {
    spec: base((s) => {
      userMappings(s);
      const maps = {
        uidMappings: [{ containerID: 0, hostID: 7, size: 9 }],
        gidMappings: [{ containerID: 0, hostID: 8, size: 9 }],
      };
      s.mounts = [
        { destination: '/a', source: '/a', options: ['bind', 'idmap'] },
        { destination: '/b', source: '/b', options: ['rbind', 'ridmap'], ...maps },
        { destination: '/d', source: '/d', options: ['bind', 'idmap=uids=0-5-10#20-30-1;gids=@3-4-5'] },
        { destination: '/e', source: '/e', options: ['bind'] },
      ];
    }),
  },
  'idmapped-mounts-without-user-namespace': {
    spec: base((s) => {
      const map = [{ containerID: 0, hostID: 100000, size: 1 }];
      s.mounts = [
        { destination: '/a', source: 'a', options: ['bind'], uidMappings: map, gidMappings: map },
        { destination: '/b', source: 'b', options: ['bind'] },
        { destination: '/c', type: 'tmpfs', uidMappings: map, gidMappings: map },
      ];
    }),
  },
  devices: {
    spec: base((s) => {
      s.linux!.devices = [
        { path: '/dev/null', type: 'c', major: 1, minor: 3, fileMode: 0o600, uid: 7, gid: 8 },
        { path: '/dev/disk', type: 'b', major: 254, minor: 0 },
        { path: '/run/pipe', type: 'p' },
      ];
      s.linux!.maskedPaths = ['/proc/kcore'];
      s.linux!.readonlyPaths = [];
      s.root!.readonly = false;
    }),
  },
  'dev-by-bind': {
    spec: base((s) => {
      s.mounts = [{ destination: '/dev', type: 'bind', source: '/dev', options: ['rbind'] }];
      s.linux!.namespaces = [{ type: 'mount' }];
      delete s.hostname;
    }),
  },
  process: {
    spec: base((s) => {
      s.process = {
        user: { uid: 1000, gid: 100, additionalGids: [5, 6], umask: 0o077 },
        args: ['prog', 'a b', ''],
        env: ['PATH=/x:/y', 'HOME=/h', 'PATH=/z'],
        cwd: '/work',
        oomScoreAdj: 500,
        rlimits: [
          { type: 'RLIMIT_NOFILE', soft: 4, hard: 18446744073709551615n },
          { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
        ],
        capabilities: {
          bounding: ['CAP_CHOWN', 'CAP_CHECKPOINT_RESTORE'],
          effective: ['CAP_CHOWN'],
          permitted: ['CAP_CHOWN', 'CAP_KILL'],
          inheritable: ['CAP_KILL'],
          ambient: ['CAP_CHOWN', 'CAP_KILL'],
        },
      };
      s.domainname = 'example.org';
      s.linux!.sysctl = { 'net.ipv4.conf.eth0/1.forwarding': '1', 'kernel/shmmax': '65536' };
    }),
  },
  'no-mount-namespace': {
    spec: base((s) => {
      s.linux!.namespaces = [{ type: 'pid' }];
      delete s.hostname;
      s.hooks = { prestart: [{ path: '/h/prestart' }] };
      s.mounts!.push({ destination: '/data', type: 'bind', source: '/srv', options: ['bind', 'ro'] });
    }),
  },
  'no-process': {
    spec: base((s) => {
      delete s.process;
      s.hooks = { startContainer: [{ path: '/h/start' }] };
    }),
  },
  'resources-v1': {
    spec: base((s) => {
      s.linux!.cgroupsPath = '/pod/box';
      s.linux!.resources = {
        memory: { limit: 9223372036854771712n, swap: -1, reservation: 1048576 },
        cpu: { shares: 512, quota: 50000, period: 100000, cpus: '0-1', mems: '0' },
        pids: { limit: 10 },
        devices: [{ allow: false, access: 'rwm' }],
      };
    }),
  },
  'resources-v2': {
    spec: base((s) => {
      s.linux!.cgroupsPath = 'pod/box';
      s.linux!.resources = {
        memory: { limit: 1048576, swap: 2097152 },
        cpu: { shares: 1024, quota: 50000, period: 100000 },
        pids: { limit: 10 },
        unified: { 'memory.high': '900000' },
      };
    }),
    facts: hostFacts({ cgroup: v2 }),
  },
};

for (const [name, { spec, facts = hostFacts(), options = {} }] of Object.entries(cases)) {
  test(`${name} compiles to its golden plan`, () => {
    const text = lines(compile(spec, facts, compileOptions(options)).plan);
    const file = `test/plan/golden/${name}.txt`;
    if (process.env.RUNT_GOLDEN === 'write') writeFileSync(file, text);
    assert.ok(existsSync(file), `${file} is missing`);
    assert.fixture(text, readFileSync(file, 'utf8'));
  });
}

test('the v2 cgroup is chowned only if the container may write it and its user differs from the owner', () => {
  const owner = (spec: Spec, facts: Partial<HostFacts> = {}, options: Partial<CompileOptions> = {}) =>
    [...compile(spec, hostFacts({ cgroup: v2, ...facts }), compileOptions(options)).plan.ops]
      .filter((op) => op.op === 'cgroupOwner')
      .map(({ uid }) => uid);
  const mounted = (...options: string[]) => owned((s) => Object.assign(cgroupMount(s), { options }));
  assert.equal(owner(owned()), [100000]);
  assert.equal(owner(owned((s) => Object.assign(s.process!, { user: { uid: 7, gid: 7 } }))), [100007]);
  assert.equal(owner(owned((s) => Object.assign(s.process!, { user: { uid: 99999, gid: 0 } }))), [], 'not mapped');
  assert.equal(owner(mounted('ro')), []);
  assert.equal(owner(mounted('rw', 'ro')), [], 'the last option counts');
  assert.equal(owner(mounted('ro', 'rw')), [100000]);
  assert.equal(owner(mounted()), [100000]);
  assert.equal(owner(owned((s) => s.linux!.namespaces!.pop())), [], 'no cgroup namespace');
  assert.equal(owner(owned(), { cgroup: hostFacts().cgroup }), [], 'v1');
  assert.equal(owner(owned(), { rootless: true, newuidmap: '/m', newgidmap: '/m' }), []);
  assert.equal(owner(owned(), {}, { noCgroup: true }), []);
  const plain = (uid: number) =>
    base((s) => {
      s.linux!.namespaces!.push({ type: 'cgroup' });
      cgroupMount(s).options = ['rw'];
      s.process!.user = { uid, gid: 0 };
    });
  assert.equal(owner(plain(0)), []);
  assert.equal(owner(plain(1000)), [1000], 'also without a user namespace');
});

test('every operation has the pointer of a config value, or belongs to the runtime', () => {
  for (const { spec, facts = hostFacts(), options = {} } of Object.values(cases)) {
    for (const op of compile(spec, facts, compileOptions(options)).plan.ops) {
      if (op.at === '') continue;
      const [first] = op.at.slice(1).split('/');
      assert.ok(
        ['linux', 'process', 'mounts', 'root', 'hostname', 'domainname', 'hooks'].includes(first!),
        `${op.op} ${op.at}`,
      );
    }
  }
});

test('every operation has a sentence and rows, in which no field is missing', () => {
  for (const { spec, facts = hostFacts(), options = {} } of Object.values(cases)) {
    for (const op of compile(spec, facts, compileOptions(options)).plan.ops) {
      const texts = [sentence(op), ...rows(op).flat()].map(String);
      assert.match(texts[0]!, /^[a-z]/, op.op);
      for (const text of texts) assert.not.match(text, /undefined|NaN|\[object/, op.op);
    }
  }
});

test('compile does not change the spec', () => {
  for (const { spec, facts = hostFacts(), options = {} } of Object.values(cases)) {
    const before = structuredClone(spec);
    compile(spec, facts, compileOptions(options));
    assert.equal(spec, before);
  }
});

const refused: [what: string, pointer: string, change: (spec: Spec) => void][] = [
  [
    'a user namespace without a mount namespace',
    '/linux/namespaces/1',
    (s) => {
      s.linux!.namespaces = [{ type: 'pid' }, { type: 'user' }];
    },
  ],
  [
    'rootfsPropagation without a mount namespace',
    '/linux/rootfsPropagation',
    (s) => {
      s.linux!.namespaces = [];
      s.linux!.rootfsPropagation = 'private';
    },
  ],
  [
    'createContainer hooks without a mount namespace',
    '/hooks/createContainer',
    (s) => {
      s.linux!.namespaces = [];
      s.hooks = { createContainer: [{ path: '/x' }] };
    },
  ],
  [
    'a mount on / without a mount namespace',
    '/mounts/0',
    (s) => {
      s.linux!.namespaces = [];
      s.mounts = [{ destination: '/./', type: 'tmpfs', source: 'tmpfs' }];
    },
  ],
];

for (const [what, pointer, change] of refused) {
  test(`compile refuses ${what}`, () => {
    assert.throws(
      () => compile(base(change), hostFacts(), compileOptions()),
      (e: RuntError) => e.code === 'ERR_UNSUPPORTED' && e.pointer === pointer,
    );
  });
}

test('compile refuses --init where the first process would have other rights than the program', () => {
  const changes: readonly [pointer: string, Parameters<typeof base>[0]][] = [
    [
      '/linux/namespaces',
      (s) => {
        s.linux!.namespaces = s.linux!.namespaces!.filter(({ type }) => type !== 'pid');
      },
    ],
    ['/process/apparmorProfile', (s) => Object.assign(s.process!, { apparmorProfile: 'web' })],
    ['/process/selinuxLabel', (s) => Object.assign(s.process!, { selinuxLabel: 'u:r:t:s0' })],
  ];
  const facts = hostFacts({ apparmor: () => true, selinux: () => true });
  for (const [pointer, change] of changes) {
    assert.throws(
      () => compile(base(change), facts, compileOptions({ init: true })),
      (e: RuntError) => e.code === 'ERR_UNSUPPORTED' && e.pointer === pointer,
    );
  }
});

test('root of a user namespace writes any id map itself, and leaves setgroups to the kernel', () => {
  const spec = rootlessSpec();
  const mappings = [
    { containerID: 0, hostID: 1, size: 1000 },
    { containerID: 1000, hostID: 0, size: 1 },
  ];
  spec.linux = { ...spec.linux, uidMappings: mappings, gidMappings: mappings };
  const operations = [...compile(spec, rootlessFacts({ euid: 0, egid: 0 }), compileOptions()).plan.ops];
  const maps = operations.flatMap((op) => (op.op === 'idMap' ? [op.helper] : []));
  assert.equal(maps, [undefined, undefined]);
  assert.not.ok(operations.some((op) => op.op === 'setGroupsPolicy'));
  assert.equal(
    operations.flatMap((op) => (op.op === 'user' ? [[op.setGroups, op.groupsOptional]] : [])),
    [[true, true]],
  );
});

test('rootless: the runtime opens bind sources if it may clone mounts, else runt-init before it changes ids', () => {
  const spec = rootlessSpec();
  spec.mounts = [{ destination: '/a', source: '/closed/a', options: ['rbind'] }];
  const names = (over: Partial<HostFacts>, s = spec) =>
    [...compile(s, rootlessFacts(over), compileOptions()).plan.ops].flatMap(({ op }) =>
      ['openTree', 'unshare', 'cloneSource', 'rootfs', 'becomeRoot', 'mountBind'].includes(op) ? [op] : [],
    );
  assert.equal(names({}), ['cloneSource', 'rootfs', 'becomeRoot', 'unshare', 'mountBind']);
  assert.equal(names({ mayClone: () => true }), [
    'openTree',
    'openTree',
    'becomeRoot',
    'unshare',
    'rootfs',
    'mountBind',
  ]);
  const namespaces = spec.linux!.namespaces!.map((n) => (n.type === 'user' ? { ...n, path: '/proc/7/ns/user' } : n));
  const joins: Spec = { ...spec, linux: { ...spec.linux, namespaces } };
  assert.equal(names({}, joins), ['unshare', 'cloneSource', 'rootfs', 'becomeRoot', 'unshare', 'mountBind']);
  const mounts = namespaces.map((n) => (n.type === 'mount' ? { ...n, path: '/proc/7/ns/mnt' } : n));
  const inside: Spec = { ...spec, linux: { ...spec.linux, namespaces: mounts } };
  assert.equal(names({}, inside), ['becomeRoot', 'unshare', 'cloneSource', 'rootfs', 'mountBind']);
});

test('if open_tree is refused, runt-init clones the sources instead of the runtime, except id-mapped ones', () => {
  const spec = rootlessSpec();
  spec.mounts = [
    { destination: '/a', source: '/a', options: ['bind'] },
    { destination: '/b', source: '/b', options: ['bind', 'idmap'] },
  ];
  const options = compileOptions({ notify: true });
  const trees = (oldMounts: boolean) =>
    [...compile(spec, hostFacts({ oldMounts }), options).plan.ops].flatMap((op) =>
      op.op === 'openTree' || op.op === 'cloneSource' ? [`${op.op} ${op.source}`] : [],
    );
  const notify = 'openTree /run/runt/c1/notify';
  assert.equal(trees(false), ['openTree /bundle/rootfs', 'openTree /a', 'openTree /b', notify]);
  assert.equal(trees(true), ['openTree /b', 'cloneSource /a', 'cloneSource /run/runt/c1/notify']);
});

test("on a host with many mounts the mount namespace is a copy of the kernel's, unless the host's mounts are needed", () => {
  const bind = (source: string) => ({ destination: '/d', source, options: ['rbind'] });
  const copies = (change: (s: Spec) => void, over: Partial<HostFacts> = {}, options: Partial<CompileOptions> = {}) => {
    const spec = base(change);
    const facts = hostFacts({ hasMountTemplate: () => true, ...over });
    const ops = [...compile(spec, facts, compileOptions(options)).plan.ops];
    const flags = ops.reduce((all, op) => all | (op.op === 'clone' || op.op === 'unshare' ? Number(op.flags) : 0), 0);
    const names = ops.map(({ op }) => op);
    const template = names.includes('unshareMounts');
    assert.is((flags & CLONE_NEWNS) !== 0, !template);
    // Nothing in the copy is of the host: no source is opened there.
    if (template) assert.not.ok(names.includes('cloneSource'));
    return template;
  };
  const propagation = (value: Propagation) => copies((s) => (s.linux!.rootfsPropagation = value));
  assert.ok(copies(() => {}));
  assert.ok(copies((s) => s.mounts!.push(bind('/srv/data'), { destination: '/d', options: ['remount', 'ro'] })));
  for (const value of ['slave', 'rslave', 'private', 'rprivate', 'unbindable', 'runbindable'] as const)
    assert.ok(propagation(value), value);
  for (const value of ['shared', 'rshared'] as const) assert.not.ok(propagation(value), value);
  assert.ok(copies((s) => (s.hooks = { startContainer: [{ path: '/h' }], poststop: [{ path: '/h' }] })));
  for (const point of ['prestart', 'createRuntime', 'createContainer'] as const)
    assert.not.ok(
      copies((s) => (s.hooks = { [point]: [{ path: '/h' }] })),
      point,
    );
  for (const type of ['overlay', 'ext4', 'nfs'])
    assert.not.ok(
      copies((s) => s.mounts!.push({ destination: '/d', type, source: '/dev/x' })),
      type,
    );
  // A source that an earlier mount may make, or that is missing until then.
  for (const source of ['/bundle/rootfs/later', 'rootfs/later'])
    assert.not.ok(
      copies((s) => s.mounts!.push(bind(source))),
      source,
    );
  assert.not.ok(copies((s) => (s.mounts = Array.from({ length: 129 }, () => bind('/srv')))));
  assert.not.ok(copies((s) => s.linux!.namespaces!.push({ type: 'user' })));
  assert.not.ok(copies((s) => s.linux!.namespaces!.push({ type: 'time', path: '/proc/7/ns/time' })));
  assert.not.ok(copies(() => {}, { rootless: true, euid: 1000 }));
  assert.not.ok(copies(() => {}, { oldMounts: true }));
  assert.not.ok(copies(() => {}, { hasMountTemplate: () => false }));
  assert.not.ok(copies(() => {}, {}, { noPivot: true }));
});

test('an ordinary user cannot map the ids of a bind mount', () => {
  const spec = rootlessSpec();
  spec.mounts = [{ destination: '/a', source: '/a', options: ['bind', 'idmap'] }];
  assert.throws(
    () => compile(spec, rootlessFacts(), compileOptions()),
    (e: RuntError) => e.code === 'ERR_UNSUPPORTED' && e.pointer === '/mounts/0',
  );
});

test('resctrl: the plan makes a class or requires an existing one, and delete removes only its own', () => {
  const rdt = (intelRdt: NonNullable<NonNullable<Spec['linux']>['intelRdt']>) =>
    compile(
      base((s) => {
        s.linux!.intelRdt = intelRdt;
      }),
      hostFacts(),
      compileOptions(),
    );
  const group = (c: ReturnType<typeof rdt>) => {
    const op = [...c.plan.ops].find((o) => o.op === 'rdtGroup');
    return [op?.path, op?.make, c.rdt];
  };
  assert.equal(group(rdt({})), ['/sys/fs/resctrl/c1', 'new', ['/sys/fs/resctrl/c1']]);
  assert.equal(group(rdt({ closID: 'gold' })), ['/sys/fs/resctrl/gold', 'there', []]);
  assert.equal(group(rdt({ closID: 'gold', schemata: ['L3:0=f'] })), ['/sys/fs/resctrl/gold', 'either', []]);
  const monitored = rdt({ closID: '/', enableMonitoring: true });
  assert.equal(group(monitored), ['/sys/fs/resctrl', 'there', ['/sys/fs/resctrl/mon_groups/c1']]);
  assert.throws(
    () => rdt({ closID: 'info' }),
    (e: RuntError) => e.pointer === '/linux/intelRdt/closID',
  );
});

const without: [what: string, pointer: string, facts: Partial<HostFacts>, change: (spec: Spec) => void][] = [
  [
    'resctrl',
    '/linux/intelRdt',
    { resctrl: () => '' },
    (s) => {
      s.linux!.intelRdt = { closID: 'x' };
    },
  ],
  [
    'AppArmor',
    '/process/apparmorProfile',
    { apparmor: () => false },
    (s) => {
      s.process!.apparmorProfile = 'x';
    },
  ],
  [
    'SELinux',
    '/linux/mountLabel',
    { selinux: () => false },
    (s) => {
      s.linux!.mountLabel = 'x';
    },
  ],
  [
    'SELinux, for the process',
    '/process/selinuxLabel',
    { selinux: () => false },
    (s) => {
      s.process!.selinuxLabel = 'x';
    },
  ],
];
for (const [what, pointer, facts, change] of without) {
  test(`compile refuses a value on a host without ${what}`, () => {
    assert.throws(
      () => compile(base(change), hostFacts(facts), compileOptions()),
      (e: RuntError) => e.code === 'ERR_UNSUPPORTED' && e.pointer === pointer && (e.hint ?? '').length > 20,
    );
    compile(base(change), hostFacts(), compileOptions());
  });
}

test('CVE-2016-9962: the process is not dumpable before other processes of the joined namespaces can see it', () => {
  for (const name of ['joined-pod', 'joined-network-new-user', 'joined-user']) {
    const { spec, facts = hostFacts(), options = {} } = cases[name] as Case;
    const names = [...compile(spec, facts, compileOptions(options)).plan.ops].map(({ op }) => op);
    const undumpable = names.indexOf('undumpable');
    const fork = Math.max(names.indexOf('fork'), names.indexOf('cgroupFork'));
    assert.ok(undumpable > 0 && undumpable < (fork < 0 ? names.length : fork), name);
    // With a new user namespace the maps are written first, and the process cannot be seen before the fork.
    if (!names.includes('idMap')) assert.ok(undumpable < names.indexOf('setns'), name);
    assert.not.ok(names.indexOf('timeOpen') > undumpable, name);
  }
});

test.run();
