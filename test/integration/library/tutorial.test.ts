/**
 * docs/tutorial.md: every command of the page is typed, and prints what the page shows. They work on a machine of their own as
 * far as files go: a private mount namespace with an /etc, /home, /run and /srv that nobody else sees.
 */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { needing } from '../bed/bed.js';
import { runtPath, top } from '../bed/place.js';
import { Shell, shows, steps } from '../bed/tutorial.js';

const test = needing(
  'tutorial',
  'root',
  'unshare',
  'useradd',
  'setpriv',
  'newuidmap',
  'mount',
  'nsenter',
  'flock',
  'bash',
);

const page = steps(readFileSync(join(top, 'docs', 'tutorial.md'), 'utf8'));

test('the page has commands of both users, and `…` means what it says', () => {
  assert.ok(page.length > 60, `${page.length} commands`);
  assert.ok(page.some((s) => s.by === 'user') && page.some((s) => s.by === 'root'));
  assert.ok(shows(['a…c', '…', 'd'], ['abc', 'x', 'y', 'd']) && shows(['…', 'd'], ['d']));
  assert.not.ok(shows(['a'], ['a', 'b']) || shows([], ['a']) || shows(['a.c'], ['abc']) || shows(['a'], []));
});

test('every command prints what the page shows', async () => {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), 'runt-tutorial-')));
  chmodSync(dir, 0o755);
  for (const name of ['bin', 'etc', 'etc-work', 'home', 'srv']) mkdirSync(join(dir, name));
  symlinkSync(runtPath, join(dir, 'bin', 'runt'));
  const env = {
    PATH: `${dir}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    LC_ALL: 'C.UTF-8',
    HOME: '/root',
  };
  // The names of its containers are those of their cgroups: one tutorial at a time on this machine.
  const lock = ['--no-fork', join(tmpdir(), 'runt-tutorial.lock')];
  const root = new Shell('flock', [...lock, 'unshare', '--mount', '--propagation', 'private', 'bash'], env);
  let user: Shell | undefined;
  const setup = [
    `mount -t overlay -o lowerdir=/etc,upperdir=${dir}/etc,workdir=${dir}/etc-work overlay /etc`,
    ...['home', 'srv'].map((name) => `mount --bind ${dir}/${name} /${name}`),
    'mount -t tmpfs tmpfs /run',
    // As systemd leaves it on Debian: what a container must not let out would be seen.
    'mount --make-rshared /',
  ];
  try {
    for (const command of setup) assert.equal(await root.type(command), { lines: [], status: 0 }, command);
    for (const { by, command, output, line } of page) {
      let shell = root;
      if (by === 'user') {
        if (!user) {
          const pid = (await root.type('echo $$')).lines[0]!;
          const [uid = '', gid = ''] = (await root.type('id -u tutor; id -g tutor')).lines;
          const as = ['setpriv', '--reuid', uid, '--regid', gid, '--init-groups', 'bash'];
          user = new Shell('nsenter', [`--mount=/proc/${pid}/ns/mnt`, '--wdns=/home/tutor', ...as], {
            ...env,
            HOME: '/home/tutor',
            USER: 'tutor',
          });
        }
        shell = user;
      }
      const { lines, status } = await shell.type(command);
      const told = `docs/tutorial.md:${line}: ${command}\nexit ${status}, printed:\n${lines.join('\n')}\nexpected:\n${output.join('\n')}\n`;
      assert.ok(shows(output, lines), told);
      // A command that is shown to fail says why.
      assert.ok(status === 0 || output.length > 0, told);
    }
    assert.equal((await root.type('runt list --quiet')).lines, []);
  } finally {
    await user?.end();
    await root.type('for id in $(runt list --quiet); do runt delete --force $id; done').catch(() => {});
    await root.end();
    rmSync(dir, { recursive: true, force: true });
  }
});

test.run();
