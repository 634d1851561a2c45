/**
 * Everything that `validate` accepts compiles: all combinations of id-mapped mounts, and one bad value of other fields.
 */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { compile } from '../../src/plan/compile.js';
import { refusedEverywhere } from '../../src/plan/ideal-hosts.js';
import type { IdMapping, Mount, Namespace, Spec } from '../../src/spec/config-types.js';
import { parseSpec } from '../../src/spec/load-config.js';
import { RuntError } from '../../src/sys/error.js';
import { useNodeHost } from '../../src/sys/node-host.js';
import { compileOptions, hostFacts, v1, v2 } from './facts.js';

useNodeHost([]);

const map = (containerID: number, hostID: number, size: number): IdMapping => ({ containerID, hostID, size });

/** The spec if the rules accept it. */
function accepted(spec: unknown): Spec | undefined {
  const bytes = new TextEncoder().encode(JSON.stringify(spec));
  try {
    return parseSpec(bytes, bytes.length, 'config.json').spec;
  } catch (error) {
    if (error instanceof RuntError && error.violations) return undefined;
    throw error;
  }
}

const base = (namespaces: readonly Namespace[], more: object = {}) => ({
  ociVersion: '1.2.0',
  root: { path: 'rootfs' },
  process: { cwd: '/', args: ['/bin/true'], user: { uid: 0, gid: 0 } },
  linux: { namespaces, ...more },
});

const good = ['idmap', 'ridmap', 'idmap=uids=0-1-10;gids=0-1-10', 'ridmap=uids=@0-0-5;gids=@0-0-5'];
/** Each as idmap=… and as ridmap=…. */
const bad = [
  '',
  'uids=0-1-10',
  'gids=0-1-10',
  'uids=;gids=',
  'uids=0-1-10;gids=',
  'uids=0-1;gids=0-1-1',
  'uids=0-1-0;gids=0-1-1',
  'uids=a-1-1;gids=0-1-1',
  'uids=-1-1-1;gids=0-1-1',
  'uids=0-1-10;gids=0-1-10;',
  'uids=0-1-10;uids=0-1-10',
  'uids=0-1-10;gids=0-1-10;pids=0-1-1',
  'uids=0-4294967295-1;gids=0-1-1',
  'uids=4294967290-0-10;gids=0-1-1',
  'uids=0-0-99999999999;gids=0-1-1',
  'uids=@70000-70000-1;gids=0-1-1',
  'uids=@0-0-70000;gids=0-1-1',
  'uids=0-1-10#5-30-10;gids=0-1-1',
  'uids=0-1-10#;gids=0-1-1',
  'uids=0-1-10,gids=0-1-1',
].flatMap((ranges) => [`idmap=${ranges}`, `ridmap=${ranges}`]);

const user = { type: 'user' } as const;
const mappings = { uidMappings: [map(0, 1000, 65536)], gidMappings: [map(0, 1000, 65536)] };
const spaces: readonly [readonly Namespace[], object][] = [
  [[{ type: 'mount' }], {}],
  [[{ type: 'mount' }, user], mappings],
  [[{ type: 'mount' }, { ...user, path: '/proc/1/ns/user' }], {}],
  [[{ type: 'mount', path: '/proc/1/ns/mnt' }], {}],
  [
    [
      { type: 'mount', path: '/proc/1/ns/mnt' },
      { ...user, path: '/proc/1/ns/user' },
    ],
    {},
  ],
  [[], {}],
];
const own: readonly Partial<Mount>[] = [
  {},
  { uidMappings: [map(0, 5, 10)], gidMappings: [map(0, 5, 10)] },
  { uidMappings: [map(0, 5, 10)] },
  { gidMappings: [map(0, 5, 10)] },
  { uidMappings: [], gidMappings: [] },
  { uidMappings: [map(0, 5, 10)], gidMappings: [] },
  { uidMappings: [map(0, 5, 0)], gidMappings: [map(0, 5, 10)] },
  { uidMappings: [map(0, 5, 10), map(5, 50, 10)], gidMappings: [map(0, 5, 10)] },
];
const kinds: readonly { type?: string; source?: string; options: readonly string[] }[] = [
  { type: 'bind', source: '/srv', options: ['rbind'] },
  { source: 'srv', options: ['bind', 'ro', 'copy-symlink'] },
  { type: 'tmpfs', source: 'tmpfs', options: ['size=64k', 'tmpcopyup'] },
  { type: 'overlay', source: 'overlay', options: ['lowerdir=/a:/b'] },
  { type: 'proc', source: 'proc', options: [] },
  { type: 'cgroup', source: 'cgroup', options: [] },
  { options: ['remount', 'ro'] },
  { options: ['rprivate'] },
  { type: 'bind', source: '/srv', options: ['remount', 'bind', 'nosuid'] },
];

/** The numbers of mounts that the rules refused and that compiled, over all spaces. */
const count = { refused: 0, compiled: 0 };

for (const [namespaces, more] of spaces) {
  test(`every valid combination of idmap options, mappings and types compiles: ${JSON.stringify(namespaces)}`, () => {
    for (const kind of kinds) {
      for (const mapped of own) {
        for (const option of [undefined, ...good, ...bad]) {
          const options = [...kind.options, ...(option === undefined ? [] : [option])];
          const mount = { ...kind, ...mapped, options, destination: '/x' };
          const spec = accepted({ ...base(namespaces, more), mounts: [mount] });
          if (!spec) {
            count.refused++;
            continue;
          }
          for (const cgroup of [v1, v2]) {
            try {
              compile(spec, hostFacts({ cgroup }), compileOptions());
            } catch (error) {
              throw new Error(`${JSON.stringify({ namespaces, mount })}: ${(error as Error).message}`);
            }
          }
          count.compiled++;
        }
      }
    }
  });
}

test('the combinations include many refused and many compiled ones', () => {
  assert.ok(count.refused > 5000 && count.compiled > 300, JSON.stringify(count));
});

for (const option of bad) {
  test(`${option} is refused with its pointer`, () => {
    const mount = { destination: '/x', type: 'bind', source: '/srv', options: ['bind', option] };
    const text = new TextEncoder().encode(JSON.stringify({ ...base(spaces[1]![0], mappings), mounts: [mount] }));
    assert.throws(
      () => parseSpec(text, text.length, 'config.json'),
      (e: RuntError) => e.violations?.some((v) => v.pointer === '/mounts/0/options/1') === true,
    );
  });
}

test('an option that a later one overrides is checked too', () => {
  const options = ['bind', 'idmap=uids=0-1', 'idmap=uids=0-1-1;gids=0-1-1'];
  assert.not.ok(accepted({ ...base(spaces[0]![0]), mounts: [{ destination: '/x', source: '/srv', options }] }));
});

/** One value each that no host accepts; `validate` compiles to find those that the rules accept. */
const siblings: Record<string, object> = {
  'a user namespace without a mount namespace': base([user], mappings),
  'rootfsPropagation without a mount namespace': base([], { rootfsPropagation: 'slave' }),
  'a mount on / without a mount namespace': { ...base([]), mounts: [{ destination: '/', type: 'tmpfs' }] },
  'the root cgroup': base([{ type: 'mount' }], { cgroupsPath: '/' }),
  'a resctrl class that the kernel reserves': base([{ type: 'mount' }], { intelRdt: { closID: 'info' } }),
  'an RDMA device with a space': base([{ type: 'mount' }], { resources: { rdma: { 'a b': { hcaHandles: 1 } } } }),
  'a network interface with a space': base([{ type: 'mount' }], {
    resources: { network: { priorities: [{ name: 'a b', priority: 1 }] } },
  }),
  'a value for v1 only beside one for v2 only': base([{ type: 'mount' }], {
    resources: { network: { classID: 1 }, unified: { 'memory.high': '1' } },
  }),
  'a file of the cgroup without a controller': base([{ type: 'mount' }], { resources: { unified: { memory: '1' } } }),
  'a hook file that is not absolute': {
    ...base([{ type: 'mount' }]),
    hooks: { createContainer: [{ path: '/bin/true' }] },
    annotations: { 'run.oci.hooks.stdout': 'log' },
  },
  'a delegated cgroup that is not below': {
    ...base([{ type: 'mount' }]),
    annotations: { 'run.oci.delegate-cgroup': '../x' },
  },
  'a NUL in an argument': {
    ...base([{ type: 'mount' }]),
    process: { cwd: '/', args: ['a\0b'], user: { uid: 0, gid: 0 } },
  },
};

for (const [name, config] of Object.entries(siblings)) {
  test(`validate finds ${name}`, () => {
    const spec = accepted(config);
    assert.ok(!spec || refusedEverywhere(spec), 'the config is valid, and no host accepts it');
  });
}

test('a config for v1 only, and one for v2 only, are valid', () => {
  for (const resources of [{ network: { classID: 1 } }, { unified: { 'memory.high': '1' } }]) {
    const spec = accepted(base([{ type: 'mount' }], { resources }))!;
    assert.is(refusedEverywhere(spec), undefined);
  }
});

test.run();
