/** Profiles, capabilities, seccomp and resource limits of `spec`. */
import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { Spec } from '../../../src/spec/config-types.js';
import { defaultSeccomp } from '../../../src/spec/options/default-seccomp.js';
import type { SpecOptions } from '../../../src/spec/options/option-types.js';
import { profileNames } from '../../../src/spec/options/profiles.js';
import { specOf } from '../../../src/spec/options/spec-options.js';
import { complaints } from '../sample.js';
import { files, lookups } from './lookups.js';

const test = suite('privileges of spec');
const caller = {
  uid: 0,
  gid: 0,
  bundle: '/b',
  absolute: (path: string) => (path.startsWith('/') ? path : `/here/${path}`),
  name: (option: string) => `option ${option}`,
};
const of = (options: SpecOptions, more = {}) => specOf(options, caller, { ...lookups, ...more }) as Required<Spec>;
const bounding = (options: SpecOptions) => of(options).process.capabilities!.bounding!.join(' ').replaceAll('CAP_', '');
const refused = (options: SpecOptions): string => {
  try {
    of(options);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error(`${JSON.stringify(options)} was accepted`);
};

test('every profile makes a valid config', () => {
  for (const profile of profileNames) {
    for (const more of [{}, { rootless: true }, { uidMap: ['0:100000:65536'] }, { hostNetwork: true }]) {
      assert.equal(complaints(of({ profile, ...more } as SpecOptions)), [], profile);
    }
  }
});

test('the profile docker has the capabilities, filter, limits and masks of Docker', () => {
  const { process, linux } = of({ profile: 'docker' });
  assert.is(process.capabilities!.bounding!.length, 14);
  assert.equal(Object.keys(process.capabilities!).sort(), ['bounding', 'effective', 'permitted']);
  assert.is(process.noNewPrivileges, false);
  assert.equal(process.rlimits, [{ type: 'RLIMIT_NOFILE', soft: 1024, hard: 524288 }]);
  assert.ok(linux.maskedPaths!.includes('/sys/devices/virtual/powercap'));
  assert.equal(linux.seccomp, JSON.parse(readFileSync('profiles/default.json', 'utf8')));
  assert.is(linux.sysctl!['net.ipv4.ip_unprivileged_port_start'], '0');
  assert.is(of({ profile: 'docker', hostNetwork: true }).linux.sysctl, undefined);
  assert.is(of({ profile: 'docker', uidMap: ['0:9:9'] }).linux.sysctl!['net.ipv4.ping_group_range'], undefined);
});

test('an ordinary caller gets no limit that it cannot set', () => {
  const { rlimits } = of(
    { profile: 'podman' },
    { hardLimit: (type: string) => (type === 'RLIMIT_NPROC' ? 99 : undefined) },
  ).process;
  assert.equal(rlimits, [
    { type: 'RLIMIT_NOFILE', soft: 1048576, hard: 1048576 },
    { type: 'RLIMIT_NPROC', soft: 99, hard: 99 },
  ]);
});

test('only in a user namespace the profile builder leaves /proc uncovered', () => {
  assert.ok(of({ profile: 'builder' }).linux.maskedPaths!.length > 0);
  const { linux } = of({ profile: 'builder', uidMap: ['0:100000:65536'] });
  assert.equal([linux.maskedPaths, linux.readonlyPaths], [[], []]);
  const names = linux.seccomp!.syscalls!.flatMap((rule) => (rule.args ? [] : rule.names));
  assert.ok(names.includes('unshare') && names.includes('mount') && names.includes('clone3'));
});

test('capabilities are added to those of the profile or the template, and removed', () => {
  assert.is(bounding({ capAdd: ['net_raw', 'CAP_CHOWN'] }), 'AUDIT_WRITE CHOWN KILL NET_BIND_SERVICE NET_RAW');
  assert.is(bounding({ capDrop: ['kill,audit_write'] }), 'NET_BIND_SERVICE');
  assert.is(bounding({ profile: 'docker', capDrop: ['all'], capAdd: ['chown'] }), 'CHOWN');
  assert.is(
    bounding({ capAdd: ['ALL'], capDrop: ['KILL'] }),
    'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID'.split(' ').sort().join(' '),
  );
  assert.ok(bounding({ capAdd: ['ALL'], uidMap: ['0:9:9'] }).includes('SYS_ADMIN'));
  assert.is(bounding({ profile: 'unprivileged' }), '');
});

test('capabilities that are added reach a user other than root, but with the profile docker', () => {
  const sets = (options: SpecOptions) => of({ user: '7', capAdd: ['NET_RAW'], ...options }).process.capabilities!;
  assert.equal([sets({}).ambient, sets({}).inheritable], [['CAP_NET_RAW'], ['CAP_NET_RAW']]);
  assert.equal(sets({ profile: 'podman' }).ambient, ['CAP_NET_RAW']);
  assert.is(sets({ profile: 'docker' }).ambient, undefined);
  assert.is(sets({ user: '0' }).ambient, undefined);
});

test('the default seccomp profile allows the calls of the capabilities', () => {
  const allowed = (capability: string, machine = 'x86_64') => {
    const { syscalls } = defaultSeccomp([capability], machine);
    return syscalls!.flatMap((rule) => (rule.args ? [] : rule.names));
  };
  assert.ok(allowed('CAP_SYS_TIME').includes('clock_settime'));
  assert.not.ok(allowed('CAP_SYS_TIME').includes('chroot'));
  assert.ok(allowed('CAP_SYS_CHROOT').includes('chroot'));
  assert.equal(defaultSeccomp([], 'aarch64').architectures, ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
  assert.is(defaultSeccomp([], 'mips').architectures, undefined);
});

test('--seccomp takes a file of the spec or of an engine, default or unconfined', () => {
  assert.is(of({ profile: 'docker', seccomp: 'unconfined' }).linux.seccomp, undefined);
  assert.equal(of({ seccomp: 'default' }).linux.seccomp!.defaultAction, 'SCMP_ACT_ERRNO');
  files['/here/plain.json'] = JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] });
  assert.equal(of({ seccomp: 'plain.json' }).linux.seccomp, { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] });
  const action = 'SCMP_ACT_ALLOW';
  files['/engine.json'] = JSON.stringify({
    defaultAction: 'SCMP_ACT_ERRNO',
    archMap: [
      { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
      { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
    ],
    syscalls: [
      { names: ['read'], action, args: [], comment: '', includes: {}, excludes: {} },
      { name: 'kill', action, includes: { caps: ['CAP_KILL'] } },
      { names: ['mount'], action, includes: { caps: ['CAP_SYS_ADMIN'] } },
      { names: ['clone'], action, excludes: { caps: ['CAP_SYS_ADMIN'], arches: ['s390'] } },
      { names: ['arch_prctl'], action, includes: { arches: ['amd64', 'x32'] } },
      { names: ['cacheflush'], action, includes: { arches: ['arm'] } },
      { names: ['ptrace'], action, includes: { minKernel: '4.8' } },
      { names: ['futex_wait'], action, includes: { minKernel: '6.7' } },
    ],
  });
  const { seccomp } = of({ seccomp: '/engine.json' }).linux;
  assert.equal(seccomp!.architectures, ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86']);
  const names = ['read', 'kill', 'clone', 'arch_prctl', 'ptrace'];
  assert.equal(
    seccomp!.syscalls,
    names.map((name) => ({ names: [name], action })),
  );
  assert.equal(complaints(of({ seccomp: '/engine.json' })), []);
});

test('limits replace those of the profile', () => {
  const limits = (...ulimit: string[]) => of({ ulimit }).process.rlimits;
  assert.equal(limits('nofile=10:20'), [{ type: 'RLIMIT_NOFILE', soft: 10, hard: 20 }]);
  assert.equal(
    limits('RLIMIT_CORE=-1', 'nofile=5')!.map(({ soft, hard }) => [soft, hard]),
    [
      [2n ** 64n - 1n, 2n ** 64n - 1n],
      [5, 5],
    ],
  );
});

test('an invalid value is refused by its option and value', () => {
  files['/bad.json'] = '{';
  files['/empty.json'] = '{}';
  const cases: [object, RegExp][] = [
    [{ profile: 'dokcer' }, /profile "dokcer" is not one of docker, podman, unprivileged, builder/],
    [{ capAdd: ['NET_RWA'] }, /capAdd "NET_RWA" is not a capability; did you mean CAP_NET_RAW\?/],
    [{ capAdd: ['KILL'], capDrop: ['kill'] }, /capAdd "CAP_KILL" is dropped too/],
    [{ seccomp: 'none.json' }, /seccomp "none.json" does not exist/],
    [{ seccomp: '/bad.json' }, /seccomp "\/bad.json" is not JSON/],
    [{ seccomp: '/empty.json' }, /has no defaultAction/],
    [{ ulimit: ['nofile'] }, /ulimit "nofile" is not NAME=SOFT/],
    [{ ulimit: ['nofiles=1'] }, /names no limit of setrlimit\(2\); did you mean nofile\?/],
    [{ ulimit: ['nofile=2:1'] }, /soft limit above the hard one/],
    [{ ulimit: ['nofile=many'] }, /a limit that is not a number/],
    [{ ulimit: ['nofile=18446744073709551616'] }, /a limit that is not a number/],
  ];
  for (const [options, expected] of cases) assert.match(refused(options as SpecOptions), expected);
});

test.run();
