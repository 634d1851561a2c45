/** All violations of a config at once: a violation of the schema hides none of the other rules. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { complaints, sample } from '../sample.js';

test('a value of the wrong type hides no other violation', () => {
  const config = {
    ...sample(),
    hostname: 7,
    process: { ...sample().process, cwd: 'tmp', rlimits: [{ type: 'RLIMIT_FOO', soft: 1, hard: 2 }] },
    mounts: [{}, { destination: '/a', type: 'bind' }, { destination: '/b', type: 'tmpfs', options: [1, 'tmpcopyup'] }],
    linux: { ...sample().linux, maskedPaths: ['proc/kcore', false] },
  };
  assert.equal(complaints(config), [
    '/hostname must be a string',
    '/mounts/0/destination must be given',
    '/mounts/2/options/0 must be a string',
    '/linux/maskedPaths/1 must be a string',
    '/process/cwd must be an absolute path',
    '/process/rlimits/0/type must be a resource limit of Linux',
    '/mounts/0/type must name a file system type, unless an option is bind or rbind',
    '/mounts/1/source must name what is bound',
    '/linux/maskedPaths/0 must be an absolute path',
  ]);
});

test('a violation that only follows from a refused value is not reported', () => {
  const wrong = (change: (config: ReturnType<typeof sample>) => void): string[] => {
    const config = sample();
    change(config);
    return complaints(config);
  };
  // None of these reports that the refused value lacks something.
  assert.equal(
    wrong((c) => Object.assign(c, { process: [] })),
    ['/process must be an object'],
  );
  assert.equal(
    wrong((c) => Object.assign(c.process, { args: 'sh' })),
    ['/process/args must be an array'],
  );
  assert.equal(
    wrong((c) => Object.assign(c.linux, { namespaces: [{ type: 'foo' }, { type: 'pid' }] })).map((s) => s.slice(0, 40)),
    ['/linux/namespaces/0/type must be one of '],
  );
  assert.equal(
    wrong((c) => {
      c.hostname = 'x';
      Object.assign(c.linux, { namespaces: [{ type: 'utss' }] });
    }).map((s) => s.slice(0, 40)),
    ['/linux/namespaces/0/type must be one of '],
  );
  assert.equal(
    wrong((c) => Object.assign(c.linux, { timeOffsets: { boottim: { secs: 1 } } })).map((s) => s.slice(0, 33)),
    ['/linux/timeOffsets/boottim must b'],
  );
});

/** A config into which any value may be written. */
// biome-ignore lint/suspicious/noExplicitAny: of every wrong type
type Config = any;

test('a violation of another value that depends on a refused one is not reported', () => {
  const wrong = (change: (config: Config) => void): string[] => {
    const config = sample();
    change(config);
    return complaints(config).map((complaint) => complaint.split(' ')[0]!);
  };
  const cases: [string, (c: Config) => void, ...others: string[]][] = [
    [
      '/process/capabilities/permitted/0',
      ({ process }) => (process.capabilities = { permitted: [1], effective: ['CAP_KILL'] }),
    ],
    [
      '/process/capabilities/permitted',
      ({ process }) => (process.capabilities = { permitted: 1, effective: ['CAP_KILL'] }),
    ],
    ['/process/rlimits/0/hard', ({ process }) => (process.rlimits = [{ type: 'RLIMIT_CORE', soft: 1, hard: '2' }])],
    // The type of a limit does not affect its numbers.
    [
      '/process/rlimits/0/type',
      ({ process }) => (process.rlimits = [{ type: 7, soft: 2, hard: 1 }]),
      '/process/rlimits/0/soft',
    ],
    ['/linux/seccomp/defaultAction', ({ linux }) => (linux.seccomp = { defaultAction: 'ERRNO', defaultErrnoRet: 1 })],
    // The default action does not affect the rules.
    [
      '/linux/seccomp/defaultAction',
      ({ linux }) =>
        (linux.seccomp = { defaultAction: 7, syscalls: [{ names: [''], action: 'SCMP_ACT_ALLOW', errnoRet: 1 }] }),
      '/linux/seccomp/syscalls/0/errnoRet',
      '/linux/seccomp/syscalls/0/names/0',
    ],
    ['/linux/resources/memory/limit', ({ linux }) => (linux.resources = { memory: { limit: {}, swap: 5 } })],
    // Refused as an exact integer, not by the schema.
    ['/linux/resources/memory/limit', ({ linux }) => (linux.resources = { memory: { limit: 1e19, swap: 5 } })],
    ['/linux/resources/cpu/quota', ({ linux }) => (linux.resources = { cpu: { quota: 1e19, burst: 5 } })],
    [
      '/process/scheduler/deadline',
      ({ process }) => (process.scheduler = { policy: 'SCHED_DEADLINE', runtime: 1, deadline: 'x', period: 1 }),
    ],
    [
      '/linux/uidMappings/0/size',
      ({ linux }) => {
        linux.namespaces.push({ type: 'user' });
        linux.uidMappings = [{ containerID: 0, hostID: 1, size: 1e10 }];
        linux.gidMappings = [{ containerID: 0, hostID: 1, size: 1 }];
      },
    ],
    // The replacement of a refused entry conflicts with another entry.
    [
      '/linux/memoryPolicy/flags/1',
      ({ linux }) =>
        (linux.memoryPolicy = { mode: 'MPOL_PREFERRED', nodes: '0', flags: ['MPOL_F_RELATIVE_NODES', 'badflag'] }),
    ],
    ['/linux', (config) => Object.assign(config, { hostname: 'x', linux: [] })],
  ];
  for (const [pointer, change, ...others] of cases) assert.equal(wrong(change), [pointer, ...others]);
});

test('one value may have several violations', () => {
  const wrong = (linux: object): number => complaints({ ...sample(), linux: { ...sample().linux, ...linux } }).length;
  assert.is(wrong({ timeOffsets: { boottim: { secs: 'x' }, monotonic: 7 } }), 4);
  assert.is(wrong({ resources: { rdma: { x: {} }, hugepageLimits: [{ pageSize: 5 }] } }), 3);
  assert.ok(wrong({ seccomp: { syscalls: [{ names: [] }, 7, { names: [5], action: 'x' }] } }) >= 5);
  assert.ok(complaints(JSON.parse('{"ociVersion":1,"root":[],"annotations":{"__proto__":5}}')).length >= 3);
  assert.ok(
    complaints({ ociVersion: '1.0.0', root: { path: '' }, process: { user: 7, args: {}, rlimits: [{}] } }).length >= 6,
  );
});

test('exact integers are checked beside a violation of the schema', () => {
  const config = { ...sample(), hostname: 7, linux: { resources: { memory: { limit: 1e30 } } } };
  assert.equal(complaints(config), [
    '/hostname must be a string',
    '/linux/resources/memory/limit must be at most 9223372036854775807',
  ]);
});

test.run();
