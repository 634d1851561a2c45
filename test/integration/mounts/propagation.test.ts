/**
 * Propagation of mount events between host and container, by `linux.rootfsPropagation` and by each mount's options. The
 * host is a mount namespace of the test's own, in which bind sources are shared.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Propagation } from '../../../src/spec/linux-types.js';
import { Bed, needing } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';
import { MountNamespace, onStage } from '../bed/mount-namespace.js';
import { parseMount } from '../bed/probe.js';

const test = needing('propagation', 'root', 'mount', 'unshare', 'nsenter');

/** With so many mounts on the host, the container's mount namespace is a copy of the kernel's own (docs/mounts.md). */
const many = 300;

/**
 * A bed whose commands run in a mount namespace of its own, in which `volume` and `volume/sub` are shared tmpfs mounts.
 * `crowded`: with many other mounts.
 */
class Shared {
  readonly bed = new Bed();
  readonly volume = join(this.bed.dir, 'volume');
  readonly #namespace = new MountNamespace();
  readonly #program = this.#namespace.program(join(this.bed.dir, 'runt-there'));

  constructor(private readonly crowded = false) {
    mkdirSync(this.volume);
    mkdirSync(join(this.bed.rootfs, 'v'));
    this.bed.config.root.readonly = false;
    this.bed.config.process.capabilities.bounding!.push('CAP_SYS_ADMIN');
    this.bed.config.process.capabilities.effective!.push('CAP_SYS_ADMIN');
    this.bed.config.process.capabilities.permitted!.push('CAP_SYS_ADMIN');
  }

  async ready(): Promise<void> {
    await this.#namespace.ready();
    const tmpfs = (path: string) => `mkdir -p '${path}' && mount -t tmpfs t '${path}' && mount --make-shared '${path}'`;
    this.host(
      `${tmpfs(this.volume)} && ${tmpfs(`${this.volume}/sub`)} && cd '${this.volume}' && mkdir h c sub/h sub/c`,
    );
    if (this.crowded) {
      mkdirSync(join(this.bed.dir, 'many'));
      this.host(
        `cd '${this.bed.dir}/many' && mount -t tmpfs many . && cd "$PWD" && for i in $(seq ${many}); do mkdir $i && mount --bind . $i; done`,
      );
    }
  }

  /** Runs a shell script on this host and returns its stdout. */
  host(script: string): string {
    return this.#namespace.sh(script);
  }

  /** Runs a command of runt on this host, requires success, and returns its stdout. */
  runt(...args: string[]): string {
    const r = this.bed.runt(args, { program: this.#program });
    if (r.code !== 0) throw new Error(`${args.join(' ')}: exit ${r.code}: ${r.stderr}`);
    return r.stdout;
  }

  /** Starts the container with the volume on /v. */
  start(rootfsPropagation: Propagation | undefined, options: string[]): void {
    const { bed } = this;
    if (rootfsPropagation) bed.config.linux.rootfsPropagation = rootfsPropagation;
    bed.config.mounts.push({ destination: '/v', source: this.volume, options: ['rbind', ...options] });
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    this.runt('create', '--bundle', bed.bundle, bed.id);
    this.runt('start', bed.id);
  }

  inside(script: string): string {
    return this.runt('exec', this.bed.id, '/bin/sh', '-ec', script);
  }

  /** The direction in which mount events propagate at a path of the volume: `in` from the host, `out` to it. */
  events(place = ''): string {
    const passed: string[] = [];
    this.host(`mount -t tmpfs from-host '${this.volume}${place}/h'`);
    if (this.inside('cat /proc/self/mountinfo').includes(` /v${place}/h `)) passed.push('in');
    this.inside(`mount -t tmpfs from-container /v${place}/c`);
    if (this.host('cat /proc/self/mountinfo').includes(`${this.volume}${place}/c `)) passed.push('out');
    return passed.join(' ') || 'none';
  }

  /** Propagation fields of mountinfo for a mount of the container. */
  fields(target: string): string[] {
    const lines = this.inside('cat /proc/self/mountinfo').trim().split('\n').map(parseMount);
    return lines.filter((m) => m.target === target).at(-1)!.facts.propagation as string[];
  }

  end(quiet: boolean): void {
    this.bed.runt(['delete', '--force', this.bed.id]);
    this.#namespace.end();
    this.bed.end(quiet);
  }
}

/** Runs the body on both kinds of hosts: events do not depend on how many mounts there are. */
const onShared = (body: (shared: Shared) => void) => async () => {
  await onStage(() => new Shared(), body)();
  await onStage(() => new Shared(true), body)();
};

for (const [value, events, root] of [
  [undefined, 'in', []],
  ['slave', 'in', []],
  ['rslave', 'in', []],
  ['shared', 'in out', ['shared']],
  ['rshared', 'in out', ['shared']],
  ['private', 'none', []],
  ['rprivate', 'none', []],
  ['unbindable', 'none', ['unbindable']],
  ['runbindable', 'none', ['unbindable']],
] as const) {
  test(
    `with rootfsPropagation ${value ?? 'not set'}, mount events of a bind mount propagate: ${events}`,
    onShared((s) => {
      s.start(value, []);
      assert.is(s.events(), events);
      assert.is(s.events('/sub'), events);
      assert.equal(s.fields('/'), root);
      // A recursive value applies to the mounts in the container too.
      const deep = value?.startsWith('r') ? [...root] : [];
      assert.equal(s.fields('/proc'), deep);
    }),
  );
}

for (const userNamespace of [false, true]) {
  for (const [value, fields, into] of [
    [undefined, ['master'], true],
    ['slave', ['master'], true],
    ['rslave', ['master'], true],
    ['private', [], false],
  ] as const) {
    test(
      `with ${value ?? 'no rootfsPropagation'}${userNamespace ? ' in a user namespace' : ''}, the root of a shared mount ${into ? 'gets' : 'does not get'} the host's mounts`,
      onShared((s) => {
        const { rootfs } = s.bed;
        if (userNamespace) withUserNamespace(s.bed.config);
        s.host(`mkdir '${rootfs}/later' && mount --bind '${rootfs}' '${rootfs}' && mount --make-shared '${rootfs}'`);
        s.start(value, []);
        assert.equal(s.fields('/'), fields);
        s.host(`mount -t tmpfs from-host '${rootfs}/later'`);
        assert.is(s.inside('cat /proc/self/mountinfo').includes(' /later '), into);
        s.inside('test -d /proc/1');
        assert.not(s.host('cat /proc/self/mountinfo').includes(`${rootfs}/proc `));
      }),
    );
  }
}

for (const userNamespace of [false, true]) {
  test(
    `with private${userNamespace ? ' in a user namespace' : ''}, a mount in the root file system gets no mounts of the host`,
    onShared((s) => {
      const below = join(s.bed.rootfs, 'below');
      if (userNamespace) withUserNamespace(s.bed.config);
      s.host(
        `mkdir '${below}' && mount -t tmpfs below '${below}' && mount --make-shared '${below}' && mkdir '${below}/h'`,
      );
      s.start('private', []);
      assert.equal(s.fields('/below'), []);
      s.host(`mount -t tmpfs from-host '${below}/h'`);
      assert.not(s.inside('cat /proc/self/mountinfo').includes(' /below/h '));
    }),
  );
}

for (const [options, top, sub, fields] of [
  [['shared'], 'in out', 'in out', ['shared']],
  [['slave'], 'in', 'in out', ['master']],
  [['rslave'], 'in', 'in', ['master']],
  [['private'], 'none', 'in out', []],
  [['rprivate'], 'none', 'none', []],
  [['unbindable'], 'none', 'in out', ['unbindable']],
  [['runbindable'], 'none', 'none', ['unbindable']],
  [['rslave', 'rshared'], 'in', 'in', ['master', 'shared']],
] as const) {
  test(
    `with rshared and ${options} on the mount, its mount events propagate: ${top}, and those below: ${sub}`,
    onShared((s) => {
      s.start('rshared', [...options]);
      assert.is(s.events(), top);
      assert.is(s.events('/sub'), sub);
      assert.equal([...s.fields('/v')].sort(), [...fields].sort());
    }),
  );
}

test(
  "a mount's own propagation overrides rslave",
  onShared((s) => {
    s.bed.config.mounts.push({ destination: '/w', type: 'tmpfs', source: 'w', options: ['shared'] });
    s.start('rslave', ['rshared']);
    assert.equal(s.fields('/v').sort(), ['master', 'shared']);
    assert.equal(s.fields('/w'), ['shared']);
    assert.is(s.events(), 'in');
  }),
);

for (const userNamespace of [false, true]) {
  test(
    `a shared slave inside ${userNamespace ? 'a user namespace' : 'the container'} receives the host's mount events only`,
    onShared((s) => {
      if (userNamespace) {
        withUserNamespace(s.bed.config);
        execFileSync('chown', ['-R', '100000:100000', s.bed.rootfs]);
        s.host(`chmod -R 0777 '${s.volume}'`);
      }
      s.start(undefined, ['rshared']);
      assert.equal(s.fields('/v').sort(), ['master', 'shared']);
      assert.is(s.events(), 'in');
      assert.is(s.events('/sub'), 'in');
    }),
  );
}

test(
  'in a user namespace, no mount event reaches the host, with any options',
  onShared((s) => {
    withUserNamespace(s.bed.config);
    execFileSync('chown', ['-R', '100000:100000', s.bed.rootfs]);
    s.host(`chmod -R 0777 '${s.volume}'`);
    s.start('rshared', ['rshared']);
    assert.is(s.events(), 'in');
    assert.is(s.events('/sub'), 'in');
  }),
);

test(
  "the container's own mounts never reach the host, and the host's mounts do not change",
  onShared((s) => {
    s.host(`mount --bind '${s.bed.rootfs}' '${s.bed.rootfs}' && mount --make-shared '${s.bed.rootfs}'`);
    const before = s.host('cat /proc/self/mountinfo');
    s.start('rshared', []);
    assert.is(s.host('cat /proc/self/mountinfo'), before);
    s.runt('delete', '--force', s.bed.id);
    assert.is(s.host('cat /proc/self/mountinfo'), before);
  }),
);

test(
  'the error names a readonlyPath on an unbindable mount',
  onShared((s) => {
    s.bed.config.mounts[0]!.options = ['unbindable'];
    const r = s.bed.run();
    assert.is(r.code, 1);
    assert.match(r.stderr, /give the mount of \/proc\/bus another propagation/);
  }),
);

test.run();
