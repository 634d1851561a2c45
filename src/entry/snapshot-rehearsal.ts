/**
 * A part of the snapshot, evaluated while that is made: checks and compiles the default config, so that the snapshot
 * has the shapes of these objects, and no command makes them. Only the shapes stay: nothing here keeps anything, asks
 * the system or depends on it.
 */
import { compile } from '../plan/compile.js';
import { encodePlan } from '../plan/encode-plan.js';
import { compileExec, execProcess } from '../plan/exec-compile.js';
import { cgroupV1, cgroupV2, hostWith, options } from '../plan/ideal-hosts.js';
import { defaultSpec } from '../spec/default-config.js';
import { parseSpec } from '../spec/load-config.js';
import { type Host, setHost } from '../sys/host.js';
import { CLONE_NEWNS, CLONE_NEWPID } from '../sys/linux.js';

const { native, encode, decode, decodeRaw } = (globalThis as unknown as { runtHost: Host }).runtHost;
// `begin` of static-binary.ts sets the real one.
setHost({ name: 'quickjs', native, args: [], env: {}, encode, decode, decodeRaw });

for (const cgroup of [cgroupV1, cgroupV2]) {
  const facts = hostWith(cgroup);
  const config = defaultSpec({ rootless: false, uid: 0, gid: 0, cgroupV2: cgroup === cgroupV2 });
  if (config.process) config.process.terminal = false;
  const bytes = encode(JSON.stringify(config));
  const { spec } = parseSpec(bytes, bytes.length, 'config.json');
  const encoding = { trace: false, startSocket: -1, slots: [] };
  encodePlan(compile(spec, facts, options).plan, encoding);
  const more = execProcess(spec, { args: ['true'], env: [], additionalGids: [], capabilities: [], terminal: false });
  const target = {
    pid: 1,
    startTime: '1',
    namespaces: CLONE_NEWNS | CLONE_NEWPID,
    entries: [{ directory: '/sys/fs/cgroup/container', version: cgroup === cgroupV2 ? 2 : 1 } as const],
    noNewKeyring: false,
    setGroupsDenied: false,
  };
  encodePlan(compileExec(spec, more, target, facts, options), encoding);
}
