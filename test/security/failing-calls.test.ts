/** Calls that fail: the error names the call, nothing is left, and nothing is reported as done that was not. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../integration/bed/bed.js';
import { programs } from '../integration/bed/place.js';

const filter = join(programs, 'filter');
const test = needing('failing calls', 'root', 'programs', 'unshare');

/** MSG_NOSIGNAL alone: what runt sends. runt-init has the same filter, and writes where it cannot send. */
const sends = 'sendto@3&4000';

const failing: readonly { name: string; rules: readonly string[]; says: RegExp; flags?: readonly string[] }[] = [
  { name: 'the plan cannot be sent', rules: [`${sends}=12`], says: /send the plan to runt-init: ENOMEM/ },
  { name: 'sends are refused', rules: [`${sends}=1`], says: /send the plan to runt-init: EPERM/ },
  {
    name: 'the plan of a supervised container cannot be sent',
    rules: [`${sends}=12`],
    says: /ENOMEM/,
    flags: ['--supervise'],
  },
  // The plan alone has a length that is not one of pages.
  { name: 'no memory for the plan', rules: ['mmap@1&fff=12'], says: /start runt-init: mmap the plan: ENOMEM/ },
  {
    name: 'no memory for the supervisor',
    rules: ['mmap@1&fff=12'],
    says: /start the supervisor: mmap the plan: ENOMEM/,
    flags: ['--supervise'],
  },
  {
    name: 'epoll takes no more descriptors',
    rules: ['epoll_ctl=28'],
    says: /epoll_ctl: watch descriptor [0-9]+: ENOSPC/,
  },
  {
    name: 'epoll takes no more descriptors, with a supervisor',
    rules: ['epoll_ctl=28'],
    says: /epoll_ctl: watch descriptor [0-9]+: ENOSPC/,
    flags: ['--supervise'],
  },
  { name: 'epoll is refused', rules: ['epoll_ctl=1'], says: /epoll_ctl: watch descriptor [0-9]+: EPERM/ },
];

for (const { name, rules, says, flags = [] } of failing) {
  test(
    `${name}: create says so and leaves nothing`,
    onBed((bed) => {
      bed.config.process.args = ['/bin/true'];
      bed.write();
      const r = bed.runt(['create', ...flags, '--bundle', bed.bundle, bed.id], {
        wrapped: [filter, ...rules, '--'],
      });
      if (r.code === 0) {
        // What it would have waited for had happened already: then it is created.
        assert.ok(rules.includes('epoll_ctl=1'));
        assert.is(bed.state().status, 'created');
        assert.is(bed.delete().code, 0);
        return;
      }
      assert.match(r.stderr, says);
      assert.not.ok(existsSync(join(bed.root, bed.id)));
    }),
  );
}

for (const rule of ['epoll_ctl=28', 'epoll_ctl=1']) {
  test(
    `${rule}: delete --force ends the container all the same`,
    onBed((bed) => {
      const pid = bed.started();
      const r = bed.runt(['delete', '--force', bed.id], { wrapped: [filter, rule, '--'] });
      assert.is(r.code, 0, r.stderr);
      const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : ') Z';
      assert.match(stat, /\) Z/);
    }),
  );

  test(
    `${rule}: start and wait do not call running what does not`,
    onBed((bed) => {
      bed.config.process.args = ['/bin/sleep', '1000'];
      assert.is(bed.create(['--supervise']).code, 0);
      const r = bed.runt(['start', bed.id], { wrapped: [filter, rule, '--'] });
      // EPERM alone does not stop it when all that it waits for has happened already.
      if (r.code === 0) assert.is(bed.state().status, 'running');
      else assert.match(r.stderr, /epoll_ctl/);
      assert.is(bed.delete('--force').code, 0);
    }),
  );
}

for (const command of ['run', 'exec']) {
  test(
    `${command}: a signalfd that cannot be made is named, and nothing begins`,
    onBed((bed) => {
      const o = { wrapped: [filter, 'signalfd4=24', '--'] };
      if (command === 'exec') bed.started();
      else bed.config.process.args = ['/bin/touch', '/made'];
      const r = command === 'run' ? bed.run([], o) : bed.runt(['exec', bed.id, '/bin/touch', '/made'], o);
      assert.is.not(r.code, 0);
      assert.match(r.stderr, new RegExp(`${command} ${bed.id}: make a signalfd: EMFILE`));
      assert.not.ok(existsSync(join(bed.rootfs, 'made')));
      if (command === 'exec') assert.is(bed.delete('--force').code, 0);
    }),
  );
}

for (const where of ['/run/runt', '/run/there/is/none']) {
  test(
    `a read-only /run: the state root ${where} and EROFS are named`,
    onBed((bed) => {
      bed.config.process.args = ['/bin/true'];
      bed.write();
      const script = `mount -t tmpfs -o ro none /run && exec "$1" --root ${where} create --bundle ${bed.bundle} ${bed.id}`;
      const wrapped = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'];
      const r = bed.runt(['create'], { wrapped });
      assert.is(r.code, 1);
      assert.match(r.stderr, new RegExp(`make the state root ${where}: EROFS`));
    }),
  );
}

test(
  'a state root that became read-only: delete says that the state is not removed, and it is there for the next one',
  onBed((bed) => {
    bed.started();
    const script = `mount --bind ${bed.root} ${bed.root} && mount -o remount,bind,ro ${bed.root} && exec "$@"`;
    const wrapped = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'];
    const r = bed.runt(['delete', '--force', bed.id], { wrapped });
    assert.is(r.code, 1);
    assert.match(r.stderr, /EROFS/);
    assert.ok(existsSync(join(bed.root, bed.id)));
    assert.is(bed.delete('--force').code, 0);
  }),
);

test.run();
