/**
 * Attackers inside a container, and what exec takes for a user: the advisories whose original needed an exec. Each runs
 * with the static binary and, where programs differ, with Node.js.
 */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type Bed, eventually, needing, onBed } from '../integration/bed/bed.js';
import { withUserNamespace } from '../integration/bed/config.js';
import { runtPath, top } from '../integration/bed/place.js';
import { neverWorks } from './rounds.js';

const test = needing('attacks on exec', 'root', 'cgroups');

/** The two programs under test. */
const hosts: Record<string, (bed: Bed) => string> = {
  'the static binary': () => runtPath,
  'Node.js': (bed) => {
    const path = join(bed.dir, 'runt-node');
    writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${join(top, 'dist', 'cli.js')}' "$@"\n`);
    chmodSync(path, 0o755);
    return path;
  },
};

/**
 * Looks at every other process as fast as it can. It prints what it could read of a runtime's descriptors and program,
 * and where it could write to a program.
 */
const spy = `
echo ready
while :; do for d in /proc/[0-9]*; do
  [ $d = /proc/1 ] && continue
  ls -l $d/fd 2>/dev/null | grep -E 'memfd|/sys/fs/cgroup|socket:'
  readlink $d/exe | grep -E 'runt-init|memfd'
  { echo evil >$d/exe && echo "written $d"; } 2>/dev/null
  ls $d/root/etc/shadow- $d/cwd/etc/shadow- 2>/dev/null
done; done`;

for (const [name, programOf] of Object.entries(hosts)) {
  for (const user of [false, true]) {
    test(
      `CVE-2016-9962, CVE-2019-5736, ${name}${user ? ', in a user namespace' : ''}: an attacker in the container reads and writes nothing of a joining exec`,
      onBed(async (bed) => {
        if (user) withUserNamespace(bed.config);
        const program = programOf(bed);
        const before = readFileSync(runtPath);
        bed.started(['/bin/sh', '-c', spy]);
        await eventually('the attacker runs', () => bed.stdout().includes('ready'));
        await neverWorks(() => {
          const r = bed.runt(['exec', bed.id, '/bin/true'], { program });
          assert.is(r.code, 0, r.stderr);
          assert.is(bed.stdout(), 'ready\n');
          return false;
        });
        assert.is(bed.stdout(), 'ready\n');
        assert.equal(readFileSync(runtPath), before);
        assert.is(bed.delete('--force').code, 0);
      }),
    );
  }

  test(
    `CVE-2024-21626, ${name}: no descriptor that the caller leaks, or that the program opens, is a working directory`,
    onBed((bed) => {
      const program = programOf(bed);
      const wrapped = ['sh', '-c', 'exec 5</ 7</etc 9</; exec "$@"', 'sh'];
      bed.started();
      for (let fd = 3; fd < 20; fd++) {
        const r = bed.runt(['exec', '--cwd', `/proc/self/fd/${fd}`, bed.id, 'ls', '-a'], { program, wrapped });
        // One of them may be the container's own root.
        if (r.code === 0) assert.equal(r.stdout.split('\n').slice(0, 3), ['.', '..', 'bin'], `${fd}: ${r.stdout}`);
        else assert.equal([r.code, r.stdout], [255, ''], `${fd}`);
        assert.not.match(r.stdout, /^(?:boot|passwd|srv|work)$/m);
      }
      assert.is(bed.delete('--force').code, 0);
      for (const fd of [5, 7, 9]) {
        bed.config.process.cwd = `/proc/self/fd/${fd}`;
        bed.config.process.args = ['/bin/ls', '-a'];
        const r = bed.run([], { program, wrapped });
        assert.equal([r.code, r.stdout], [1, ''], `${fd}`);
      }
    }),
  );

  test(
    `CVE-2026-30892, CVE-2024-40635, CVE-2026-46680, ${name}: exec takes digits for a uid, and refuses one out of range`,
    onBed((bed) => {
      const program = programOf(bed);
      writeFileSync(join(bed.rootfs, 'etc', 'passwd'), '1:x:0:0::/:\n4294967296:x:0:0::/:\nroot:x:0:0::/:\n');
      bed.started();
      const exec = (uid: string) => bed.runt(['exec', '-u', uid, bed.id, 'id', '-u'], { program });
      for (const uid of ['1', '1000', '4294967294']) assert.is(exec(uid).stdout, `${uid}\n`);
      for (const uid of [
        '4294967295',
        '4294967296',
        '18446744073709551616',
        '1e0',
        '0x1',
        ' 1',
        '01x',
        '-4294967295',
      ]) {
        const r = exec(uid);
        assert.equal([r.code, r.stdout], [255, ''], uid);
      }
      assert.is(bed.delete('--force').code, 0);
    }),
  );

  test(
    `CVE-2022-29162, CVE-2022-27650, CVE-2025-27612, ${name}: exec --cap makes no capability inheritable`,
    onBed((bed) => {
      const program = programOf(bed);
      delete bed.config.process.capabilities.ambient;
      bed.started();
      for (const flags of [[], ['--cap', 'CAP_NET_RAW'], ['-u', '1000', '--cap', 'CAP_NET_RAW']]) {
        const r = bed.runt(['exec', ...flags, bed.id, 'grep', 'CapInh', '/proc/self/status'], { program });
        assert.equal([r.code, r.stdout], [0, 'CapInh:\t0000000000000000\n'], flags.join(' '));
      }
      assert.is(bed.delete('--force').code, 0);
    }),
  );
}

/** Debian bookworm's runc is vulnerable to these. */
const withRunc = needing('attacks on runc 1.1', 'root', 'cgroups', 'runc');

withRunc(
  'the attack works on runc 1.1.5: exec -u 4294967296 is root (CVE-2024-40635)',
  onBed((bed) => {
    const runc = { program: 'runc' };
    bed.config.process.args = ['/bin/sleep', '1000'];
    assert.is(bed.create([], runc).code, 0);
    assert.is(bed.runt(['start', bed.id], runc).code, 0);
    const r = bed.runt(['exec', '-u', '4294967296', bed.id, 'id', '-u'], runc);
    assert.is(bed.runt(['delete', '--force', bed.id], runc).code, 0);
    if (r.code === 0) assert.is(r.stdout, '0\n');
    else console.log(`\n# note this runc refuses it: ${r.stderr.trim()}`);
  }),
);

test.run();
withRunc.run();
