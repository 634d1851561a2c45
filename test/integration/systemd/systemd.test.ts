/**
 * A container whose init is systemd, on v2, set up as by podman's --systemd: /run and /tmp are tmpfs, it owns its
 * cgroups.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { cgroupsNamed } from '../../leaks/leftovers.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { withUserNamespace } from '../bed/config.js';

const test = needing('systemd in a container', 'root', 'cgroup-v2', 'systemctl');
const init = '/usr/lib/systemd/systemd';

/** The units: a target that is reached when a service has printed its findings. */
const units: Record<string, string> = {
  'test.target': '[Unit]\nDescription=Test\nWants=probe.service stays.service\nAllowIsolate=yes\n',
  'probe.service':
    '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh -c "cat /proc/self/cgroup >/run/probe; id -u >>/run/probe"\n',
  'stays.service':
    '[Service]\nExecStart=/bin/sleep 1000\nMemoryMax=32M\nTasksMax=7\nExecStop=/bin/sh -c "echo stopped >/out/stays"\n',
};

/** A root with the machine's own /usr, and a config like that of podman's --systemd=always. */
function systemd(bed: Bed): void {
  const root = join(bed.bundle, 'systemd');
  for (const dir of ['usr', 'etc/systemd/system', 'var', 'run', 'tmp', 'proc', 'sys', 'dev', 'out'])
    mkdirSync(join(root, dir), { recursive: true });
  for (const dir of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${dir}`, join(root, dir));
  for (const [name, text] of Object.entries(units)) writeFileSync(join(root, 'etc/systemd/system', name), text);
  symlinkSync('test.target', join(root, 'etc/systemd/system/default.target'));
  for (const [name, text] of [
    ['machine-id', '0123456789abcdef0123456789abcdef\n'],
    ['passwd', 'root:x:0:0:root:/root:/bin/sh\n'],
    ['group', 'root:x:0:\n'],
  ] as const)
    writeFileSync(join(root, 'etc', name), text);
  const { config } = bed;
  config.root = { path: 'systemd' };
  config.process.args = [init];
  config.process.env.push('container=oci');
  const more = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'SETFCAP', 'SETGID', 'SETPCAP', 'SETUID', 'SYS_CHROOT'];
  for (const set of ['bounding', 'effective', 'permitted'] as const)
    config.process.capabilities[set] = [...(config.process.capabilities[set] ?? []), ...more.map((c) => `CAP_${c}`)];
  delete config.process.capabilities.ambient;
  config.process.noNewPrivileges = false;
  config.linux.namespaces.push({ type: 'cgroup' });
  config.linux.resources.memory = { limit: 256 << 20 };
  const cgroup = config.mounts.find((m) => m.type === 'cgroup')!;
  cgroup.options = ['nosuid', 'noexec', 'nodev', 'rw'];
  const tmpfs = (destination: string, ...options: string[]) => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'nodev', ...options],
  });
  config.mounts.push(
    { destination: '/usr', type: 'bind', source: '/usr', options: ['rbind', 'ro'] },
    tmpfs('/run', 'mode=755'),
    tmpfs('/run/lock'),
    tmpfs('/tmp', 'mode=1777'),
    tmpfs('/var', 'mode=755'),
    { destination: '/out', type: 'bind', source: join(bed.bundle, 'systemd', 'out'), options: ['bind'] },
  );
}

const out = (bed: Bed, ...args: string[]): string => {
  const r = bed.runt(['exec', bed.id, ...args]);
  return r.stdout + r.stderr;
};

async function isUp(bed: Bed): Promise<void> {
  let last = '';
  try {
    await eventually(
      'systemd is up',
      () => {
        last = out(bed, '/bin/systemctl', 'is-system-running');
        return last === 'running\n';
      },
      30_000,
    );
  } catch (error) {
    throw new Error(
      `${(error as Error).message}: ${last}\n${out(bed, '/bin/systemctl', '--failed', '--no-pager')}\n${bed.stdout()}\n${bed.stderr()}`,
    );
  }
}

/** Boots the container, inspects it from inside and outside, and shuts it down by systemd's signal. */
async function booted(bed: Bed, owner = 0): Promise<void> {
  systemd(bed);
  execFileSync('chown', ['-R', String(owner), join(bed.bundle, 'systemd')]);
  assert.is(bed.create().code, 0);
  assert.is(bed.start().code, 0);
  await isUp(bed);
  const [own] = cgroupsNamed(bed.id) as [string];
  const file = (name: string) => readFileSync(join(own, name), 'utf8').trim();

  // It has made cgroups below its own, whose limits are those of the config.
  assert.ok(readdirSync(own).includes('init.scope') && readdirSync(own).includes('system.slice'));
  assert.equal([file('cgroup.procs'), file('memory.max')], ['', String(256 << 20)]);
  assert.is(file('init.scope/cgroup.procs').split('\n')[0], String(bed.state().pid));
  await eventually('the service', () => existsSync(join(own, 'system.slice/stays.service/memory.max')));
  assert.is(file('system.slice/stays.service/memory.max'), String(32 << 20));
  assert.is(file('system.slice/stays.service/pids.max'), '7');
  assert.is(out(bed, '/bin/cat', '/run/probe'), '0::/system.slice/probe.service\n0\n');

  // An exec joins init's cgroup: the container's own cgroup can no longer have processes.
  assert.match(out(bed, '/bin/cat', '/proc/self/cgroup'), /^0::\/init\.scope\n$/);
  const ps = bed.runt(['ps', '--format', 'json', bed.id]);
  assert.is(ps.code, 0, ps.stderr);
  assert.ok((JSON.parse(ps.stdout) as number[]).length >= 2, ps.stdout);
  const { data } = JSON.parse(bed.runt(['events', '--stats', bed.id]).stdout);
  assert.is(data.memory.usage.limit, 256 << 20);
  assert.is(data.pids.current, Number(file('pids.current')));

  // Its whole tree is frozen, and continues.
  assert.is(bed.runt(['pause', bed.id]).code, 0);
  assert.is(bed.state().status, 'paused');
  assert.match(readFileSync(join(own, 'system.slice/stays.service/cgroup.events'), 'utf8'), /^frozen 1$/m);
  assert.is(bed.runt(['resume', bed.id]).code, 0);
  assert.is(bed.runt(['update', '--memory', '128m', '--pids-limit', '99', bed.id]).code, 0);
  assert.equal([file('memory.max'), file('pids.max')], [String(128 << 20), '99']);
  assert.is(out(bed, '/bin/systemctl', 'is-active', 'stays'), 'active\n');

  // SIGRTMIN+3 (glibc's, 37) requests a shutdown: services are stopped in order.
  assert.is(bed.kill(37).code, 0);
  bed.until('stopped');
  assert.is(readFileSync(join(bed.bundle, 'systemd', 'out', 'stays'), 'utf8'), 'stopped\n');
  assert.is(bed.delete().code, 0);
  assert.not.ok(existsSync(own));
}

test(
  'systemd boots, has its own cgroups, works with exec, pause and update, and shuts down by its signal',
  onBed((bed) => booted(bed)),
);

test(
  'systemd boots in a user namespace, whose root owns the cgroup',
  onBed(async (bed) => {
    withUserNamespace(bed.config);
    await booted(bed, 100000);
  }),
);

test(
  'delete --force ends all of it, including its own cgroups',
  onBed(async (bed) => {
    systemd(bed);
    assert.is(bed.create().code, 0);
    assert.is(bed.start().code, 0);
    await isUp(bed);
    assert.is(bed.delete('--force').code, 0);
    assert.equal(cgroupsNamed(bed.id), []);
  }),
);

test.run();
