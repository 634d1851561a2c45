/**
 * checkpoint and restore: the protocol with criu, answered by test/integration/programs/fake-criu.c, which needs no
 * support in the kernel. With the real criu: docs/checkpoint.md.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { CgroupMode, type CriuOptions, Request, Type } from '../../../src/container/criu/criu-messages.js';
import { hasEnded } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed, type Result } from '../bed/bed.js';
import { programs } from '../bed/place.js';
import { listen } from '../bed/unix.js';

const test = needing('checkpoint', 'root', 'programs', 'cgroups');
const hierarchies = needing('checkpoint on cgroup v1', 'root', 'programs', 'cgroup-v1', 'pids');
const fake = join(programs, 'fake-criu');

/** The request that the fake criu wrote to a file. */
function requestIn(file: string) {
  const { type, opts } = Request.decode(readFileSync(file));
  assert.ok(opts);
  return { type, opts: opts as unknown as { [K in keyof CriuOptions]-?: NonNullable<CriuOptions[K]> } };
}

/** Runs `runt --criu FAKE checkpoint FLAGS… ID`, and returns the fake criu's request too. */
function checkpoint(bed: Bed, flags: string[] = [], env: Record<string, string> = {}) {
  const out = join(bed.dir, 'request');
  const scripts = join(bed.dir, 'scripts');
  const result = bed.runt(['--criu', fake, 'checkpoint', ...flags, bed.id], {
    env: { PATH: process.env.PATH ?? '', FAKE_OUT: out, FAKE_SCRIPTS: scripts, ...env },
  });
  const request = () => requestIn(out);
  return { ...result, request, scripts: () => readFileSync(scripts, 'utf8') };
}

/** Names of the external mounts of a request, by key, without those of cgroup v1. */
const ownMounts = (opts: { ext_mnt: { key: string; val: string }[] }) =>
  opts.ext_mnt.map((m) => [m.key, m.val]).filter(([key]) => !key!.startsWith('/sys/fs/cgroup/'));

function ok(r: Result): void {
  assert.is(r.code, 0, r.stderr);
}

test(
  'checkpoint makes criu dump the process to --image-path, and the container is gone afterwards',
  onBed((bed) => {
    const source = join(bed.dir, 'source');
    mkdirSync(source);
    bed.config.mounts!.push({ destination: '/data', type: 'bind', source, options: ['rbind'] });
    const pid = bed.started();
    const images = join(bed.dir, 'deep', 'images');
    const r = checkpoint(bed, ['--image-path', images, '--work-path', join(bed.dir, 'work')]);
    ok(r);
    const { type, opts } = r.request();
    assert.is(type, Type.DUMP);
    assert.is(opts.pid, pid);
    assert.is(opts.root, bed.rootfs);
    assert.is(opts.log_file, 'dump.log');
    assert.is(opts.leave_running, false);
    assert.is(opts.notify_scripts, true);
    assert.is(opts.manage_cgroups_mode, CgroupMode.SOFT);
    assert.match(opts.freeze_cgroup, bed.id);
    assert.equal(ownMounts(opts), [['/data', `m${Buffer.from('/data').toString('hex')}`]]);
    assert.is(r.scripts(), 'pre-dump yes\nnetwork-lock yes\nstatus-ready yes\npost-dump yes\n');
    const descriptors = JSON.parse(readFileSync(join(images, 'descriptors.json'), 'utf8'));
    assert.is(descriptors.length, 3);
    for (const key of descriptors) {
      assert.match(key, /^file\[[0-9a-f]+:[0-9a-f]+\]$/, 'a file of the host, by no path');
      assert.ok(opts.external.includes(key));
    }
    assert.is(bed.runt(['state', bed.id]).code, 1);
    assert.ok(hasEnded(pid));
  }),
);

hierarchies(
  'each v1 hierarchy is an external mount with one name, and the restored process has its own cgroup there',
  onBed((bed) => {
    bed.started();
    const images = join(bed.dir, 'images');
    const dump = checkpoint(bed, ['--image-path', images]);
    ok(dump);
    const names = new Map<string, string>(
      dump.request().opts.ext_mnt.map(({ key, val }: { key: string; val: string }) => [key, val]),
    );
    assert.is(names.get('/sys/fs/cgroup/pids'), `m${Buffer.from('/sys/fs/cgroup/pids').toString('hex')}`);
    assert.not.ok(names.has('/sys/fs/cgroup'), 'the tmpfs is the container’s own');
    bed.write();
    const r = restore(bed, ['-d', '--image-path', images]);
    ok(r);
    const { opts } = r.request();
    const sources = opts.ext_mnt as { key: string; val: string }[];
    assert.equal(sources.map((m) => m.key).sort(), [...names.values()].sort());
    const pids = sources.find((m) => m.key === names.get('/sys/fs/cgroup/pids'))!;
    assert.ok(pids.val.startsWith('/sys/fs/cgroup/pids/') && pids.val.endsWith(`/${bed.id}`), pids.val);
    // criu compares the name of one controller.
    const roots = opts.cg_root as { ctrl?: string; path: string }[];
    assert.not.ok(roots.some(({ ctrl }) => ctrl?.includes(',')));
    ok(bed.delete('--force'));
  }),
);

test(
  'every flag reaches criu, --leave-running may be repeated, and the container continues',
  onBed((bed) => {
    bed.started();
    const flags =
      '--leave-running --tcp-established --ext-unix-sk --shell-job --file-locks --auto-dedup --link-remap --tcp-skip-in-flight --lazy-pages --leave-running';
    const values = ['--manage-cgroups-mode', 'strict', '--empty-ns', 'network', '--page-server', '[::1]:4000'];
    const r = checkpoint(bed, ['--image-path', join(bed.dir, 'i'), ...flags.split(' '), ...values]);
    ok(r);
    const { opts } = r.request();
    for (const name of [
      'leave_running',
      'tcp_established',
      'ext_unix_sk',
      'shell_job',
      'file_locks',
      'auto_dedup',
      'link_remap',
      'tcp_skip_in_flight',
      'lazy_pages',
      'orphan_pts_master',
    ] as const) {
      assert.is(opts[name], true, name);
    }
    assert.is(opts.manage_cgroups_mode, CgroupMode.STRICT);
    assert.is(opts.empty_ns, 0x40000000);
    assert.is(opts.ps.address, '::1');
    assert.is(opts.ps.port, 4000);
    assert.is(bed.state().status, 'running');
    ok(bed.delete('--force'));
  }),
);

test(
  '--pre-dump requests PRE_DUMP and the container continues; --parent-path must be relative and exist',
  onBed((bed) => {
    bed.started();
    const first = checkpoint(bed, ['--image-path', join(bed.dir, 'one'), '--pre-dump']);
    ok(first);
    assert.is(first.request().type, Type.PRE_DUMP);
    assert.is(first.request().opts.track_mem, true);
    assert.is(bed.state().status, 'running');
    for (const [path, why] of [
      ['/abs', 'must be relative to --image-path'],
      ['../none', 'is not a directory'],
    ] as const) {
      const wrong = checkpoint(bed, ['--image-path', join(bed.dir, 'two'), '--parent-path', path]);
      assert.is(wrong.code, 1);
      assert.match(wrong.stderr, why);
    }
    const second = checkpoint(bed, ['--image-path', join(bed.dir, 'two'), '--parent-path', '../one']);
    ok(second);
    assert.is(second.request().opts.parent_img, '../one');
    assert.is(second.request().opts.track_mem, true);
  }),
);

test(
  "when criu fails, the error has its message, the first error of its log and the log's path",
  onBed((bed) => {
    bed.started();
    const images = join(bed.dir, 'i');
    const r = checkpoint(bed, ['--image-path', images], { FAKE_ERROR: 'no such thing' });
    assert.is(r.code, 1);
    assert.match(r.stderr, `checkpoint ${bed.id}: criu failed: no such thing`);
    assert.match(r.stderr, 'Error (criu/fake.c:1): no such thing');
    assert.match(r.stderr, `log file ${images}/dump.log`);
    const silent = checkpoint(bed, ['--image-path', images], { FAKE_ERROR: '' });
    assert.match(silent.stderr, `${fake} ended with status 1 before it had answered`);
    assert.is(bed.state().status, 'running');
    ok(bed.delete('--force'));
  }),
);

test(
  'the error of a missing or old criu says where runt looked, which package to install and which version to use',
  onBed((bed) => {
    bed.started();
    const images = ['--image-path', join(bed.dir, 'i')];
    const missing = bed.runt(['--criu', join(bed.dir, 'none'), 'checkpoint', ...images, bed.id]);
    assert.is(missing.code, 1);
    assert.match(missing.stderr, `the program criu is not installed: it is not at ${bed.dir}/none`);
    assert.match(missing.stderr, 'install the package criu');
    const json = join(bed.dir, 'log');
    bed.runt(['--criu', 'no-such-criu', '--log', json, '--log-format', 'json', 'checkpoint', ...images, bed.id]);
    const line = JSON.parse(readFileSync(json, 'utf8').trim().split('\n').at(-1)!);
    assert.is(line.code, 'ERR_CRIU_MISSING');
    assert.match(line.msg, '/usr/sbin');
    const old = checkpoint(bed, images, { FAKE_VERSION: '3.14' });
    assert.is(old.code, 1);
    assert.match(old.stderr, `${fake} is criu 3.14, and 3.15 or newer is needed`);
    assert.is(bed.state().status, 'running');
    ok(bed.delete('--force'));
  }),
);

test(
  '--status-fd receives a NUL byte when criu is ready, and must be open',
  onBed((bed) => {
    bed.started();
    const out = join(bed.dir, 'status');
    const flags = ['--criu', fake, 'checkpoint', '--image-path', join(bed.dir, 'i'), '--leave-running', '--lazy-pages'];
    const shell = ['/bin/sh', '-c', `exec "$@" 3>${out}`, 'sh'];
    ok(bed.runt([...flags, '--status-fd', '3', bed.id], { wrapped: shell }));
    assert.equal([...readFileSync(out)], [0]);
    const closed = bed.runt([...flags, '--status-fd', '77', bed.id]);
    assert.match(closed.stderr, '--status-fd: descriptor 77 is not open');
    ok(bed.delete('--force'));
  }),
);

test(
  'a container that does not run, and a mount that criu would confuse, are refused by name',
  onBed((bed) => {
    const source = join(bed.dir, 'source');
    mkdirSync(source);
    bed.config.mounts!.push({ destination: '/x]:y', type: 'bind', source, options: ['bind'] });
    bed.config.process.args = ['/bin/sleep', '1000'];
    ok(bed.create());
    const created = checkpoint(bed, ['--image-path', join(bed.dir, 'i')]);
    assert.match(created.stderr, `Container cannot be checkpointed in created state: ${bed.id}`);
    ok(bed.start());
    const odd = checkpoint(bed, ['--image-path', join(bed.dir, 'i')]);
    assert.is(odd.code, 1);
    assert.match(odd.stderr, 'criu does not support a mount on a path with "]"');
    ok(bed.delete('--force'));
  }),
);

test(
  'org.criu.config names a configuration file for criu',
  onBed((bed) => {
    bed.config.annotations = { 'org.criu.config': '/etc/criu/mine.conf' };
    bed.started();
    const r = checkpoint(bed, ['--image-path', join(bed.dir, 'i')]);
    ok(r);
    assert.is(r.request().opts.config_file, '/etc/criu/mine.conf');
  }),
);

test(
  'a criu that exits without a response ends the wait, even if its child holds the socket open',
  onBed((bed) => {
    bed.started();
    const r = checkpoint(bed, ['--image-path', join(bed.dir, 'i')], { FAKE_HEIR: '1' });
    assert.is(r.code, 1);
    assert.match(r.stderr, /fake-criu ended with status 3 before it had answered/);
    assert.is(bed.state().status, 'running');
    ok(bed.delete('--force'));
  }),
);

test(
  'SIGTERM ends a foreground restore while criu restores, and nothing is left',
  onBed(async (bed) => {
    bed.write();
    const images = join(bed.dir, 'i');
    mkdirSync(images);
    const args = ['--criu', fake, 'restore', '--bundle', bed.bundle, '--image-path', images, bed.id];
    const running = bed.spawn(args, { env: { PATH: process.env.PATH ?? '', FAKE_HANG: '1' } });
    const mounted = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(`${bed.root}/${bed.id}/criu-root`);
    await eventually('the root is mounted', mounted);
    running.child.kill('SIGTERM');
    const r = await running.exit;
    assert.is(r.code, 143, r.stderr);
    assert.match(r.stderr, `restore ${bed.id}: ended by SIGTERM before the start was complete`);
    assert.not.ok(mounted());
    assert.is(bed.runt(['state', bed.id]).code, 1);
  }),
);

test(
  'restore -d leaves a child of the caller in cgroups with their limits, a pid file and a state',
  onBed(async (bed) => {
    bed.config.mounts!.push({ destination: '/made/here', type: 'tmpfs', source: 'tmpfs' });
    bed.config.linux.resources = { pids: { limit: 77 } };
    bed.write();
    const images = join(bed.dir, 'i');
    mkdirSync(images);
    writeFileSync(join(images, 'descriptors.json'), '["/x","pipe:[7]","/etc/passwd]"]');
    const r = restore(bed, ['-d', '--image-path', images, '--pid-file', join(bed.dir, 'pid'), '--tcp-close']);
    ok(r);
    const state = bed.state();
    assert.is(state.status, 'running');
    assert.is(readFileSync(join(bed.dir, 'pid'), 'utf8'), String(state.pid));
    const cmdline = () => readFileSync(`/proc/${state.pid}/cmdline`, 'utf8');
    await eventually('the restored process is the one', () => cmdline().includes('sleep'));
    const { type, opts } = r.request();
    assert.is(type, Type.RESTORE);
    assert.is(opts.rst_sibling, true);
    assert.is(opts.tcp_close, true);
    assert.is(opts.root, `${bed.root}/${bed.id}/criu-root`);
    assert.equal(
      opts.inherit_fd.map((f: { key: string; fd: number }) => [f.key, f.fd]),
      [['pipe:[7]', 1]],
      'what is in the images names no file of the host',
    );
    assert.ok(opts.cg_root.length > 0);
    // In a hierarchy that is not mounted, the process is in its creator's cgroup.
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    for (const { ctrl, path } of opts.cg_root)
      if (new RegExp(` - cgroup \\S+ \\S*\\b${ctrl}\\b`).test(mounts)) assert.match(path, bed.id, String(ctrl));
    assert.ok(existsSync(join(bed.rootfs, 'made/here')), 'the place of the mount was made');
    assert.not.match(readFileSync('/proc/self/mountinfo', 'utf8'), 'criu-root');
    assert.is(r.scripts(), 'setup-namespaces yes\npost-restore yes\n');
    // The fake leaves the process in its cgroup: runt makes the cgroup, not criu, so the limit is runt's.
    const limit = readFileSync('/proc/self/mountinfo', 'utf8').includes(' - cgroup2 cgroup2 rw') ? undefined : 77;
    if (limit) assert.is(pidsLimit(state.pid), '77\n');
    ok(bed.delete('--force'));
  }),
);

test(
  'a foreground restore exits with the status of the process and leaves nothing',
  onBed(async (bed) => {
    bed.write();
    const images = join(bed.dir, 'i');
    mkdirSync(images);
    const args = ['--criu', fake, 'restore', '--bundle', bed.bundle, '--image-path', images, bed.id];
    const running = bed.spawn(args);
    await eventually('it runs', () => bed.runt(['state', bed.id]).code === 0 && bed.state().status === 'running');
    ok(bed.kill('KILL'));
    assert.is((await running.exit).code, 137);
    assert.is(bed.runt(['state', bed.id]).code, 1);
  }),
);

test(
  'a foreground restore ends no other container in its cgroup, and stays until it is deleted',
  onBed(async (bed) => {
    const inner = `${bed.id}-inner`;
    const path = `/${bed.id}-shared`;
    const images = join(bed.dir, 'i');
    mkdirSync(images);
    bed.config.linux.namespaces = bed.config.linux.namespaces.filter(({ type }) => type !== 'pid');
    bed.config.linux.cgroupsPath = path;
    bed.write();
    const running = bed.spawn(['--criu', fake, 'restore', '--bundle', bed.bundle, '--image-path', images, bed.id]);
    await eventually('it runs', () => bed.runt(['state', bed.id]).code === 0 && bed.state().status === 'running');
    bed.config.linux.cgroupsPath = `${path}/inner`;
    bed.config.process.args = ['sleep', '1000'];
    bed.write();
    ok(bed.runt(['create', '--bundle', bed.bundle, inner]));
    ok(bed.runt(['start', inner]));
    // Not by `runt kill`: without a pid namespace it signals all processes of the cgroup.
    process.kill(bed.state().pid, 'SIGKILL');
    const { code, stderr } = await running.exit;
    assert.is(code, 137, stderr);
    assert.match(stderr, `the container ${inner} is in it or below; the container stays until it is deleted`);
    assert.is(JSON.parse(bed.runt(['state', inner]).stdout).status, 'running');
    assert.is(bed.state().status, 'stopped');
    ok(bed.runt(['delete', '--force', inner]));
    ok(bed.delete());
  }),
);

test(
  'after a killed restore, delete --force removes its mount and its state, and nothing of the root file system',
  onBed(async (bed) => {
    bed.write();
    const images = join(bed.dir, 'i');
    mkdirSync(images);
    const args = ['--criu', fake, 'restore', '-d', '--bundle', bed.bundle, '--image-path', images, bed.id];
    const running = bed.spawn(args, { env: { PATH: process.env.PATH ?? '', FAKE_HANG: '1' } });
    const mounted = () => readFileSync('/proc/self/mountinfo', 'utf8').includes(`${bed.root}/${bed.id}/criu-root`);
    await eventually('the root is mounted', mounted);
    running.child.kill('SIGKILL');
    await running.exit;
    assert.ok(mounted());
    assert.is(bed.state().status, 'stopped');
    ok(bed.delete('--force'));
    assert.not.ok(mounted());
    assert.ok(existsSync(join(bed.rootfs, 'bin', 'sh')));
  }),
);

test(
  "restore --console-socket sends the terminal's master that criu passes to the socket",
  onBed(async (bed) => {
    bed.config.process.terminal = true;
    bed.write();
    const images = join(bed.dir, 'i');
    mkdirSync(images);
    const { path, lines, end } = await listen(bed, 'pidfd');
    const r = restore(bed, ['-d', '--image-path', images, '--console-socket', path], { FAKE_PTY: '1' });
    ok(r);
    await eventually('the terminal comes', () => lines()[0] === '/dev/ptmx');
    end();
    assert.match(r.scripts(), 'orphan-pts-master yes');
    ok(bed.delete('--force'));
    const nobody = restore(bed, ['-d', '--image-path', images, '--console-socket', join(bed.dir, 'none')], {
      FAKE_PTY: '1',
    });
    assert.is(nobody.code, 1);
    assert.match(nobody.stderr, /connect to the console socket \/\S+ \(--console-socket\): ENOENT/);
  }),
);

test(
  'restore runs hooks when the namespaces exist, and a failed hook undoes everything',
  onBed((bed) => {
    const script = join(bed.dir, 'hook');
    writeFileSync(script, `#!/bin/sh\ncat > ${bed.dir}/hook-state\nexit $1\n`);
    chmodSync(script, 0o755);
    const images = join(bed.dir, 'i');
    mkdirSync(images);
    bed.config.hooks = { createRuntime: [{ path: script, args: ['hook', '0'] }] };
    bed.write();
    ok(restore(bed, ['-d', '--image-path', images]));
    assert.is(JSON.parse(readFileSync(join(bed.dir, 'hook-state'), 'utf8')).pid, bed.state().pid);
    ok(bed.delete('--force'));
    bed.config.hooks = { createRuntime: [{ path: script, args: ['hook', '3'] }] };
    bed.write();
    const r = restore(bed, ['-d', '--image-path', images]);
    assert.is(r.code, 1);
    assert.match(r.stderr, `restore ${bed.id}: error running createRuntime hook #0`, r.stderr);
    assert.is(bed.runt(['state', bed.id]).code, 1);
  }),
);

test(
  "a failed restore prints the cause with criu's log and leaves nothing, and missing images are an error",
  onBed((bed) => {
    bed.write();
    const images = join(bed.dir, 'i');
    const none = restore(bed, ['-d', '--image-path', images]);
    assert.is(none.code, 1);
    assert.match(none.stderr, `open the directory of --image-path, ${images}: ENOENT`);
    mkdirSync(images);
    const r = restore(bed, ['-d', '--image-path', images], { FAKE_ERROR: 'bad image' });
    assert.is(r.code, 1);
    assert.match(r.stderr, `restore ${bed.id}: criu failed: bad image`);
    assert.match(r.stderr, `log file ${images}/restore.log`);
    assert.is(bed.runt(['state', bed.id]).code, 1);
  }),
);

test(
  "checkpoint uses the config that the container was created with, even if the bundle's has changed",
  onBed((bed) => {
    const source = join(bed.dir, 'source');
    mkdirSync(source);
    bed.config.mounts!.push({ destination: '/data', type: 'bind', source, options: ['rbind'] });
    bed.started();
    writeFileSync(join(bed.bundle, 'config.json'), '{');
    const r = checkpoint(bed, ['--image-path', join(bed.dir, 'images')]);
    ok(r);
    assert.equal(
      ownMounts(r.request().opts).map(([key]) => key),
      ['/data'],
    );
  }),
);

function pidsLimit(pid: number): string {
  const line = /^[0-9]+:[^:]*\bpids\b[^:]*:(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
  return readFileSync(`/sys/fs/cgroup/pids${line![1]}/pids.max`, 'utf8');
}

function restore(bed: Bed, flags: string[], env: Record<string, string> = {}) {
  const out = join(bed.dir, 'request');
  const scripts = join(bed.dir, 'restore-scripts');
  const result = bed.runt(['--criu', fake, 'restore', '--bundle', bed.bundle, ...flags, bed.id], {
    env: { PATH: process.env.PATH ?? '', FAKE_OUT: out, FAKE_SCRIPTS: scripts, ...env },
  });
  const request = () => requestIn(out);
  return { ...result, request, scripts: () => readFileSync(scripts, 'utf8') };
}

test.run();
hierarchies.run();
