/** Operations of the runtime that a minimal config does not have, each in a whole launch. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../../../src/container/create.js';
import type { CreateOptions } from '../../../../src/container/launch/container-options.js';
import type { Spec } from '../../../../src/spec/config-types.js';
import { E } from '../../../../src/sys/errno.js';
import { created, type Script } from '../../../sys/fake-host/scripted-init.js';
import { BundleHost, config, failuresOf } from '../bundle-host.js';

const test = suite('operations of the runtime');

/** A container with many runtime operations: files for hooks, terminal, limits, scheduler. */
const rich = (): Spec =>
  config({
    process: {
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      cwd: '/',
      terminal: true,
      oomScoreAdj: 100,
      scheduler: { policy: 'SCHED_BATCH', nice: 5 },
      ioPriority: { class: 'IOPRIO_CLASS_IDLE', priority: 0 },
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: 10, hard: 20 }],
    } as NonNullable<Spec['process']>,
    linux: {
      cgroupsPath: '/web',
      namespaces: [{ type: 'user' }, { type: 'pid' }, { type: 'mount' }],
      uidMappings: [{ containerID: 0, hostID: 100_000, size: 10 }],
      gidMappings: [{ containerID: 0, hostID: 100_000, size: 10 }],
    },
  });

function on(script: Script = created): BundleHost {
  const host = new BundleHost(rich(), script);
  host.kernel.on('ioprioSet', () => 0);
  host.kernel.sockets.listen('/b/console', () => {});
  host.kernel.sockets.listen('/b/pidfd', () => {});
  return host;
}

const options: Partial<CreateOptions> = { consoleSocket: '/b/console', pidfdSocket: '/b/pidfd', preserveFds: 0 };

test('the process gets its id maps, its OOM score and its scheduler', async () => {
  const host = on();
  await host.kernel.finish(create(host.options(options)));
  const { tree, names } = host.kernel;
  const proc = `/proc/${host.init.process.pid}`;
  assert.equal(
    [tree.text(`${proc}/uid_map`), tree.text(`${proc}/gid_map`), tree.text(`${proc}/oom_score_adj`)],
    ['0 100000 10\n', '0 100000 10\n', '100'],
  );
  for (const name of ['schedSetAttr', 'ioprioSet'] as const) assert.ok(names.includes(name), name);
  assert.equal(host.left, ['process: runt/init', 'cgroup: web', 'state: web']);
});

test('each failed call leaves nothing', async () => {
  const outcomes = await failuresOf(
    () => on(),
    (host) => create(host.options(options)),
  );
  const whole = ['process: runt/init', 'cgroup: web', 'state: web'];
  for (const { call, error, left } of outcomes) {
    assert.equal(left, error === 'none' ? whole : [], `${call}: ${error}`);
  }
  const errors = outcomes.map(({ call, error, message }) => `${call.replace(/\(.*/, '')}: ${error} ${message}`);
  for (const line of [/^writeFile: ERR_ID_MAP create web: /, /^schedSetAttr: /, /^ioprioSet: /, /^sendFds: /]) {
    assert.ok(
      errors.some((text) => line.test(text) && !text.includes(': none')),
      `${line} is not among\n${errors.join('\n')}`,
    );
  }
});

test('an id-mapped mount gets the maps of a separate user namespace', async () => {
  const spec = config({
    mounts: [
      {
        destination: '/data',
        type: 'bind',
        source: '/b/data',
        options: ['bind'],
        uidMappings: [{ containerID: 0, hostID: 5, size: 1 }],
        gidMappings: [{ containerID: 0, hostID: 6, size: 1 }],
      },
    ],
  });
  const on = (): BundleHost => {
    // The first runt-init only holds the namespace and gets no plan.
    const host = new BundleHost(spec, (n) => (n === 0 ? [] : created));
    host.kernel.tree.directory('/b/data');
    return host;
  };
  const host = on();
  await host.kernel.finish(create(host.options()));
  assert.is(host.inits.length, 2);
  assert.ok(host.init.process.end);
  assert.ok(host.kernel.names.includes('idMapTree'));
  const outcomes = await failuresOf(on, (one) => create(one.options()));
  const refused = outcomes.find(({ call }) => call.startsWith('idMapTree'));
  assert.match(refused?.message ?? '', /^create web: .*\/b\/data/);
  for (const { call, error, left } of outcomes) {
    const what = left.filter((one) => !one.startsWith('zombie'));
    if (error !== 'none') assert.equal(what, [], `${call}: ${error}`);
  }
});

test('joined namespaces are opened before the process exists', async () => {
  const linux = {
    cgroupsPath: '/web',
    namespaces: [{ type: 'network' as const, path: '/gone' }, { type: 'mount' as const }],
  };
  const host = new BundleHost(config({ linux }));
  const error = await host.failure(() => create(host.options()));
  assert.equal([error?.code, error?.errno, error?.pointer], ['ERR_NAMESPACE', E.ENOENT, '/linux/namespaces/0/path']);
  assert.equal([host.inits.length, ...host.left], [0]);
});

test('a seccomp profile that libseccomp refuses fails the create before the process exists', async () => {
  const base = config();
  const seccomp = { defaultAction: 'SCMP_ACT_ALLOW' as const };
  const host = new BundleHost({ ...base, linux: { ...base.linux, seccomp } } as Spec);
  host.kernel.on('seccompVersion', () => 0);
  host.kernel.on('seccompFlags', () => 1);
  host.kernel.on('compileSeccomp', () => -E.EINVAL);
  const error = await host.failure(() => create(host.options()));
  assert.equal([error?.code, error?.pointer], ['ERR_SECCOMP', '/linux/seccomp/defaultAction']);
  assert.equal([host.inits.length, ...host.left], [0]);
});

test.run();
