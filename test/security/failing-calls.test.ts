/** System calls that fail: the error names the call, nothing is left, and no result is reported that is not true. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing, onBed } from '../integration/bed/bed.js';
import { programs } from '../integration/bed/place.js';

const filter = join(programs, 'filter');
const test = needing('failing calls', 'root', 'programs', 'unshare');

/** Only MSG_NOSIGNAL: what runt sends. runt-init has the same filter, and uses write where it cannot send. */
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
  // Only the plan has a length that is not a multiple of the page size.
  { name: 'there is no memory for the plan', rules: ['mmap@1&fff=12'], says: /start runt-init: mmap the plan: ENOMEM/ },
  {
    name: 'there is no memory for the supervisor',
    rules: ['mmap@1&fff=12'],
    says: /start the supervisor: mmap the plan: ENOMEM/,
    flags: ['--supervise'],
  },
  {
    name: 'epoll accepts no more descriptors',
    rules: ['epoll_ctl=28'],
    says: /epoll_ctl: watch descriptor [0-9]+: ENOSPC/,
  },
  {
    name: 'epoll accepts no more descriptors, with a supervisor',
    rules: ['epoll_ctl=28'],
    says: /epoll_ctl: watch descriptor [0-9]+: ENOSPC/,
    flags: ['--supervise'],
  },
  { name: 'epoll is refused', rules: ['epoll_ctl=1'], says: /epoll_ctl: watch descriptor [0-9]+: EPERM/ },
];

for (const { name, rules, says, flags = [] } of failing) {
  test(
    `create names the failed call and leaves nothing when ${name}`,
    onBed((bed) => {
      bed.config.process.args = ['/bin/true'];
      bed.write();
      const r = bed.runt(['create', ...flags, '--bundle', bed.bundle, bed.id], {
        wrapped: [filter, ...rules, '--'],
      });
      if (r.code === 0) {
        // The awaited event had already happened, so the container is created.
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
    `with ${rule}, delete --force ends the container all the same`,
    onBed((bed) => {
      const pid = bed.started();
      const r = bed.runt(['delete', '--force', bed.id], { wrapped: [filter, rule, '--'] });
      assert.is(r.code, 0, r.stderr);
      const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, 'utf8') : ') Z';
      assert.match(stat, /\) Z/);
    }),
  );

  test(
    `with ${rule}, start and wait report "running" only for a running container`,
    onBed((bed) => {
      bed.config.process.args = ['/bin/sleep', '1000'];
      assert.is(bed.create(['--supervise']).code, 0);
      const r = bed.runt(['start', bed.id], { wrapped: [filter, rule, '--'] });
      // EPERM does no harm if the awaited events have already happened.
      if (r.code === 0) assert.is(bed.state().status, 'running');
      else assert.match(r.stderr, /epoll_ctl/);
      assert.is(bed.delete('--force').code, 0);
    }),
  );
}

for (const command of ['run', 'exec']) {
  test(
    `${command} names a signalfd that cannot be made, and starts nothing`,
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
    `on a read-only /run, the error names the state root ${where} and EROFS`,
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
  'on a state root that became read-only, delete fails, and the state stays for the next delete',
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
