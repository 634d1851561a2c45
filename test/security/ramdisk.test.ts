/**
 * runt on the root of an initramfs, which pivot_root(2) refuses to replace. Every mount namespace has that file system
 * (rootfs) below its root: the host is a mount namespace of the test's own in which no mount covers it.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Bed, eventually, needing, type Result } from '../integration/bed/bed.js';
import { withUserNamespace } from '../integration/bed/config.js';
import { MountNamespace, onStage } from '../integration/bed/mount-namespace.js';
import { programs, runtPath } from '../integration/bed/place.js';
import { parseMount } from '../integration/bed/probe.js';

const test = needing('the root of an initramfs', 'root', 'mount', 'unshare', 'nsenter', 'programs', 'ramdisk');

const ramdisk = join(programs, 'ramdisk');

/** The roots of runt on the ramdisk: the program that enters each, and the directory that becomes its root. */
const roots = {
  'on a ramdisk': { by: '', root: '' },
  'in a chroot on a ramdisk that is a mount point': { by: '/root/bin/chroot /root', root: '/root' },
  'in a chroot on a ramdisk that is a directory': { by: '/root/bin/chroot /root/plain', root: '/root/plain' },
} as const;
type Kind = keyof typeof roots;
const kinds = Object.keys(roots) as Kind[];

/** A host whose root is a ramdisk: programs, the bundle and the state root are in /root, or in the chroot. */
class Host {
  readonly bed = new Bed();
  /** The path of /root or of the chroot for runt, and the same directory's path on the ramdisk. */
  readonly #top: string;
  readonly dir: string;
  readonly #by: string;
  readonly #tree = join(this.bed.dir, 'tree');
  readonly #namespace = new MountNamespace();
  #keeper: ChildProcess | undefined;

  constructor(kind: Kind) {
    const { by, root } = roots[kind];
    this.#by = by;
    this.#top = root ? '' : '/root';
    this.dir = root || '/root';
    const { bed } = this;
    for (const dir of [this.#tree, bed.root]) mkdirSync(dir);
    bed.config.root = { path: `${this.#top}/rootfs` };
    for (const set of ['bounding', 'effective', 'permitted'] as const)
      bed.config.process.capabilities[set]!.push('CAP_SYS_ADMIN', 'CAP_SYS_CHROOT');
  }

  async ready(): Promise<void> {
    await this.#namespace.ready();
    const { bed } = this;
    this.#namespace.sh(`
      mount -t tmpfs tree '${this.#tree}'; cd '${this.#tree}'
      mkdir plain; cp -a '${bed.rootfs}/bin' bin
      for dir in . plain; do
        mkdir $dir/proc $dir/sys $dir/dev $dir/tmp $dir/bundle $dir/state
        cp '${runtPath}' $dir/runt; cp -a '${bed.rootfs}' $dir/rootfs; echo -n container >$dir/rootfs/whose
        mount --rbind /sys $dir/sys; mount --rbind /dev $dir/dev; mount --bind '${bed.root}' $dir/state
      done`);
    const apart = `unshare -m --propagation private '${ramdisk}'`;
    const keeper = this.#namespace.program(join(bed.dir, 'keep'), apart);
    const args = ['host', this.#tree, '/root/bin/sleep', '1000'];
    this.#keeper = spawn(keeper, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    const { pid } = this.#keeper;
    await eventually('the ramdisk', () => {
      assert.is(this.#keeper!.exitCode, null);
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith('/root/bin/sleep');
    });
    this.sh('for dir in plain .; do mount -t proc proc /root/$dir/proc; done');
  }

  get #entering(): string[] {
    return ['-t', String(this.#keeper!.pid), '-m'];
  }

  /** Runs a shell script on the ramdisk and returns its stdout. */
  sh(script: string): string {
    const args = [...this.#entering, '/root/bin/sh', '-ec', script];
    const r = spawnSync('nsenter', args, { encoding: 'utf8', env: { PATH: `/root/bin:${process.env.PATH}` } });
    assert.is(r.status, 0, r.stderr);
    return r.stdout;
  }

  /** Without the options of the v2 hierarchy, which a mount of it outside a cgroup namespace changes for all. */
  get mounts(): string {
    return readFileSync(`/proc/${this.#keeper!.pid}/mountinfo`, 'utf8').replaceAll(/ - cgroup2 .*/g, '');
  }

  /** Runs a command of runt there, for the bed's container. */
  runt(command: string, flags: readonly string[] = [], ...args: string[]): Result {
    const bundle = command === 'run' || command === 'create' ? ['--bundle', `${this.#top}/bundle`] : [];
    if (bundle.length > 0)
      this.sh(`cat >'${this.dir}/bundle/config.json' <<'END'\n${JSON.stringify(this.bed.config)}\nEND\n`);
    const script = join(this.bed.dir, 'there');
    // Its state root, without the path that it has on this host.
    const there = `${this.#by} ${this.#top}/runt --root ${this.#top}/state`;
    writeFileSync(script, `#!/bin/sh\nshift 2\nexec nsenter ${this.#entering.join(' ')} ${there} "$@"\n`, {
      mode: 0o755,
    });
    return this.bed.runt([command, ...flags, ...bundle, this.bed.id, ...args], { program: script });
  }

  /** Runs a command, requires success, and returns its stdout. */
  out(command: string, flags: readonly string[] = [], ...args: string[]): string {
    const r = this.runt(command, flags, ...args);
    assert.is(r.code, 0, r.stderr);
    return r.stdout;
  }

  exec(script: string): string {
    return this.out('exec', [], '/bin/sh', '-ec', script);
  }

  /** Runs a shell script with `run`. */
  run(script: string, ...flags: string[]): string {
    this.bed.config.process.args = ['/bin/sh', '-ec', script];
    return this.out('run', flags);
  }

  /** Starts a container that keeps running; returns its pid. */
  start(...flags: string[]): number {
    this.bed.config.process.args = ['/bin/sleep', '1000'];
    this.out('create', flags);
    this.out('start');
    return JSON.parse(this.out('state')).pid;
  }

  end(quiet: boolean): void {
    this.#keeper?.kill('SIGKILL');
    this.#namespace.end();
    this.bed.end(quiet);
  }
}

const onHost = (kind: Kind, body: (host: Host) => void) => onStage(() => new Host(kind), body);

/** The output of `ramdisk below`: the mounts below the container's root, without the root itself. */
function below(pid: number): string[] {
  const r = spawnSync(ramdisk, ['below', String(pid)], { encoding: 'utf8' });
  assert.is(r.status, 0, r.stderr);
  return r.stdout
    .trim()
    .split('\n')
    .map((line) => parseMount(line).facts.type as string);
}

for (const kind of kinds) {
  for (const flags of [[], ['--no-pivot']]) {
    test(
      `${kind}, the container's root is the root of its mount namespace ${flags}`,
      onHost(kind, (host) => {
        const { mounts } = host;
        const pid = host.start(...flags);
        const entering = (...args: string[]) =>
          spawnSync('nsenter', ['-t', String(pid), ...args], { encoding: 'utf8' }).stdout;
        assert.is(host.exec('cat /whose'), 'container', 'an exec is in the container');
        assert.is(entering('-m', '/bin/cat', '/whose'), 'container', 'so is who enters the mount namespace');
        assert.is(host.exec('nsenter -t 1 -m /bin/cat /whose'), 'container', 'also from inside');
        assert.is(host.exec('unshare -U /bin/echo made'), 'made\n', 'and to the kernel it is no chroot');
        const inside = entering('-m', '-p', '/bin/cat', '/proc/self/mountinfo');
        assert.is(inside, readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
        for (const line of inside.trim().split('\n')) assert.match(parseMount(line).target, /^\/($|proc|dev|sys)/);
        assert.equal(below(pid), ['rootfs'], 'of the host nothing is left but the ramdisk itself');
        host.out('delete', ['--force']);
        assert.is(host.mounts, mounts, 'the host’s mounts are what they were');
      }),
    );
  }

  test(
    `${kind}, hooks, sources and a mount on / use the paths of runt's root`,
    onHost(kind, (host) => {
      const { bed } = host;
      const top = roots[kind].root ? '' : '/root';
      host.sh(`cd ${host.dir}; mkdir data up work; echo -n data >data/file; cp runt hook`);
      bed.config.mounts.unshift({
        destination: '/',
        type: 'overlay',
        source: 'overlay',
        options: [`lowerdir=${top}/rootfs`, `upperdir=${top}/up`, `workdir=${top}/work`],
      });
      bed.config.mounts.push({ destination: '/data', source: `${top}/data`, options: ['rbind'] });
      const hook = [{ path: `${top}/hook`, args: ['hook', 'features'] }];
      for (const hooks of [undefined, { createRuntime: hook }, { createContainer: hook }]) {
        if (hooks) bed.config.hooks = hooks;
        const { mounts } = host;
        const out = host.run('cat /whose /data/file; nsenter -t 1 -m /bin/cat /whose; echo -n up >/new');
        assert.is(out, 'containerdatacontainer');
        assert.is(host.sh(`cat ${host.dir}/up/new`), 'up');
        assert.is(host.mounts, mounts);
      }
    }),
  );
}

for (const [name, propagation] of [
  ['shared', ['shared']],
  ['rshared', ['shared']],
  ['slave', ['master']],
  ['private', []],
  ['unbindable', ['unbindable']],
] as const) {
  test(
    `on a ramdisk with shared mounts, rootfsPropagation ${name} applies`,
    onHost('on a ramdisk', (host) => {
      const { bed } = host;
      host.sh('mount --make-rshared /');
      const { mounts } = host;
      bed.config.linux.rootfsPropagation = name;
      const pid = host.start();
      const own = parseMount(host.exec(`awk '$5 == "/"' /proc/self/mountinfo`).trim());
      assert.equal(own.facts.propagation, propagation);
      assert.equal(below(pid), ['rootfs']);
      host.out('delete', ['--force']);
      assert.is(host.mounts, mounts);
    }),
  );
}

test(
  'on a ramdisk, a user namespace is refused with the cause, and runs with --no-pivot',
  onHost('on a ramdisk', (host) => {
    withUserNamespace(host.bed.config);
    host.sh('chown -R 100000:100000 /root/rootfs');
    const { mounts } = host;
    const r = host.runt('run');
    assert.is(r.code, 1);
    assert.match(r.stderr, /EPERM.*remove "user" from linux\.namespaces.*ramdisk/s);
    assert.is(host.run('cat /whose', '--no-pivot'), 'container');
    assert.is(host.mounts, mounts);
  }),
);

test.run();
