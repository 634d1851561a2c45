/**
 * A host with many mounts, where the container's mount namespace is a copy of the kernel's own with one mount: inside,
 * all is as on a host with few mounts, and the host notices nothing. Propagation is in propagation.test.ts.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Bed, needing, ok } from '../bed/bed.js';
import { MountNamespace, onStage } from '../bed/mount-namespace.js';
import { runtPath } from '../bed/place.js';

const test = needing('crowded-host', 'root', 'mount', 'unshare', 'nsenter', 'setpriv', 'prlimit', 'kdevtmpfs');

/** A bed whose commands run on a host of its own; `crowd` adds the mounts. */
class Host {
  readonly bed = new Bed();
  readonly #namespace = new MountNamespace();
  readonly program = this.#namespace.program(join(this.bed.dir, 'runt-there'));
  /** The same without the right to enter a mount namespace, with few descriptors, and without the right to mknod. */
  readonly restricted = this.#by('setpriv', '--bounding-set=-sys_chroot');
  readonly limited = this.#by('prlimit', '--nofile=64:1024');
  readonly withoutNodes = this.#by('setpriv', '--bounding-set=-mknod');

  #by(program: string, flag: string): string {
    return this.#namespace.program(join(this.bed.dir, `runt${flag}`), `${program} ${flag} '${runtPath}'`);
  }

  async ready(): Promise<void> {
    await this.#namespace.ready();
    mkdirSync(join(this.bed.dir, 'many'));
    mkdirSync(join(this.bed.dir, 'volume'));
    this.sh(
      `cd '${this.bed.dir}/volume' && mount -t tmpfs volume . && cd "$PWD" && mkdir sub && mount -t tmpfs below sub && echo x >file`,
    );
  }

  crowd(): void {
    this.sh(
      `cd '${this.bed.dir}/many' && mount -t tmpfs many . && cd "$PWD" && for i in $(seq 300); do mkdir $i && mount --bind . $i; done`,
    );
  }

  get mountinfo(): string {
    return this.#namespace.mountinfo;
  }

  sh(script: string): string {
    return this.#namespace.sh(script);
  }

  runt(...args: string[]) {
    return this.bed.runt(args, { program: this.program });
  }

  /** Runs the container, and returns what it writes. */
  run(program = this.program): string {
    this.bed.write();
    return ok(this.bed.runt(['run', '--bundle', this.bed.bundle, this.bed.id], { program })).stdout;
  }

  /** The words of `explain` that name the copy. */
  get copies(): boolean {
    this.bed.write();
    return ok(this.runt('explain', this.bed.bundle)).stdout.includes('copy of that of kdevtmpfs');
  }

  end(quiet: boolean): void {
    this.#namespace.end();
    this.bed.end(quiet);
  }
}

const onHost = (body: (host: Host) => void) => onStage(() => new Host(), body);

/** The lines of mountinfo without numbers; the order is that in which the mounts were made. */
const mounts = (mountinfo: string): string[] =>
  mountinfo
    .trim()
    .split('\n')
    .map((line) => line.replace(/^\d+ \d+ \d+:\d+ /, '').replace(/(shared|master):\d+/g, '$1'))
    .sort();

const look = 'cat /proc/self/mountinfo; ls -la /v /v/sub /dev /proc/1/root | sed "s/ *[A-Z][a-z][a-z] .*:[0-9]* / /"';

const variants: Record<string, (bed: Bed) => void> = {
  'a plain container': () => {},
  'a writable root and a cgroup namespace': ({ config }) => {
    config.root.readonly = false;
    config.linux.namespaces.push({ type: 'cgroup' });
  },
  'private propagation': ({ config }) => {
    config.linux.rootfsPropagation = 'private';
  },
  'recursive read-only binds': ({ config }) => {
    config.mounts.at(-1)!.options = ['rbind', 'rro', 'nosuid'];
  },
  'an idmapped bind': ({ config }) => {
    const ids = [{ containerID: 0, hostID: 1000, size: 10 }];
    config.mounts.push({
      destination: '/m',
      source: '/etc',
      options: ['bind', 'ro'],
      uidMappings: ids,
      gidMappings: ids,
    });
  },
};

for (const [name, change] of Object.entries(variants)) {
  test(
    `${name} is the same inside on hosts with few and many mounts, and the host's mounts do not change`,
    onHost((host) => {
      const { bed } = host;
      bed.config.mounts.push({ destination: '/v', source: join(bed.dir, 'volume'), options: ['rbind'] });
      bed.config.process.args = ['/bin/sh', '-c', look];
      change(bed);
      assert.not.ok(host.copies);
      const few = host.run();
      host.crowd();
      assert.ok(host.copies);
      const before = host.mountinfo;
      assert.equal(mounts(host.run()), mounts(few));
      assert.is(host.mountinfo, before);
    }),
  );
}

test(
  'an exec enters the root of the container, and a supervised container has it too',
  onHost((host) => {
    const { bed } = host;
    host.crowd();
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    for (const flags of [[], ['--supervise']]) {
      ok(host.runt('create', ...flags, '--bundle', bed.bundle, bed.id));
      ok(host.runt('start', bed.id));
      const inside = ok(
        host.runt('exec', bed.id, '/bin/sh', '-c', 'ls /; grep -c many /proc/self/mountinfo || :'),
      ).stdout;
      assert.match(inside, /^bin\n/);
      assert.match(inside, /\n0\n$/);
      const pid = String(JSON.parse(ok(host.runt('state', bed.id)).stdout).pid);
      assert.match(host.sh(`nsenter -t ${pid} -m /bin/busybox ls /`), /^bin\n/);
      ok(host.runt('delete', '--force', bed.id));
    }
  }),
);

test(
  'where setns(2) is refused, the mount namespace is a copy of that of the host',
  onHost((host) => {
    const { bed } = host;
    bed.config.process.args = ['/bin/cat', '/proc/self/mountinfo'];
    const few = host.run();
    host.crowd();
    assert.equal(mounts(host.run(host.restricted)), mounts(few));
  }),
);

test(
  'with few open files allowed, and without CAP_MKNOD, it is one too',
  onHost((host) => {
    const { bed } = host;
    host.crowd();
    for (let i = 0; i < 100; i++)
      bed.config.mounts.push({ destination: `/m/${i}`, source: '/etc', options: ['bind', 'ro'] });
    bed.config.process.args = ['/bin/sh', '-c', 'grep -c " /m/" /proc/self/mountinfo; ls -l /dev/null'];
    bed.config.process.rlimits = [];
    bed.config.root.readonly = false;
    assert.match(host.run(host.limited), /^100\ncrw.* 1,\s+3 .*null\n$/s);
    assert.match(host.run(host.withoutNodes), /^100\ncrw.* 1,\s+3 .*null\n$/s);
  }),
);

test(
  'hooks see the mounts of the host',
  onHost((host) => {
    const { bed } = host;
    host.crowd();
    const path = join(bed.dir, 'volume/hook');
    host.sh(`printf '#!/bin/sh\\nls ${bed.dir}/volume >${bed.dir}/seen\\n' >${path} && chmod 755 ${path}`);
    bed.config.hooks = { createContainer: [{ path }] };
    bed.config.process.args = ['/bin/true'];
    assert.not.ok(host.copies);
    host.run();
    assert.match(host.sh(`cat ${bed.dir}/seen`), /file/);
  }),
);

test(
  'a missing source is the same error',
  onHost((host) => {
    const { bed } = host;
    bed.config.mounts.push({ destination: '/d', source: join(bed.dir, 'none'), options: ['bind'] });
    bed.write();
    const run = () => host.runt('run', '--bundle', bed.bundle, bed.id).stderr;
    const few = run();
    assert.match(few, /: open the bind source \S+\/none: ENOENT/);
    host.crowd();
    assert.is(run(), few);
  }),
);

test.run();
