/**
 * `--no-pivot` unmounts the host's proc and sysfs in the container's mount namespace. The host keeps them, at any path
 * and with any propagation of the container. The host is a mount namespace of the test's own.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import type { Propagation } from '../../src/spec/linux-types.js';
import { Bed, needing } from '../integration/bed/bed.js';
import { withUserNamespace } from '../integration/bed/config.js';
import { MountNamespace, onStage } from '../integration/bed/mount-namespace.js';

const test = needing('mounts of the host under --no-pivot', 'root');

/** A host with shared mounts, in which a chroot below a mount of its own has proc and sysfs, each twice. */
class Host {
  readonly bed = new Bed();
  readonly #machine = join(this.bed.dir, 'machine');
  readonly #namespace = new MountNamespace();

  async ready(): Promise<void> {
    await this.#namespace.ready();
    mkdirSync(this.#machine);
    const twice = (type: string) => `mkdir ${type}; mount -t ${type} ${type} ${type}; mount --bind ${type} ${type}; `;
    this.sh(
      `mount --make-rshared /; mount -t tmpfs one '${this.#machine}'; cd '${this.#machine}'; ${twice('proc')}${twice('sysfs')}`,
    );
  }

  sh(script: string): string {
    return this.#namespace.sh(script);
  }

  get mounts(): string {
    return this.#namespace.mountinfo;
  }

  /** Runs a shell script with `run --no-pivot`, requires success, and returns its stdout. */
  run(script: string): string {
    const program = this.#namespace.program(join(this.bed.dir, 'there'));
    const r = this.bed.sh(script, ['--no-pivot'], { program });
    assert.is(r.code, 0, r.stderr);
    return r.stdout;
  }

  end(quiet: boolean): void {
    this.#namespace.end();
    this.bed.end(quiet);
  }
}

const onHost = (body: (host: Host) => void) => onStage(() => new Host(), body);

test(
  "the test's host loses mounts that a slave of it unmounts below a shared mount",
  onHost((host) => {
    const { mounts } = host;
    const place = join(host.bed.dir, 'machine/proc');
    host.sh(`exec unshare -m --propagation unchanged sh -ec "mount --make-rslave '${place}'; umount '${place}'"`);
    assert.is.not(host.mounts, mounts);
  }),
);

const propagations: readonly (Propagation | undefined)[] = [
  undefined,
  'shared',
  'rshared',
  'slave',
  'rslave',
  'private',
  'rprivate',
  'unbindable',
  'runbindable',
];
for (const rootfsPropagation of propagations) {
  test(
    `the host keeps its proc and sysfs with rootfsPropagation ${rootfsPropagation}`,
    onHost((host) => {
      const { mounts, bed } = host;
      if (rootfsPropagation) bed.config.linux.rootfsPropagation = rootfsPropagation;
      bed.config.mounts.push({ destination: '/host', source: '/', options: ['rbind'] });
      const found = host.run(`ls -d /host/${bed.dir}/machine/proc/1 /host/proc/1; ls / | wc -l`);
      assert.match(found, 'machine/proc/1\n');
      assert.is(host.mounts, mounts);
      host.bed.config.hooks = { createContainer: [{ path: '/bin/true' }] };
      host.run('true');
      assert.is(host.mounts, mounts);
    }),
  );
}

test(
  'a mount on / is moved back over the root after hooks have seen it',
  onHost((host) => {
    const { mounts, bed } = host;
    writeFileSync(join(bed.rootfs, 'whose'), 'container');
    for (const name of ['up', 'work']) mkdirSync(join(bed.bundle, name));
    bed.config.mounts.unshift({
      destination: '/',
      type: 'overlay',
      source: 'overlay',
      options: [`lowerdir=${bed.rootfs}`, 'upperdir=up', 'workdir=work'],
    });
    bed.config.hooks = { createContainer: [{ path: '/bin/true' }] };
    assert.is(host.run('cat /whose'), 'container');
    assert.is(host.mounts, mounts);
  }),
);

for (const rootfsPropagation of ['shared', 'rshared'] as const) {
  test(
    `the host keeps its proc and sysfs in a user namespace with rootfsPropagation ${rootfsPropagation}`,
    onHost((host) => {
      const { mounts, bed } = host;
      bed.config.linux.rootfsPropagation = rootfsPropagation;
      withUserNamespace(bed.config);
      execFileSync('chown', ['-R', '100000:100000', bed.rootfs]);
      host.run('true');
      assert.is(host.mounts, mounts);
    }),
  );
}

test.run();
