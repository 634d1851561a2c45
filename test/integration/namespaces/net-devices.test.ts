/** linux.netDevices: interfaces of the host (a network namespace of the test's own) in the container. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, onBed, type Result } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';
import { runtPath } from '../bed/place.js';

const test = needing('net-devices', 'root', 'ip', 'veth');

/** Stands for the host. */
interface Host {
  readonly net: string;
  /** Runs `ip` there. */
  ip(...args: string[]): string;
  /** Runs runt there. */
  runt(...args: string[]): Result;
  /** Runs a script in the container. */
  sh(script: string, ...flags: string[]): Result;
}

function onHost(body: (bed: Bed, host: Host) => void | Promise<void>): () => Promise<void> {
  return onBed(async (bed) => {
    const holder: ChildProcess = spawn('unshare', ['-n', 'sleep', '1000'], { stdio: 'ignore' });
    try {
      const net = `/proc/${holder.pid}/ns/net`;
      await eventually('a network namespace', () => readlinkSync(net) !== readlinkSync('/proc/self/ns/net'));
      const program = join(bed.dir, 'runt-there');
      writeFileSync(program, `#!/bin/sh\nexec nsenter --net=${net} ${runtPath} "$@"\n`, { mode: 0o755 });
      const ip = (...args: string[]) => execFileSync('nsenter', [`--net=${net}`, 'ip', ...args], { encoding: 'utf8' });
      const host: Host = {
        net,
        ip,
        runt: (...args) => bed.runt(args, { program }),
        sh: (script, ...flags) => bed.sh(script, flags, { program }),
      };
      ip('link', 'add', 'ext0', 'type', 'veth', 'peer', 'name', 'peer0');
      ip('link', 'set', 'ext0', 'address', '02:00:00:00:00:77', 'mtu', '1400');
      ip('addr', 'add', '10.9.8.7/24', 'dev', 'ext0', 'label', 'ext0:a');
      ip('addr', 'add', '10.9.8.8/24', 'dev', 'ext0');
      ip('addr', 'add', '192.0.2.1', 'peer', '192.0.2.2', 'dev', 'ext0');
      ip('addr', 'add', '169.254.3.3/16', 'scope', 'link', 'dev', 'ext0');
      ip('addr', 'add', '10.20.30.40/32', 'valid_lft', '1000', 'preferred_lft', '900', 'dev', 'ext0');
      await body(bed, host);
    } finally {
      holder.kill('SIGKILL');
    }
  });
}

const devices = (host: Host): string[] =>
  host
    .ip('-o', 'link')
    .split('\n')
    .map((line) => line.split(': ')[1]?.split('@')[0] ?? '')
    .filter((name) => name !== '')
    .sort();

test(
  'a device is moved, renamed and set up, with its permanent global addresses and other settings',
  onHost(async (bed, host) => {
    bed.config.linux.netDevices = { ext0: { name: 'eth5' } };
    // A sysctl of the device: it is moved before sysctls are set.
    bed.config.linux.sysctl = { 'net.ipv4.conf.eth5.forwarding': '1' };
    const r = host.sh('ip addr show eth5; cat /proc/sys/net/ipv4/conf/eth5/forwarding');
    assert.is(r.code, 0, r.stderr);
    assert.match(r.stdout, /eth5@.*[<,]UP[,>].* mtu 1400/);
    assert.match(r.stdout, /02:00:00:00:00:77/);
    assert.equal(r.stdout.match(/inet .*/g), [
      'inet 10.9.8.7/24 scope global eth5',
      'inet 192.0.2.1 peer 192.0.2.2/32 scope global eth5',
      'inet 10.9.8.8/24 scope global secondary eth5',
    ]);
    assert.match(r.stdout, /\n1\n$/);
    // A virtual device ends with its namespace, shortly after the last process, and its peer with it.
    await eventually('its end', () => devices(host).length === 1);
  }),
);

test(
  'a device moves without a new name into a user namespace before start, with its address labels',
  onHost((bed, host) => {
    withUserNamespace(bed.config);
    bed.config.linux.netDevices = { ext0: {} };
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    assert.is(host.runt('create', '--bundle', bed.bundle, bed.id).code, 0);
    assert.equal(devices(host), ['lo', 'peer0']);
    const inside = (...args: string[]) =>
      execFileSync('nsenter', [`--net=/proc/${bed.state().pid}/ns/net`, 'ip', ...args], { encoding: 'utf8' });
    assert.match(inside('addr', 'show', 'ext0'), /inet 10.9.8.7\/24 scope global ext0:a/);
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'IPv6 addresses move too',
  onHost((bed, host) => {
    host.ip('addr', 'add', 'fd00::5/64', 'dev', 'ext0', 'nodad');
    host.ip('link', 'set', 'ext0', 'up');
    host.ip('link', 'set', 'peer0', 'up');
    bed.config.linux.netDevices = { ext0: { name: 'eth0' } };
    const r = host.sh('ip -6 addr show eth0');
    assert.match(r.stdout, /inet6 fd00::5\/64 scope global/, r.stderr);
  }),
);

test(
  "in a joined network namespace, the device stays there after the container's end",
  onHost((bed, host) => {
    const pod = spawn('unshare', ['-n', 'sleep', '1000'], { stdio: 'ignore' });
    try {
      const net = `/proc/${pid(pod)}/ns/net`;
      for (const n of bed.config.linux.namespaces) if (n.type === 'network') n.path = net;
      bed.config.linux.netDevices = { ext0: { name: 'eth0' } };
      const r = host.sh('ip -o link');
      assert.match(r.stdout, /eth0@/, r.stderr);
      assert.match(execFileSync('nsenter', [`--net=${net}`, 'ip', '-o', 'link'], { encoding: 'utf8' }), /eth0@/);
      // The name is in use now.
      host.ip('link', 'add', 'ext1', 'type', 'veth', 'peer', 'name', 'peer1');
      bed.config.linux.netDevices = { ext1: { name: 'eth0' } };
      const again = host.sh('true');
      assert.is(again.code, 1);
      assert.match(again.stderr, /\/linux\/netDevices\/ext1[\s\S]*has a device eth0 already/);
      assert.ok(devices(host).includes('ext1'));
    } finally {
      pod.kill('SIGKILL');
    }
  }),
);

const pid = ({ pid: number }: ChildProcess): number => number as number;

test(
  'a failed create moves the devices back with their names, addresses and state',
  onHost(async (bed, host) => {
    host.ip('link', 'set', 'ext0', 'up');
    host.ip('link', 'add', 'ext1', 'type', 'veth', 'peer', 'name', 'peer1');
    // The kernel reports the carrier later.
    const looks = () =>
      host
        .ip('addr')
        .replaceAll(/NO-CARRIER,| state [A-Z]+/g, '')
        .replaceAll(/^\d+: /gm, '')
        .replaceAll(/\d+sec/g, 'N sec');
    const before = looks();
    bed.config.linux.netDevices = { ext0: { name: 'eth5' }, ext1: {} };
    bed.config.mounts.push({ destination: '/x', type: 'bind', source: '/there/is/none', options: ['bind'] });
    for (const flags of [[], ['--detach', '--supervise']]) {
      const r = host.sh('true', ...flags);
      assert.is(r.code, 1);
      assert.match(r.stderr, /\/mounts\/7/);
      assert.is(looks(), before);
    }
    bed.config.mounts.pop();
    bed.config.process.args = ['/no/such/program'];
    assert.is(bed.run([], { program: join(bed.dir, 'runt-there') }).code, 1);
    assert.is(looks(), before);
    // One that exists and one that does not: the first is moved back.
    bed.config.linux.netDevices = { ext0: {}, nope: {} };
    const r = host.sh('true');
    assert.match(r.stderr, /ERR_NET_DEVICE|\/linux\/netDevices\/nope/);
    assert.is(looks(), before);
  }),
);

test(
  "a missing device, lo, a used name, the host's own namespace and a missing right are refused with the cause",
  onHost((bed, host) => {
    for (const [netDevices, why] of [
      [{ nope: {} }, /network namespace of runt has no nope/],
      [{ lo: { name: 'lo1' } }, /does not let lo leave/],
      [{ ext0: { name: 'lo' } }, /has a device lo already/],
    ] as const) {
      bed.config.linux.netDevices = netDevices;
      const r = host.sh('true');
      assert.is(r.code, 1);
      assert.match(r.stderr, why);
      assert.match(r.stderr, /\/linux\/netDevices\//);
    }
    bed.config.linux.netDevices = { ext0: {} };
    for (const n of bed.config.linux.namespaces) if (n.type === 'network') n.path = '/proc/self/ns/net';
    const own = host.sh('true');
    assert.match(own.stderr, /that of the host, and netDevices would change the host/);
    assert.ok(devices(host).includes('ext0'));
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter((n) => n.type !== 'network');
    assert.match(host.sh('true').stderr, /\/linux\/netDevices should be absent|netDevices must be absent/);
  }),
);

test.run();
