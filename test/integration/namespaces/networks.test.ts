/** `--net bridge`, `cni:…`, `pasta` and `slirp4netns`: what connects a container, and that nothing of it is left. */
import { chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { elapse } from '../../deadline.js';
import { type Bed, eventually, needing, ok, onBed, type Result } from '../bed/bed.js';
import { nobody } from '../bed/needs.js';
import { NetworkHost, outsideAddress } from '../bed/network-host.js';

const bridging = needing('networks by CNI', 'root', 'cni', 'veth', 'ip', 'nsenter', 'unshare', 'iptables-save');
const pasta = needing(
  'networks by pasta',
  'root',
  'pasta',
  'veth',
  'ip',
  'setpriv',
  'user-namespaces',
  'open-checkout',
);
const slirp = needing(
  'networks by slirp4netns',
  'root',
  'slirp4netns',
  'veth',
  'ip',
  'setpriv',
  'user-namespaces',
  'open-checkout',
);

const plugging = needing('plugins that misbehave', 'root', 'mount', 'unshare');

/** The answer of a plugin to ADD, by its script; DEL succeeds. */
function added(bed: Bed, script: string): Result {
  const list = { cniVersion: '1.0.0', name: 'odd', plugins: [{ type: 'odd' }] };
  writeFileSync(join(bed.dir, 'odd.conflist'), JSON.stringify(list));
  const plugin = `#!/bin/sh\n[ $CNI_COMMAND = DEL ] && exit\n${script}\n`;
  writeFileSync(join(bed.dir, 'odd'), plugin, { mode: 0o755 });
  const call = `mount -t tmpfs run /run && { unshare -n sleep 100 & } && printf '{"id":"odd","pid":%s}' $! >$0/state
    until [ "$(readlink /proc/$!/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
    "$@" <$0/state; status=$?; kill $!; ls /run/runt-net; exit $status`;
  const wrapped = ['unshare', '-m', 'sh', '-c', call, bed.dir];
  const env = { PATH: process.env.PATH ?? '', CNI_PATH: bed.dir };
  return bed.runt(['network', 'add', `cni:${bed.dir}/odd.conflist`], { wrapped, env });
}

plugging(
  'a result that is not an object, or output without end, is an error at once and leaves nothing',
  onBed((bed) => {
    assert.equal([added(bed, 'echo {}').code, added(bed, 'echo {}').stdout], [0, 'odd\n']);
    for (const [script, reason] of [
      ['echo null', /odd: its result is not a JSON object: null/],
      ['echo "[]"', /odd: its result is not a JSON object: \[\]/],
      ['true', /odd: its result is not a JSON object: /],
      ['kill -9 $$', /odd: it was killed by signal 9/],
      ['exec yes', /run .*odd: it wrote more than 1048576 bytes/],
      ['exec yes >&2', /run .*odd: it wrote more than 1048576 bytes/],
    ] as const) {
      const r = added(bed, script);
      assert.equal([r.code, r.stdout], [1, ''], script);
      assert.match(r.stderr, reason);
    }
  }),
);

plugging(
  'a state whose pid is not a number of a process is refused',
  onBed((bed) => {
    for (const pid of ['1e300', '1.5', '-1', '0', '2147483648', '"1"']) {
      const wrapped = ['sh', '-c', `printf '{"id":"odd","pid":${pid}}' | "$@"`, 'sh'];
      const r = bed.runt(['network', 'add', 'bridge'], { wrapped });
      assert.is(r.code, 1);
      assert.match(r.stderr, /on standard input: "pid" is not that of a process\n/);
    }
  }),
);

/** A host with an uplink, and runt on it. */
class Scene {
  readonly host = new NetworkHost();

  constructor(
    readonly bed: Bed,
    /** Runs runt as an ordinary user. */
    readonly isOrdinary = false,
  ) {}

  get options() {
    const user = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'];
    return {
      wrapped: [...this.host.wrapped, ...(this.isOrdinary ? user : [])],
      env: { PATH: process.env.PATH ?? '', XDG_RUNTIME_DIR: join(this.bed.dir, 'user') },
    };
  }

  runt(...args: string[]): Result {
    return this.bed.runt(args, this.options);
  }

  /** Writes a bundle by `spec`. @returns its path */
  bundle(name: string, ...options: string[]): string {
    const path = join(this.bed.dir, name);
    mkdirSync(path, { recursive: true });
    if (this.isOrdinary) chownSync(path, nobody, nobody);
    const flags = this.isOrdinary ? ['--rootless'] : [];
    ok(this.runt('spec', '--force', '--bundle', path, '--rootfs', this.bed.rootfs, ...flags, ...options));
    return path;
  }

  /** All that a network can leave: devices, rules, allocations, records, mounts, programs. */
  get left(): string {
    return this.host.sh(`ip -o link | sed 's/<.*//'; ip -o addr show | grep -v inet6
      iptables-save | grep '^-A' || :
      find /run '${this.bed.dir}/user' ! -name last_reserved_ip.0
      grep -c . /proc/self/mountinfo
      for f in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$f; echo; done 2>/dev/null | grep -- '[r]unt-net/${this.bed.id}' || :`);
  }

  /** The address that a CNI plugin has given. */
  addressOf(id: string): string {
    const { result } = JSON.parse(this.host.sh(`cat /run/runt-net/${id}/network.json`));
    return result.ips[0].address.split('/')[0];
  }
}

const onScene = (body: (scene: Scene) => void | Promise<void>, isOrdinary = false) =>
  onBed(async (bed) => {
    const scene = new Scene(bed, isOrdinary);
    try {
      for (const name of ['user', 'state']) mkdirSync(join(bed.dir, name), { mode: 0o700 });
      if (isOrdinary) for (const name of ['user', 'state']) chownSync(join(bed.dir, name), nobody, nobody);
      writeFileSync(join(bed.rootfs, 'index.html'), 'from outside\n');
      await scene.host.ready(bed);
      await body(scene);
    } finally {
      scene.host.end();
    }
  });

const get = (address: string) => ['wget', '-q', '-O', '-', `http://${address}/`];

bridging(
  'two containers on the bridge talk HTTP and reach a machine outside by NAT, and delete leaves nothing of them',
  onScene(async (scene) => {
    const { bed } = scene;
    mkdirSync(join(bed.rootfs, 'www'));
    writeFileSync(join(bed.rootfs, 'www/index.html'), 'from the other\n');
    const client = scene.bundle('client', '--net', 'bridge', '--', 'sleep', '1000');
    // The bridge and the rules that all containers share are made by the first one, and stay.
    ok(scene.runt('run', '--bundle', scene.bundle('first', '--net', 'bridge', '--', 'true'), bed.id));
    const before = scene.left;
    assert.match(before, /runt0/);
    const server = scene.bundle('server', '--net', 'bridge', '--', 'httpd', '-f', '-p', '80', '-h', '/www');
    const [a, b] = [`${bed.id}-a`, bed.id];
    ok(scene.runt('run', '--detach', '--bundle', server, a));
    ok(scene.runt('run', '--detach', '--bundle', client, b));
    await eventually('the server answers', () => {
      const r = scene.runt('exec', b, ...get(scene.addressOf(a)));
      return r.code === 0 && r.stdout === 'from the other\n';
    });
    await eventually('the machine outside answers', () => {
      const r = scene.runt('exec', b, ...get(outsideAddress));
      return r.code === 0 && r.stdout === 'from outside\n';
    });
    for (const id of [a, b]) ok(scene.runt('delete', '--force', id));
    assert.is(scene.left, before);
  }),
);

bridging(
  'nothing is left after a create that fails: by a later hook, a missing plugin, or one that fails',
  onScene((scene) => {
    const { bed } = scene;
    const list = join(bed.dir, 'x.conflist');
    const bridge = {
      type: 'bridge',
      bridge: 'x0',
      ipam: { type: 'host-local', dataDir: '/run/x', subnet: '10.91.0.0/24' },
    };
    const use = (...plugins: object[]): void =>
      writeFileSync(list, JSON.stringify({ cniVersion: '0.4.0', name: 'x', plugins }));
    use(bridge);
    ok(scene.runt('run', '--bundle', scene.bundle('first', '--net', `cni:${list}`, '--', 'true'), bed.id));
    const before = scene.left;
    const refused = (pattern: RegExp, ...options: string[]): void => {
      const r = scene.runt(
        'run',
        '--bundle',
        scene.bundle('b', '--net', `cni:${list}`, ...options, '--', 'true'),
        bed.id,
      );
      assert.is(r.code, 1);
      assert.match(r.stderr, pattern);
      assert.is(scene.left, before, r.stderr);
    };
    refused(/createRuntime hook #1/, '--hook', 'createRuntime=/bin/false');
    use(bridge, { type: 'none-such' });
    refused(/find the CNI plugin none-such: it is not in .*\/usr\/lib\/cni/);
    use(bridge, { type: 'host-device' });
    refused(/ADD of network x for .*: CNI plugin host-device: .*specify either/);
    use(bridge, { type: '../../bin/sh' });
    refused(/x\.conflist: a plugin has no "type" that is the name of a program/);
  }),
);

bridging(
  'nothing is left after kill -9 of runt at any moment of a run, once the container is deleted',
  onScene(async (scene) => {
    const { bed } = scene;
    const bundle = scene.bundle('b', '--net', 'bridge', '--', 'sleep', '1000');
    ok(scene.runt('run', '--bundle', scene.bundle('first', '--net', 'bridge', '--', 'true'), bed.id));
    const before = scene.left;
    // A run takes about 300 ms here, most of it in the plugins.
    for (let moment = 0; moment < 10; moment++) {
      const running = bed.spawn(['run', '--bundle', bundle, bed.id], scene.options);
      // The moment of the kill.
      await elapse(20 + 30 * moment);
      // nsenter executes runt.
      running.child.kill('SIGKILL');
      await running.exit;
      await eventually('all of it is removed', () => {
        scene.runt('delete', '--force', bed.id);
        return scene.left === before;
      });
    }
  }),
);

bridging(
  'a network is found by name; one host has one connected container of an id; a shared network is not changed',
  onScene((scene) => {
    const { bed } = scene;
    const directory = join(bed.dir, 'net.d');
    mkdirSync(directory);
    writeFileSync(join(directory, '1.conf'), '{');
    const ipam = { type: 'host-local', dataDir: '/run/y', subnet: '10.92.0.0/24' };
    writeFileSync(
      join(directory, '2.conf'),
      JSON.stringify({ cniVersion: '1.0.0', name: 'y', type: 'bridge', bridge: 'y0', ipam }),
    );
    const options = { ...scene.options, env: { ...scene.options.env, NETCONFPATH: directory } };
    const named = (name: string) => {
      const bundle = scene.bundle(name, '--net', `cni:${name}`, '--', 'ip', 'addr', 'show', 'eth0');
      return bed.runt(['run', '--bundle', bundle, bed.id], options);
    };
    assert.match(ok(named('y')).stdout, /inet 10\.92\.0\.\d+\/24/);
    assert.match(
      named('z').stderr,
      /find the network z: no config in .*net\.d has that name \(.*1\.conf: it is not JSON/,
    );

    const bundle = scene.bundle('b', '--net', 'bridge', '--', 'sleep', '1000');
    ok(scene.runt('run', '--detach', '--bundle', bundle, bed.id));
    const config = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
    config.linux.cgroupsPath = `/${bed.id}-other`;
    writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));
    const other = ['--root', join(bed.dir, 'other'), 'run', '--bundle', bundle, bed.id];
    const refused = scene.runt(...other);
    assert.is(refused.code, 1);
    assert.match(refused.stderr, /a running container of that name has the network bridge/);
    assert.match(scene.addressOf(bed.id), /^10\.90\./);
    const state = JSON.stringify({ id: `${bed.id}-x`, pid: scene.host.pid });
    const shared = bed.runt(['network', 'add', 'bridge'], { ...scene.options, input: state });
    assert.match(shared.stderr, /shares the network of the host/);
    ok(scene.runt('delete', '--force', bed.id));
  }),
);

for (const [test, name] of [
  [pasta, 'pasta'],
  [slirp, 'slirp4netns'],
] as const) {
  test(
    `an ordinary user's container reaches a machine outside through ${name}, which ends with the container`,
    onScene(async (scene) => {
      const { bed } = scene;
      const before = scene.left;
      const bundle = scene.bundle('b', '--net', name, '--', 'sleep', '1000');
      ok(scene.runt('run', '--detach', '--bundle', bundle, bed.id));
      assert.match(scene.left, new RegExp(name));
      await eventually('the machine outside answers', () => {
        const r = scene.runt('exec', bed.id, ...get(outsideAddress));
        return r.code === 0 && r.stdout === 'from outside\n';
      });
      ok(scene.runt('delete', '--force', bed.id));
      const left = (): string => scene.left.replaceAll(/.*\/(runt|runt-net)\n/g, '');
      await eventually('it has ended', () => left() === before);

      const failing = scene.bundle('failing', '--net', name, '--hook', 'createRuntime=/bin/false', '--', 'true');
      assert.match(scene.runt('run', '--bundle', failing, bed.id).stderr, /createRuntime hook #1/);
      await eventually('nothing is left of a create that fails', () => left() === before);
      for (let moment = 0; moment < 10; moment++) {
        const running = bed.spawn(['run', '--bundle', bundle, bed.id], scene.options);
        // The moment of the kill.
        await elapse(10 + 15 * moment);
        running.child.kill('SIGKILL');
        await running.exit;
        await eventually('all of it is removed', () => {
          scene.runt('delete', '--force', bed.id);
          return left() === before;
        });
      }
    }, true),
  );
}

bridging(
  'the config of a network that only root can make is refused to an ordinary user, with the others that can',
  onBed((bed) => {
    const r = bed.runt(['spec', '--rootless', '--net', 'bridge']);
    assert.match(r.stderr, /--net "bridge" needs root: an ordinary user has pasta and slirp4netns/);
  }),
);

for (const test of [bridging, pasta, slirp, plugging]) test.run();
