/** The features document describes the compiler: listed values are applied, others are refused by name. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { names } from '../../build/gen/names.js';
import validateFeatures from '../../build/gen/validate-features.js';
import { compile } from '../../src/plan/compile.js';
import { features, isApplied } from '../../src/plan/features-document.js';
import type { Spec } from '../../src/spec/config-types.js';
import { defaultSpec } from '../../src/spec/default-config.js';
import { mountOption, mountOptionNames } from '../../src/spec/mount-options.js';
import { RuntError } from '../../src/sys/error.js';
import { namespaceFlags } from '../../src/sys/linux.js';
import { useNodeHost } from '../../src/sys/node-host.js';
import { compileOptions, hostFacts } from './facts.js';

useNodeHost([]);
const document = features();
const linux = document.linux!;

/** Whether a config compiles; false if it is refused by name. */
function compiles(change: (spec: Required<Spec>) => void): boolean {
  const spec = defaultSpec({ rootless: false, uid: 0, gid: 0 });
  spec.process!.terminal = false;
  change(spec as Required<Spec>);
  try {
    compile(spec, hostFacts(), compileOptions());
    return true;
  } catch (error) {
    if (error instanceof RuntError && error.code === 'ERR_UNSUPPORTED') return false;
    throw error;
  }
}

test('the features document conforms to its schema', () => {
  assert.ok(validateFeatures(document), JSON.stringify(validateFeatures.errors));
  assert.is(linux.capabilities?.length, 41);
  assert.equal(document.hooks?.length, 6);
});

test('a document that its caller changed does not change the next one', () => {
  const changed = features();
  changed.linux!.capabilities!.length = 0;
  changed.hooks!.push('x');
  assert.equal(features(), document);
});

test('every list is sorted without repetition', () => {
  const seccomp = linux.seccomp!;
  for (const list of [
    document.mountOptions!,
    linux.namespaces!,
    seccomp.actions!,
    seccomp.operators!,
    seccomp.archs!,
    seccomp.knownFlags!,
  ]) {
    assert.equal(list, [...new Set(list)].sort());
  }
});

test('listed mount options compile, and others are refused', () => {
  const mappings = [{ containerID: 0, hostID: 1000, size: 1 }];
  for (const name of mountOptionNames()) {
    const { kind } = mountOption(name)!;
    const bind = kind !== 'superblock' && kind !== 'tmpcopyup';
    const applied = compiles((spec) => {
      spec.mounts.push({
        destination: '/mnt',
        source: '/mnt',
        type: bind ? 'bind' : 'tmpfs',
        options: [name],
        ...(kind === 'idmap' && { uidMappings: mappings, gidMappings: mappings }),
      });
    });
    assert.is(document.mountOptions!.includes(name), applied, name);
  }
});

test('listed namespaces compile, and others are refused', () => {
  for (const type of Object.keys(namespaceFlags) as 'pid'[]) {
    const applied = compiles((spec) => {
      const list = spec.linux.namespaces!;
      if (!list.some((n) => n.type === type)) list.push({ type });
    });
    assert.is(linux.namespaces!.includes(type), applied, type);
  }
});

test('a feature is enabled if the compiler applies it', () => {
  const mappings = [{ containerID: 0, hostID: 1000, size: 1 }];
  const cases: [string, boolean | undefined, (spec: Required<Spec>) => void][] = [
    [
      'apparmor',
      linux.apparmor?.enabled,
      (s) => {
        s.process.apparmorProfile = 'x';
      },
    ],
    [
      'selinux',
      linux.selinux?.enabled,
      (s) => {
        s.process.selinuxLabel = 'x';
        s.linux.mountLabel = 'x';
      },
    ],
    [
      'intelRdt',
      linux.intelRdt?.enabled,
      (s) => {
        s.linux.intelRdt = { closID: 'x' };
      },
    ],
    [
      'netDevices',
      linux.netDevices?.enabled,
      (s) => {
        s.linux.netDevices = { eth0: {} };
      },
    ],
    [
      'memoryPolicy',
      linux.memoryPolicy !== undefined,
      (s) => {
        s.linux.memoryPolicy = { mode: 'MPOL_DEFAULT' };
      },
    ],
    [
      'idmap',
      linux.mountExtensions?.idmap?.enabled,
      (s) => {
        s.mounts.push({ destination: '/m', source: '/m', type: 'bind', uidMappings: mappings, gidMappings: mappings });
      },
    ],
  ];
  for (const [name, enabled, change] of cases) assert.is(enabled, compiles(change), name);
});

test('seccomp lists the names of the schema that libseccomp knows', () => {
  const { actions, operators, archs, knownFlags, supportedFlags } = linux.seccomp!;
  assert.equal([actions, operators], [[...names.actions].sort(), [...names.operators].sort()]);
  assert.ok(archs!.length > 10 && archs!.every((name) => names.archs.includes(name)));
  assert.ok(supportedFlags!.includes('SECCOMP_FILTER_FLAG_TSYNC'));
  assert.ok(supportedFlags!.every((name) => knownFlags!.includes(name)));
});

test('isApplied is false for a value that changes no plan', () => {
  assert.is(isApplied({ annotations: { a: 'b' } }), false);
  assert.is(isApplied({ hostname: 'x' }), true);
  assert.is(isApplied({ linux: { resources: { network: { classID: 1 } } } }), false, 'refused on cgroup v2');
});

test('cgroups v1 and v2 are supported, with cgroupfs and systemd', () => {
  assert.equal(linux.cgroup, { v1: true, v2: true, systemd: true, systemdUser: true, rdma: true });
});

test.run();
