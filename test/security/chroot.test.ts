/**
 * runt in a chroot. The kernel lets a process pivot in a chroot that is a mount point, and then the host's root is
 * above the container's: setns(2) to the container's mount namespace leads to the host, and so does an exec. The host
 * is a mount namespace of the test's own, and the chroot a directory in it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Propagation } from '../../src/spec/linux-types.js';
import { Bed, needing, type Result } from '../integration/bed/bed.js';
import { withUserNamespace } from '../integration/bed/config.js';
import { MountNamespace, onStage } from '../integration/bed/mount-namespace.js';
import { runtPath } from '../integration/bed/place.js';
import { parseMount } from '../integration/bed/probe.js';

const test = needing('chroots', 'root', 'mount', 'unshare', 'nsenter');

/** The kinds of chroot, each with a script that makes it from the directory $machine in the file system $outer. */
const chroots = {
  'a directory': '',
  'a directory of a shared mount': 'mount --make-shared "$outer"',
  'a mount point': 'mount -t tmpfs machine "$machine"',
  'a mount point on a shared mount': 'mount --make-shared "$outer"; mount -t tmpfs machine "$machine"',
  'a shared mount point':
    'mount --make-shared "$outer"; mount -t tmpfs machine "$machine"; mount --make-shared "$machine"',
  'a directory bind-mounted on itself': 'mount --bind "$machine" "$machine"',
} as const;
type Kind = keyof typeof chroots;
const kinds = Object.keys(chroots) as Kind[];

/** A host with a chroot, in which the bed's bundle and state root have the same paths as on the host. */
class Host {
  readonly bed = new Bed();
  readonly outer = join(this.bed.dir, 'outer');
  readonly machine = join(this.outer, 'machine');
  readonly #namespace = new MountNamespace();

  constructor(readonly kind: Kind) {
    const { bed } = this;
    for (const dir of [this.outer, bed.root]) mkdirSync(dir);
    writeFileSync(join(bed.rootfs, 'whose'), 'container');
    bed.config.root.readonly = false;
    for (const set of ['bounding', 'effective', 'permitted'] as const)
      bed.config.process.capabilities[set]!.push('CAP_SYS_ADMIN', 'CAP_SYS_CHROOT');
  }

  async ready(): Promise<void> {
    await this.#namespace.ready();
    const { bed, machine } = this;
    this.sh(`
      outer='${this.outer}' machine='${machine}'
      mount -t tmpfs outer "$outer"; mkdir "$machine"; ${chroots[this.kind]}
      cd "$machine"
      mkdir -p proc sys dev tmp .${bed.bundle} .${bed.root}
      cp -a '${bed.rootfs}/bin' bin; cp '${runtPath}' runt; echo -n chroot >whose
      mount -t proc proc proc; mount --rbind /sys sys; mount --rbind /dev dev
      mount --bind '${bed.bundle}' .${bed.bundle}; mount --bind '${bed.root}' .${bed.root}`);
  }

  /** Runs a shell script on the host and returns its stdout. */
  sh(script: string): string {
    return this.#namespace.sh(script);
  }

  /** Without the options of the v2 hierarchy, which a mount of it outside a cgroup namespace changes for all. */
  get mounts(): string {
    return this.#namespace.mountinfo.replaceAll(/ - cgroup2 .*/g, '');
  }

  /** Runs a command of runt in the chroot; `by` starts it there. */
  runt(args: readonly string[], by = `chroot '${this.machine}' /runt`): Result {
    return this.bed.runt(args, { program: this.#namespace.program(join(this.bed.dir, 'there'), by) });
  }

  /** Runs a command, requires success, and returns its stdout. */
  out(...args: string[]): string {
    const r = this.runt(args);
    assert.is(r.code, 0, r.stderr);
    return r.stdout;
  }

  run(script: string, ...flags: string[]): string {
    this.bed.config.process.args = ['/bin/sh', '-ec', script];
    this.bed.write();
    return this.out('run', ...flags, '--bundle', this.bed.bundle, this.bed.id);
  }

  /** Starts a container that keeps running. */
  start(...flags: string[]): void {
    this.bed.config.process.args = ['/bin/sleep', '1000'];
    this.bed.write();
    this.out('create', ...flags, '--bundle', this.bed.bundle, this.bed.id);
    this.out('start', this.bed.id);
  }

  exec(script: string): string {
    return this.out('exec', this.bed.id, '/bin/sh', '-ec', script);
  }

  delete(): void {
    this.out('delete', '--force', this.bed.id);
  }

  end(quiet: boolean): void {
    this.#namespace.end();
    this.bed.end(quiet);
  }
}

const onHost = (kind: Kind, body: (host: Host) => void) => onStage(() => new Host(kind), body);

/** Asserts that every way into the container's mount namespace leads to its root, and that nothing else is in it. */
function assertEnclosed(host: Host): void {
  const { pid } = JSON.parse(host.out('state', host.bed.id));
  const entering = (flags: string, command: string) => host.sh(`nsenter -t ${pid} ${flags} ${command}`);
  assert.is(host.exec('cat /whose'), 'container', 'an exec is in the container');
  assert.is(entering('-m', '/bin/cat /whose'), 'container', 'so is who enters the mount namespace');
  assert.is(host.exec('nsenter -t 1 -m /bin/cat /whose'), 'container', 'also from inside');
  assert.is(host.exec('unshare -U /bin/echo made'), 'made\n', 'and to the kernel it is no chroot');
  const mounts = entering('-m -p', '/bin/cat /proc/self/mountinfo');
  assert.is(mounts, readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
  const targets = mounts
    .trim()
    .split('\n')
    .map((line) => parseMount(line).target);
  assert.ok(targets.includes('/'));
  for (const target of targets) assert.match(target, /^\/($|proc|dev|sys|data)/);
}

for (const kind of kinds) {
  for (const flags of [[], ['--no-pivot']]) {
    test(
      `in a chroot that is ${kind}, the container's root is the root of its mount namespace ${flags}`,
      onHost(kind, (host) => {
        const { mounts } = host;
        host.start(...flags);
        assertEnclosed(host);
        host.delete();
        assert.is(host.mounts, mounts, 'the host’s mounts are what they were');
      }),
    );
  }

  test(
    `in a chroot that is ${kind}, sources, the root and hooks use the paths of the chroot`,
    onHost(kind, (host) => {
      const { bed, mounts } = host;
      host.sh(`cd '${host.machine}'; mkdir low up work data data/below; echo -n low >low/file; cp -a '.${bed.rootfs}' own
        mount -t tmpfs below data/below; touch data/below/seen
        printf '#!/bin/sh\\ncat /whose >>/tmp/$1\\n' >hook; chmod 755 hook`);
      const all = host.mounts;
      bed.config.root.path = '/own';
      bed.config.mounts.push(
        { destination: '/data/tree', source: '/data', options: ['rbind'] },
        { destination: '/data/all', source: '/', options: ['rbind', 'ro'] },
        {
          destination: '/data/overlay',
          type: 'overlay',
          source: 'overlay',
          options: ['lowerdir=/low', 'upperdir=/up', 'workdir=/work'],
        },
      );
      const hook = (name: string) => [{ path: '/hook', args: ['hook', name] }];
      bed.config.hooks = { createRuntime: hook('runtime'), createContainer: hook('container'), poststop: hook('stop') };
      const out = host.run(
        'ls /data/tree/below; cat /data/all/whose /data/overlay/file; echo -n up >/data/overlay/new',
      );
      assert.is(out, 'seen\nchrootlow');
      assert.is(host.sh(`cd '${host.machine}'; cat up/new tmp/runtime tmp/container tmp/stop`), 'upchrootchrootchroot');
      assert.is(host.mounts, all);
      assert.is.not(all, mounts);
    }),
  );
}

for (const kind of ['a directory', 'a mount point'] as const) {
  test(
    `in a chroot that is ${kind}, a mount on / becomes the root of the mount namespace, with and without hooks`,
    onHost(kind, (host) => {
      const { bed, mounts } = host;
      host.sh(`cd '${host.machine}'; mkdir up work; cp runt hook`);
      bed.config.mounts.unshift({
        destination: '/',
        type: 'overlay',
        source: 'overlay',
        options: [`lowerdir=${bed.rootfs}`, 'upperdir=/up', 'workdir=/work'],
      });
      const hook = [{ path: '/hook', args: ['hook', 'features'] }];
      for (const hooks of [undefined, { createRuntime: hook }, { createContainer: hook }]) {
        if (hooks) bed.config.hooks = hooks;
        for (const flags of [[], ['--no-pivot']]) {
          assert.is(host.run('nsenter -t 1 -m /bin/cat /whose; echo -n up >/new', ...flags), 'container');
          assert.is(host.sh(`cat '${host.machine}/up/new'`), 'up');
          assert.is(host.mounts, mounts);
        }
      }
    }),
  );
}

/** The propagation of `/`, and which events of a bind mount propagate, with each rootfsPropagation. */
const propagations: readonly [Propagation, string[], string][] = [
  ['shared', ['shared'], 'in out'],
  ['rshared', ['shared'], 'in out'],
  ['slave', ['master'], 'in'],
  ['rslave', ['master'], 'in'],
  ['private', [], 'none'],
  ['rprivate', [], 'none'],
  ['unbindable', ['unbindable'], 'none'],
];
for (const kind of ['a directory of a shared mount', 'a shared mount point'] as const) {
  for (const [name, fields, events] of propagations) {
    test(
      `in a chroot that is ${kind}, rootfsPropagation ${name} applies`,
      onHost(kind, (host) => {
        const { bed, machine } = host;
        host.sh(
          `mkdir '${machine}/v'; mount -t tmpfs v '${machine}/v'; mount --make-shared '${machine}/v'; mkdir '${machine}'/v/in '${machine}'/v/out`,
        );
        const { mounts } = host;
        bed.config.linux.rootfsPropagation = name;
        bed.config.mounts.push({ destination: '/data', source: '/v', options: ['rbind'] });
        host.start();
        assertEnclosed(host);
        const own = parseMount(host.exec('awk \'$5 == "/"\' /proc/self/mountinfo').trim());
        assert.equal(own.facts.propagation, fields);
        const passed: string[] = [];
        host.sh(`mount -t tmpfs in '${machine}/v/in'`);
        if (host.exec('cat /proc/self/mountinfo').includes(' /data/in ')) passed.push('in');
        host.exec('mount -t tmpfs out /data/out');
        if (host.mounts.includes(`${machine}/v/out `)) passed.push('out');
        assert.is(passed.join(' ') || 'none', events);
        host.sh(`umount '${machine}/v/in'; umount '${machine}/v/out' 2>/dev/null || true`);
        host.delete();
        assert.is(host.mounts, mounts);
      }),
    );
  }
}

test(
  'a user namespace is refused with the cause',
  onHost('a mount point', (host) => {
    withUserNamespace(host.bed.config);
    host.bed.write();
    const r = host.runt(['run', '--bundle', host.bed.bundle, host.bed.id]);
    assert.is(r.code, 1);
    assert.match(r.stderr, /EPERM.*at {2}\/linux\/namespaces.*runt runs in a chroot/s);
  }),
);

for (const kind of ['a directory', 'a mount point'] as const) {
  test(
    `a chroot in a user namespace, where the host's mounts are locked, may be ${kind}`,
    onHost(kind, (host) => {
      const { bed, mounts } = host;
      bed.config.linux.resources = {};
      bed.config.mounts = bed.config.mounts.map((mount) => ({
        ...mount,
        ...(mount.options && { options: mount.options.filter((option) => option !== 'gid=5') }),
      }));
      bed.config.process.args = ['/bin/sh', '-ec', 'nsenter --mount=/proc/self/ns/mnt /bin/cat /whose'];
      bed.write();
      for (const flags of [[], ['--no-pivot']]) {
        const r = host.runt(
          ['run', ...flags, '--bundle', bed.bundle, bed.id],
          `unshare -U -r -m chroot '${host.machine}' /runt`,
        );
        assert.is(r.code, 0, r.stderr);
        assert.is(r.stdout, 'container');
      }
      assert.is(host.mounts, mounts);
    }),
  );
}

test(
  'without a procfs in the chroot, runt fails and names it',
  onHost('a directory', (host) => {
    host.sh(`umount '${host.machine}/proc'`);
    host.bed.write();
    const r = host.runt(['run', '--bundle', host.bed.bundle, host.bed.id]);
    assert.is(r.code, 1);
    assert.match(r.stderr, /\/proc\/self\/cgroup.*fix.*mount -t proc.*no procfs/s);
  }),
);

/** Scripts that make a root file system in $machine, which is a tmpfs, and set $root to its path. */
const switches = {
  tmpfs: 'root=$machine',
  overlay: `root=$outer/merged; mkdir "$outer/up" "$outer/work" "$root"
    mount -t overlay -o "lowerdir=$machine,upperdir=$outer/up,workdir=$outer/work" overlay "$root"
    for sub in proc sys dev "$bundle" "$state"; do mount --rbind "$machine/$sub" "$root/$sub"; done`,
};
test(
  'a root covered by two mounts is not a chroot, and a container runs',
  onHost('a mount point', (host) => {
    const { bed, mounts } = host;
    const script = join(bed.dir, 'cover');
    const inside = `mount -t tmpfs over /; mount -t tmpfs over /; exec /runt "$@"`;
    writeFileSync(
      script,
      `set -e; cd '${host.machine}'; mount --move . /; exec chroot . /bin/sh -ec '${inside}' sh "$@"\n`,
    );
    bed.config.process.args = ['/bin/sh', '-ec', 'nsenter -t 1 -m /bin/cat /whose'];
    bed.write();
    for (const flags of [[], ['--no-pivot']]) {
      const r = host.runt(['run', ...flags, '--bundle', bed.bundle, bed.id], `unshare -m sh '${script}'`);
      assert.is(r.code, 0, r.stderr);
      assert.is(r.stdout, 'container');
    }
    assert.is(host.mounts, mounts);
  }),
);

for (const [type, make] of Object.entries(switches)) {
  test(
    `a mount namespace whose root was switched to ${type} is not a chroot, and a container runs`,
    onHost('a mount point', (host) => {
      const { bed, mounts } = host;
      const script = join(bed.dir, 'switch');
      const given = `outer='${host.outer}' machine='${host.machine}' bundle='${bed.bundle}' state='${bed.root}'`;
      writeFileSync(script, `set -e; ${given}\n${make}\ncd "$root"; mount --move . /; exec chroot . /runt "$@"\n`);
      bed.config.process.args = ['/bin/sh', '-ec', 'nsenter -t 1 -m /bin/cat /whose; unshare -U true'];
      bed.write();
      for (const flags of [[], ['--no-pivot']]) {
        const r = host.runt(['run', ...flags, '--bundle', bed.bundle, bed.id], `unshare -m sh '${script}'`);
        assert.is(r.code, 0, r.stderr);
        assert.is(r.stdout, 'container');
        host.sh(`cd '${host.outer}'; rm -rf up work merged`);
      }
      assert.is(host.mounts, mounts);
    }),
  );
}

test.run();
