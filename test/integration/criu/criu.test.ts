/**
 * checkpoint and restore with the real criu, compared with runc with the same flags. The protocol alone:
 * checkpoint.test.ts.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { blockUntil } from '../../deadline.js';
import { eventually, needing } from '../bed/bed.js';
import { onSides, pageFiles, quiet, type Side } from '../bed/criu-side.js';
import { onSocket } from '../bed/terminal.js';
import { listen } from '../bed/unix.js';

/** On an older kernel criu cannot find where the C library registered its restartable sequences. */
const rseq = 'linux-5.13';
const test = needing('criu', 'root', 'programs', 'cgroups', 'runc', 'criu', rseq);
/** Needs to track which memory changes between two checkpoints. */
const tracking = needing(
  'criu and changed memory',
  'root',
  'programs',
  'cgroups',
  'runc',
  'criu',
  rseq,
  'dirty-tracking',
);
const v1 = needing('criu on cgroup v1', 'root', 'programs', 'cgroup-v1', 'pids', 'runc', 'criu', rseq);
const counter = ['/kept', 'memory', '1'];
/** Pages stay in pipes until they are fetched. */
const fetching = needing('criu and lazy pages', 'root', 'programs', 'cgroups', 'runc', 'criu', rseq, 'sys-resource');

/** The container's own cgroups, without its id. */
const cgroupOf = (side: Side) =>
  readFileSync(`/proc/${side.state().pid}/cgroup`, 'utf8')
    .split('\n')
    .filter((line) => line.includes(side.id))
    .map((line) => line.replace(/^[0-9]+:/, '').replaceAll(side.id, 'ID'))
    .sort();

/** The limit of its number of processes. */
function pidsLimit(side: Side): string {
  const [, controller, path] =
    /^[0-9]+:((?:[^:\n]*,)?pids(?:,[^:\n]*)?|):(.*)$/m.exec(readFileSync(`/proc/${side.state().pid}/cgroup`, 'utf8')) ??
    [];
  return readFileSync(`/sys/fs/cgroup${controller ? '/pids' : ''}${path}/pids.max`, 'utf8');
}

test(
  'a counter continues after a restore, and state, list, exec, kill and delete work as usual',
  onSides((side) => {
    side.bed.config.linux.resources.pids = { limit: 77 };
    side.started(counter);
    side.goesOn();
    side.checkpoint();
    assert.is.not(side.call(['state', side.id]).code, 0, 'gone');
    side.restore(['--pid-file', join(side.bed.dir, 'pid')]);
    side.goesOn();
    const { status, pid, bundle, id } = side.state();
    assert.equal([status, bundle, id], ['running', side.bed.bundle, side.id]);
    assert.is(readFileSync(join(side.bed.dir, 'pid'), 'utf8'), String(pid));
    const listed = JSON.parse(side.ok(['list', '--format', 'json'])) as { id: string; pid: number; status: string }[];
    const own = listed.map((c) => [c.id === side.id, c.pid === pid, c.status]);
    const inside = side.exec('sh', '-c', 'echo $0 $(cat /proc/1/comm) $(hostname); exit 5', 'in');
    assert.is(pidsLimit(side), '77\n');
    side.ok(['pause', side.id]);
    assert.is(side.state().status, 'paused');
    side.ok(['resume', side.id]);
    side.goesOn();
    const cgroup = cgroupOf(side);
    side.ends();
    return { own, code: inside.code, out: inside.stdout, cgroup };
  }),
);

test(
  '--leave-running lets the container continue, and the images restore with another id and another bundle',
  onSides((side) => {
    side.started(counter);
    side.goesOn();
    side.checkpoint(['--leave-running', '--work-path', side.images('work')]);
    assert.ok(existsSync(join(side.images('work'), 'dump.log')));
    assert.not.ok(existsSync(join(side.images(), 'dump.log')));
    side.goesOn();
    side.ends();
    const copy = join(side.bed.dir, 'copy');
    spawnSync('cp', ['-a', side.bed.bundle, copy]);
    const before = side.lines().length;
    side.id = `${side.id}-other`;
    side.bundle = copy;
    side.restore(['--work-path', side.images('work')]);
    assert.ok(existsSync(join(side.images('work'), 'restore.log')));
    // It continues from the step of the checkpoint.
    blockUntil('three more steps', () => side.lines().length >= before + 3);
    const again = side.lines().slice(before).map(Number);
    assert.ok(again.length >= 3 && again[0]! < before && again[2] === again[0]! + 2, `${before}: ${again}`);
    assert.is(side.state().bundle, copy);
    side.ends();
  }),
);

/** Cgroup mounts of the container's process, without mount ids. */
const cgroupMounts = (side: Side) =>
  readFileSync(`/proc/${side.state().pid}/mountinfo`, 'utf8')
    .split('\n')
    .filter((line) => line.split(' ')[4]?.startsWith('/sys/fs/cgroup'))
    .map((line) => {
      const [, , , root = '', point, options = ''] = line.split(' ');
      // A restored mount may have its own atime option.
      return [
        root.replace(side.id, 'ID'),
        point,
        options
          .split(',')
          .filter((o) => !o.endsWith('atime'))
          .sort()
          .join(),
      ];
    })
    .sort((a, b) => a.join().localeCompare(b.join()));

for (const namespace of [false, true]) {
  v1(
    `the restored mount of cgroup v1 ${namespace ? 'in a cgroup namespace ' : ''}shows the restored container's cgroups, read-only`,
    onSides((side) => {
      if (namespace) side.bed.config.linux.namespaces.push({ type: 'cgroup' });
      side.started(counter);
      side.goesOn();
      const look = () =>
        side.exec('sh', '-c', 'cd /sys/fs/cgroup; ls; cat pids/pids.max; mkdir pids/x 2>&1 || mkdir x 2>&1');
      const [mounts, seen] = [cgroupMounts(side), look().stdout];
      assert.ok(mounts.length > 1 && mounts.every(([, , options]) => options!.split(',').includes('ro')), `${mounts}`);
      assert.match(seen, /max\n.*Read-only file system/);
      side.checkpoint();
      // With another id the container has other cgroups, and sees those.
      side.id = `${side.id}-other`;
      side.restore();
      side.goesOn();
      const restored = cgroupMounts(side);
      if (side.name !== 'runc') {
        assert.equal(restored, mounts);
        assert.is(look().stdout, seen);
        writeFileSync(
          `/sys/fs/cgroup/pids${/:pids:(.*)$/m.exec(readFileSync(`/proc/${side.state().pid}/cgroup`, 'utf8'))![1]}/pids.max`,
          '78',
        );
        assert.is(side.exec('cat', '/sys/fs/cgroup/pids/pids.max').stdout, '78\n', 'its own cgroup');
      }
      side.ends();
    }),
  );
}

tracking(
  'after --pre-dump, a checkpoint with --parent-path contains only changed memory',
  onSides((side) => {
    side.started(['/kept', 'memory', '8']);
    side.goesOn();
    const size = (images: string) => pageFiles(images).reduce((sum, f) => sum + statSync(f).size, 0);
    side.checkpoint(['--pre-dump'], side.images('one'));
    side.goesOn();
    side.checkpoint(['--parent-path', '../one'], side.images('two'));
    const [first, second] = [size(side.images('one')), size(side.images('two'))];
    assert.ok(first > 8 << 20 && second < 1 << 20, `${side.name}: ${first}, then ${second}`);
    side.restore([], side.images('two'));
    side.goesOn();
    side.ends();
  }),
);

tracking(
  '--auto-dedup removes from the parent the pages that the next images contain',
  onSides((side) => {
    side.started(['/kept', 'memory', '4']);
    side.goesOn();
    side.checkpoint(['--pre-dump'], side.images('one'));
    const blocks = () => pageFiles(side.images('one')).reduce((sum, f) => sum + statSync(f).blocks, 0);
    const before = blocks();
    side.goesOn();
    side.checkpoint(['--auto-dedup', '--parent-path', '../one'], side.images('two'));
    assert.ok(blocks() < before, `${side.name}: ${before}, then ${blocks()}`);
    side.restore(['--auto-dedup'], side.images('two'));
    side.goesOn();
    side.ends();
  }),
);

test(
  '--file-locks restores a held lock, and without it the checkpoint fails and names the cause',
  onSides((side) => {
    side.started(['/kept', 'lock', '/tmp/lock']);
    side.goesOn();
    const refused = side.call(['checkpoint', '--image-path', side.images('no'), side.id]);
    assert.is.not(refused.code, 0);
    if (side.name === 'runt') assert.match(refused.stderr, /lock/i);
    side.goesOn();
    side.checkpoint(['--file-locks']);
    side.restore(['--file-locks']);
    side.goesOn();
    const tried = side.exec('/kept', 'try', '/tmp/lock').code;
    assert.is(tried, 1, 'held');
    side.ends();
  }),
);

test(
  '--tcp-established restores a loopback connection, and without it the checkpoint fails and names the cause',
  onSides((side) => {
    side.started(['/kept', 'tcp']);
    side.goesOn();
    const refused = side.call(['checkpoint', '--image-path', side.images('no'), side.id]);
    assert.is.not(refused.code, 0);
    if (side.name === 'runt') assert.match(refused.stderr, 'tcp-established');
    side.goesOn();
    side.checkpoint(['--tcp-established', '--empty-ns', 'network']);
    side.restore(['--tcp-established', '--empty-ns', 'network']);
    side.goesOn();
    side.ends();
  }),
);

test(
  "--ext-unix-sk connects a datagram socket to the host's listener again after the restore",
  onSides(async (side) => {
    const directory = side.images('socket');
    side.bed.config.mounts.push({ destination: directory, type: 'bind', source: directory, options: ['bind'] });
    const { path, lines, end } = await listen(side.bed, 'datagrams', join(directory, 'log'));
    // criu sees the sockets of one network namespace, and connects to the path that the listener has bound.
    side.bed.config.linux.namespaces = side.bed.config.linux.namespaces.filter((n) => n.type !== 'network');
    side.started(['/kept', 'unix', path]);
    side.goesOn();
    await eventually('steps come', () => lines().length > 0);
    const refused = side.call(['checkpoint', '--image-path', side.images('no'), side.id]);
    assert.is.not(refused.code, 0);
    if (side.name === 'runt') assert.match(refused.stderr, 'ext-unix-sk');
    side.checkpoint(['--ext-unix-sk']);
    side.restore(['--ext-unix-sk']);
    const before = lines().length;
    side.goesOn();
    await eventually('steps come again', () => lines().length > before + 2);
    side.ends();
    end();
  }),
);

for (const mode of ['soft', 'full', 'strict', 'ignore']) {
  test(
    `--manage-cgroups-mode ${mode} restores the container in its cgroup with its limit`,
    onSides((side) => {
      side.bed.config.linux.resources.pids = { limit: 55 };
      side.started(counter);
      side.goesOn();
      side.checkpoint(['--manage-cgroups-mode', mode]);
      side.restore(['--manage-cgroups-mode', mode]);
      side.goesOn();
      const cgroup = cgroupOf(side);
      const limit = pidsLimit(side);
      side.ends();
      return { cgroup, limit };
    }),
  );
}

test(
  'without an LSM, --lsm-profile and --lsm-mount-context fail or have no effect, as with runc',
  onSides((side) => {
    side.started(counter);
    side.goesOn();
    side.checkpoint();
    const codes = [
      ['--lsm-profile', 'apparmor:none'],
      ['--lsm-mount-context', 'system_u:object_r:container_file_t:s0'],
    ].map((flags) => {
      const args = ['restore', '-d', '--image-path', side.images(), '--bundle', side.bundle, ...flags, side.id];
      const r = side.tried(args);
      if (r.code !== 0) assert.match(r.said, 'LSM specified but');
      if (r.code === 0) side.ends();
      return r.code === 0;
    });
    return codes;
  }),
);

/** Starts a criu of the test's own, which writes its log beside the images. */
function criu(args: string[]): ChildProcess {
  return spawn('criu', args, { stdio: 'ignore' });
}
const ended = (child: ChildProcess) => eventually('criu ends', () => child.exitCode ?? undefined);
const port = 4000;

test(
  '--page-server sends the memory to "criu page-server", and it is restored with the other images',
  onSides(async (side) => {
    side.started(['/kept', 'memory', '4']);
    side.goesOn();
    const pages = side.images('pages');
    const server = criu([
      'page-server',
      '--images-dir',
      pages,
      '--address',
      '127.0.0.1',
      '--port',
      `${port}`,
      '-o',
      'server.log',
    ]);
    const listening = () =>
      readFileSync('/proc/net/tcp', 'utf8').includes(
        `:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`,
      );
    await eventually('it listens', listening);
    side.checkpoint(['--page-server', `127.0.0.1:${port}`]);
    assert.is(await ended(server), 0);
    assert.equal(pageFiles(side.images()), []);
    assert.ok(pageFiles(pages).length > 0);
    spawnSync('sh', ['-c', `cp ${pages}/page* ${side.images()}`]);
    side.restore();
    side.goesOn();
    side.ends();
  }),
);

fetching(
  'with --lazy-pages, --status-fd signals when memory can be fetched, and the restored container fetches it',
  onSides(async (side) => {
    side.started(['/kept', 'memory', '8']);
    side.goesOn();
    const images = side.images();
    const status = join(side.bed.dir, 'status');
    const args = [
      'checkpoint',
      '--image-path',
      images,
      '--lazy-pages',
      '--page-server',
      `127.0.0.1:${port + 1}`,
      '--status-fd',
      '3',
    ];
    const dump = side.bed.spawn([...args, side.id], {
      program: side.program,
      timeout: 120_000,
      wrapped: ['/bin/sh', '-c', `exec "$@" 3>${status}`, 'sh'],
    });
    await eventually(
      'the status',
      () => dump.child.exitCode !== null || (existsSync(status) && statSync(status).size > 0),
      60_000,
    );
    if (dump.child.exitCode !== null) throw new Error(dump.stderr());
    assert.equal([...readFileSync(status)], [0]);
    const lazy = criu([
      'lazy-pages',
      '--page-server',
      '--address',
      '127.0.0.1',
      '--port',
      `${port + 1}`,
      '-D',
      images,
      '-W',
      images,
      '-o',
      'lazy.log',
    ]);
    await eventually('its socket', () => existsSync(join(images, 'lazy-pages.socket')));
    const first = side.id;
    side.id = `${first}-lazy`;
    side.restore(['--lazy-pages'], images, { cwd: images });
    side.goesOn();
    const { code, stderr } = await dump.exit;
    assert.is(code, 0, stderr);
    assert.is(await ended(lazy), 0);
    side.goesOn();
    assert.is.not(side.call(['state', first]).code, 0, 'the first one is gone');
    side.ends();
  }),
);

test(
  "after a restore, bind mounts show the host's files, also mounts below the source of a recursive one",
  onSides((side) => {
    const source = side.images('source');
    mkdirSync(join(source, 'sub'));
    mkdirSync(join(source, 'plain'));
    side.bed.config.mounts.push({ destination: '/data', type: 'bind', source, options: ['rbind'] });
    const file = join(side.bed.dir, 'call-1.in');
    side.bed.config.mounts.push({ destination: '/etc/one', type: 'bind', source: file, options: ['bind', 'ro'] });
    // Mounted in a mount namespace that the machine does not see.
    const holder = spawn(
      'unshare',
      [
        '-m',
        '--propagation',
        'private',
        '/bin/sh',
        '-c',
        `mount -t tmpfs under ${source}/sub && echo before >${source}/sub/file; exec sleep 1000`,
      ],
      { stdio: 'ignore' },
    );
    const there = { wrapped: ['nsenter', `--mount=/proc/${holder.pid}/ns/mnt`] };
    const command = (): string => readFileSync(`/proc/${holder.pid}/cmdline`, 'utf8');
    blockUntil('the mount below', () => command().startsWith('sleep'));
    side.started(counter, [], there);
    side.goesOn();
    assert.is(side.exec('cat', '/data/sub/file').stdout, 'before\n');
    side.checkpoint([], side.images(), there);
    writeFileSync(`/proc/${holder.pid}/root${source}/sub/file`, 'after\n');
    side.restore([], side.images(), there);
    holder.kill('SIGKILL');
    side.goesOn();
    const points = () =>
      side.exec('sh', '-c', 'cut -d " " -f 5 /proc/self/mountinfo | grep -E "/data|/etc/one" | sort').stdout;
    const seen = [side.exec('cat', '/data/sub/file').stdout, points(), side.exec('touch', '/data/made').code];
    if (side.name === 'runt') assert.equal(seen, ['after\n', '/data\n/data/sub\n/etc/one\n', 0]);
    assert.ok(existsSync(join(source, 'made')));
    side.ends();
  }),
);

for (const [type, flag] of [
  ['network', '-n'],
  ['ipc', '-i'],
  ['uts', '-u'],
  ['pid', '-p'],
] as const) {
  test(
    `restore joins the same ${type} namespace by its path again`,
    onSides((side) => {
      const holder = spawn('unshare', [flag, ...(flag === '-p' ? ['--fork', '--kill-child'] : []), 'sleep', '1000'], {
        stdio: 'ignore',
      });
      const name = { network: 'net', ipc: 'ipc', uts: 'uts', pid: 'pid' }[type];
      const own =
        readFileSync(`/proc/self/stat`, 'utf8') &&
        spawnSync('readlink', [`/proc/self/ns/${name}`], { encoding: 'utf8' }).stdout;
      const link = (pid: number) => spawnSync('readlink', [`/proc/${pid}/ns/${name}`], { encoding: 'utf8' }).stdout;
      let pid = holder.pid!;
      blockUntil('its namespace', () => {
        const child = spawnSync('cat', [`/proc/${holder.pid}/task/${holder.pid}/children`], {
          encoding: 'utf8',
        }).stdout.trim();
        if (flag === '-p' && child !== '') pid = Number(child);
        return link(pid) !== own && link(pid) !== '';
      });
      try {
        const entry = side.bed.config.linux.namespaces.find((n) => n.type === type)!;
        entry.path = `/proc/${pid}/ns/${name}`;
        side.bed.config.hostname = type === 'uts' ? '' : 'runt';
        if (type === 'uts') delete side.bed.config.hostname;
        side.started(counter);
        side.goesOn();
        side.checkpoint();
        side.restore();
        side.goesOn();
        const same = link(side.state().pid) === link(pid);
        assert.ok(same, `${side.name}: the ${type} namespace of the path`);
        side.ends();
      } finally {
        holder.kill('SIGKILL');
      }
    }),
  );
}

test(
  'a foreground restore with --no-pivot and --no-subreaper exits with the status of the process',
  onSides(async (side) => {
    const script = 'echo up; until [ -e /tmp/end ]; do sleep 0.2; done; exit 7';
    side.started(['/bin/sh', '-c', script]);
    blockUntil('its first line', () => side.lines().length > 0);
    side.checkpoint();
    const args = [
      'restore',
      '--image-path',
      side.images(),
      '--bundle',
      side.bundle,
      '--no-pivot',
      '--no-subreaper',
      side.id,
    ];
    const running = side.bed.spawn(args, { program: side.program, timeout: 120_000, wrapped: quiet });
    const status = () => {
      const r = side.call(['state', side.id]);
      return r.code === 0 && JSON.parse(r.stdout).status === 'running';
    };
    await eventually('it runs', () => running.child.exitCode !== null || status());
    if (running.child.exitCode !== null) throw new Error(running.stderr());
    side.exec('touch', '/tmp/end');
    const { code, stderr } = await running.exit;
    assert.is(code, 7, stderr);
    assert.is.not(side.call(['state', side.id]).code, 0);
    return code;
  }),
);

test(
  'with --shell-job, --console-socket receives the restored terminal, whose input reaches the process',
  onSides(async (side) => {
    side.bed.config.process.terminal = true;
    const sockets = ['first', 'second'].map((name) => join(side.bed.dir, name)) as [string, string];
    const first = onSocket(sockets[0]);
    await first.listening();
    side.bed.config.process.args = ['/bin/sh', '-c', 'while read line; do echo "<$line>"; done'];
    side.createdAndStarted(['--console-socket', sockets[0]]);
    first.type('one\n');
    await first.shows(/<one>/);
    side.checkpoint(['--shell-job']);
    first.child.kill('SIGKILL');
    const second = onSocket(sockets[1]);
    await second.listening();
    side.restore(['--shell-job', '--console-socket', sockets[1]]);
    second.type('two\n');
    await second.shows(/<two>/);
    assert.is(side.exec('sh', '-c', 'test -c /proc/1/fd/0 && echo tty').stdout, 'tty\n');
    side.ends();
    second.child.kill('SIGKILL');
  }),
);

test.run();
v1.run();
tracking.run();
fetching.run();
