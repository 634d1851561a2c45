/** Paths of the container's cgroups: the same as with runc's cgroupfs driver. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type CgroupFacts, parseCgroupFacts } from '../../src/cgroup/cgroup-facts.js';
import { cgroupDirectories, cgroupPaths } from '../../src/cgroup/cgroup-paths.js';
import { hybrid, nested, v2 } from './fixtures.js';

const facts = (f: { cgroup: string; mountinfo: string }): CgroupFacts =>
  parseCgroupFacts(f.cgroup, f.mountinfo, () => '');
const root = { rootless: false };
const directories = (f: CgroupFacts, path: string | undefined) => cgroupDirectories(cgroupPaths(f, path, 'web', root));

test('an absolute path is below each mount point, whatever the current cgroup is', () => {
  assert.equal(directories(facts(hybrid), '/a/./b//c'), [
    '/sys/fs/cgroup/pids/a/b/c',
    '/sys/fs/cgroup/cpu,cpuacct/a/b/c',
    '/sys/fs/cgroup/net_cls,net_prio/a/b/c',
    '/sys/fs/cgroup/memory/a/b/c',
    '/sys/fs/cgroup/cpuset/a/b/c',
    '/sys/fs/cgroup/devices/a/b/c',
    '/sys/fs/cgroup/systemd/a/b/c',
    '/sys/fs/cgroup/unified/a/b/c',
  ]);
  assert.equal(directories(facts(v2), '/a/b'), ['/sys/fs/cgroup/a/b']);
});

test('the default path is the container id below the current cgroup', () => {
  const all = directories(facts(hybrid), undefined);
  assert.is(all[0], '/sys/fs/cgroup/pids/user.slice/user-0.slice/web');
  assert.is(all[4], '/sys/fs/cgroup/cpuset/web');
  assert.is(all.at(-1), '/sys/fs/cgroup/unified/user.slice/session-1.scope/web');
  assert.equal(directories(facts(hybrid), ''), all);
});

test('a relative path is below the current cgroup', () => {
  assert.is(directories(facts(hybrid), 'x/y')[3], '/sys/fs/cgroup/memory/user.slice/a:b/x/y');
});

test('on v2 the default path is below the parent that the host chooses; rootless it is beside the current cgroup', () => {
  const host = facts(v2);
  const there = { ...host, unified: { ...host.unified!, own: '/a.slice/b.service/c' } };
  const where = (path: string | undefined, rootless: boolean, parent: string): string => {
    const asked: string[] = [];
    const defaultParent = (mountPoint: string, own: string): string => {
      asked.push(`${mountPoint} ${own}`);
      return parent;
    };
    const { unified } = cgroupPaths(there, path, 'web', { rootless, defaultParent });
    assert.equal(asked, path || rootless ? [] : ['/sys/fs/cgroup /a.slice/b.service/c']);
    return unified!.path;
  };
  assert.is(where(undefined, false, '/'), '/sys/fs/cgroup/web');
  assert.is(where('', false, '/a.slice/b.service'), '/sys/fs/cgroup/a.slice/b.service/web');
  assert.is(where('x', false, '/'), '/sys/fs/cgroup/a.slice/b.service/x');
  assert.is(where('/x', false, '/'), '/sys/fs/cgroup/x');
  assert.is(where(undefined, true, '/'), '/sys/fs/cgroup/a.slice/b.service/web');
});

test('on v2 a relative path is beside the current cgroup, because that has processes', () => {
  assert.equal(directories(facts(v2), undefined), ['/sys/fs/cgroup/user.slice/user-1000.slice/web']);
  assert.equal(directories(facts({ ...v2, cgroup: '0::/one\n' }), 'x'), ['/sys/fs/cgroup/x']);
  assert.equal(directories(facts({ ...v2, cgroup: '0::/\n' }), 'x'), ['/sys/fs/cgroup/x']);
});

test('in a container the path is relative to the cgroup that the mount shows', () => {
  assert.equal(directories(facts(nested), undefined), [
    '/sys/fs/cgroup/memory/web',
    '/sys/fs/cgroup/cpuset/inner/web',
    '/sys/fs/cgroup/pids/web',
  ]);
});

test("named hierarchies other than systemd's get no cgroup", () => {
  const f = facts({
    cgroup: '2:name=elogind:/\n1:name=systemd:/\n',
    mountinfo: `33 31 0:29 / /sys/fs/cgroup/elogind rw - cgroup cgroup rw,name=elogind
34 31 0:30 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
`,
  });
  assert.equal(directories(f, undefined), ['/sys/fs/cgroup/systemd/web']);
});

for (const path of ['..', '/..', '../x', '/a/../b', 'a/..']) {
  test(`the path "${path}" is refused`, () => {
    assert.throws(
      () => directories(facts(v2), path),
      (e: { code: string; pointer: string }) => e.code === 'ERR_CGROUP_PATH' && e.pointer === '/linux/cgroupsPath',
    );
  });
}

for (const path of ['/', '.', './/']) {
  test(`the path "${path}" is refused, because it is the root cgroup`, () => {
    assert.throws(
      () => directories(facts(v2), path),
      (e: { code: string; message: string }) => e.code === 'ERR_CGROUP_PATH' && e.message.includes('root cgroup'),
    );
  });
}

test('a path component that has dots beside other characters is accepted', () => {
  assert.equal(directories(facts(v2), '/..a/b..'), ['/sys/fs/cgroup/..a/b..']);
});

test('a rootless runtime makes no cgroup in a hierarchy that it cannot write', () => {
  const asked: string[] = [];
  const paths = cgroupPaths(facts(hybrid), undefined, 'web', {
    rootless: true,
    isWritable: (path) => {
      asked.push(path);
      return path.includes('/systemd/');
    },
  });
  assert.is(asked.length, 8);
  assert.equal(cgroupDirectories(paths), ['/sys/fs/cgroup/systemd/user.slice/session-1.scope/web']);
});

test('root does not check whether the hierarchies are writable', () => {
  const paths = cgroupPaths(facts(v2), undefined, 'web', {
    rootless: false,
    isWritable: () => {
      throw new Error('asked');
    },
  });
  assert.ok(paths.unified!.writable);
});

test.run();
