/** A host whose /run is noexec or read-only: a container goes through its whole life, or the error says what to do. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { Bed, needing, ok, type Result } from '../integration/bed/bed.js';
import { MountNamespace, onStage } from '../integration/bed/mount-namespace.js';
import { runtPath } from '../integration/bed/place.js';
import { filtered, mountApi } from '../native/init/perform.js';

const test = needing('restricted /run', 'root', 'programs', 'mount', 'unshare', 'nsenter', 'cgroups', 'freezer');

/** A host of the test's own, whose /run is a directory of the bed, mounted with options. */
class Host {
  readonly bed = new Bed();
  readonly #namespace = new MountNamespace();

  constructor(readonly options: string) {}

  async ready(): Promise<void> {
    await this.#namespace.ready();
    const run = join(this.bed.dir, 'run');
    mkdirSync(run, { mode: 0o755 });
    this.#namespace.sh(`mount --bind '${run}' /run; mount -o remount,bind,${this.options} /run`);
  }

  /** Runs a command with the default state root, below /run. */
  runt(args: readonly string[], program = runtPath): Result {
    const path = join(this.bed.dir, `program-${program.length}`);
    // The bed's `--root` is left out.
    const script = `sh -c 'shift 2; exec "$0" "$@"' '${program}'`;
    return this.bed.runt(args, { program: this.#namespace.program(path, script) });
  }

  /** A script that runs runt there. */
  program(path: string): string {
    return this.#namespace.program(path);
  }

  /** A container's whole life. */
  lives(program?: string): void {
    const { bed } = this;
    const run = (...args: string[]): string => ok(this.runt(args, program)).stdout;
    bed.config.process.args = ['/bin/sh', '-c', 'echo inside'];
    bed.write();
    assert.is(run('run', '--bundle', bed.bundle, bed.id), 'inside\n');
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    run('create', '--bundle', bed.bundle, '--supervise', bed.id);
    run('start', bed.id);
    assert.is(run('exec', bed.id, '/bin/echo', 'joined'), 'joined\n');
    run('pause', bed.id);
    run('resume', bed.id);
    run('kill', '--wait', bed.id, 'KILL');
    run('delete', bed.id);
    assert.is(run('list', '-q'), '');
  }

  end(quiet: boolean): void {
    this.#namespace.end();
    rmSync(join(this.bed.dir, 'run'), { recursive: true, force: true });
    this.bed.end(quiet);
  }
}

test(
  'with a noexec /run a container goes through its whole life',
  onStage(
    () => new Host('noexec,nosuid,nodev'),
    (host) => host.lives(),
  ),
);

test(
  'with a noexec /run and without memfd_create and the mount API, too',
  onStage(
    () => new Host('noexec,nosuid,nodev'),
    (host) =>
      host.lives(
        filtered(
          host.bed.dir,
          ['memfd_create', ...mountApi].map((call) => `${call}=38`),
        ),
      ),
  ),
);

test(
  'with a read-only /run the default state root is refused with its path and the remedy, and another one serves',
  onStage(
    () => new Host('ro'),
    (host) => {
      const { bed } = host;
      bed.config.process.args = ['/bin/true'];
      bed.write();
      for (const command of ['create', 'run']) {
        const r = host.runt([command, '--bundle', bed.bundle, bed.id]);
        assert.is(r.code, 1);
        assert.match(r.stderr, '/run/runt');
        assert.match(r.stderr, /read-only file system|EROFS/);
        assert.match(r.stderr, '--root');
      }
      const script = join(bed.dir, 'with-root');
      ok(bed.runt(['run', '--bundle', bed.bundle, bed.id], { program: host.program(script) }));
    },
  ),
);

test.run();
