/**
 * A supervisor that ends before its container exists: `create --supervise` names the failed step at once, and leaves
 * nothing.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { task } from '../../src/shim/transport/protos.js';
import { COMMAND_LIMIT, DEADLINE } from '../deadline.js';
import { type Bed, needing, onBed } from '../integration/bed/bed.js';
import { mounting } from '../integration/bed/mount-namespace.js';
import { programs, top } from '../integration/bed/place.js';
import { onEngine, refused } from '../integration/bed/shim-engine.js';

const filter = join(programs, 'filter');
const test = needing('supervisor that ends', 'root', 'unshare', 'programs');
const shim = needing('supervisor of a shim that ends', 'root', 'programs', 'cgroups');

const args = (bed: Bed): string[] => ['create', '--supervise', '--bundle', bed.bundle, bed.id];

const causes: readonly { name: string; wrapped: readonly string[]; says: RegExp }[] = [
  {
    name: 'signalfd is refused',
    wrapped: [filter, 'signalfd4=24', '--'],
    says: /start the supervisor: signalfd SIGCHLD: EMFILE/,
  },
  { name: 'setsid is refused', wrapped: [filter, 'setsid=1', '--'], says: /start the supervisor: setsid: EPERM/ },
  {
    name: 'there is no /dev/null',
    wrapped: mounting('mount -t tmpfs none /dev'),
    says: /start the supervisor: open \/dev\/null: ENOENT/,
  },
  {
    name: 'the supervisor cannot report',
    wrapped: [filter, 'sendto@3&4000=12', '--'],
    says: /ENOMEM|exited with status 1/,
  },
  {
    name: 'the supervisor is killed',
    wrapped: [filter, 'setsid=kill', '--'],
    says: /start the supervisor: it was killed by signal 31/,
  },
];

for (const { name, wrapped, says } of causes) {
  test(
    `create names the failed step and errno when ${name}`,
    onBed((bed) => {
      bed.write();
      const r = bed.runt(args(bed), { wrapped });
      assert.is(r.code, 1, r.stderr);
      assert.match(r.stderr, says);
      assert.not.ok(existsSync(join(bed.root, bed.id)), 'a state directory is left');
    }),
  );
}

test(
  'the library rejects with the failed step',
  onBed((bed) => {
    bed.write();
    const script = `
      const { Runtime } = await import(process.argv[1]);
      const error = await new Runtime({ root: process.argv[2] }).create(process.argv[3], process.argv[4]).catch((e) => e);
      console.log(error.code, error.message);`;
    const command = [process.execPath, '--input-type=module', '-e', script, join(top, 'dist/index.js'), bed.root];
    const r = spawnSync(filter, ['signalfd4=24', '--', ...command, bed.id, bed.bundle], {
      encoding: 'utf8',
      timeout: COMMAND_LIMIT,
      env: { PATH: process.env.PATH },
    });
    assert.match(r.stdout, /^ERR_SUPERVISOR start the supervisor: signalfd SIGCHLD: EMFILE/, r.stderr);
    assert.not.ok(existsSync(join(bed.root, bed.id)));
  }),
);

shim(
  'the shim responds to Create with the failed step',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/true'];
    bed.write();
    // Only the supervisor's signalfd is non-blocking: SFD_NONBLOCK.
    const program = join(bed.dir, 'real', 'containerd-shim-runt-v1');
    mkdirSync(join(bed.dir, 'real'));
    renameSync(engine.program, program);
    writeFileSync(engine.program, `#!/bin/sh\nexec ${filter} 'signalfd4@3&800=24' -- ${program} "$@"\n`, {
      mode: 0o755,
    });
    engine.start();
    const { id, bundle } = bed;
    const error = await refused(engine.call('Create', task.CreateTaskRequest.encode({ id, bundle })));
    assert.match(error.message, /start the supervisor: signalfd SIGCHLD: EMFILE/);
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id }));
  }),
);

/** The child of a process with that name. A look at all of /proc would take longer than a create. */
const childOf = (parent: number, name: string): number | undefined => {
  try {
    return readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8')
      .split(' ')
      .filter((pid) => pid !== '')
      .map(Number)
      .find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === `${name}\n`);
  } catch {
    return undefined; // It has ended between two reads.
  }
};

test(
  'after a kill at any of 200 times, create ends, and leaves a container or nothing',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    let failures = 0;
    for (let round = 0; round < 200; round++) {
      const running = bed.spawn(args(bed), {});
      const victim = () => childOf(running.child.pid!, round % 2 ? 'runt-supervisor' : 'runt-init');
      // Polls without a pause: the supervisor runs a millisecond before the container exists.
      const deadline = Date.now() + DEADLINE;
      for (let pid = victim(); Date.now() < deadline; pid = victim()) {
        if (pid !== undefined) process.kill(pid, 'SIGKILL');
        if (pid !== undefined || existsSync(join(bed.root, bed.id, 'config.json'))) break;
      }
      const r = await running.exit;
      assert.is(r.signal, null, `round ${round}: it hung: ${r.stderr}`);
      if (r.code !== 0) {
        failures++;
        assert.match(r.stderr, /supervisor|killed by signal 9|runt-init/);
        assert.not.ok(existsSync(join(bed.root, bed.id)), `round ${round}: state is left`);
      } else assert.is(bed.delete('--force').code, 0);
    }
    assert.ok(failures > 20, `the attack hit ${failures} of 200 times`);
    process.stdout.write(`\n# note killed in time: ${failures} of 200\n`);
  }),
);

test.run();
shim.run();
