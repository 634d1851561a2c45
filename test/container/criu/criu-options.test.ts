/** Flags of checkpoint and restore as options of criu's request, checked byte for byte. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { DumpFlags } from '../../../src/container/criu/criu-flag-types.js';
import { CgroupMode, Request, Response, Type } from '../../../src/container/criu/criu-messages.js';
import { criuConfigFile, dumpOptions, restoreOptions } from '../../../src/container/criu/criu-options.js';

const none = {
  tcpEstablished: false,
  extUnixSk: false,
  shellJob: false,
  fileLocks: false,
  autoDedup: false,
  lazyPages: false,
};
const dump: DumpFlags = { ...none, leaveRunning: false, preDump: false, linkRemap: false, tcpSkipInFlight: false };
const facts = { imageFd: 5, workFd: 6, rootfs: '/b/rootfs', configFile: undefined };
const nothing = { mounts: [], ids: [] };
const made = { mounts: [], inherited: [], joined: [], cgroups: [] };

test('a dump without flags has soft cgroups, notifications, the orphaned terminal and an empty network', () => {
  const o = dumpOptions(dump, { ...facts, pid: 42, freezer: '/sys/fs/cgroup/x' }, nothing);
  assert.is(o.pid, 42);
  assert.is(o.images_dir_fd, 5);
  assert.is(o.work_dir_fd, 6);
  assert.is(o.log_file, 'dump.log');
  assert.is(o.freeze_cgroup, '/sys/fs/cgroup/x');
  assert.is(o.manage_cgroups_mode, CgroupMode.SOFT);
  assert.is(o.empty_ns, 0x40000000);
  assert.is(o.notify_scripts, true);
  assert.is(o.orphan_pts_master, true);
  for (const name of ['config_file', 'parent_img', 'track_mem', 'ps', 'rst_sibling'] as const) {
    assert.not.ok(name in o, name);
  }
});

test('a pre-dump tracks memory and leaves the container running, whatever the flags are', () => {
  const o = dumpOptions({ ...dump, preDump: true }, { ...facts, pid: 1, freezer: undefined }, nothing);
  assert.is(o.track_mem, true);
  assert.is(o.leave_running, true);
  assert.not.ok('freeze_cgroup' in o);
});

test('the bytes of a small request have the field numbers of criu', () => {
  const opts = { images_dir_fd: 7, pid: 300, leave_running: true, external: ['x'], lsm_mount_context: 'c' };
  const bytes = Request.encode({ type: Type.DUMP, opts } as never).finish();
  // type 1 = 1; opts 2: 1 = 7, 2 = 300, 3 = true, 37 = "x", 63 = "c".
  const inner = [8, 7, 16, 0xac, 2, 24, 1, 0xaa, 2, 1, 0x78, 0xfa, 3, 1, 0x63];
  assert.equal([...bytes], [8, 1, 18, inner.length, ...inner]);
});

test('a response of criu is decoded, even with unknown fields', () => {
  // type 1 = NOTIFY, success 2, notify 5 { script 1, pid 2 }, unknown 11.
  const script = [...'post-dump'].map((c) => c.charCodeAt(0));
  const notify = [10, script.length, ...script, 16, 9];
  const answer = Response.decode(new Uint8Array([8, 6, 16, 1, 42, notify.length, ...notify, 88, 3]));
  assert.is(answer.type, Type.NOTIFY);
  assert.is(answer.notify?.script, 'post-dump');
  assert.is(answer.notify?.pid, 9);
});

test('a restore makes a sibling in the existing cgroups; with the mode "ignore" criu gets no cgroups', () => {
  const cgroups = [{ ctrl: 'pids', path: '/x' }, { path: '/y' }];
  const o = restoreOptions({ ...none, tcpClose: true, lsmProfile: 'apparmor:p' }, facts, { ...made, cgroups });
  assert.is(o.rst_sibling, true);
  assert.is(o.tcp_close, true);
  assert.is(o.lsm_profile, 'apparmor:p');
  assert.not.ok('lsm_mount_context' in o);
  assert.is(o.log_file, 'restore.log');
  assert.equal(o.cg_root, cgroups);
  const ignored = restoreOptions({ ...none, tcpClose: false, manageCgroupsMode: 'ignore' }, facts, {
    ...made,
    cgroups,
  });
  assert.is(ignored.manage_cgroups_mode, CgroupMode.IGNORE);
  const strict = restoreOptions({ ...none, tcpClose: false, manageCgroupsMode: 'strict' }, facts, { ...made, cgroups });
  assert.is(strict.manage_cgroups_mode, CgroupMode.FULL, 'runt has made the cgroups of a restore');
  assert.equal(ignored.cg_root, []);
});

test("criu's config file is that of the annotation, else runt's, else runc's; an empty annotation disables it", () => {
  const files =
    (...there: string[]) =>
    (path: string) =>
      there.includes(path);
  assert.is(criuConfigFile({ 'org.criu.config': '/mine' }, files()), '/mine');
  assert.is(criuConfigFile({ 'org.criu.config': '' }, files('/etc/criu/runc.conf')), undefined);
  assert.is(criuConfigFile(undefined, files('/etc/criu/runc.conf')), '/etc/criu/runc.conf');
  assert.is(criuConfigFile({}, files('/etc/criu/runc.conf', '/etc/criu/runt.conf')), '/etc/criu/runt.conf');
  assert.is(criuConfigFile({}, files()), undefined);
});

test.run();
