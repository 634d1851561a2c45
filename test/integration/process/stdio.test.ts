/** Stdio belongs to the process's user: /dev/stdout can be reopened, and files of the host remain the host's. */
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { Bed, needing, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';
import { runtPath } from '../bed/place.js';
import { onTerminal } from '../bed/terminal.js';

const test = needing('stdio', 'root', 'programs');
const mounting = needing('stdio on a read-only mount', 'root', 'programs', 'mount', 'unshare');

/** Runs the command on pipes that root made. */
const piped = ['/bin/sh', '-c', 'echo in | "$@" 2>&1 | cat; exit 0', 'sh'];
/** Runs the command on the descriptors that a shell opens on paths. */
const on = (redirections: string) => ['/bin/sh', '-c', `"$@" ${redirections}`, 'sh'];
const again = 'echo out > /dev/stdout && echo err > /proc/self/fd/2 && read line < /dev/stdin && echo "$line"';

const setUser = (bed: Bed, uid = 1000): void => {
  bed.config.process.user = { uid, gid: uid };
};
/** Makes a file with an owner of its own. */
function file(bed: Bed, name: string, uid = 0, gid = 0): string {
  const path = `${bed.dir}/${name}`;
  writeFileSync(path, '', { mode: 0o600 });
  chownSync(path, uid, gid);
  return path;
}
const owner = (path: string): number => statSync(path).uid;

test(
  'with run, a user can open pipes of root by name',
  onBed((bed) => {
    setUser(bed);
    assert.is(bed.sh(again, [], { wrapped: piped }).stdout, 'out\nerr\nin\n');
  }),
);

test(
  "create and start change a file's owner to the user, but not its group",
  onBed((bed) => {
    const out = file(bed, 'out', 0, 42);
    setUser(bed);
    bed.config.process.args = ['/bin/sh', '-c', 'echo out > /dev/stdout'];
    assert.is(bed.create([], { wrapped: on(`</dev/null >>${out}`) }).code, 0);
    assert.is(bed.start().code, 0);
    bed.until('stopped');
    assert.is(readFileSync(out, 'utf8'), 'out\n');
    assert.equal([owner(out), statSync(out).gid], [1000, 42]);
    bed.delete();
  }),
);

test(
  'with exec, a user given by number, by name or by --process can open pipes of root by name',
  onBed((bed) => {
    bed.started();
    const process = `${bed.dir}/process.json`;
    const args = ['/bin/sh', '-c', again];
    writeFileSync(process, JSON.stringify({ user: { uid: 1000, gid: 1000 }, cwd: '/', args }));
    for (const call of [
      ['-u', '1000', bed.id, ...args],
      ['-u', 'user', bed.id, ...args],
      ['--process', process, bed.id],
    ]) {
      assert.is(bed.runt(['exec', ...call], { wrapped: piped }).stdout, 'out\nerr\nin\n', call.join(' '));
    }
    const out = file(bed, 'out');
    const detached = ['exec', '-d', '-u', 'user', bed.id, 'true'];
    assert.is(bed.runt(detached, { wrapped: on(`</dev/null >>${out}`) }).code, 0);
    assert.is(owner(out), 1000);
    bed.delete('--force');
  }),
);

test(
  "a user can open the caller's terminal, and the container's own terminal, by name",
  onBed(async (bed) => {
    setUser(bed);
    bed.config.process.args = ['/bin/sh', '-c', 'echo ou""t > /dev/stdout; stat -c "owner %u" -L /proc/self/fd/0'];
    bed.write();
    const run = onTerminal([runtPath, '--root', bed.root, 'run', '--bundle', bed.bundle, bed.id], bed.dir);
    await run.shows(/out\r\nowner 1000/);
    assert.is((await run.ended()).code, 0);

    setUser(bed, 77);
    bed.started();
    for (const [name, uid] of [
      ['user', 1000],
      ['root', 0],
    ] as const) {
      const args = ['exec', '-t', '-u', name, bed.id, 'stat', '-c', 'owner %u', '-L', '/proc/self/fd/0'];
      const exec = onTerminal([runtPath, '--root', bed.root, ...args], bed.dir);
      await exec.shows(new RegExp(`owner ${uid}\r`));
      assert.is((await exec.ended()).code, 0);
    }
    bed.delete('--force');
  }),
);

test(
  'foreground run and exec restore the owner at the end, also if nothing could be executed',
  onBed((bed) => {
    const [seen, out] = [file(bed, 'seen'), file(bed, 'out', 5)];
    bed.config.mounts.push({ destination: '/host', type: 'bind', source: bed.dir, options: ['bind'] });
    setUser(bed);
    const script = 'stat -c %u /host/out >/dev/stderr';
    assert.is(bed.sh(script, [], { wrapped: on(`>>${out} 2>${seen}`) }).code, 0);
    assert.equal([readFileSync(seen, 'utf8'), owner(seen), owner(out)], ['1000\n', 0, 5]);

    bed.config.process.args = ['/none'];
    assert.is(bed.run([], { wrapped: on(`>>${out}`) }).code, 1);
    assert.is(owner(out), 5);

    setUser(bed, 0);
    bed.started();
    for (const [user, program, status] of [
      ['1000', 'true', 0],
      ['user', 'true', 0],
      ['1000', '/none', 255],
    ] as const) {
      assert.is(bed.runt(['exec', '-u', user, bed.id, program], { wrapped: on(`>>${out}`) }).code, status);
      assert.is(owner(out), 5);
    }
    bed.delete('--force');
  }),
);

/** A container in a user namespace, whose users own nothing that root of the host makes. */
function mapped(bed: Bed, uid: number): void {
  withUserNamespace(bed.config);
  chownSync(bed.rootfs, 100000, 100000);
  setUser(bed, uid);
}

// 65534 is also the apparent owner of a file whose owner is not mapped.
for (const uid of [0, 1000, 65534]) {
  test(
    `in a user namespace, uid ${uid} can open pipes of the host's root by name with run, create and exec`,
    onBed((bed) => {
      mapped(bed, uid);
      assert.is(bed.sh(again, [], { wrapped: piped }).stdout, 'out\nerr\nin\n');

      const script = `${again}; exec sleep 1000`;
      bed.config.process.args = ['/bin/sh', '-c', script];
      const fifo = `${bed.dir}/fifo`;
      execFileSync('mkfifo', ['-m', '600', fifo]);
      assert.is(bed.create([], { wrapped: on(`<>${fifo} >&0 2>&1`) }).code, 0);
      assert.is(owner(fifo), 100000 + uid);
      assert.is(bed.start().code, 0);
      const args = ['/bin/sh', '-c', again];
      for (const call of [['-u', String(uid)], ['-u', `${uid}:7`], ...(uid === 1000 ? [['-u', 'user']] : [])])
        assert.is(bed.runt(['exec', ...call, bed.id, ...args], { wrapped: piped }).stdout, 'out\nerr\nin\n');
      bed.delete('--force');
    }),
  );

  test(
    `in a user namespace, uid ${uid} gets the host root's files and sockets, no devices, until a foreground run ends`,
    onBed((bed) => {
      mapped(bed, uid);
      const [theirs, ours, input] = [file(bed, 'theirs', 100000, 100000), file(bed, 'ours', 0, 42), file(bed, 'input')];
      const devices = ['/dev/null', '/dev/full'];
      const before = devices.map(owner);
      bed.config.process.args = ['/bin/true'];
      for (const [redirections, owners] of [
        [`<${input} >>${theirs} 2>>${ours}`, [0, 100000 + uid, 100000 + uid]],
        ['</dev/null >/dev/full 2>/dev/null', [0, 100000 + uid, 100000 + uid]],
      ] as const) {
        assert.is(bed.create([], { wrapped: on(redirections) }).code, 0);
        assert.equal([input, theirs, ours].map(owner), [...owners]);
        assert.equal([...devices.map(owner), statSync(ours).gid], [...before, 42]);
        bed.delete('--force');
      }
      for (const path of [theirs, ours]) chownSync(path, 5, 5);
      bed.config.mounts.push({ destination: '/host', source: bed.dir, options: ['bind'] });
      const script = 'stat -c %u /host/ours > /host/seen; exec cat /host/none';
      const seen = file(bed, 'seen');
      chmodSync(seen, 0o666);
      chmodSync(bed.dir, 0o755);
      assert.is(bed.sh(script, [], { wrapped: on(`>>${theirs} 2>>${ours}`) }).code, 1);
      assert.equal([readFileSync(seen, 'utf8'), owner(theirs), owner(ours)], [`${uid}\n`, 5, 5]);
      bed.config.process.args = ['/none'];
      assert.is(bed.run([], { wrapped: on(`>>${ours}`) }).code, 1);
      assert.is(owner(ours), 5);
      bed.config.process.args = ['/bin/true'];
      for (const flag of ['--trace', '--pid-file'])
        assert.is(bed.run([flag, '/none/file'], { wrapped: on(`>>${ours}`) }).code, 1);
      assert.is(owner(ours), 5);

      bed.started();
      const detached = ['exec', '-d', '-u', String(uid), bed.id, 'true'];
      assert.is(bed.runt(detached, { wrapped: on(`</dev/null >>${ours}`) }).code, 0);
      assert.is(owner(ours), 100000 + uid);
      chownSync(ours, 5, 5);
      const exec = (...flags: string[]) =>
        bed.runt(['exec', ...flags, '-u', String(uid), bed.id, 'true'], { wrapped: on(`>>${ours}`) });
      for (const flags of [[], ['--trace', '/none/file'], ['--pid-file', '/none/file']]) {
        assert.is(exec(...flags).code, flags.length > 0 ? 255 : 0);
        assert.is(owner(ours), 5, String(flags));
      }
      bed.delete('--force');
    }),
  );

  test(
    `in a user namespace, uid ${uid} can open the caller's terminal, which belongs to root again at the end`,
    onBed(async (bed) => {
      mapped(bed, uid);
      bed.config.process.args = ['/bin/sh', '-c', 'echo ou""t > /dev/stdout; stat -c "owner %u" -L /proc/self/fd/0'];
      bed.write();
      const { id, root, bundle, dir } = bed;
      const script = '"$@"; status=$?; stat -c "after %u" -L /proc/self/fd/0; exit $status';
      const run = onTerminal(
        ['/bin/sh', '-c', script, 'sh', runtPath, '--root', root, 'run', '--bundle', bundle, id],
        dir,
      );
      await run.shows(new RegExp(`out\r\nowner ${uid}\r\nafter 0`));
      assert.is((await run.ended()).code, 0);
    }),
  );
}

test(
  'a joined user namespace works, and a run with an unmapped uid leaves nothing',
  onBed((bed) => {
    mapped(bed, 0);
    bed.started();
    const other = new Bed();
    try {
      chownSync(other.rootfs, 100000, 100000);
      setUser(other);
      const path = `/proc/${bed.state().pid}/ns/`;
      other.config.linux.namespaces.push({ type: 'user', path: `${path}user` });
      assert.is(other.sh(again, [], { wrapped: piped }).stdout, 'out\nerr\nin\n');
      setUser(other, 70000);
      assert.is(other.run([], { wrapped: piped }).code, 0);
      assert.not.ok(other.runt(['state', other.id]).code === 0);
    } finally {
      other.end();
    }
    bed.delete('--force');
  }),
);

test(
  'without a user namespace the owner of a socket changes too, as with runc',
  onBed((bed) => {
    setUser(bed);
    bed.config.process.args = ['/bin/stat', '-c', '%u', '-L', '/proc/self/fd/0'];
    bed.write();
    // What Node.js calls a pipe is a socket pair.
    const args = ['--root', bed.root, 'run', '--bundle', bed.bundle, bed.id];
    assert.is(execFileSync(runtPath, args, { encoding: 'utf8', stdio: 'pipe' }), '1000\n');
  }),
);

test(
  'the owner does not change for a file opened for reading only, and for devices of the host',
  onBed((bed) => {
    const input = file(bed, 'input');
    writeFileSync(input, 'secret\n');
    setUser(bed);
    bed.config.process.args = ['/bin/cat'];
    const devices = ['/dev/null', '/dev/full'];
    const before = devices.map(owner);
    for (const redirections of [`<${input} 2>/dev/full`, `<${input} >/dev/null 2>/dev/full`]) {
      assert.is(bed.create([], { wrapped: on(redirections) }).code, 0);
      assert.equal([owner(input), ...devices.map(owner)], [0, ...before]);
      bed.delete('--force');
    }
  }),
);

mounting(
  'stdio whose owner cannot be changed, and closed descriptors, are not errors',
  onBed((bed) => {
    setUser(bed);
    assert.is(bed.sh('exit 0', [], { wrapped: on('<&- >&- 2>&-') }).code, 0);
    const [dir, fifo] = [`${bed.dir}/ro`, `${bed.dir}/ro/fifo`];
    mkdirSync(dir);
    const readOnly = `mkfifo ${fifo} && mount --bind ${dir} ${dir} && mount -o remount,bind,ro ${dir} && "$@" <>${fifo} >&0`;
    const wrapped = ['unshare', '-m', '--propagation', 'private', '/bin/sh', '-c', readOnly, 'sh'];
    assert.is(bed.sh('exit 0', [], { wrapped }).code, 0);
    assert.is(owner(fifo), 0);
  }),
);

test(
  'root of the container does not become the owner of a file of another user, and opens it if it may',
  onBed((bed) => {
    const out = file(bed, 'out', 77);
    bed.config.process.args = ['/bin/sh', '-c', 'echo x > /dev/stdout'];
    for (const set of ['bounding', 'effective', 'permitted'] as const)
      bed.config.process.capabilities[set]!.push('CAP_DAC_OVERRIDE');
    assert.is(bed.create([], { wrapped: on(`</dev/null >>${out}`) }).code, 0);
    assert.is(owner(out), 77);
    assert.is(bed.start().code, 0);
    bed.until('stopped');
    assert.is(readFileSync(out, 'utf8'), 'x\n');
    bed.delete();
  }),
);

test.run();
mounting.run();
