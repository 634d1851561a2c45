/** What a container has used, from files as kernels write them. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { CgroupFacts } from '../../../src/cgroup/cgroup-facts.js';
import { readUsage } from '../../../src/cgroup/stats/usage.js';

const v2: CgroupFacts = { layout: 'v2', v1: [], unified: { mountPoint: '/cg', own: '/', controllers: [] } };
const v1: CgroupFacts = {
  layout: 'v1',
  v1: ['memory', 'cpu,cpuacct', 'blkio', 'pids'].map((names) => ({
    mountPoint: `/cg/${names}`,
    root: '/',
    controllers: names.split(','),
    own: '/',
  })),
};
const v1Directories = ['/cg/memory/web', '/cg/cpu,cpuacct/web', '/cg/blkio/web', '/cg/pids/web'];

/** Reads from these files alone, and counts the reads. */
function reader(files: Readonly<Record<string, string>>): {
  read: (path: string) => string | undefined;
  count: number;
} {
  const r = {
    count: 0,
    read: (path: string): string | undefined => {
      r.count++;
      return files[path];
    },
  };
  return r;
}

test('v2: peaks and totals of the one cgroup, times in ns, bytes of all disks', () => {
  const r = reader({
    '/cg/web/cpu.stat': 'usage_usec 1500\nuser_usec 1000\nsystem_usec 500\nnr_periods 0\n',
    '/cg/web/memory.peak': '2097152\n',
    '/cg/web/memory.events': 'low 0\nhigh 0\nmax 7\noom 1\noom_kill 2\n',
    '/cg/web/io.stat': '8:0 rbytes=4096 wbytes=512 rios=1 wios=1 dbytes=0 dios=0\n8:16 rbytes=1 wbytes=2 rios=1\n',
    '/cg/web/pids.peak': '12\n',
  });
  assert.equal(readUsage(v2, ['/cg/web'], r.read), {
    usage: {
      memoryPeak: 2097152,
      cpuTotal: 1_500_000,
      cpuUser: 1_000_000,
      cpuKernel: 500_000,
      ioRead: 4097,
      ioWritten: 514,
      pidsPeak: 12,
    },
    oom: true,
  });
  assert.is(r.count, 5);
});

test('v2: what a kernel or a cgroup does not have is absent, not 0', () => {
  const r = reader({ '/cg/web/cpu.stat': 'usage_usec 7\nuser_usec 7\nsystem_usec 0\n' });
  assert.equal(readUsage(v2, ['/cg/web'], r.read), {
    usage: { cpuTotal: 7000, cpuUser: 7000, cpuKernel: 0 },
    oom: false,
  });
  assert.equal(readUsage(v2, [], r.read), { usage: {}, oom: false });
  assert.equal(readUsage(v2, ['/cg/removed'], r.read), { usage: {}, oom: false });
});

test('v1: each controller from its own hierarchy', () => {
  const r = reader({
    '/cg/memory/web/memory.max_usage_in_bytes': '1048576\n',
    '/cg/memory/web/memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
    '/cg/cpu,cpuacct/web/cpuacct.usage': '123456789\n',
    '/cg/cpu,cpuacct/web/cpuacct.stat': 'user 10\nsystem 2\n',
    '/cg/blkio/web/blkio.throttle.io_service_bytes_recursive': '8:0 Read 10\n8:0 Write 20\n8:16 Read 1\nTotal 31\n',
    '/cg/pids/web/pids.peak': '3\n',
  });
  assert.equal(readUsage(v1, v1Directories, r.read), {
    usage: {
      memoryPeak: 1048576,
      cpuTotal: 123456789,
      cpuUser: 100_000_000,
      cpuKernel: 20_000_000,
      ioRead: 11,
      ioWritten: 20,
      pidsPeak: 3,
    },
    oom: true,
  });
  assert.ok(r.count <= 7);
});

test('v1: a container without cgroups, or of a kernel without these files, has no usage', () => {
  assert.equal(readUsage(v1, [], reader({}).read), { usage: {}, oom: false });
  assert.equal(readUsage(v1, v1Directories, reader({}).read), { usage: {}, oom: false });
});

test.run();
