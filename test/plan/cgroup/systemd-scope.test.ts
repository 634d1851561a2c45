/** Names of scopes and slices, resources as unit properties, and the plan of a container under systemd. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { deviceList, v2DeviceList } from '../../../src/cgroup/devices/device-list.js';
import { v2Settings } from '../../../src/cgroup/settings/v2-settings.js';
import { scopeName } from '../../../src/cgroup/systemd/unit-name.js';
import {
  changesOnReload,
  deviceProperties,
  type Property,
  resourceProperties,
} from '../../../src/cgroup/systemd/unit-properties.js';
import { variantText } from '../../../src/cgroup/systemd/variant-text.js';
import { scopes } from '../../../src/plan/cgroup/systemd-scope.js';
import { compile } from '../../../src/plan/compile.js';
import type { SystemdScope } from '../../../src/plan/host-facts.js';
import type { Resources, Spec } from '../../../src/spec/config-types.js';
import { RuntError } from '../../../src/sys/error.js';
import { sample } from '../../spec/sample.js';
import { compileOptions, hostFacts, rootlessFacts, v1, v2 } from '../facts.js';

/** NAME=GVariant text. */
const texts = (properties: readonly Property[]): string[] => properties.map((p) => `${p.name}=${variantText(p)}`);
const properties = (resources: Resources): string[] => texts(resourceProperties(v2Settings(resources, '')));

test('cgroupsPath is slice:prefix:name, with the defaults of runc', () => {
  for (const [path, unit, where] of [
    [undefined, 'runt-web.scope', '/system.slice/runt-web.scope'],
    ['', 'runt-web.scope', '/system.slice/runt-web.scope'],
    ['::x', '-x.scope', '/system.slice/-x.scope'],
    ['-:a:b', 'a-b.scope', '/a-b.scope'],
    ['a-b-c.slice:cri:1', 'cri-1.scope', '/a.slice/a-b.slice/a-b-c.slice/cri-1.scope'],
    ['kubepods-pod\\x2d1.slice:p:n', 'p-n.scope', '/kubepods.slice/kubepods-pod\\x2d1.slice/p-n.scope'],
  ] as const) {
    const name = scopeName(path, 'web', false);
    assert.equal([name.unit, name.path], [unit, where], path);
  }
  assert.is(scopeName(undefined, 'web', true).slice, 'user.slice');
});

test('another form of cgroupsPath is refused with its pointer', () => {
  for (const path of [
    '/a/b',
    'a:b',
    'a.slice:b:c:d',
    'a.slice:b:',
    'a/b.slice:c:d',
    'a:c:d',
    'a--b.slice:c:d',
    '-a.slice:c:d',
    'a.slice:p:x.slice',
    'a.slice:p:x y',
    '..:p:x',
    'a.slice:../p:x',
  ]) {
    assert.throws(
      () => scopeName(path, 'web', false),
      (e: { code?: string; pointer?: string }) => e.code === 'ERR_CGROUP_PATH' && e.pointer === '/linux/cgroupsPath',
      path,
    );
  }
});

test("resources become the properties that systemd writes, with runc's rounding of the quota", () => {
  assert.equal(
    properties({
      memory: { limit: 1 << 26, swap: 3 << 25, reservation: 1 << 20 },
      cpu: { shares: 1024, quota: 12345, period: 100000, cpus: '0-2,9', mems: '0' },
      pids: { limit: -1 },
      blockIO: { weight: 10 },
    }),
    [
      'MemorySwapMax=uint64 33554432',
      'MemoryMax=uint64 67108864',
      'MemoryLow=uint64 1048576',
      'CPUWeight=uint64 100',
      'CPUQuotaPerSecUSec=uint64 130000',
      'CPUQuotaPeriodUSec=uint64 100000',
      'AllowedCPUs=[byte 7, byte 2]',
      'AllowedMemoryNodes=[byte 1]',
      'TasksMax=uint64 18446744073709551615',
      'IOWeight=uint64 1',
    ],
  );
  assert.equal(
    properties({
      memory: { limit: 5 },
      cpu: { idle: 1 },
      unified: {
        'memory.max': 'max',
        'cpu.max': 'max 50000',
        'io.weight': 'default 7',
        'memory.oom.group': '1',
        'memory.zswap.max': '4096',
        'memory.zswap.writeback': '0',
      },
    }),
    [
      'MemoryMax=uint64 18446744073709551615',
      'CPUWeight=uint64 0',
      'CPUQuotaPerSecUSec=uint64 18446744073709551615',
      'CPUQuotaPeriodUSec=uint64 50000',
      'IOWeight=uint64 7',
      "OOMPolicy='kill'",
      'MemoryZSwapMax=uint64 4096',
      'MemoryZSwapWriteback=false',
    ],
  );
});

test('a device list becomes DeviceAllow if systemd can hold it', () => {
  const list = deviceList([{ allow: true, type: 'b', major: 8, minor: 0, access: 'r' }], '', []);
  const [policy, clear, allow] = texts(deviceProperties(list));
  assert.equal([policy, clear], ["DevicePolicy='strict'", 'DeviceAllow=@a(ss) []']);
  assert.match(
    allow!,
    "DeviceAllow=[('/dev/block/8:0', 'r'), ('char-*', 'm'), ('block-*', 'm'), ('/dev/char/1:3', 'rwm')",
  );
  assert.match(allow!, "('char-136', 'rwm')");
  for (const rule of [
    { allow: true, access: 'rwm' },
    { allow: true, type: 'c', minor: 5, access: 'rw' },
  ]) {
    assert.equal(texts(deviceProperties(deviceList([rule as never], '', []))), [
      "DevicePolicy='auto'",
      'DeviceAllow=@a(ss) []',
    ]);
  }
  const hole = [
    { allow: true, type: 'c', major: 4, access: 'rwm' },
    { allow: false, type: 'c', major: 4, minor: 64, access: 'w' },
  ] as const;
  assert.equal(texts(deviceProperties(v2DeviceList(hole, '', []))), ["DevicePolicy='auto'", 'DeviceAllow=@a(ss) []']);
});

test('a quota is rounded to the steps that systemd writes: 0.01 % since 257', () => {
  const perSecond = (quota: number, period: number, version: number) =>
    texts(resourceProperties(v2Settings({ cpu: { quota, period } }, ''), version))[0];
  assert.is(perSecond(12345, 100000, 256), 'CPUQuotaPerSecUSec=uint64 130000');
  assert.is(perSecond(12345, 100000, 257), 'CPUQuotaPerSecUSec=uint64 123500');
  assert.is(perSecond(12345, 50000, 257), 'CPUQuotaPerSecUSec=uint64 246900');
  // A third of a percent above 33: a remainder below 1 µs is rounded up too.
  assert.is(perSecond(100001, 300000, 252), 'CPUQuotaPerSecUSec=uint64 340000');
  assert.is(perSecond(20000001, 1000000, 252), 'CPUQuotaPerSecUSec=uint64 20010000');
});

test('a reload of systemd changes a rounded quota, and before 253 memory.oom.group', () => {
  const versions = (resources: Resources) =>
    [252, 253, 256, 257, 262].filter((version) => changesOnReload(v2Settings(resources, ''), version));
  for (const quota of [-1, 25000, 13000, 100000, 1000]) assert.equal(versions({ cpu: { quota } }), [], String(quota));
  assert.equal(versions({ cpu: { quota: 25000, period: 50000 } }), []);
  assert.equal(versions({ cpu: { quota: 24690 } }), [252, 253, 256]);
  assert.equal(versions({ cpu: { quota: 12345, period: 50000 } }), [252, 253, 256]);
  assert.equal(versions({ cpu: { quota: 12345 } }), [252, 253, 256, 257, 262]);
  assert.equal(versions({ cpu: { quota: 20000001, period: 1000000 } }), [252, 253, 256, 257, 262]);
  assert.equal(versions({ unified: { 'cpu.max': '12345' } }), [252, 253, 256, 257, 262]);
  assert.equal(versions({ cpu: { quota: 12345 }, unified: { 'cpu.max': 'max' } }), []);
  assert.equal(versions({ unified: { 'memory.oom.group': '1' } }), [252]);
  assert.equal(versions({ unified: { 'memory.oom.group': '0' } }), []);
  assert.is(
    changesOnReload(v2Settings({ cpu: { quota: 24690 } }, '')),
    true,
    'an unknown version counts as the oldest',
  );
});

test('limits that a reload would change are set in a cgroup below the unit, once the version is known', () => {
  const compiled = (systemd: SystemdScope, annotations = {}) => {
    const spec = sample();
    delete spec.linux!.cgroupsPath;
    spec.linux!.resources = { cpu: { quota: 24690, period: 100000 } };
    spec.annotations = annotations;
    const { plan, cgroups } = compile(spec, hostFacts({ cgroup: v2 }), compileOptions({ systemd }));
    const scope = [...plan.ops].find((op) => op.op === 'systemdScope')!;
    const quota = texts(scope.properties).find((p) => p.startsWith('CPUQuotaPerSecUSec'));
    return { below: cgroups.unified!.path.split('.scope')[1], quota, asks: systemd.dependsOnVersion(spec) };
  };
  const coarse = 'CPUQuotaPerSecUSec=uint64 250000';
  assert.equal(compiled(scopes()), { below: '', quota: coarse, asks: true });
  assert.equal(compiled(scopes().ofVersion(252)), { below: '/container', quota: coarse, asks: false });
  const fine = 'CPUQuotaPerSecUSec=uint64 246900';
  assert.equal(compiled(scopes().ofVersion(257)), { below: '', quota: fine, asks: false });
  // The annotation has precedence.
  for (const [name, below] of [
    ['', ''],
    ['sub', '/sub'],
  ] as const)
    assert.is(compiled(scopes().ofVersion(252), { 'run.oci.systemd.subgroup': name }).below, below);
});

const planned = (change: (spec: Spec) => void, cgroup = v2) => {
  const spec = sample();
  change(spec);
  return compile(spec, hostFacts({ cgroup }), compileOptions({ systemd: scopes() }));
};

test('the plan starts the unit where it would make the directory, and annotations override properties', () => {
  const { plan, cgroups } = planned((spec) => {
    spec.linux!.cgroupsPath = 'a.slice:p:n';
    spec.annotations = {
      'org.systemd.property.TimeoutStopSec': '2',
      'org.systemd.property.CollectMode': "'inactive-or-failed'",
      'org.systemd.property.Description': "'mine'",
    };
  });
  assert.is(cgroups.unified!.path, '/sys/fs/cgroup/a.slice/p-n.scope');
  assert.not.ok([...plan.ops].some((op) => op.op === 'cgroupCreate'));
  const op = [...plan.ops].find((o) => o.op === 'systemdScope')!;
  assert.equal([op.unit, op.path], ['p-n.scope', '/sys/fs/cgroup/a.slice/p-n.scope']);
  for (const p of ["Slice='a.slice'", 'Delegate=true', 'TimeoutStopUSec=uint64 2000000', "Description='mine'"]) {
    assert.ok(texts(op.properties).includes(p), p);
  }
  assert.is(op.properties.filter(({ name }) => name === 'Description').length, 1);
});

test('properties that affect the host, are reserved or contradict a limit are refused with their pointer', () => {
  const refused = (name: string, value: string, says: RegExp, resources: Resources = {}): void => {
    assert.throws(
      () =>
        planned((spec) => {
          spec.annotations = { [`org.systemd.property.${name}`]: value };
          spec.linux!.resources = resources;
        }),
      (e: { code?: string; pointer?: string; message: string }) => {
        assert.equal([e.code, e.pointer], ['ERR_SPEC_VALUE', `/annotations/org.systemd.property.${name}`], name);
        assert.match(e.message, says);
        return true;
      },
    );
  };
  refused('PIDs', '[uint32 1]', /moves processes of the host/);
  refused('PIDFDs', '@ah []', /moves processes of the host/);
  for (const name of ['ControlGroup', 'Controller', 'Delegate', 'DelegateSubgroup', 'DisableControllers', 'Conflicts'])
    refused(name, "'x'", /is reserved: it /);
  refused('Slice', "'other.slice'", /name the slice in linux\.cgroupsPath/);
  refused('FailureAction', "'reboot'", /whole machine/);
  refused('MemoryAccounting', 'false', /must be true/);
  for (const value of ["'a\\nb'", '"a\\u0001b"', '["ok", "a\\tb"]', "<'\\n'>", "('x', '\\r')"])
    refused('Description', value, /control character/);
  refused('MemoryMax', 'uint64 5', /set by a limit in \/linux\/resources as well/, { memory: { limit: 1 << 26 } });
  refused('TasksMax', 'uint64 5', /as well/, { pids: { limit: 7 } });
  refused('CPUQuotaPerSecSec', '1', /as well/, { cpu: { quota: 5000 } });
  refused('MemoryHigh', 'uint64 5', /as well/, { unified: { 'memory.high': '5' } });
});

test('an annotation may set one limit beside others of the config, and enable accounting', () => {
  const { plan } = planned((spec) => {
    spec.annotations = {
      'org.systemd.property.MemoryMax': 'uint64 50000000',
      'org.systemd.property.MemoryAccounting': 'true',
    };
    spec.linux!.resources = { pids: { limit: 7 } };
  });
  const found = texts([...plan.ops].find((o) => o.op === 'systemdScope')!.properties);
  assert.ok(found.includes('MemoryMax=uint64 50000000'));
  assert.ok(found.includes('TasksMax=uint64 7'));
  assert.not.ok([...plan.ops].some((o) => o.op === 'cgroupWrite' && o.path.endsWith('/memory.max')));
});

test('a property of a newer systemd is optional, unless an annotation sets it', () => {
  const scope = (annotations: { [key: string]: string }) => {
    const { plan } = planned((spec) => {
      spec.linux!.resources = { unified: { 'memory.oom.group': '1', 'memory.zswap.max': '0', 'memory.high': '9999' } };
      spec.annotations = annotations;
    });
    return [...plan.ops].find((o) => o.op === 'systemdScope')!;
  };
  assert.equal(scope({}).optional, ['OOMPolicy', 'MemoryZSwapMax']);
  const { optional, properties } = scope({ 'org.systemd.property.OOMPolicy': "'continue'" });
  assert.equal(optional, ['MemoryZSwapMax']);
  assert.equal(
    texts(properties).filter((p) => p.startsWith('OOMPolicy')),
    ["OOMPolicy='continue'"],
  );
});

test('a cgroup below that of the unit gets the values, and the unit gets the properties', () => {
  const { plan, cgroups } = planned((spec) => {
    delete spec.linux!.cgroupsPath;
    spec.annotations = { 'run.oci.systemd.subgroup': 'sub' };
  });
  const path = cgroups.unified!.path;
  assert.match(path, /\.scope\/sub$/);
  const [scope, below] = [...plan.ops].filter((op) => op.op === 'systemdScope' || op.op === 'cgroupCreate');
  assert.equal(
    [scope, below].map((op) => [op!.op, (op as { path: string }).path]),
    [
      ['systemdScope', path.slice(0, -'/sub'.length)],
      ['cgroupCreate', path],
    ],
  );
});

test('a user session uses user.slice without device rules; without a session only limits are refused', () => {
  const cgroup = '/user.slice/user-1000.slice/user@1000.service';
  const facts = rootlessFacts({ cgroup: v2 });
  const spec = sample();
  delete spec.linux!.cgroupsPath;
  delete spec.linux!.resources;
  spec.linux!.uidMappings = [{ containerID: 0, hostID: 1000, size: 1 }];
  spec.linux!.gidMappings = [{ containerID: 0, hostID: 1000, size: 1 }];
  const bus = { path: '/run/user/1000/bus', daemon: true };
  const { plan, cgroups } = compile(spec, facts, compileOptions({ systemd: scopes({ cgroup, bus }) }));
  assert.match(cgroups.unified!.path, `/sys/fs/cgroup${cgroup}/user.slice/runt-`);
  const scope = [...plan.ops].find((op) => op.op === 'systemdScope')!;
  assert.ok(texts(scope.properties).includes("Slice='user.slice'"));
  assert.not.ok(scope.properties.some(({ name }) => name.startsWith('Device')));
  assert.is([...plan.ops].find((op) => op.op === 'cgroupControllers')!.top, `/sys/fs/cgroup${cgroup}`);

  const warnings: string[] = [];
  const none = compileOptions({
    systemd: scopes(new RuntError({ code: 'ERR_SYSTEMD', message: 'nobody there' }), (s) => warnings.push(s)),
  });
  assert.not.ok([...compile(spec, facts, none).plan.ops].some((op) => op.op === 'systemdScope'));
  assert.match(warnings.join(), /no cgroup of its own.*nobody there/);
  spec.linux!.resources = { pids: { limit: 5 } };
  assert.throws(
    () => compile(spec, facts, none),
    (e: { code?: string; pointer?: string }) =>
      e.code === 'ERR_CGROUP_NOT_DELEGATED' && e.pointer === '/linux/resources/pids/limit',
  );
});

test('the value of an annotation keeps the type of its GVariant text', () => {
  const { plan } = planned((spec) => {
    spec.annotations = {
      'org.systemd.property.CollectMode': '"inactive-or-failed"',
      'org.systemd.property.TimeoutStopSec': '1.5',
      'org.systemd.property.After': "['a.service', 'b.service']",
    };
  });
  const { properties } = [...plan.ops].find((o) => o.op === 'systemdScope')!;
  assert.equal(properties.slice(-3), [
    { name: 'CollectMode', signature: 's', value: 'inactive-or-failed' },
    { name: 'TimeoutStopUSec', signature: 't', value: 1500000n },
    { name: 'After', signature: 'as', value: ['a.service', 'b.service'] },
  ]);
});

test('an annotation that is not a property, and a host without support, are refused by name', () => {
  for (const [key, value] of [
    ['TimeoutStopUSec', 'soon'],
    ['Bad.Name', '1'],
    ['TimeoutStopSec', "'x'"],
  ] as const) {
    assert.throws(
      () =>
        planned((spec) => {
          delete spec.linux!.cgroupsPath;
          spec.annotations = { [`org.systemd.property.${key}`]: value };
        }),
      (e: { code?: string; pointer?: string }) =>
        e.code === 'ERR_SPEC_VALUE' && e.pointer === `/annotations/org.systemd.property.${key}`,
      key,
    );
  }
  assert.throws(() => planned(() => {}, v1), /--systemd-cgroup is not supported on cgroup v1/);
});

test.run();
