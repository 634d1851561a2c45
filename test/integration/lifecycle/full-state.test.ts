/** A state directory that is full when a process ends: how it ended is known all the same. */
import * as assert from 'uvu/assert';
import { type Bed, type CommandOptions, eventually, needing, onBed, type Result } from '../bed/bed.js';
import { MountNamespace } from '../bed/mount-namespace.js';
import { runtPath } from '../bed/place.js';

const test = needing('full state directory', 'root', 'unshare', 'nsenter');

/** Ways to fill a tmpfs at /state; the last command fails. */
const fills = {
  bytes: 'dd if=/dev/zero of=/state/junk bs=4k 2>/dev/null',
  inodes: 'touch $(seq -f /state/junk%g 100) 2>/dev/null',
} as const;

/** A small tmpfs for the state, in a mount namespace of its own. */
class SmallState {
  readonly #namespace = new MountNamespace();
  #program = '';

  constructor(readonly bed: Bed) {}

  async ready(): Promise<void> {
    await this.#namespace.ready();
    const { dir } = this.bed;
    // Below the bed, so that its sweep finds the processes.
    this.#namespace.sh(`mkdir ${dir}/small; mount -t tmpfs -o mode=0700,size=512k,nr_inodes=64 none ${dir}/small`);
    this.#program = this.#namespace.program(`${dir}/runt`, `'${runtPath}'`);
  }

  get root(): string {
    return `${this.bed.dir}/small`;
  }

  sh(script: string): string {
    return this.#namespace.sh(script.replaceAll('/state/', `${this.root}/`));
  }

  fill(how: keyof typeof fills): void {
    this.sh(`set +e; ${fills[how]}; true`);
    assert.throws(() => this.sh('(echo full >/state/more) 2>/dev/null'));
  }

  drain(): void {
    this.sh('rm -f /state/junk* /state/more');
  }

  runt(args: readonly string[], o: CommandOptions = {}): Result {
    return this.bed.runt(['--root', this.root, ...args], { ...o, program: this.#program });
  }

  spawn(args: readonly string[]) {
    return this.bed.spawn(['--root', this.root, ...args], { program: this.#program });
  }

  end(): void {
    this.runt(['delete', '--force', this.bed.id]);
    this.#namespace.end();
  }
}

function onSmall(body: (state: SmallState) => Promise<void>): () => Promise<void> {
  return onBed(async (bed) => {
    const state = new SmallState(bed);
    try {
      await state.ready();
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.write();
      await body(state);
    } finally {
      state.end();
    }
  });
}

const limit = ['--timeout', '1.5s', '--stop-timeout', '0s'];

for (const how of ['bytes', 'inodes'] as const) {
  for (const flags of [['--die-with-parent'], ['--supervise', '--keep'], ['--supervise', '--summary']]) {
    test(
      `without free ${how}, run ${flags.join(' ')} reports its time limit`,
      onSmall(async (state) => {
        const { bed } = state;
        const run = state.spawn(['run', ...flags, ...limit, '--bundle', bed.bundle, bed.id]);
        await eventually('it runs', () => state.runt(['state', bed.id]).stdout.includes('"running"'));
        state.fill(how);
        const r = await run.exit;
        assert.is(r.code, 124, r.stderr);
        assert.match(r.stderr, /it ran for longer than 1.5 s, and was ended\n$/);
        if (!flags.includes('--keep')) return;
        assert.match(r.stderr, new RegExp(`^(warning: )?.*run ${bed.id}: write the exit record: ENOSPC`));
        assert.is(JSON.parse(state.runt(['wait', '--format', 'json', bed.id]).stdout).reason, 'timeout');
      }),
    );
  }

  test(
    `without free ${how}, the ends of a detached container and of its exec are recorded; another exec is refused`,
    onSmall(async (state) => {
      const { bed } = state;
      const streams = ['--stdin', 'null', '--stdout', 'null', '--stderr', 'null'];
      const run = state.runt(['run', '--detach', '--supervise', ...streams, '--bundle', bed.bundle, bed.id]);
      assert.equal([run.code, run.stderr], [0, '']);
      const pidFile = `${bed.dir}/pid`;
      const sleep = ['--pid-file', pidFile, bed.id, '/bin/sleep', '1000'];
      const exec = state.runt(['exec', '--detach', ...limit, ...streams, ...sleep]);
      assert.equal([exec.code, exec.stderr], [0, '']);
      state.fill(how);
      const refused = state.runt(['exec', '--detach', ...streams, bed.id, '/bin/sleep', '1000']);
      assert.is(refused.code, 255);
      assert.match(refused.stderr, /ENOSPC/);
      const pid = state.sh(`cat ${pidFile}`);
      const { reason, ...end } = JSON.parse(state.runt(['wait', '--format', 'json', '--pid', pid, bed.id]).stdout);
      assert.equal([end.pid, reason], [Number(pid), 'timeout']);
      assert.is(state.runt(['kill', bed.id, 'KILL']).code, 0);
      const init = JSON.parse(state.runt(['wait', '--format', 'json', bed.id]).stdout);
      assert.equal([init.status, init.reason], [137, 'killed']);
      // Nothing of the refused exec is left.
      state.drain();
      assert.not.match(state.sh(`ls /state/${bed.id}`), /exec-|\.tmp/);
    }),
  );
}

test.run();
