/** linux.resources as operations of the plan: complete lists for each layout. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { parseCgroupFacts } from '../../../src/cgroup/cgroup-facts.js';
import { cgroupPaths } from '../../../src/cgroup/cgroup-paths.js';
import { ioWeight } from '../../../src/cgroup/settings/block-io-settings.js';
import type { Setting } from '../../../src/cgroup/settings/setting.js';
import { v1Settings } from '../../../src/cgroup/settings/v1-settings.js';
import { cpuWeight, v2Settings } from '../../../src/cgroup/settings/v2-settings.js';
import { type CgroupOps, cgroupOps } from '../../../src/plan/cgroup/cgroup-compile.js';
import type { Op } from '../../../src/plan/plan-ops.js';
import type { Resources } from '../../../src/spec/config-types.js';
import { hybrid, v2 } from '../../cgroup/fixtures.js';

type Layout = 'v1' | 'hybrid' | 'v2' | 'none';
const withoutV2 = (text: string): string =>
  text
    .split('\n')
    .filter((l) => !l.includes('cgroup2'))
    .join('\n');

function plan(layout: Layout, resources: Resources | undefined, user?: (path: string) => boolean): CgroupOps {
  const texts = layout === 'v2' ? v2 : hybrid;
  const mountinfo = layout === 'v1' ? withoutV2(texts.mountinfo) : layout === 'none' ? '' : texts.mountinfo;
  const facts = parseCgroupFacts(texts.cgroup, mountinfo, () => (layout === 'v2' ? v2.controllers : ''));
  assert.is(facts.layout, layout);
  const rootless = user !== undefined;
  const paths = cgroupPaths(facts, '/box', 'web', { rootless, ...(user && { isWritable: user }) });
  return cgroupOps(facts, paths, resources, { rootless, devices: [] });
}

/** Writes as "file=value at", without their common prefix and without the devices. */
const writes = (ops: readonly Op[]): string[] =>
  ops.flatMap((op) =>
    op.op === 'cgroupRealtime'
      ? [`${op.path.replace('/sys/fs/cgroup/', '')}/${op.file}=${op.value} ${op.at.replace('/linux/resources', '')}`]
      : op.op === 'cgroupWrite' && !op.path.includes('/devices.')
        ? [`${op.path.replace('/sys/fs/cgroup/', '')}=${op.value} ${op.at.replace('/linux/resources', '')}`]
        : [],
  );

/** The operation with a name; the test fails if there is none. */
function one<N extends Op['op']>(ops: readonly Op[], name: N): Extract<Op, { op: N }> {
  const found = ops.find((op): op is Extract<Op, { op: N }> => op.op === name);
  assert.ok(found, name);
  return found!;
}

function refused(layout: Layout, resources: Resources, code: string, pointer: string): void {
  assert.throws(
    () => plan(layout, resources),
    (e: { code: string; pointer: string }) => {
      assert.equal([e.code, e.pointer], [code, `/linux/resources${pointer}`]);
      return true;
    },
  );
}

test('hybrid: every hierarchy is made and joined, the cpuset is filled, the device list is written', () => {
  const at = '/linux/cgroupsPath';
  const { before, tasks, cloneCgroup } = plan('hybrid', {
    memory: { limit: 1048576 },
    devices: [{ allow: false, access: 'rwm' }],
  });
  const cpuset = '/sys/fs/cgroup/cpuset';
  const allow = (value: string): Op => ({
    op: 'cgroupWrite',
    at: '',
    path: '/sys/fs/cgroup/devices/box/devices.allow',
    value,
  });
  assert.equal(before, [
    { op: 'cgroupCreate', at, path: '/sys/fs/cgroup/pids/box' },
    { op: 'cgroupCreate', at, path: '/sys/fs/cgroup/cpu,cpuacct/box' },
    { op: 'cgroupCreate', at, path: '/sys/fs/cgroup/net_cls,net_prio/box' },
    { op: 'cgroupCreate', at, path: '/sys/fs/cgroup/memory/box' },
    { op: 'cgroupCreate', at, path: '/sys/fs/cgroup/cpuset/box' },
    { op: 'cgroupInherit', at: '', path: `${cpuset}/box`, top: cpuset, file: 'cpuset.cpus' },
    { op: 'cgroupInherit', at: '', path: `${cpuset}/box`, top: cpuset, file: 'cpuset.mems' },
    { op: 'cgroupCreate', at, path: '/sys/fs/cgroup/devices/box' },
    { op: 'cgroupCreate', at, path: '/sys/fs/cgroup/systemd/box' },
    { op: 'cgroupCreate', at, path: '/sys/fs/cgroup/unified/box', freezer: '/sys/fs/cgroup/unified/box/cgroup.events' },
    {
      op: 'cgroupWrite',
      at: '/linux/resources/memory/limit',
      path: '/sys/fs/cgroup/memory/box/memory.limit_in_bytes',
      value: '1048576',
    },
    {
      op: 'cgroupWrite',
      at: '/linux/resources/devices/0',
      path: '/sys/fs/cgroup/devices/box/devices.deny',
      value: 'a',
    },
    ...['c *:* m', 'b *:* m', 'c 1:3 rwm', 'c 1:8 rwm', 'c 1:7 rwm', 'c 5:0 rwm', 'c 1:5 rwm', 'c 1:9 rwm'].map(allow),
    ...['c 136:* rwm', 'c 5:2 rwm', 'c 10:200 rwm'].map(allow),
  ]);
  assert.equal(
    tasks,
    ['pids', 'cpu,cpuacct', 'net_cls,net_prio', 'memory', 'cpuset', 'devices', 'systemd'].map(
      (d) => `/sys/fs/cgroup/${d}/box/tasks`,
    ),
  );
  assert.is(cloneCgroup, '/sys/fs/cgroup/unified/box');
});

test('v1: values are written in the order that the kernel accepts', () => {
  const { before } = plan('v1', {
    memory: {
      swappiness: 0,
      disableOOMKiller: true,
      swap: 2097152,
      limit: 1048576,
      reservation: 524288,
      kernel: 4096,
      kernelTCP: 8192,
      useHierarchy: true,
      checkBeforeUpdate: true,
    },
    cpu: {
      shares: 512,
      quota: 50000,
      period: 100000,
      burst: 1000,
      idle: 1,
      realtimeRuntime: 950000,
      realtimePeriod: 1000000,
      cpus: '0-1',
      mems: '0',
    },
    pids: { limit: 32 },
  });
  assert.equal(writes(before), [
    'memory/box/memory.use_hierarchy=1 /memory/useHierarchy',
    'memory/box/memory.kmem.limit_in_bytes=4096 /memory/kernel',
    'memory/box/memory.kmem.tcp.limit_in_bytes=8192 /memory/kernelTCP',
    'memory/box/memory.limit_in_bytes=1048576 /memory/limit',
    'memory/box/memory.memsw.limit_in_bytes=2097152 /memory/swap',
    'memory/box/memory.soft_limit_in_bytes=524288 /memory/reservation',
    'memory/box/memory.swappiness=0 /memory/swappiness',
    'memory/box/memory.oom_control=1 /memory/disableOOMKiller',
    'cpu,cpuacct/box/cpu.rt_period_us=1000000 /cpu/realtimePeriod',
    'cpu,cpuacct/box/cpu.rt_runtime_us=950000 /cpu/realtimeRuntime',
    'cpu,cpuacct/box/cpu.shares=512 /cpu/shares',
    'cpu,cpuacct/box/cpu.idle=1 /cpu/idle',
    'cpu,cpuacct/box/cpu.cfs_period_us=100000 /cpu/period',
    'cpu,cpuacct/box/cpu.cfs_quota_us=50000 /cpu/quota',
    'cpu,cpuacct/box/cpu.cfs_burst_us=1000 /cpu/burst',
    'cpuset/box/cpuset.cpus=0-1 /cpu/cpus',
    'cpuset/box/cpuset.mems=0 /cpu/mems',
    'pids/box/pids.max=32 /pids/limit',
  ]);
});

test('v2: the same values are converted to the files of v2', () => {
  const { before, tasks, cloneCgroup } = plan('v2', {
    memory: { limit: 1048576, swap: 3145728, reservation: 524288, useHierarchy: true, kernel: -1 },
    cpu: { shares: 1024, quota: 50000, period: 200000, burst: 1000, idle: 0, cpus: '0-1', mems: '0' },
    pids: { limit: 32 },
  });
  assert.equal(before.slice(0, 2), [
    {
      op: 'cgroupCreate',
      at: '/linux/cgroupsPath',
      path: '/sys/fs/cgroup/box',
      freezer: '/sys/fs/cgroup/box/cgroup.events',
    },
    {
      op: 'cgroupControllers',
      at: '/linux/resources',
      path: '/sys/fs/cgroup/box',
      top: '/sys/fs/cgroup',
      required: ['memory', 'cpu', 'cpuset', 'pids'],
      wanted: ['io', 'hugetlb', 'rdma', 'misc'],
    },
  ]);
  assert.equal(writes(before), [
    'box/memory.swap.max=2097152 /memory/swap',
    'box/memory.max=1048576 /memory/limit',
    'box/memory.low=524288 /memory/reservation',
    'box/cpu.weight=100 /cpu/shares',
    'box/cpu.idle=0 /cpu/idle',
    'box/cpu.max=50000 200000 /cpu/quota',
    'box/cpu.max.burst=1000 /cpu/burst',
    'box/cpuset.cpus=0-1 /cpu/cpus',
    'box/cpuset.mems=0 /cpu/mems',
    'box/pids.max=32 /pids/limit',
  ]);
  assert.equal(tasks, []);
  assert.is(cloneCgroup, '/sys/fs/cgroup/box');
});

test('v2: without values, controllers are enabled for statistics and none is required', () => {
  const { before } = plan('v2', undefined);
  const op = one(before, 'cgroupControllers');
  assert.equal(op.required, []);
  assert.equal(op.wanted, v2.controllers.trim().split(' '));
});

test('v2: the device list is one filter', () => {
  const filter = (resources: Resources | undefined) => one(plan('v2', resources).before, 'cgroupDevices');
  assert.equal(filter({ devices: [{ allow: true, access: 'rwm' }] }), {
    op: 'cgroupDevices',
    at: '/linux/resources/devices',
    path: '/sys/fs/cgroup/box',
    filter: { allow: true, exceptions: [] },
  });
  const { at, filter: standard } = filter(undefined);
  assert.ok('exceptions' in standard);
  assert.equal([at, standard.allow, standard.exceptions.length], ['', false, 11]);
  assert.equal(standard.exceptions[0], { type: 'c', access: 'm' }, 'no number: any');
});

test('"no limit" is "max" on v2 and -1 on v1, where pids takes "max" too', () => {
  const none: Resources = { memory: { limit: -1, swap: -1 }, cpu: { quota: -1 }, pids: { limit: -1 } };
  assert.equal(writes(plan('v2', none).before), [
    'box/memory.max=max /memory/limit',
    'box/cpu.max=max 100000 /cpu/quota',
    'box/pids.max=max /pids/limit',
  ]);
  assert.equal(writes(plan('v1', none).before), [
    'memory/box/memory.limit_in_bytes=-1 /memory/limit',
    'memory/box/memory.memsw.limit_in_bytes=-1 /memory/swap',
    'cpu,cpuacct/box/cpu.cfs_quota_us=-1 /cpu/quota',
    'pids/box/pids.max=max /pids/limit',
  ]);
});

test('0 means "not set" for the values that engines send so, and is a value for the others', () => {
  const zero: Resources = {
    memory: { limit: 0, swap: 0, reservation: 0, kernel: 0, kernelTCP: 0, swappiness: 0, disableOOMKiller: false },
    cpu: {
      shares: 0,
      quota: 0,
      period: 0,
      realtimeRuntime: 0,
      realtimePeriod: 0,
      burst: 0,
      idle: 0,
      cpus: '',
      mems: '',
    },
    pids: { limit: 0 },
    blockIO: { weight: 0 },
    hugepageLimits: [],
    network: {},
    rdma: {},
  };
  assert.equal(writes(plan('v1', zero).before), [
    'memory/box/memory.swappiness=0 /memory/swappiness',
    'cpu,cpuacct/box/cpu.idle=0 /cpu/idle',
    'cpu,cpuacct/box/cpu.cfs_burst_us=0 /cpu/burst',
    'pids/box/pids.max=1 /pids/limit',
  ]);
});

test('a pids limit of 0 is written as 1, which allows no fork either and which systemd accepts', () => {
  for (const layout of ['v1', 'v2'] as const) {
    const written = writes(plan(layout, { pids: { limit: 0 } }).before);
    assert.ok(
      written.some((line) => line.endsWith('box/pids.max=1 /pids/limit')),
      written.join(),
    );
  }
});

test('integers beyond 2^53 are exact', () => {
  const wide: Resources = { memory: { limit: 9223372036854771712n, swap: 9223372036854775807n } };
  assert.equal(writes(plan('v2', wide).before), [
    'box/memory.swap.max=4095 /memory/swap',
    'box/memory.max=9223372036854771712 /memory/limit',
  ]);
});

test('a period alone leaves the quota unlimited', () => {
  assert.equal(writes(plan('v2', { cpu: { period: 50000 } }).before), ['box/cpu.max=max 50000 /cpu/period']);
});

test('CPU shares become weights: minimum, default and maximum match, and the function never decreases', () => {
  for (const [shares, weight] of [
    [2, 1],
    [3, 2],
    [1024, 100],
    [2048, 174],
    [262143, 10000],
    [262144, 10000],
    [1 << 30, 10000],
  ] as const) {
    assert.is(cpuWeight(shares), weight, String(shares));
  }
  assert.is(cpuWeight(1024n), 100);
  for (let s = 2, last = 0; s <= 262144; s += 97) {
    assert.ok(cpuWeight(s) >= last);
    last = cpuWeight(s);
  }
});

test('unified writes any v2 file after the other values, and requires its controller', () => {
  const { before } = plan('v2', {
    pids: { limit: 3 },
    unified: { 'memory.high': '1000000', 'io.weight': '10', 'cgroup.max.depth': '3', 'pids.max': '5' },
  });
  assert.equal(one(before, 'cgroupControllers').required, ['pids', 'memory', 'io']);
  assert.equal(writes(before), [
    'box/pids.max=3 /pids/limit',
    'box/memory.high=1000000 /unified/memory.high',
    'box/io.weight=10 /unified/io.weight',
    'box/cgroup.max.depth=3 /unified/cgroup.max.depth',
    'box/pids.max=5 /unified/pids.max',
  ]);
});

test('unified refuses a key that is not a file of a cgroup', () => {
  for (const [key, pointer] of [
    ['../x.y', '/unified/..~1x.y'],
    ['memory', '/unified/memory'],
    ['memory.', '/unified/memory.'],
    ['.max', '/unified/.max'],
    ['', '/unified/'],
  ] as const) {
    refused('v2', { unified: { [key]: '1' } }, 'ERR_SPEC_VALUE', pointer);
  }
});

test('unified writes a value of several lines line by line, and refuses an empty one', () => {
  const value = '8:0 rbps=1000\n\n8:16 wbps=2000\n';
  assert.equal(writes(plan('v2', { unified: { 'io.max': value } }).before), [
    'box/io.max=8:0 rbps=1000 /unified/io.max',
    'box/io.max=8:16 wbps=2000 /unified/io.max',
  ]);
  for (const none of ['', '\n', ' \n '])
    refused('v2', { unified: { 'io.max': none } }, 'ERR_SPEC_VALUE', '/unified/io.max');
});

test('unified on v1 is refused, unless it is empty', () => {
  refused('v1', { unified: { 'memory.max': '1' } }, 'ERR_UNSUPPORTED', '/unified');
  assert.equal(writes(plan('v1', { unified: {} }).before), []);
});

const devices: Resources = {
  blockIO: {
    weight: 500,
    leafWeight: 300,
    weightDevice: [{ major: 8, minor: 0, weight: 10 }],
    throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 9007199254740993n }],
    throttleWriteBpsDevice: [{ major: 8, minor: 16, rate: 2 }],
    throttleReadIOPSDevice: [{ major: 8, minor: 0, rate: 3 }],
    throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 0 }],
  },
  hugepageLimits: [{ pageSize: '2MB', limit: 0 }],
  network: { classID: 1048577, priorities: [{ name: 'lo', priority: 0 }] },
  rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10000 }, mlx4_0: { hcaObjects: 5 }, mlx3: {} },
};

/** Every value as "file=value pointer"; alternatives are joined by ` or `, optional files have a `?`. */
const all = (settings: readonly Setting[]): string[] =>
  settings.map(({ file, value, others, optional, at }) =>
    [`${file}=${value}`, ...(others ?? []).map((o) => ` or ${o.file}=${o.value}`), optional ? '?' : '', ` ${at}`].join(
      '',
    ),
  );

test('v1: block I/O, huge pages, RDMA and network become settings', () => {
  assert.equal(all(v1Settings(devices, '')), [
    'blkio.weight=500 or blkio.bfq.weight=500 /blockIO/weight',
    'blkio.leaf_weight=300 /blockIO/leafWeight',
    'blkio.weight_device=8:0 10 or blkio.bfq.weight_device=8:0 10 /blockIO/weightDevice/0/weight',
    'blkio.throttle.read_bps_device=8:0 9007199254740993 /blockIO/throttleReadBpsDevice/0',
    'blkio.throttle.write_bps_device=8:16 2 /blockIO/throttleWriteBpsDevice/0',
    'blkio.throttle.read_iops_device=8:0 3 /blockIO/throttleReadIOPSDevice/0',
    'blkio.throttle.write_iops_device=8:0 0 /blockIO/throttleWriteIOPSDevice/0',
    'hugetlb.2MB.limit_in_bytes=0 /hugepageLimits/0/limit',
    'hugetlb.2MB.rsvd.limit_in_bytes=0? /hugepageLimits/0/limit',
    'rdma.max=mlx5_1 hca_handle=3 hca_object=10000 /rdma/mlx5_1',
    'rdma.max=mlx4_0 hca_object=5 /rdma/mlx4_0',
    'net_cls.classid=1048577 /network/classID',
    'net_prio.ifpriomap=lo 0 /network/priorities/0',
  ]);
});

test('v2: block I/O, huge pages and RDMA become settings; values without a v2 file are refused by name', () => {
  const { network, blockIO, ...rest } = devices;
  const { leafWeight, ...io } = blockIO!;
  assert.equal(all(v2Settings({ ...rest, blockIO: io }, '')), [
    'io.bfq.weight=500 or io.weight=4950 /blockIO/weight',
    'io.bfq.weight=8:0 10 or io.weight=8:0 1 /blockIO/weightDevice/0/weight',
    'io.max=8:0 rbps=9007199254740993 /blockIO/throttleReadBpsDevice/0',
    'io.max=8:16 wbps=2 /blockIO/throttleWriteBpsDevice/0',
    'io.max=8:0 riops=3 /blockIO/throttleReadIOPSDevice/0',
    'io.max=8:0 wiops=max /blockIO/throttleWriteIOPSDevice/0',
    'hugetlb.2MB.max=0 /hugepageLimits/0/limit',
    'hugetlb.2MB.rsvd.max=0? /hugepageLimits/0/limit',
    'rdma.max=mlx5_1 hca_handle=3 hca_object=10000 /rdma/mlx5_1',
    'rdma.max=mlx4_0 hca_object=5 /rdma/mlx4_0',
  ]);
  refused('v2', { blockIO: { leafWeight: leafWeight! } }, 'ERR_UNSUPPORTED', '/blockIO/leafWeight');
  refused('v2', { network: { classID: network!.classID! } }, 'ERR_UNSUPPORTED', '/network/classID');
  refused('v2', { network: { priorities: network!.priorities! } }, 'ERR_UNSUPPORTED', '/network/priorities');
});

test('the weight of v2 is linear in that of v1, and both ends match', () => {
  for (const [v1, v2] of [
    [10, 1],
    [100, 910],
    [500, 4950],
    [1000, 10000],
  ] as const)
    assert.is(ioWeight(v1), v2);
});

test('cgroupWriteFirst requires one of its files, or none', () => {
  const { before } = plan('v2', { blockIO: { weight: 10 }, memory: { limit: -1 } });
  const box = '/sys/fs/cgroup/box';
  assert.equal(
    before.filter((op) => op.op === 'cgroupWriteFirst'),
    [
      {
        op: 'cgroupWriteFirst',
        at: '/linux/resources/memory/limit',
        paths: [`${box}/memory.swap.max`],
        values: ['max'],
        required: false,
      },
      {
        op: 'cgroupWriteFirst',
        at: '/linux/resources/blockIO/weight',
        paths: [`${box}/io.bfq.weight`, `${box}/io.weight`],
        values: ['10', '1'],
        required: true,
      },
    ],
  );
});

test('hybrid: huge pages are limited in the hierarchy that has the controller', () => {
  const facts = parseCgroupFacts(hybrid.cgroup, hybrid.mountinfo, () => 'hugetlb\n');
  const paths = cgroupPaths(facts, '/box', 'web', { rootless: false });
  const limits = { hugepageLimits: [{ pageSize: '2MB', limit: 4194304 }] };
  const { before } = cgroupOps(facts, paths, limits, { rootless: false, devices: [] });
  assert.equal(one(before, 'cgroupControllers').required, ['hugetlb']);
  assert.equal(writes(before), ['unified/box/hugetlb.2MB.max=4194304 /hugepageLimits/0/limit']);
  refused('hybrid', limits, 'ERR_CGROUP_CONTROLLER', '/hugepageLimits/0/limit');
});

test('a device name that would make another line is refused', () => {
  const rdma = { 'a b': { hcaHandles: 1 } };
  const network = { priorities: [{ name: 'lo 1\neth0', priority: 0 }] };
  refused('v2', { rdma }, 'ERR_SPEC_VALUE', '/rdma/a b');
  refused('v1', { network }, 'ERR_SPEC_VALUE', '/network/priorities/0/name');
});

const live = (files: Record<string, string>) => ({ read: (file: string) => files[file] ?? '' });

test('an update of a live cgroup leaves the values that it does not set', () => {
  const now = live({ 'memory.max': '1000', 'cpu.max': '5000 20000' });
  assert.equal(all(v2Settings({ memory: { swap: 1500 } }, '', now)), ['memory.swap.max=500 /memory/swap']);
  assert.equal(all(v2Settings({ cpu: { quota: 7000 } }, '', now)), ['cpu.max=7000 20000 /cpu/quota']);
  assert.equal(all(v2Settings({ cpu: { period: 9000 } }, '', now)), ['cpu.max=5000 9000 /cpu/period']);
  assert.equal(all(v1Settings({ memory: { swap: 1500 } }, '', now)), ['memory.memsw.limit_in_bytes=1500 /memory/swap']);
});

test('a quota alone in cpu.max keeps the period of the live cgroup, or of the limit before it', () => {
  const at = '/unified/cpu.max';
  for (const quota of ['7000', 'max']) {
    const unified = { 'cpu.max': quota };
    const now = live({ 'cpu.max': '5000 20000' });
    assert.equal(all(v2Settings({ unified }, '', now)), [`cpu.max=${quota} 20000 ${at}`]);
    assert.equal(all(v2Settings({ unified }, '')), [`cpu.max=${quota} ${at}`]);
    const both = { cpu: { period: 50000 }, unified };
    assert.equal(all(v2Settings(both, '')).at(-1), `cpu.max=${quota} 50000 ${at}`);
    assert.equal(all(v2Settings(both, '', now)).at(-1), `cpu.max=${quota} 50000 ${at}`);
  }
  assert.equal(all(v2Settings({ unified: { 'cpu.max': '7 1000' } }, '', live({ 'cpu.max': 'max 9' }))), [
    `cpu.max=7 1000 ${at}`,
  ]);
});

test('checkBeforeUpdate refuses a limit that is not above the current usage', () => {
  const now = live({ 'memory.current': '4096', 'memory.usage_in_bytes': '4096' });
  for (const settings of [v1Settings, v2Settings]) {
    assert.throws(
      () => settings({ memory: { limit: 4096, checkBeforeUpdate: true } }, '', now),
      (e: { code: string; pointer: string }) => e.code === 'ERR_SPEC_VALUE' && e.pointer === '/memory/limit',
    );
    assert.is(settings({ memory: { limit: 4096 } }, '', now).length, 1);
    assert.is(settings({ memory: { limit: 4097, checkBeforeUpdate: true } }, '', now).length, 1);
  }
});

for (const [memory, key] of [
  [{ kernel: 4096 }, 'kernel'],
  [{ kernelTCP: 4096 }, 'kernelTCP'],
  [{ swappiness: 10 }, 'swappiness'],
  [{ disableOOMKiller: true }, 'disableOOMKiller'],
  [{ useHierarchy: false }, 'useHierarchy'],
] as const) {
  test(`v2 refuses memory.${key}`, () => refused('v2', { memory }, 'ERR_UNSUPPORTED', `/memory/${key}`));
}

test('v2 refuses real-time limits', () => {
  refused('v2', { cpu: { realtimeRuntime: 1000 } }, 'ERR_UNSUPPORTED', '/cpu/realtimeRuntime');
  refused('v2', { cpu: { realtimePeriod: 1000 } }, 'ERR_UNSUPPORTED', '/cpu/realtimePeriod');
});

test('memory without hierarchical accounting is also refused on v1', () => {
  refused('v1', { memory: { useHierarchy: false } }, 'ERR_UNSUPPORTED', '/memory/useHierarchy');
});

for (const layout of ['v1', 'v2'] as const) {
  test(`${layout}: a limit of memory and swap below that of memory, or without one, is refused`, () => {
    refused(layout, { memory: { limit: 200, swap: 100 } }, 'ERR_SPEC_VALUE', '/memory/swap');
    refused(layout, { memory: { swap: 100 } }, 'ERR_SPEC_VALUE', '/memory/swap');
    refused(layout, { memory: { limit: -1, swap: 100 } }, 'ERR_SPEC_VALUE', '/memory/swap');
  });
}

test('a controller that the host lacks is named with the pointer', () => {
  const facts = parseCgroupFacts(v2.cgroup, v2.mountinfo, () => 'cpu pids\n');
  const paths = cgroupPaths(facts, '/box', 'web', { rootless: false });
  assert.throws(
    () => cgroupOps(facts, paths, { memory: { limit: 5 } }, { rootless: false, devices: [] }),
    (e: { code: string; pointer: string; message: string; hint: string }) => {
      assert.equal([e.code, e.pointer], ['ERR_CGROUP_CONTROLLER', '/linux/resources/memory/limit']);
      assert.match(e.message, '"memory"');
      assert.match(e.hint, 'cpu, pids');
      return true;
    },
  );
});

test('without a mounted hierarchy a limit is an error, and no limit is not', () => {
  refused('none', { pids: { limit: 1 } }, 'ERR_CGROUP_CONTROLLER', '/pids/limit');
  refused('none', { devices: [{ allow: false }] }, 'ERR_CGROUP_CONTROLLER', '/devices');
  assert.equal(plan('none', undefined), { before: [], tasks: [], cloneCgroup: '' });
});

test('rootless without a delegated cgroup and without limits, the plan has no cgroup operation', () => {
  const nothing = { before: [], tasks: [], cloneCgroup: '' };
  for (const layout of ['v1', 'hybrid', 'v2'] as const) {
    assert.equal(
      plan(layout, undefined, () => false),
      nothing,
    );
    assert.equal(
      plan(layout, { devices: [{ allow: false, access: 'rwm' }] }, () => false),
      nothing,
    );
  }
});

test('rootless without a delegated cgroup, a limit is an error that says so', () => {
  for (const layout of ['v1', 'v2'] as const) {
    assert.throws(
      () => plan(layout, { memory: { limit: 1048576 } }, () => false),
      (e: { code: string; pointer: string; hint: string }) =>
        e.code === 'ERR_CGROUP_NOT_DELEGATED' &&
        e.pointer === '/linux/resources/memory/limit' &&
        e.hint.includes('Delegate=yes'),
    );
  }
});

test('rootless, a named cgroup that the user cannot make is an error, but for hierarchies without a controller', () => {
  const named = (layout: 'v1' | 'v2', isWritable: (path: string) => boolean) => {
    const texts = layout === 'v2' ? v2 : hybrid;
    const facts = parseCgroupFacts(texts.cgroup, texts.mountinfo, () => v2.controllers);
    const paths = cgroupPaths(facts, '/box', 'web', { rootless: true, isWritable });
    return cgroupOps(facts, paths, undefined, { rootless: true, named: true, devices: [] });
  };
  for (const layout of ['v1', 'v2'] as const) {
    assert.throws(
      () => named(layout, (path) => !path.includes(layout === 'v1' ? '/pids/' : 'box')),
      (e: { code: string; pointer: string; path: string }) =>
        e.code === 'ERR_CGROUP_NOT_DELEGATED' && e.pointer === '/linux/cgroupsPath' && e.path.endsWith('/box'),
    );
    assert.ok(named(layout, () => true).before.length > 0);
  }
  assert.ok(named('v1', (path) => !/\/(systemd|unified)\//.test(path)).before.length > 0);
});

test('rootless with a delegated cgroup, limits are set but no device list', () => {
  const { before, cloneCgroup } = plan('v2', { memory: { limit: 1048576 }, devices: [{ allow: false }] }, () => true);
  assert.equal(
    before.map((op) => op.op),
    ['cgroupCreate', 'cgroupControllers', 'cgroupWrite'],
  );
  assert.is(cloneCgroup, '/sys/fs/cgroup/box');
});

test('rootless with one delegated hierarchy, only that one is used', () => {
  const { before, tasks } = plan('v1', { pids: { limit: 7 } }, (path) => path.includes('/pids/'));
  assert.equal(before, [
    { op: 'cgroupCreate', at: '/linux/cgroupsPath', path: '/sys/fs/cgroup/pids/box' },
    { op: 'cgroupWrite', at: '/linux/resources/pids/limit', path: '/sys/fs/cgroup/pids/box/pids.max', value: '7' },
  ]);
  assert.equal(tasks, ['/sys/fs/cgroup/pids/box/tasks']);
});

test.run();
