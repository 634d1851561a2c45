/**
 * Writes the seeds of hack/fuzz into DIR/plan, DIR/json, DIR/seccomp and DIR/http2: plans of configs, operations,
 * configs, profiles, frames of clients.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from '../../../src/plan/compile.js';
import { encodePlan } from '../../../src/plan/encode-plan.js';
import { compileExec, execProcess } from '../../../src/plan/exec-compile.js';
import { type Op, ops } from '../../../src/plan/plan-ops.js';
import { seccompProfile } from '../../../src/plan/seccomp/seccomp-compile.js';
import type { Seccomp } from '../../../src/spec/config-types.js';
import { packProfile } from '../../../src/sys/seccomp/seccomp-profile.js';
import { type Config, defaultConfig, withUserNamespace } from '../../integration/bed/config.js';
import {
  call,
  callHeaders,
  END_HEADERS,
  END_STREAM,
  Frame,
  field,
  frame,
  settings,
  u32,
} from '../../integration/bed/http2-peer.js';
import { compileOptions, hostFacts, v2 } from '../../plan/facts.js';
import { textHost } from '../../sys/fake-host.js';

const dir = process.argv[2];
if (!dir) throw new Error('usage: seeds DIR');
textHost();

const config = (change: (c: Config) => void): Config => {
  const c = defaultConfig();
  change(c);
  return c;
};

const configs: Record<string, Config> = {
  default: defaultConfig(),
  user: withUserNamespace(defaultConfig()),
  process: config((c) => {
    c.process.user = { uid: 1000, gid: 1000, additionalGids: [5, 2000], umask: 0o27 };
    c.process.cwd = '/home/user';
    c.process.args = ['sh', '-c', 'exit 7'];
    c.process.env = ['A=ä', 'B='];
    c.process.oomScoreAdj = -500;
    c.linux.sysctl = { 'net.ipv4.ip_forward': '1', 'kernel.msgmax': '8192' };
    c.domainname = 'example.org';
    c.process.execCPUAffinity = { initial: '0', final: '0-3,7' };
    c.linux.memoryPolicy = { mode: 'MPOL_BIND', nodes: '0-1', flags: ['MPOL_F_STATIC_NODES'] };
    c.linux.personality = { domain: 'LINUX32' };
    c.process.apparmorProfile = 'docker-default';
    c.process.selinuxLabel = 'u:r:t:s0';
  }),
  mounts: config((c) => {
    c.mounts.push(
      { destination: '/data', type: 'bind', source: '/srv', options: ['rbind', 'rro', 'rshared'] },
      { destination: '/etc/hosts', type: 'bind', source: '/etc/hosts', options: ['bind', 'ro', 'nosuid', 'private'] },
    );
    c.linux.rootfsPropagation = 'rslave';
    c.linux.devices = [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 1, gid: 2 }];
    c.linux.namespaces.push({ type: 'cgroup' });
  }),
  joined: config((c) => {
    c.linux.namespaces = [
      { type: 'mount' },
      { type: 'user' },
      { type: 'time' },
      { type: 'network', path: '/run/netns/a' },
      { type: 'pid', path: '/proc/7/ns/pid' },
    ];
    withUserNamespace(c);
    c.linux.namespaces.pop();
    c.linux.timeOffsets = { monotonic: { secs: -5 }, boottime: { secs: 1, nanosecs: 7 } };
  }),
  confined: config((c) => {
    const hook = [{ path: '/bin/hook', args: ['hook', 'ä'], env: ['A=b'], timeout: 3 }];
    c.annotations = { 'run.oci.hooks.stdout': '/o', 'run.oci.keep_original_groups': '1' };
    c.hooks = { createRuntime: hook, createContainer: hook, startContainer: hook };
    c.process.terminal = true;
    c.process.consoleSize = { width: 80, height: 25 };
    c.linux.seccomp = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'chmod'], action: 'SCMP_ACT_NOTIFY' }],
      listenerPath: '/run/agent.sock',
      listenerMetadata: 'x',
    };
  }),
};

const put = (kind: string, name: string, bytes: Uint8Array | string) => {
  mkdirSync(join(dir, kind), { recursive: true });
  writeFileSync(join(dir, kind, name), bytes);
};

// Operations that no compiled config contains yet, with example values, so that every operation is in a seed.
const alone: Op[] = [
  { op: 'isolate', at: '', path: '/rootfs' },
  { op: 'leaveChroot', at: '' },
  { op: 'unshareMounts', at: '', slot: 0 },
  { op: 'moveRoot', at: '' },
  { op: 'detachedRoot', at: '', path: '/rootfs' },
  { op: 'changeRoot', at: '' },
  { op: 'rootPropagation', at: '', flags: 1 << 19 },
  { op: 'mountAttrs', at: '', target: '/x', setAttrs: 1, clearAttrs: 0, recursive: true },
  { op: 'mask', at: '', path: '/' },
  { op: 'bounding', at: '', mask: 2n ** 64n - 1n },
  { op: 'reconfigure', at: '', target: '/x', options: ['ro', 'size=1m'] },
  { op: 'reaper', at: '' },
  { op: 'labelMount', at: '', target: '/x', label: 'u:r:t:s0' },
  { op: 'propagate', at: '', target: '/x', propagation: [1 << 20, 1 << 14] },
];
const seen = new Map<string, Op>(alone.map((op) => [op.op, op]));
const options = { trace: true, startSocket: 5, slots: [7, 8] };
for (const [name, spec] of Object.entries(configs)) {
  for (const [host, facts] of Object.entries({ v1: hostFacts(), v2: hostFacts({ cgroup: v2 }) })) {
    const { plan } = compile(spec, facts, compileOptions({ listen: { count: 2, names: 'a:b' } }));
    put('plan', `${name}-${host}`, encodePlan(plan, options));
    for (const op of plan.ops) if (ops[op.op].by === 'init' && !seen.has(op.op)) seen.set(op.op, op);
  }
  put('json', name, JSON.stringify(spec, null, name === 'default' ? 2 : 0));
}
const target = { pid: 7, startTime: '8', namespaces: 0x6c020000, noNewKeyring: false, setGroupsDenied: false };
const request = {
  args: ['sh'],
  env: ['A=b'],
  additionalGids: ['5'],
  capabilities: [],
  terminal: true,
  user: 'web:www',
};
for (const [host, entries] of Object.entries({
  v1: [{ directory: '/cg/pids/x', version: 1 }],
  v2: [{ directory: '/cg/x', version: 2 }],
} as const)) {
  const spec = configs.process as Config;
  const plan = compileExec(spec, execProcess(spec, request), { ...target, entries }, hostFacts(), compileOptions());
  put('plan', `exec-${host}`, encodePlan(plan, options));
  for (const op of plan.ops) if (ops[op.op].by === 'init' && !seen.has(op.op)) seen.set(op.op, op);
}
for (const op of seen.values()) {
  const plan = { version: 1 as const, ops: [op] };
  put('plan', `op-${op.op}`, encodePlan(plan, { trace: false, startSocket: -1, slots: [] }));
}
const missing = Object.keys(ops).filter((name) => ops[name as Op['op']].by === 'init' && !seen.has(name));
if (missing.length > 0) throw new Error(`no seed has ${missing.join(', ')}`);
const condition = { index: 0, op: 'SCMP_CMP_EQ', value: 2n ** 64n - 1n };
const socket = { names: ['socket', 'read'], action: 'SCMP_ACT_ALLOW', args: [condition, { ...condition, index: 1 }] };
const either = { ...socket, args: [condition, { ...condition, op: 'SCMP_CMP_MASKED_EQ', valueTwo: 1 }] };
const defaultAction = 'SCMP_ACT_ERRNO';
const architectures = ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32', 'SCMP_ARCH_AARCH64'];
const profiles: Record<string, Seccomp> = {
  default: { defaultAction },
  architectures: { defaultAction, architectures },
  rules: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['mkdir', 'chmod'], action: defaultAction }, either] },
  all: { defaultAction, architectures, syscalls: [socket, either, { names: ['openat'], action: 'SCMP_ACT_NOTIFY' }] },
};
for (const [name, profile] of Object.entries(profiles)) put('seccomp', name, packProfile(seccompProfile(profile)));
put('json', 'wide', '{"a":[18446744073709551615,{"\\u00e9/~":-9223372036854775808}],"b":1.5e3}');

const calls = Array.from({ length: 8 }, (_, i) => call(2 * i + 1, '/a.B/C', new Uint8Array(20)));
const clients: Record<string, Uint8Array[]> = {
  calls,
  resets: calls.flatMap((one, i) => [one, frame(Frame.RST_STREAM, 0, 2 * i + 1, u32(8))]),
  windows: [settings([4, 1]), ...calls, frame(Frame.WINDOW_UPDATE, 0, 0, u32(9)), settings([4, 70_000])],
  headers: [
    frame(Frame.HEADERS, END_HEADERS | END_STREAM, 1, Buffer.concat([callHeaders('/x'), field('a', 'b', true)])),
    frame(Frame.HEADERS, END_STREAM, 3, callHeaders('/x')),
    frame(Frame.CONTINUATION, END_HEADERS, 3, Buffer.from([0xbe, 0xbe])),
    frame(Frame.HEADERS, END_HEADERS, 5, callHeaders('/x')),
    frame(Frame.HEADERS, END_HEADERS | END_STREAM, 5, field('trailer', 'x')),
  ],
  control: [
    frame(Frame.PING, 0, 0, Buffer.alloc(8)),
    frame(Frame.PRIORITY, 0, 3, Buffer.from([0, 0, 0, 0, 16])),
    frame(Frame.GOAWAY, 0, 0, Buffer.alloc(8)),
    frame(Frame.DATA, 8 | END_STREAM, 1, Buffer.from([2, 7, 0, 0])),
  ],
};
// The first byte asks for a preface, the second is the size of the pieces.
for (const [name, frames] of Object.entries(clients))
  for (const piece of [0, 255]) put('http2', `${name}-${piece}`, Buffer.concat([Buffer.from([0, piece]), ...frames]));
