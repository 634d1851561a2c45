/**
 * `update` on v1, where files are read (on v2: limits-v2.test.ts): the files of a running container, written in an
 * order that the kernel accepts, all or none.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { cgroupsNamed } from '../../leaks/leftovers.js';
import { type Bed, needing, onBed, type Result } from '../bed/bed.js';
import { disk, hasCgroupV1 } from '../bed/needs.js';

const test = needing('update', 'root', 'cgroup-v1');
const onDisk = needing('update of a disk', 'root', 'cgroup-v1', 'disk');
const anywhere = needing('update, v1 or v2', 'root', 'cgroups');
const MiB = 1 << 20;

function path(bed: Bed, controller: string): string {
  const found = cgroupsNamed(bed.id).find((p) => !hasCgroupV1() || p.startsWith(`/sys/fs/cgroup/${controller}/`));
  if (!found) throw new Error(`no cgroup of ${bed.id} in ${controller}`);
  return found;
}
const value = (bed: Bed, file: string, controller = file.slice(0, file.indexOf('.'))): string =>
  readFileSync(join(path(bed, controller), file), 'utf8').trim();

const update = (bed: Bed, ...flags: string[]): Result => bed.runt(['update', ...flags, bed.id]);
function done(bed: Bed, ...flags: string[]): void {
  const r = update(bed, ...flags);
  assert.equal([r.code, r.stdout, r.stderr], [0, '', ''], flags.join(' '));
}
const apply = (bed: Bed, resources: unknown): Result =>
  bed.runt(['update', '--resources=-', bed.id], { input: JSON.stringify(resources) });

/** Runs a test's body on a bed with a running container. */
const running = (body: (bed: Bed) => void | Promise<void>) =>
  onBed(async (bed) => {
    bed.started();
    await body(bed);
    assert.is(bed.delete('--force').code, 0);
  });

test(
  'update raises and lowers memory and swap together from any previous limits',
  running((bed) => {
    for (const [memory, swap] of [
      [64, 128],
      [256, 512],
      [16, 32],
      [32, 32],
    ] as const) {
      done(bed, `--memory=${memory}m`, `--memory-swap=${swap}M`);
      assert.is(value(bed, 'memory.limit_in_bytes'), String(memory * MiB));
      assert.is(value(bed, 'memory.memsw.limit_in_bytes'), String(swap * MiB));
    }
    done(bed, '--memory-swap', '48MiB');
    assert.is(value(bed, 'memory.memsw.limit_in_bytes'), String(48 * MiB));
    done(bed, '--memory', '-1');
    assert.is(value(bed, 'memory.limit_in_bytes'), '9223372036854771712');
    assert.is(
      value(bed, 'memory.memsw.limit_in_bytes'),
      '9223372036854771712',
      'without a limit of memory there is none with swap',
    );
  }),
);

test(
  'each flag of update writes its file',
  running((bed) => {
    done(bed, '--memory-reservation=1.5m', '--pids-limit=55', '--cpu-share=512', '--cpuset-cpus=0', '--cpuset-mems=0');
    assert.is(value(bed, 'memory.soft_limit_in_bytes'), String(1.5 * MiB));
    assert.is(value(bed, 'pids.max'), '55');
    assert.is(value(bed, 'cpu.shares'), '512');
    assert.is(value(bed, 'cpuset.cpus'), '0');
    done(bed, '--cpu-period=50000', '--cpu-quota=25000', '--cpu-burst=10000');
    assert.equal(
      ['cfs_period_us', 'cfs_quota_us', 'cfs_burst_us'].map((f) => value(bed, `cpu.${f}`)),
      ['50000', '25000', '10000'],
    );
    done(bed, '--cpu-quota=5000', '--cpu-burst=1000');
    assert.equal([value(bed, 'cpu.cfs_quota_us'), value(bed, 'cpu.cfs_burst_us')], ['5000', '1000']);
    assert.is(value(bed, 'cpu.cfs_period_us'), '50000', 'what is not given stays');
    done(bed, '--cpu-idle', '1');
    assert.is(value(bed, 'cpu.idle'), '1');
    done(bed, '--pids-limit', '-1');
    assert.is(value(bed, 'pids.max'), 'max');
    done(bed);
  }),
);

anywhere(
  'update reads resources from stdin or a file, and then ignores other flags',
  running((bed) => {
    assert.is(apply(bed, { pids: { limit: 44 }, cpu: { quota: 7000 } }).code, 0);
    const quota = hasCgroupV1() ? value(bed, 'cpu.cfs_quota_us') : value(bed, 'cpu.max').split(' ')[0];
    assert.equal([value(bed, 'pids.max'), quota], ['44', '7000']);
    writeFileSync(join(bed.dir, 'limits.json'), '{"pids":{"limit":45}}');
    done(bed, '-r', join(bed.dir, 'limits.json'), '--pids-limit=46');
    assert.is(value(bed, 'pids.max'), '45');
  }),
);

test(
  'update changes only device rules that differ, and the filter applies them',
  running((bed) => {
    const before = value(bed, 'devices.list').split('\n').sort();
    const fuse = { allow: true, type: 'c', major: 10, minor: 229, access: 'rw' };
    assert.is(apply(bed, { devices: [{ allow: false }, fuse] }).code, 0);
    assert.equal(value(bed, 'devices.list').split('\n').sort(), [...before, 'c 10:229 rw'].sort());
    assert.is(apply(bed, { devices: [{ allow: false }] }).code, 0);
    assert.equal(value(bed, 'devices.list').split('\n').sort(), before);
    assert.is(apply(bed, { devices: [{ allow: true, access: 'rwm' }] }).code, 0);
    assert.is(value(bed, 'devices.list'), 'a *:* rwm');
    assert.is(apply(bed, { devices: [{ allow: false }] }).code, 0);
    assert.equal(value(bed, 'devices.list').split('\n').sort(), before);
  }),
);

test(
  'a refused update restores cpuset lists written with spaces, and the shares of a cgroup made idle',
  running((bed) => {
    // The last CPU: a truncated list would not contain it.
    const last = String(cpus().length - 1);
    done(bed, `--cpuset-cpus=${last}`, '--cpu-share=2048');
    assert.is(apply(bed, { cpu: { cpus: `0, ${last}`, mems: '63' } }).code, 1);
    assert.is(value(bed, 'cpuset.cpus'), last);
    const r = apply(bed, { cpu: { idle: 1, mems: '63' } });
    assert.is(r.code, 1);
    assert.match(r.stderr, 'nothing was changed');
    assert.equal([value(bed, 'cpu.idle'), value(bed, 'cpu.shares')], ['0', '2048']);
  }),
);

onDisk(
  'update sets a block I/O limit, and 0 removes it',
  running((bed) => {
    const { major, minor } = disk()!;
    const set = (rate: number) => apply(bed, { blockIO: { throttleReadBpsDevice: [{ major, minor, rate }] } });
    assert.is(set(1000000).code, 0);
    assert.is(value(bed, 'blkio.throttle.read_bps_device'), `${major}:${minor} 1000000`);
    assert.is(set(0).code, 0);
    assert.is(value(bed, 'blkio.throttle.read_bps_device'), '');
  }),
);

onDisk(
  'update changes nothing if one limit is refused',
  running((bed) => {
    done(bed, '--pids-limit=55', '--memory=64m', '--cpu-quota=50000');
    const { major, minor } = disk()!;
    const throttle = [{ major, minor, rate: 5 }];
    const r = apply(bed, {
      pids: { limit: 66 },
      memory: { limit: 128 * MiB, reservation: MiB },
      cpu: { quota: 70000, cpus: '999' },
      blockIO: { throttleWriteIOPSDevice: throttle },
      devices: [{ allow: true, type: 'c', major: 10, minor: 229, access: 'rw' }],
    });
    assert.is(r.code, 1);
    assert.match(r.stderr, /^runt: update bed-.*: write "999" to .*\/cpuset\.cpus: ERANGE/);
    assert.match(r.stderr, '\n  at  /cpu/cpus in standard input  "999"\n');
    assert.match(r.stderr, '; nothing was changed\n');
    assert.equal(
      ['pids.max', 'memory.limit_in_bytes', 'cpu.cfs_quota_us', 'blkio.throttle.write_iops_device'].map((f) =>
        value(bed, f),
      ),
      ['55', String(64 * MiB), '50000', ''],
    );
    assert.is(value(bed, 'memory.soft_limit_in_bytes'), '9223372036854771712');
    assert.not.match(value(bed, 'devices.list'), '10:229');
  }),
);

anywhere(
  'checkBeforeUpdate refuses a limit below the memory in use before the kernel reclaims any',
  running((bed) => {
    const r = apply(bed, { memory: { limit: 4096, checkBeforeUpdate: true } });
    assert.is(r.code, 1);
    assert.match(r.stderr, /not above the \d+ bytes that are in use\n {2}at {2}\/memory\/limit in standard input/);
    const [file, none] = hasCgroupV1() ? ['memory.limit_in_bytes', '9223372036854771712'] : ['memory.max', 'max'];
    assert.is(value(bed, file!), none);
  }),
);

anywhere(
  'errors name the JSON pointer, the position in the input, the flag or the file',
  running((bed) => {
    assert.match(apply(bed, { cpu: { shares: 'x' } }).stderr, '  at  /cpu/shares must be an integer, found "x"');
    if (hasCgroupV1()) {
      assert.match(apply(bed, { unified: { 'memory.high': '1' } }).stderr, '  at  /unified in standard input');
      assert.match(apply(bed, { network: { classID: 5 } }).stderr, 'no cgroup controller "net_cls"');
    }
    assert.match(
      bed.runt(['update', '-r', '-', bed.id], { input: '{"cpu":' }).stderr,
      'standard input:1:8 is not JSON',
    );
    assert.match(
      update(bed, '--memory=10x').stderr,
      'flag --memory needs a size such as 64m, 1g or 4096, or -1, not "10x"',
    );
    assert.match(update(bed, '--cpu-share=many').stderr, 'flag --cpu-share needs an integer, not "many"');
    assert.match(update(bed, '--resources=/nonexistent').stderr, 'read /nonexistent: ENOENT');
  }),
);

anywhere(
  'update works on a created container, and refuses a stopped or unknown one',
  onBed((bed) => {
    assert.match(update(bed, '--pids-limit=5').stderr, 'container does not exist');
    assert.is(bed.create().code, 0);
    done(bed, '--pids-limit=5');
    assert.is(value(bed, 'pids.max'), '5');
    bed.start();
    bed.until('stopped');
    const r = update(bed, '--pids-limit=6');
    assert.equal([r.code, r.stderr], [1, `runt: container not running: ${bed.id} is stopped\n`]);
    bed.delete();
  }),
);

test.run();
onDisk.run();
anywhere.run();
