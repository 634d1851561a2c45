/** Reports of runt-init during a create, except for its end. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { create } from '../../../src/container/create.js';
import { loadRecord } from '../../../src/container/state/state-store.js';
import { E } from '../../../src/sys/errno.js';
import { MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY } from '../../../src/sys/linux.js';
import { Transcript } from '../../sys/fake-host/descriptors.js';
import type { FakeProcess } from '../../sys/fake-host/processes.js';
import { created, reports, type Step } from '../../sys/fake-host/scripted-init.js';
import { BundleHost, config } from './bundle-host.js';

const test = suite('reports of runt-init');

const mounts = [
  { destination: '/proc', type: 'proc', source: 'proc' },
  { destination: '/data', type: 'bind', source: '/b/data', options: ['rbind', 'rw'] },
  { destination: '/sys', type: 'sysfs', source: 'sysfs' },
];

/** The recorded pid. */
const pidOf = (host: BundleHost): number => loadRecord(host.kernel.root, 'web').pid;

/** A create that receives one more report, which needs no reply. */
async function withReport(make: (host: BundleHost) => Step, spec = config({ mounts })): Promise<BundleHost> {
  let extra: Step = () => {};
  const host = new BundleHost(spec, [(init) => typeof extra === 'function' && extra(init), ...created]);
  host.kernel.tree.directory('/b/data');
  extra = make(host);
  await host.kernel.finish(create(host.options()));
  return host;
}

test('kept: the warning names the flags, the mount and its pointer', async () => {
  const host = await withReport((h) =>
    reports('kept', { index: h.indexOf('mountBind'), kept: MOUNT_ATTR_RDONLY, recursive: MOUNT_ATTR_NOSUID }),
  );
  assert.is(host.warnings.length, 1);
  assert.match(host.warnings[0] ?? '', /^\/mounts\/1: rw,rsuid has no effect on the mount on \/data: the host has set/);
});

test('bound: the warning says that the /sys of the host is mounted there', async () => {
  const host = await withReport((h) => {
    const index = h.indexOf('mountFs') + 2;
    return reports('bound', { index });
  });
  assert.is(host.warnings.length, 1);
  assert.match(host.warnings[0] ?? '', /the \/sys of the host is bound on .*, read-only with all mounts below it/);
});

test('slow: the warning names the hook and its timeout', async () => {
  const hooks = { createContainer: [{ path: '/hooks/slow', timeout: 60 }] };
  const host = await withReport(() => reports('slow', { point: 'createContainer', index: 0 }), config({ hooks }));
  assert.equal(host.warnings, [
    'create web: hook createContainer 0, /hooks/slow: not done after 30 s; it is killed after 60 s',
  ]);
});

test('trace: the file has the spans of the runtime and of runt-init', async () => {
  const host = new BundleHost(config(), [
    reports('trace', { spans: [{ index: 12, start: 5_000_000_000_000n, end: 5_000_000_001_000n }] }),
    ...created,
  ]);
  await host.kernel.finish(create(host.options({ trace: '/b/trace' })));
  const trace = JSON.parse(host.kernel.tree.text('/b/trace'));
  const events: { name: string }[] = Array.isArray(trace) ? trace : trace.traceEvents;
  const names = events.map(({ name }) => name);
  assert.ok(names.includes('compile the plan'));
  assert.ok(events.length > 10, 'the spans of the runtime and that of runt-init');
});

test('pid: the process that joined ends, and its sibling is the container', async () => {
  const linux = { cgroupsPath: '/web', namespaces: [{ type: 'pid' as const, path: '/b/ns' }] };
  let joined: FakeProcess | undefined;
  const host = new BundleHost(config({ linux }), [
    (init) => {
      joined = init.process;
      init.goOn(host.indexOf('cgroupFork'));
    },
    ...created,
  ]);
  host.kernel.tree.symlink('/b/ns', '/proc/1000/ns/pid');
  await host.kernel.finish(create(host.options()));
  assert.ok(joined?.end);
  assert.is(pidOf(host), host.init.process.pid);
  assert.is.not(pidOf(host), joined?.pid);
  assert.equal(host.left, ['process: runt/init', 'cgroup: web', 'state: web'], 'the ended process is reaped');
});

test('pid: a report without its descriptor fails the create', async () => {
  const linux = { cgroupsPath: '/web', namespaces: [{ type: 'pid' as const, path: '/b/ns' }] };
  const host = new BundleHost(config({ linux }), [
    (init) => init.report('pid', { index: host.indexOf('cgroupFork'), pid: 77 }),
    ({ process }) => process.exit(0),
  ]);
  host.kernel.tree.symlink('/b/ns', '/proc/1000/ns/pid');
  const error = await host.failure(() => create(host.options()));
  assert.is(error?.errno, E.EMFILE);
});

test('stdio: the descriptors are chowned to the user of the process, through its id map', async () => {
  const spec = config({
    process: { user: { uid: 5, gid: 5 }, args: ['sh'], cwd: '/' },
    linux: {
      namespaces: [{ type: 'user' }, { type: 'mount' }],
      uidMappings: [{ containerID: 0, hostID: 100_000, size: 10 }],
      gidMappings: [{ containerID: 0, hostID: 100_000, size: 10 }],
    },
  });
  const host = new BundleHost(spec, [
    (init) => init.report('stdio', { index: host.indexOf('stdioOwner'), uid: 5, fds: 0b101 }),
    'go',
    ...created,
  ]);
  const owners: string[] = [];
  host.kernel.on('chownAt', (fd, path, uid, gid) => {
    owners.push(`${fd}${path} ${uid} ${gid}`);
    return fd === 2 ? -E.EPERM : 0;
  });
  await host.kernel.finish(create(host.options({ cgroupManager: 'disabled' })));
  assert.equal(owners, ['0 100005 -1', '2 100005 -1'], 'a descriptor that may not be chowned is left alone');
  assert.equal(
    [host.kernel.tree.text(`/proc/${pidOf(host)}/uid_map`), host.kernel.tree.text(`/proc/${pidOf(host)}/gid_map`)],
    ['0 100000 10\n', '0 100000 10\n'],
  );
});

/** A create whose runt-init sends a seccomp listener. */
async function withListener(prepare: (host: BundleHost) => void) {
  const notify = new Transcript('listener').hold();
  const host = new BundleHost(config({ annotations: { a: 'b' } }), [
    reports('listener', { fd: notify, agent: '/run/agent.sock', metadata: 'more' }),
    'go',
    ...created,
  ]);
  prepare(host);
  return { host, notify, error: await host.failure(() => create(host.options())) };
}

test('listener: the agent gets it with the state of the container, then runt-init continues', async () => {
  const messages: unknown[] = [];
  const { host, error, notify } = await withListener(({ kernel }) =>
    kernel.sockets.listen('/run/agent.sock', (end) => {
      end.onMessage = () => {
        const message = end.receive(1 << 16);
        if (typeof message === 'number') return;
        messages.push(JSON.parse(new TextDecoder().decode(message.data)));
        messages.push(message.files.map(({ shown }) => shown));
        for (const file of message.files) file.drop();
      };
    }),
  );
  assert.is(error, undefined);
  const { pid } = host.init.process;
  const state = { ociVersion: '1.2.0', id: 'web', status: 'creating', pid, bundle: '/b', annotations: { a: 'b' } };
  assert.equal(messages, [{ ociVersion: '1.2.0', fds: ['seccompFd'], pid, metadata: 'more', state }, ['listener']]);
  assert.is(notify.holders, 1, 'runt has closed its descriptor');
});

test('listener: without the agent the process does not continue', async () => {
  const absent = await withListener(() => {});
  assert.equal(
    [absent.error?.code, absent.error?.errno, absent.error?.path],
    ['ERR_SECCOMP_AGENT', E.ENOENT, '/run/agent.sock'],
  );
  assert.match(absent.error?.message ?? '', /^create web: failed to connect with seccomp agent \/run\/agent\.sock/);
  assert.equal([absent.host.left, absent.host.init.gos], [[], []]);
  const deaf = await withListener(({ kernel }) => {
    kernel.sockets.listen('/run/agent.sock', () => {});
    kernel.on('unixConnect', () => -E.EAGAIN);
  });
  assert.is(deaf.error?.errno, E.ETIMEDOUT);
  assert.match(deaf.error?.hint ?? '', /^restart the agent/);
  const broken = await withListener(({ kernel }) => {
    kernel.sockets.listen('/run/agent.sock', () => {});
    kernel.failAt('sendFds', 1, E.EPIPE);
  });
  assert.equal([broken.error?.syscall, broken.host.left], ['sendmsg', []]);
  assert.match(broken.error?.message ?? '', /^create web: hand the seccomp listener to the agent at /);
});

test.run();
