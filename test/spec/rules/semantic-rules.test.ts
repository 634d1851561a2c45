import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Linux, Mount, Process, Spec } from '../../../src/spec/config-types.js';
import { complaints, parse, sample, words } from '../sample.js';

const withLinux = (linux: Partial<Linux>): Spec => ({ ...sample(), linux: { ...sample().linux, ...linux } });
const withProcess = (process: Partial<Process>): Spec => ({
  ...sample(),
  process: { ...sample().process, ...process },
});
const withMount = (mount: Mount, linux: Partial<Linux> = {}): Spec => ({ ...withLinux(linux), mounts: [mount] });
const user = (): Partial<Linux> => ({ namespaces: [{ type: 'mount' }, { type: 'user' }] });
const map = (containerID: number, hostID: number, size: number) => ({ containerID, hostID, size });

/** The name, the config, and its violations in order. */
const cases: [string, unknown, string[]][] = [
  ['ociVersion: a release', { ...sample(), ociVersion: '1.0.2' }, []],
  ['ociVersion: a pre-release and a build', { ...sample(), ociVersion: '1.0.2-rc.1+build.7' }, []],
  ['ociVersion: an older draft', { ...sample(), ociVersion: '0.5.0-dev' }, []],
  ['ociVersion: the newest', { ...sample(), ociVersion: '1.3.9' }, []],
  ...[
    'invalid',
    '1',
    '1.0',
    '0.9',
    '1.4',
    '2.0',
    '1.0.0.0',
    '01.0.0',
    '1.0.0-',
    '1.0.0-01',
    '1.0.0+',
    ' 1.0.0',
    '',
    '1.0.x',
    'v1.0.0',
  ].map((v): [string, unknown, string[]] => [
    `ociVersion: ${JSON.stringify(v)}`,
    { ...sample(), ociVersion: v },
    ['/ociVersion must be a version such as 1.0.2 (SemVer 2.0.0)'],
  ]),
  ...['1.3.0+dev', '1.3.0-rc.2', '1.4.0', '1.4.0-dev', '1.4.0-rc.1', '1.10.0', '1.999999999.0'].map(
    (v): [string, unknown, string[]] => [
      `ociVersion: ${v}, of the supported major version`,
      { ...sample(), ociVersion: v },
      [],
    ],
  ),
  ...['2.0.0', '2.0.0-rc.1', '10.0.0', '12.3.0+dev'].map((v): [string, unknown, string[]] => [
    `ociVersion: ${v}, of another major version`,
    { ...sample(), ociVersion: v },
    ['/ociVersion must have the major version 1: this runt follows runtime-spec 1.3'],
  ]),

  ['process: no args', withProcess({ args: [] }), ['/process/args must have at least one entry, the program']],
  ['process: an empty program', withProcess({ args: [''] }), ['/process/args/0 must name the program']],
  ['process: a relative cwd', withProcess({ cwd: 'tmp' }), ['/process/cwd must be an absolute path']],
  [
    'process: env',
    withProcess({ env: ['A=', 'B', '=c', 'D=e=f'] }),
    ['/process/env/1 must have the form NAME=value', '/process/env/2 must have the form NAME=value'],
  ],
  [
    'process: ids that mean "no change"',
    withProcess({ user: { uid: 4294967295, gid: 4294967294, additionalGids: [1, 4294967295] } }),
    [
      '/process/user/uid must be below 4294967295, which the kernel reads as "no change"',
      '/process/user/additionalGids/1 must be below 4294967295, which the kernel reads as "no change"',
    ],
  ],
  ['process: umask', withProcess({ user: { uid: 0, gid: 0, umask: 0o777 } }), []],
  [
    'process: a umask that is too large',
    withProcess({ user: { uid: 0, gid: 0, umask: 0o1000 } }),
    ['/process/user/umask must be at most 511 (0777)'],
  ],
  [
    'capabilities: effective without permitted',
    withProcess({ capabilities: { effective: ['CAP_KILL', 'CAP_CHOWN'], permitted: ['CAP_KILL'] } }),
    ['/process/capabilities/effective/1 must be in permitted too: an effective capability must be permitted'],
  ],
  [
    'rlimits: unknown, twice, soft above hard',
    withProcess({
      rlimits: [
        { type: 'RLIMIT_NOFIL', soft: 1, hard: 1 },
        { type: 'RLIMIT_CORE', soft: 2, hard: 1 },
        { type: 'RLIMIT_CORE', soft: 1, hard: 1 },
        { type: 'NOFILE', soft: 1, hard: 1 },
      ],
    }),
    [
      '/process/rlimits/0/type must be a resource limit of Linux; did you mean "RLIMIT_NOFILE"?',
      '/process/rlimits/1/soft must be at most the hard limit, 1',
      '/process/rlimits/2/type must occur once; /process/rlimits/1 has it too',
      '/process/rlimits/3/type must be a resource limit of Linux; did you mean "RLIMIT_NOFILE"?',
    ],
  ],
  ['scheduler: other', withProcess({ scheduler: { policy: 'SCHED_OTHER', nice: 5 } }), []],
  ['scheduler: fifo', withProcess({ scheduler: { policy: 'SCHED_FIFO', priority: 10 } }), []],
  [
    'scheduler: fifo without a priority, with nice and runtime',
    withProcess({ scheduler: { policy: 'SCHED_FIFO', nice: 1, runtime: 1 } }),
    [
      '/process/scheduler/priority must be 1 to 99 for SCHED_FIFO',
      '/process/scheduler/runtime must be absent for SCHED_FIFO',
    ],
  ],
  [
    'scheduler: deadline',
    withProcess({ scheduler: { policy: 'SCHED_DEADLINE', runtime: 1, deadline: 2, period: 3 } }),
    [],
  ],
  [
    'scheduler: deadline out of order',
    withProcess({ scheduler: { policy: 'SCHED_DEADLINE', runtime: 5, deadline: 2, period: 3 } }),
    ['/process/scheduler must have runtime ≤ deadline ≤ period'],
  ],
  [
    'scheduler: deadline without runtime',
    withProcess({ scheduler: { policy: 'SCHED_DEADLINE' } }),
    ['/process/scheduler/runtime must be given for SCHED_DEADLINE'],
  ],
  [
    'execCPUAffinity',
    withProcess({ execCPUAffinity: { initial: '0-3,7', final: '3-' } }),
    ['/process/execCPUAffinity/final must be a list of numbers such as 0-3,7'],
  ],

  [
    'mounts: bind',
    withMount({ destination: '/x', type: 'none', source: '/y', options: ['rbind', 'ro', 'rslave'] }),
    [],
  ],
  [
    'mounts: ro and rw, of which the later wins',
    withMount({ destination: '/x', type: 'tmpfs', options: ['ro', 'rw'] }),
    [],
  ],
  [
    'mounts: a bind without a source',
    withMount({ destination: '/x', options: ['bind'] }),
    ['/mounts/0/source must name what is bound'],
  ],
  [
    'mounts: options like those of a valid mount excuse neither a missing source nor a missing mapping',
    {
      ...sample(),
      mounts: [
        { destination: '/a', type: 'bind', source: '/y', options: ['ro'] },
        { destination: '/b', type: 'bind', options: ['ro'] },
        { destination: '/c', type: 'bind', source: '/y', options: ['ro'], uidMappings: [map(0, 1, 1)] },
        { destination: '/d', options: ['ro'], source: '/y' },
      ],
    },
    [
      '/mounts/1/source must name what is bound',
      '/mounts/2/gidMappings must be given along with uidMappings',
      '/mounts/3/type must name a file system type, unless an option is bind or rbind',
    ],
  ],
  [
    'mounts: one with a type or an option named undefined excuses neither a missing type nor this option',
    {
      ...sample(),
      mounts: [
        { destination: '/a', type: 'undefined', source: '/y' },
        { destination: '/b', source: '/y' },
        { destination: '/c', type: 'bind' },
      ],
    },
    [
      '/mounts/1/type must name a file system type, unless an option is bind or rbind',
      '/mounts/2/source must name what is bound',
    ],
  ],
  [
    'mounts: no type',
    withMount({ destination: '/x', source: 'y' }),
    ['/mounts/0/type must name a file system type, unless an option is bind or rbind'],
  ],
  [
    'mounts: mistyped options',
    withMount({
      destination: '/x',
      type: 'tmpfs',
      options: ['nosuidd', 'noexe', 'sise=1', 'size=1', 'noexec=1', 'size=64k', 'mode=1777'],
    }),
    [
      '/mounts/0/options/0 must be a mount option; did you mean "nosuid"?',
      '/mounts/0/options/1 must be a mount option; did you mean "noexec"?',
      '/mounts/0/options/4 must have no value: noexec is a flag',
    ],
  ],
  [
    'mounts: options of file systems',
    withMount({
      destination: '/x',
      type: 'overlay',
      source: 'overlay',
      options: ['lowerdir=/a:/b', 'userxattr', 'index=off'],
    }),
    [],
  ],
  ['mounts: an option of a newer kernel', withMount({ destination: '/x', type: 'tmpfs', options: ['casefold'] }), []],
  ['mounts: an empty option, which is left out', withMount({ destination: '/x', type: 'tmpfs', options: [''] }), []],
  [
    'mounts: a mistyped option of a bind',
    withMount({ destination: '/x', source: '/y', options: ['bind', 'rprivte'] }),
    ['/mounts/0/options/1 must be a mount option; did you mean "rprivate"?'],
  ],
  [
    'mounts: tmpcopyup of a proc',
    withMount({ destination: '/proc', type: 'proc', options: ['tmpcopyup'] }),
    ['/mounts/0/options/0 must be used with type tmpfs only'],
  ],
  [
    'mounts: idmap without mappings',
    withMount({ destination: '/x', source: '/y', options: ['bind', 'idmap'] }),
    [
      '/mounts/0/options/1 must come with uidMappings and gidMappings: the container has no user namespace to take them from',
    ],
  ],
  [
    'mounts: mappings of one kind only',
    withMount({ destination: '/x', source: '/y', options: ['bind', 'idmap'], uidMappings: [map(0, 1, 1)] }),
    ['/mounts/0/gidMappings must be given along with uidMappings'],
  ],
  [
    'mounts: mappings that overlap',
    withMount({
      destination: '/x',
      source: '/y',
      options: ['bind', 'idmap'],
      uidMappings: [map(0, 1000, 10), map(9, 2000, 10)],
      gidMappings: [map(0, 1000, 10)],
    }),
    ['/mounts/0/uidMappings/1/containerID must not overlap with /mounts/0/uidMappings/0'],
  ],
  [
    'maskedPaths, readonlyPaths: relative',
    withLinux({ maskedPaths: ['/proc/kcore', 'proc/keys'], readonlyPaths: ['sys', 'sys/../etc'] }),
    ['/linux/maskedPaths/1 must be an absolute path', '/linux/readonlyPaths/1 must be an absolute path'],
  ],
  [
    'maskedPaths without a mount namespace, where the mounts are detached',
    withLinux({ namespaces: [{ type: 'pid' }], maskedPaths: ['/proc/kcore'] }),
    [],
  ],

  [
    'hooks',
    { ...sample(), hooks: { poststop: [{ path: '/bin/true' }, { path: 'true', env: ['X'] }] } },
    ['/hooks/poststop/1/path must be an absolute path', '/hooks/poststop/1/env/0 must have the form NAME=value'],
  ],
  [
    'hooks: timeout',
    { ...sample(), hooks: { prestart: [{ path: '/bin/true', timeout: 0 }] } },
    ['/hooks/prestart/0/timeout must be at least 1'],
  ],

  [
    'namespaces: twice, and a relative path',
    withLinux({ namespaces: [{ type: 'mount' }, { type: 'pid', path: 'proc/1/ns/pid' }, { type: 'pid' }] }),
    [
      '/linux/namespaces/1/path must be an absolute path',
      '/linux/namespaces/2/type must occur once; /linux/namespaces/1 has it too',
    ],
  ],
  [
    'hostname with a UTS namespace',
    { ...withLinux({ namespaces: [{ type: 'uts' }] }), hostname: 'h', domainname: 'd' },
    [],
  ],
  [
    'hostname and domainname without a UTS namespace',
    { ...sample(), hostname: 'h', domainname: 'd' },
    [
      '/hostname must be absent, or linux.namespaces must have an entry of type uts: it would change the host',
      '/domainname must be absent, or linux.namespaces must have an entry of type uts: it would change the host',
    ],
  ],
  [
    'hostname: too long, in bytes',
    { ...withLinux({ namespaces: [{ type: 'uts' }] }), hostname: 'ü'.repeat(33) },
    ['/hostname must be at most 64 bytes'],
  ],
  [
    'a new user namespace and a mount namespace by path',
    withLinux({
      namespaces: [{ type: 'mount', path: '/proc/1/ns/mnt' }, { type: 'user' }],
      uidMappings: [map(0, 1, 1)],
      gidMappings: [map(0, 1, 1)],
    }),
    ['/linux/namespaces/0/path must be absent: a new user namespace cannot mount in an existing mount namespace'],
  ],
  [
    'timeOffsets without a time namespace',
    withLinux({ timeOffsets: { boottime: { secs: 1 } } }),
    ['/linux/timeOffsets must be absent, or linux.namespaces must have an entry of type time'],
  ],
  [
    'timeOffsets of a joined time namespace',
    withLinux({ namespaces: [{ type: 'time', path: '/x' }], timeOffsets: { boottime: { secs: 1 } } }),
    ['/linux/timeOffsets must be absent: /linux/namespaces/0 joins a time namespace, which has its own offsets'],
  ],
  [
    'timeOffsets: an unknown clock, and too many nanoseconds',
    withLinux({ timeOffsets: { realtime: {}, monotonic: { nanosecs: 1e9 } } as object }),
    [
      '/linux/timeOffsets/realtime must be one of boottime, monotonic',
      '/linux/timeOffsets/monotonic/nanosecs must be at most 999999999',
      '/linux/timeOffsets must be absent, or linux.namespaces must have an entry of type time',
    ],
  ],
  [
    'netDevices',
    withLinux({ netDevices: { eth0: { name: 'a/b' }, 'sixteen-bytes-xx': {}, eth1: { name: 'same' }, same: {} } }),
    [
      '/linux/netDevices must be absent, or linux.namespaces must have an entry of type network',
      '/linux/netDevices/eth0/name must be a valid name of a network interface',
      '/linux/netDevices/sixteen-bytes-xx must be the name of a network interface',
      '/linux/netDevices/same must not have the name that eth1 gets in the container',
    ],
  ],

  [
    'mappings',
    withLinux({
      ...user(),
      uidMappings: [map(0, 1000, 1), map(1, 5000, 10)],
      gidMappings: [map(0, 1, 1)],
    }),
    [],
  ],
  [
    'mappings without a user namespace',
    withLinux({ uidMappings: [map(0, 0, 1)] }),
    ['/linux/uidMappings must be absent, or linux.namespaces must have an entry of type user'],
  ],
  [
    'a user namespace without mappings',
    withLinux({ ...user(), uidMappings: [map(0, 0, 1)] }),
    ['/linux/gidMappings must be given: /linux/namespaces/1 makes a user namespace, and no id is mapped in it'],
  ],
  [
    'a joined user namespace without mappings',
    withLinux({ namespaces: [{ type: 'user', path: '/proc/1/ns/user' }] }),
    [],
  ],
  [
    'mappings: empty, too long, overlapping on the host',
    withLinux({
      ...user(),
      uidMappings: [map(0, 1000, 0), map(1, 4294967290, 6)],
      gidMappings: [map(0, 100, 10), map(10, 109, 1)],
    }),
    [
      '/linux/uidMappings/0/size must be above 0',
      '/linux/uidMappings/1/hostID must leave room for 6 ids below 4294967295',
      '/linux/gidMappings/1/hostID must not overlap with /linux/gidMappings/0',
    ],
  ],

  [
    'devices',
    withLinux({
      devices: [
        { path: '/dev/fuse', type: 'c', major: 10, minor: 229 },
        { path: 'dev/x', type: 'b', major: 8 },
        { path: '/dev/p', type: 'p' },
        { path: '/dev/y', type: 'c', major: 4096, minor: -1 },
      ],
    }),
    [
      '/linux/devices/1/path must be an absolute path',
      '/linux/devices/1/minor must be given for type b',
      '/linux/devices/3/major must be 0 to 4095',
      '/linux/devices/3/minor must be 0 to 1048575',
    ],
  ],
  [
    'devices: an unknown type',
    withLinux({ devices: [{ path: '/dev/x', type: 's' as 'c', major: 1, minor: 1 }] }),
    ['/linux/devices/0/type must be one of c, b, u, p'],
  ],
  [
    'resources.devices',
    withLinux({
      resources: {
        devices: [
          { allow: false, access: 'rwm' },
          { allow: true, type: 'c', major: -1, minor: -1, access: 'rwx' },
          { allow: true, access: 'rr' },
          { allow: true, access: 'x' },
          { allow: false, access: 'rwx' },
        ],
      },
    }),
    [
      '/linux/resources/devices/3/access must be made of r, w and m',
      '/linux/resources/devices/4/access must be made of r, w and m',
    ],
  ],
  ['cgroupsPath', withLinux({ cgroupsPath: '/a/../../b' }), ['/linux/cgroupsPath must have no ".." in it']],
  ['memory: no limit', withLinux({ resources: { memory: { limit: -1, swap: -1 } } }), []],
  [
    'memory',
    withLinux({ resources: { memory: { limit: 2048, swap: 1024, reservation: -2 } } }),
    [
      '/linux/resources/memory/reservation must be a number of bytes, or -1 for no limit',
      '/linux/resources/memory/swap must be at least the memory limit, 2048: it counts memory and swap together',
    ],
  ],
  [
    'memory: swap alone',
    withLinux({ resources: { memory: { swap: 1024 } } }),
    ['/linux/resources/memory/swap must come with a memory limit: it counts memory and swap together'],
  ],
  [
    'memory: swappiness',
    withLinux({ resources: { memory: { swappiness: 101 } } }),
    ['/linux/resources/memory/swappiness must be at most 100'],
  ],
  ['cpu: lists', withLinux({ resources: { cpu: { cpus: '0-3,7,9-31:2/4', mems: '0' } } }), []],
  [
    'cpu',
    withLinux({ resources: { cpu: { cpus: '3-1', mems: 'x', quota: 10, burst: 11 } } }),
    [
      '/linux/resources/cpu/cpus must have its ranges in ascending order, unlike 3-1',
      '/linux/resources/cpu/mems must be a list of numbers such as 0-3,7',
      '/linux/resources/cpu/burst must be at most the quota, 10',
    ],
  ],
  [
    'unified',
    withLinux({ resources: { unified: { 'memory.high': '1', '../cgroup.procs': '1', memory: '1', 'x.': '1' } } }),
    ['..~1cgroup.procs', 'memory', 'x.'].map(
      (key) => `/linux/resources/unified/${key} must be the name of a file of cgroup v2, such as memory.high`,
    ),
  ],
  [
    'unified: files that move, stop or end processes, even of the host',
    withLinux({
      resources: {
        unified: {
          'cgroup.procs': '1',
          'cgroup.threads': '1',
          'cgroup.freeze': '1',
          'cgroup.kill': '1',
          'cgroup.max.depth': '1',
        },
      },
    }),
    ['procs', 'threads', 'freeze', 'kill'].map(
      (name) => `/linux/resources/unified/cgroup.${name} must be a limit: this file moves, stops or ends processes`,
    ),
  ],
  [
    'device names with a space or a line feed',
    withLinux({
      resources: { rdma: { 'a b': { hcaHandles: 1 } }, network: { priorities: [{ name: 'lo 1\neth0', priority: 0 }] } },
    }),
    [
      '/linux/resources/rdma/a b must be the name of an RDMA device',
      '/linux/resources/network/priorities/0/name must be the name of a network interface',
    ],
  ],
  [
    'blockIO',
    withLinux({
      resources: {
        blockIO: {
          weight: 5,
          leafWeight: 0,
          weightDevice: [
            { major: 8, minor: 0 },
            { major: 8, minor: 1, weight: 1001 },
          ],
        },
      },
    }),
    [
      '/linux/resources/blockIO/weight must be 10 to 1000',
      '/linux/resources/blockIO/weightDevice/0 must have weight or leafWeight',
      '/linux/resources/blockIO/weightDevice/1/weight must be 10 to 1000',
    ],
  ],
  [
    'intelRdt',
    withLinux({ intelRdt: { closID: 'a/b', memBwSchema: 'L3:0=1', schemata: ['L3:0=f', 'a\nb'] } }),
    [
      '/linux/intelRdt/closID must be the name of a directory',
      '/linux/intelRdt/memBwSchema must be one line that starts with MB:',
      '/linux/intelRdt/schemata/1 must be one line',
    ],
  ],
  [
    'memoryPolicy',
    withLinux({ memoryPolicy: { mode: 'MPOL_BIND', nodes: '0-1', flags: ['MPOL_F_NUMA_BALANCING'] } }),
    [],
  ],
  [
    'memoryPolicy: nodes',
    withLinux({ memoryPolicy: { mode: 'MPOL_INTERLEAVE' } }),
    ['/linux/memoryPolicy/nodes must name at least one node for MPOL_INTERLEAVE'],
  ],
  [
    'memoryPolicy: flags',
    withLinux({
      memoryPolicy: {
        mode: 'MPOL_LOCAL',
        nodes: '0',
        flags: ['MPOL_F_STATIC_NODES', 'MPOL_F_RELATIVE_NODES', 'MPOL_F_NUMA_BALANCING'],
      },
    }),
    [
      '/linux/memoryPolicy/nodes must be absent for MPOL_LOCAL',
      '/linux/memoryPolicy/flags must have only one of MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES',
      '/linux/memoryPolicy/flags must not have MPOL_F_NUMA_BALANCING with MPOL_LOCAL',
    ],
  ],

  [
    'sysctl with its namespaces',
    withLinux({
      namespaces: [{ type: 'network' }, { type: 'ipc' }],
      sysctl: {
        'net.ipv4.ip_forward': '1',
        'kernel.shmmax': '1',
        'fs.mqueue.msg_max': '1',
        'net/ipv4/conf/eth0.1/x': '1',
      },
    }),
    [],
  ],
  [
    'sysctl',
    withLinux({
      sysctl: {
        'net.core.somaxconn': '1',
        'kernel.sem': '1',
        'vm.swappiness': '1',
        'kernel.hostname': 'x',
        'net/../kernel/core_pattern': '|x',
        'net..x': '1',
      },
    }),
    [
      '/linux/sysctl/net.core.somaxconn must be absent, or linux.namespaces must have an entry of type network: it would change the host',
      '/linux/sysctl/kernel.sem must be absent, or linux.namespaces must have an entry of type ipc: it would change the host',
      '/linux/sysctl/vm.swappiness must belong to a namespace: it would change the host, where sysctl(8) sets it',
      '/linux/sysctl/kernel.hostname must not be set here: hostname is the field for it',
      '/linux/sysctl/net~1..~1kernel~1core_pattern must be a kernel parameter such as net.ipv4.ip_forward',
      '/linux/sysctl/net..x must be a kernel parameter such as net.ipv4.ip_forward',
    ],
  ],
  [
    'annotations: an empty key',
    { ...sample(), annotations: { '': 'x' } },
    ['/annotations/ must have a key that is not empty'],
  ],
  [
    'personality',
    withLinux({ personality: { domain: 'LINUX32', flags: ['X'] } }),
    ['/linux/personality/flags must be empty: the runtime-spec defines no flags'],
  ],
  [
    'seccomp',
    withLinux({
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        defaultErrnoRet: 1,
        listenerMetadata: 'x',
        syscalls: [
          { names: ['mkdir', ''], action: 'SCMP_ACT_KILL', errnoRet: 1 },
          { names: ['mkdir'], action: 'SCMP_ACT_NOTIFY' },
          { names: ['mkdir'], action: 'SCMP_ACT_ERRNO', errnoRet: 1 },
        ],
      },
    }),
    [
      '/linux/seccomp/defaultErrnoRet must be absent for SCMP_ACT_ALLOW, which returns no errno',
      '/linux/seccomp/syscalls/0/errnoRet must be absent for SCMP_ACT_KILL, which returns no errno',
      '/linux/seccomp/syscalls/0/names/1 must name a system call',
      '/linux/seccomp/syscalls/1/action must come with /linux/seccomp/listenerPath, the socket of the agent',
      '/linux/seccomp/listenerMetadata must be absent without listenerPath',
    ],
  ],
  [
    'seccomp: notify by default',
    withLinux({ seccomp: { defaultAction: 'SCMP_ACT_NOTIFY', listenerPath: 'agent.sock' } }),
    [
      '/linux/seccomp/defaultAction must not be SCMP_ACT_NOTIFY',
      '/linux/seccomp/listenerPath must be an absolute path',
    ],
  ],
  [
    "seccomp: an errno above 4094, and a tracer's value above 16 bits",
    withLinux({
      seccomp: {
        defaultAction: 'SCMP_ACT_TRACE',
        defaultErrnoRet: 65536,
        syscalls: [
          ...[4094, 4095, 65535].map((errnoRet) => ({ names: ['mkdir'], action: 'SCMP_ACT_ERRNO', errnoRet })),
          ...[65535, 70000].map((errnoRet) => ({ names: ['rmdir'], action: 'SCMP_ACT_TRACE', errnoRet })),
        ],
      },
    }),
    [
      '/linux/seccomp/defaultErrnoRet must be at most 65535 for SCMP_ACT_TRACE',
      '/linux/seccomp/syscalls/1/errnoRet must be at most 4094 for SCMP_ACT_ERRNO',
      '/linux/seccomp/syscalls/2/errnoRet must be at most 4094 for SCMP_ACT_ERRNO',
      '/linux/seccomp/syscalls/4/errnoRet must be at most 65535 for SCMP_ACT_TRACE',
    ],
  ],
  [
    'schema: enums, lengths and patterns, with readable messages',
    {
      ...withLinux({
        rootfsPropagation: 'rprivat' as 'rprivate',
        resources: { hugepageLimits: [{ pageSize: '2Mb', limit: 1 }], rdma: { mlx5_1: {} } },
        seccomp: { defaultAction: 'SCMP_ACT_ALOW', syscalls: [{ names: [], action: 'SCMP_ACT_LOG' }] },
      }),
      root: { path: '' },
    },
    [
      '/root/path must not be empty',
      '/linux/resources/hugepageLimits/0/pageSize must have the form <size><unit>B with a unit of K, M or G, such as 64KB or 2MB',
      '/linux/resources/rdma/mlx5_1 must have at least one property',
      '/linux/seccomp/defaultAction must be one of SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY; did you mean "SCMP_ACT_ALLOW"?',
      '/linux/seccomp/syscalls/0/names must have at least one entry',
      '/linux/rootfsPropagation must be one of shared, slave, private, unbindable, rshared, rslave, rprivate, runbindable; did you mean "rprivate"?',
    ],
  ],
];

for (const [name, spec, expected] of cases) {
  test(`the rules ${expected.length === 0 ? 'accept' : 'refuse'} ${name}`, () =>
    assert.equal(complaints(spec), expected));
}

test('an unknown capability causes a warning, as the spec demands, with the nearest name', () => {
  const { warnings } = parse(
    JSON.stringify(withProcess({ capabilities: { bounding: ['CAP_SYS_ADMN', 'CAP_NEW_2040'] } })),
  );
  assert.equal(words(warnings), [
    '/process/capabilities/bounding/0 must be a capability: it is left out; did you mean "CAP_SYS_ADMIN"?',
    '/process/capabilities/bounding/1 must be a capability: it is left out',
  ]);
});

test('an ambient capability that is not inheritable causes a warning, but not when none is inheritable', () => {
  const warned = (inheritable: string[]) => {
    const capabilities = { permitted: ['CAP_KILL', 'CAP_CHOWN'], inheritable, ambient: ['CAP_KILL', 'CAP_CHOWN'] };
    return words(parse(JSON.stringify(withProcess({ capabilities }))).warnings);
  };
  assert.equal(warned(['CAP_KILL']), [
    '/process/capabilities/ambient/1 must be in permitted and inheritable too: it is left out',
  ]);
  assert.equal(warned([]), []);
});

test('a newer minor ociVersion causes a warning that names the unknown properties', () => {
  const warned = (ociVersion: string, more: object = {}) =>
    words(parse(JSON.stringify({ ...sample(), ...more, ociVersion })).warnings);
  const newer = '/ociVersion must be at most 1.3, the newest runtime-spec that this runt follows; ';
  for (const version of ['1.4.0', '1.4.0-rc.1', '1.10.0']) {
    assert.equal(warned(version), [`${newer}it has no property that this runt does not know`]);
    assert.equal(warned(version, { later: {}, linux: { 'a/b': 1, namespaces: [{ type: 'pid', x: 1 }] } }), [
      `${newer}these properties are unknown and are ignored: /linux/a~1b, /linux/namespaces/0/x, /later`,
    ]);
  }
  const many = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`later${i}`, 1]));
  assert.match(warned('1.4.0', many)[0]!, /\/later7 and 3 more$/);
  for (const version of ['1.3.9', '1.3.0+dev', '0.5.0-dev']) assert.equal(warned(version, { later: {} }), []);
});

test('a nice value for a policy without one causes a warning', () => {
  const config = withProcess({ scheduler: { policy: 'SCHED_FIFO', priority: 10, nice: 1 } });
  assert.equal(words(parse(JSON.stringify(config)).warnings), [
    '/process/scheduler/nice must be absent for SCHED_FIFO: it is left out',
  ]);
});

test('an annotation of crun that has no effect in runt causes a warning', () => {
  const annotations = {
    'run.oci.handler': 'krun',
    'run.oci.keep_original_groups': '1',
    'org.example': 'x',
    toString: 'y',
  };
  assert.equal(words(parse(JSON.stringify({ ...withProcess({}), annotations })).warnings), [
    '/annotations/run.oci.handler must be absent, it has no effect: runt runs no handler (krun, wasm): the process is an ordinary one, not in a virtual machine',
  ]);
});

test('a file system option on a bind mount causes a warning, except for SELinux labels of the engine', () => {
  const warned = (...options: string[]) =>
    parse(JSON.stringify(withMount({ destination: '/x', source: '/y', options: ['bind', ...options] }))).warnings.map(
      ({ pointer }) => pointer,
    );
  assert.equal(warned('z', '', 'size=1m'), ['/mounts/0/options/3']);
  assert.equal(warned('Z', 'ro'), []);
});

test('a sysfs that a new user namespace cannot mount causes a warning', () => {
  const sysfs = { destination: '/sys', type: 'sysfs', source: 'sysfs' };
  const warned = (...namespaces: object[]) =>
    parse(
      JSON.stringify({
        ...withMount(sysfs),
        linux: {
          uidMappings: [map(0, 1, 1)],
          gidMappings: [map(0, 1, 1)],
          namespaces: [{ type: 'mount' }, ...namespaces],
        },
      }),
    ).warnings.map(({ pointer }) => pointer);
  assert.equal(warned({ type: 'user' }), ['/mounts/0/type']);
  assert.equal(warned({ type: 'user' }, { type: 'network', path: '/run/netns/x' }), ['/mounts/0/type']);
  assert.equal(warned({ type: 'user' }, { type: 'network' }), []);
  assert.equal(warned({ type: 'user', path: '/proc/7/ns/user' }), []);
});

test('a relative readonlyPath, unknown letters of an allowed access and a device at /dev/ptmx get warnings', () => {
  const linux = {
    readonlyPaths: ['sys'],
    devices: [
      { path: '/dev/ptmx', type: 'c' as const, major: 5, minor: 2 },
      { path: '/dev/ptmx/', type: 'c' as const, major: 1, minor: 3 },
    ],
    resources: { devices: [{ allow: true, access: 'rwx' }] },
  };
  assert.equal(
    parse(JSON.stringify(withLinux(linux))).warnings.map(({ pointer }) => pointer),
    ['/linux/readonlyPaths/0', '/linux/devices/1', '/linux/resources/devices/0/access'],
  );
});

test('pids.limit 0 means no limit before runtime-spec 1.3, and 0 from then on', () => {
  for (const [ociVersion, limit] of [
    ['1.0.2-dev', undefined],
    ['1.2.1', undefined],
    ['1.3.0', 0],
  ] as const) {
    const config = { ...withLinux({ resources: { pids: { limit: 0 } } }), ociVersion };
    assert.is(parse(JSON.stringify(config)).spec.linux?.resources?.pids?.limit, limit);
  }
});

test('kernel.domainname may repeat domainname', () => {
  const config = (value: string) => ({
    ...withLinux({ namespaces: [{ type: 'uts' }], sysctl: { 'kernel.domainname': value } }),
    domainname: 'example',
  });
  assert.equal(parse(JSON.stringify(config('example'))).warnings, []);
  assert.throws(() => parse(JSON.stringify(config('other'))), /./);
});

test('a relative mount destination is deprecated, but valid, and causes a warning', () => {
  const { warnings } = parse(JSON.stringify(withMount({ destination: 'x', type: 'tmpfs' })));
  assert.equal(words(warnings), [
    '/mounts/0/destination must be an absolute path; a relative one is deprecated and counts from /',
  ]);
});

test('more than 340 id mappings are refused', () => {
  const uidMappings = Array.from({ length: 341 }, (_, i) => map(i, i, 1));
  assert.equal(complaints(withLinux({ ...user(), uidMappings, gidMappings: uidMappings.slice(0, 340) })), [
    '/linux/uidMappings must have at most 340 entries, not 341',
  ]);
});

test.run();
