/** Pods of `runt serve --containerd`, through the calls that containerd's CRI makes. */

import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import * as assert from 'uvu/assert';
import { type CallError, connect, type ProcessEvent } from '../../../src/library/client.js';
import { pod } from '../../../src/shim/sandbox/pod-protos.js';
import { task } from '../../../src/shim/transport/protos.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { type CallFailure, fifo, NodeEngine } from '../bed/node-engine.js';
import { runtPath } from '../bed/place.js';
import { type ServerProgram, servers } from '../bed/task-client.js';

const suite = needing('pods of serve', 'root', 'unshare');
const { NODE, POD, CONTAINER } = pod.NamespaceMode;

const test = (name: string, body: (engine: NodeEngine, bed: Bed) => Promise<void>): void => {
  for (const program of Object.keys(servers) as ServerProgram[])
    suite(
      `${program}: ${name}`,
      onBed(async (bed) => {
        const engine = new NodeEngine(bed, program);
        try {
          await engine.begin();
          await body(engine, bed);
        } finally {
          for (const id of podIds(engine)) await engine.pods('Shutdown', { sandboxId: id }).catch(() => {});
          await engine.end();
        }
      }),
    );
};

const podIds = ({ runtRoot }: NodeEngine): string[] => {
  const directory = join(runtRoot, '.sandboxes/k8s.io');
  return existsSync(directory) ? readdirSync(directory) : [];
};
const namespaceOf = (pid: number | 'self', type: string): string => readlinkSync(`/proc/${pid}/ns/${type}`);
const failure = (call: Promise<unknown>): Promise<CallFailure> =>
  call.then(
    () => {
      throw new Error('the call worked');
    },
    (error: CallFailure) => error,
  );

test('a pod lives from Create to Shutdown, and nothing is left', async (engine, bed) => {
  const sandboxId = `${bed.id}-pod`;
  const netns = await engine.network();
  const metadata = { name: 'web', namespace: 'default', uid: 'u', attempt: 1 };
  const extension = { Version: 'v1', Metadata: { ID: sandboxId, Config: { metadata: { name: 'web' } } } };
  const config = {
    metadata,
    hostname: 'web',
    dnsConfig: { servers: ['10.0.0.1', '10.0.0.2'], searches: ['a.example', 'b.example'], options: ['ndots:5'] },
    linux: { sysctls: { 'kernel.shm_rmid_forced': '1' } },
  };
  await engine.create(sandboxId, config, netns, {
    sandbox: {
      runtime: { name: 'io.containerd.runt.v1' },
      extensions: { metadata: { type_url: 'x', value: Buffer.from(JSON.stringify(extension)) } },
    },
  });
  const started = await engine.pods('Start', { sandboxId });
  assert.is(started.address, `grpc+${engine.socket}`);
  assert.is(started.version, 3);
  assert.is(JSON.parse(Buffer.from(started.spec?.value as Uint8Array).toString()).hostname, 'web');
  const { pid } = started;
  assert.is(namespaceOf(pid, 'net'), readlinkSync(netns));
  for (const type of ['pid', 'ipc', 'uts', 'mnt'])
    assert.is.not(namespaceOf(pid, type), namespaceOf('self', type), type);
  const status = await engine.pods('Status', { sandboxId, verbose: true });
  assert.is(status.state, 'SANDBOX_READY');
  assert.is(status.pid, pid);
  assert.is(status.address, started.address);
  assert.equal(status.createdAt, started.createdAt);
  const info = JSON.parse(status.info.info as string);
  assert.is(info.processStatus, 'running');
  assert.is(info.runtimeType, 'io.containerd.runt.v1');
  assert.equal(info.config, { metadata: { name: 'web' } });
  assert.equal(info.sandboxMetadata, extension);
  const { platform } = await engine.pods('Platform', { sandboxId });
  assert.is(platform?.os, 'linux');
  assert.is(platform?.architecture, process.arch === 'x64' ? 'amd64' : process.arch);
  const files = join(engine.root, 'io.containerd.grpc.v1.cri/sandboxes', sandboxId);
  assert.is(readFileSync(join(files, 'hostname'), 'utf8'), 'web\n');
  assert.is(readFileSync(join(files, 'hosts'), 'utf8'), readFileSync('/etc/hosts', 'utf8'));
  assert.is(
    readFileSync(join(files, 'resolv.conf'), 'utf8'),
    'search a.example b.example\nnameserver 10.0.0.1\nnameserver 10.0.0.2\noptions ndots:5\n',
  );
  const shm = join(engine.state, 'io.containerd.grpc.v1.cri/sandboxes', sandboxId, 'shm');
  const mounted = (): boolean => readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${shm} `);
  assert.ok(mounted());
  const wait = engine.pods('Wait', { sandboxId });
  await engine.pods('Stop', { sandboxId });
  assert.is((await wait).exitStatus, 137);
  assert.not(mounted());
  assert.is((await engine.pods('Status', { sandboxId })).state, 'SANDBOX_NOTREADY');
  assert.ok((await engine.pods('Status', { sandboxId })).exitedAt);
  await engine.pods('Stop', { sandboxId });
  await engine.pods('Shutdown', { sandboxId });
  assert.is((await failure(engine.pods('Status', { sandboxId }))).code, 5);
  assert.equal(podIds(engine), []);
  assert.not(existsSync(files));
  assert.is(bed.runt(['state', sandboxId], {}).code, 1);
});

test('a container joins the namespaces of its pod, and its events go to containerd', async (engine, bed) => {
  const sandboxId = `${bed.id}-pod`;
  await engine.create(sandboxId, { hostname: 'shared', linux: { sysctls: {} } }, await engine.network());
  const { pid } = await engine.pods('Start', { sandboxId });
  joinPod(bed, pid);
  bed.config.process.args = [
    'sh',
    '-c',
    'hostname; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; ps | grep -c pause',
  ];
  bed.write();
  const stdout = `file://${join(bed.dir, 'out')}`;
  await engine.tasks('Create', { id: bed.id, bundle: bed.bundle, stdout });
  const wait = engine.tasks('Wait', { id: bed.id });
  await engine.tasks('Start', { id: bed.id });
  assert.is((await wait).exitStatus, 0);
  await engine.tasks('Delete', { id: bed.id });
  // containerd 2.4 calls it after each Delete.
  await engine.tasks('Shutdown', { id: bed.id });
  const [hostname, port, pauses] = readFileSync(join(bed.dir, 'out'), 'utf8').split('\n');
  assert.is(hostname, 'shared');
  assert.is(port, '0');
  assert.ok(Number(pauses) > 0, 'the first process of the shared pid namespace');
  const topics = () => engine.events.filter(({ id }) => id === bed.id).map(({ topic }) => topic);
  await eventually('the events', () => topics().includes('/tasks/delete'));
  assert.equal(topics(), ['/tasks/create', '/tasks/start', '/tasks/exit', '/tasks/delete']);
  assert.equal(
    engine.events.filter(({ id }) => id === sandboxId),
    [],
  );
});

test('modes of namespaces are those of the host where CRI says so', async (engine, bed) => {
  const sandboxId = `${bed.id}-pod`;
  const namespaceOptions = { network: NODE, pid: NODE, ipc: NODE };
  await engine.create(sandboxId, { hostname: 'ignored', linux: { securityContext: { namespaceOptions } } }, '');
  const { pid } = await engine.pods('Start', { sandboxId });
  for (const type of ['net', 'pid', 'ipc', 'uts']) assert.is(namespaceOf(pid, type), namespaceOf('self', type), type);
  assert.not(existsSync(join(engine.state, 'io.containerd.grpc.v1.cri/sandboxes', sandboxId, 'shm')));
});

test('a pod with a user namespace joins that of its network namespace', async (engine, bed) => {
  const sandboxId = `${bed.id}-pod`;
  const netns = await engine.network('0 100000 65536');
  const maps = [{ hostId: 100000, containerId: 0, length: 65536 }];
  const usernsOptions = { mode: POD, uids: maps, gids: maps };
  const config = { linux: { securityContext: { namespaceOptions: { pid: CONTAINER, usernsOptions } } } };
  await engine.create(sandboxId, config, netns);
  const { pid, spec } = await engine.pods('Start', { sandboxId });
  assert.is(namespaceOf(pid, 'user'), readlinkSync(netns.replace(/net$/, 'user')));
  assert.match(readFileSync(`/proc/${pid}/uid_map`, 'utf8'), /^\s*0\s+100000\s+65536\s*$/);
  const { namespaces } = JSON.parse(Buffer.from(spec?.value as Uint8Array).toString()).linux;
  assert.equal(
    namespaces.filter(({ type }: { type: string }) => type === 'user'),
    [{ type: 'user', path: `/proc/${pid}/ns/user` }],
  );
});

test('the first process has no capability, a filter of its own, and the least OOM score that may be set', async (engine, bed) => {
  const sandboxId = `${bed.id}-pod`;
  const seccomp = { profileType: pod.SecurityProfile.ProfileType.RuntimeDefault };
  const securityContext = {
    seccomp,
    runAsUser: { value: 65535 },
    runAsGroup: { value: 65534 },
    supplementalGroups: [7],
  };
  await engine.create(sandboxId, { linux: { securityContext } }, await engine.network());
  const { pid } = await engine.pods('Start', { sandboxId });
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  for (const set of ['CapBnd', 'CapEff', 'CapPrm', 'CapInh', 'CapAmb'])
    assert.match(text, new RegExp(`^${set}:\\s*0{16}$`, 'm'));
  assert.match(text, /^Seccomp:\s*2$/m);
  assert.match(text, /^NoNewPrivs:\s*1$/m);
  assert.match(text, /^Uid:\s*65535\s/m);
  assert.match(text, /^Gid:\s*65534\s/m);
  assert.match(text, /^Groups:\s*7\s*$/m);
  const own = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
  assert.ok([-998, own].includes(Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'))));
});

test('calls that cannot be made say why, and leave nothing', async (engine, bed) => {
  const sandboxId = `${bed.id}-pod`;
  const netns = await engine.network();
  const expected = async (call: Promise<unknown>, code: number, words: RegExp) => {
    const failed = await failure(call);
    assert.is(failed.code, code, failed.details);
    assert.match(failed.details, words);
  };
  for (const method of ['Start', 'Platform', 'Stop', 'Wait', 'Status', 'Shutdown', 'Metrics', 'Update'] as const)
    await expected(engine.pods(method, { sandboxId: 'nobody' }), status.NOT_FOUND, /sandbox nobody does not exist/);
  await expected(
    engine.pods('Status', { sandboxId }, ''),
    status.FAILED_PRECONDITION,
    /no header containerd-namespace/,
  );
  await expected(engine.pods('Status', { sandboxId }, '../x'), status.INVALID_ARGUMENT, /is not a namespace/);
  await expected(engine.pods('Create', { sandboxId }), status.INVALID_ARGUMENT, /runtime\.v1\.PodSandboxConfig/);
  await expected(engine.create('../x', {}, netns), status.INVALID_ARGUMENT, /invalid container ID/);
  await expected(engine.create(sandboxId, {}, ''), status.INVALID_ARGUMENT, /neither a netns_path nor/);
  const target = { linux: { securityContext: { namespaceOptions: { ipc: CONTAINER } } } };
  await expected(engine.create(sandboxId, target, netns), status.INVALID_ARGUMENT, /mode 1 of ipc is not supported/);
  const profile = { profileType: pod.SecurityProfile.ProfileType.Localhost, localhostRef: 'x.json' };
  const filtered = { linux: { securityContext: { seccomp: profile } } };
  await expected(
    engine.create(sandboxId, filtered, netns),
    status.FAILED_PRECONDITION,
    /"x\.json" is not an absolute path/,
  );
  assert.equal(podIds(engine), []);
  const odd = { linux: { sysctls: { 'vm.swappiness': '1' } } };
  await engine.create(sandboxId, odd, netns);
  await failure(engine.pods('Start', { sandboxId }));
  assert.equal(podIds(engine), []);
  assert.equal(readdirSync(join(engine.root, 'io.containerd.grpc.v1.cri/sandboxes')), []);
  await engine.create(sandboxId, {}, netns);
  await expected(engine.create(sandboxId, {}, netns), status.ALREADY_EXISTS, /already exists/);
  await expected(engine.pods('Wait', { sandboxId }), status.FAILED_PRECONDITION, /was not started/);
  await expected(engine.pods('Metrics', { sandboxId }), status.FAILED_PRECONDITION, /no cgroup_parent/);
});

/** Reads a fifo until its writers have closed it. */
function reader(path: string): { text: () => string; end: Promise<string> } {
  const child = spawn('cat', [fifo(path)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (data: Buffer) => {
    said += data;
  });
  return { text: () => said, end: new Promise((settle) => child.stdout.once('end', () => settle(said))) };
}

test('pods, containers, execs and their streams outlive a server that is killed', async (engine, bed) => {
  const sandboxId = `${bed.id}-pod`;
  await engine.create(sandboxId, {}, await engine.network());
  const { pid } = await engine.pods('Start', { sandboxId });
  joinPod(bed, pid);
  const go = join(bed.rootfs, 'go');
  const script = 'i=0; until [ -e /go ]; do echo $i; i=$((i+1)); usleep 1000; done; echo end; exit 3';
  bed.config.process.args = ['sh', '-c', script];
  bed.config.root.readonly = false;
  bed.write();
  const [out, execOut] = [reader(join(bed.dir, 'out')), reader(join(bed.dir, 'exec-out'))];
  const { id, bundle } = bed;
  await engine.tasks('Create', { id, bundle, stdout: join(bed.dir, 'out') });
  await engine.tasks('Start', { id });
  const args = ['sh', '-c', 'until [ -e /go ]; do usleep 1000; done; echo from the exec; exit 4'];
  const value = Buffer.from(JSON.stringify({ args, cwd: '/', env: ['PATH=/bin'], user: { uid: 0, gid: 0 } }));
  await engine.tasks('Exec', { id, execId: 'x', spec: { type_url: 'x', value }, stdout: join(bed.dir, 'exec-out') });
  await engine.tasks('Start', { id, execId: 'x' });
  const waits = [
    engine.tasks('Wait', { id }),
    engine.tasks('Wait', { id, execId: 'x' }),
    engine.pods('Wait', { sandboxId }),
  ] as const;
  for (let round = 0; round < 3; round++) {
    const before = out.text().length;
    await eventually('output', () => out.text().length > before);
    await engine.kill();
    // A call of this time waits for the next server.
    const state = engine.tasks('State', { id });
    await engine.begin();
    assert.is((await state).pid > 0, true);
  }
  assert.is((await engine.pods('Status', { sandboxId })).pid, pid);
  await engine.kill();
  // The ends that no server sees.
  writeFileSync(go, '');
  const { pid: init0 } = JSON.parse(readFileSync(join(engine.runtRoot, 'k8s.io', id, 'state.json'), 'utf8'));
  await eventually('the end of the container', () => !existsSync(`/proc/${init0}`));
  await engine.begin();
  const [init, exec] = [await waits[0], await waits[1]];
  assert.is(init.exitStatus, 3);
  assert.is(exec.exitStatus, 4);
  assert.is(await execOut.end, 'from the exec\n');
  const lines = (await out.end).split('\n');
  assert.equal(lines.slice(0, -2), [...lines.slice(0, -2).keys()].map(String), 'no line is lost');
  assert.equal(lines.slice(-2), ['end', '']);
  assert.is((await engine.tasks('Delete', { id, execId: 'x' })).exitStatus, 4);
  assert.is((await engine.tasks('Delete', { id })).exitStatus, 3);
  await engine.pods('Shutdown', { sandboxId });
  assert.is((await waits[2]).exitStatus, 137);
});

test('the answer of a delete that containerd runs meanwhile is the true one, at Delete', async (engine, bed) => {
  const { id, bundle } = bed;
  const bootstrap = { version: 3, address: engine.socket, protocol: 'grpc' };
  writeFileSync(join(bundle, 'bootstrap.json'), JSON.stringify(bootstrap));
  bed.config.process.args = ['sh', '-c', 'exit 9'];
  bed.write();
  const program = join(bed.dir, 'containerd-shim-runt-v1');
  symlinkSync(runtPath, program);
  const remove = () => {
    const child = spawn(program, ['-namespace', 'k8s.io', '-id', id, '-bundle', bundle, 'delete'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const chunks: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => chunks.push(data));
    const answer = new Promise<task.DeleteResponse>((settle) =>
      child.stdout.once('end', () => settle(task.DeleteResponse.decode(Buffer.concat(chunks)))),
    );
    return { exit: new Promise((settle) => child.once('exit', settle)), answer };
  };
  // containerd 2.4 runs it before Create.
  const early = remove();
  await engine.tasks('Create', { id, bundle });
  assert.is(await early.exit, 0);
  await engine.tasks('Start', { id });
  assert.is((await engine.tasks('Wait', { id })).exitStatus, 9);
  await engine.kill();
  await engine.begin();
  assert.is((await engine.tasks('State', { id })).exitStatus, 9);
  await engine.tasks('Delete', { id });
  assert.is((await early.answer).exitStatus, 9);
  // And after it.
  assert.is((await remove().answer).exitStatus, 9);
});

test('a keeper that is killed is replaced, and containers keep their streams', async (engine, bed) => {
  const { id, bundle } = bed;
  bed.config.process.args = ['sh', '-c', 'until [ -e /go ]; do usleep 1000; done; echo end; exit 5'];
  bed.config.root.readonly = false;
  bed.write();
  const out = reader(join(bed.dir, 'out'));
  await engine.tasks('Create', { id, bundle, stdout: join(bed.dir, 'out') });
  await engine.tasks('Start', { id });
  const first = engine.keeper();
  process.kill(first, 'SIGKILL');
  await eventually('another keeper', () => ![0, first].includes(engine.keeper()));
  await eventually('its server', () =>
    engine.tasks('State', { id }).then(
      () => true,
      () => false,
    ),
  );
  await engine.kill();
  await engine.begin();
  writeFileSync(join(bed.rootfs, 'go'), '');
  assert.is((await engine.tasks('Wait', { id })).exitStatus, 5);
  assert.is(await out.end, 'end\n');
  await engine.tasks('Delete', { id });
});

test('the API for scripts has a socket of its own, and the containers of each namespace', async (engine, bed) => {
  const socket = join(bed.dir, 'api.sock');
  // Another server than that of `test`, which has no such socket.
  await engine.kill();
  await engine.begin('--api', `unix://${socket}`);
  const [runt, pods] = [connect(socket), connect(socket, { namespace: engine.namespace })];
  try {
    const config = { rootfs: bed.rootfs, args: ['/bin/sh', '-c', 'echo out; exit 3'] };
    const events: ProcessEvent[] = [];
    for await (const event of runt.run({ id: `${bed.id}-run`, config })) events.push(event);
    assert.equal(
      events.map(({ event }) => event),
      ['started', 'stdout', 'exited'],
    );
    assert.equal(
      events.map((event) => event.event === 'exited' && event.exited.status),
      [false, false, 3],
    );
    const sandboxId = `${bed.id}-pod`;
    await engine.create(sandboxId, {}, await engine.network());
    await engine.pods('Start', { sandboxId });
    bed.config.process.args = ['sleep', '1000'];
    bed.write();
    const { id } = bed;
    await engine.tasks('Create', { id, bundle: bed.bundle });
    await engine.tasks('Start', { id });
    assert.equal((await runt.list()).containers, [], 'those of the namespace default');
    assert.equal((await pods.list()).containers.map((container) => container.id).sort(), [id, sandboxId].sort());
    const failed = await pods.delete({ id: sandboxId, force: true }).catch((error: unknown) => error);
    assert.is((failed as CallError).status, 'FAILED_PRECONDITION');
    assert.match((failed as CallError).message, /is a pod: remove it through containerd/);
    const output: string[] = [];
    for await (const event of pods.exec({ id, args: ['echo', 'inside'] }))
      if (event.event === 'stdout') output.push(Buffer.from(event.stdout).toString());
    assert.is(output.join(''), 'inside\n');
    const wait = engine.tasks('Wait', { id });
    // The Wait has arrived when a later call of its connection is answered.
    await engine.tasks('State', { id });
    await pods.delete({ id, force: true });
    assert.is((await wait).exitStatus, 137);
    assert.is((await failure(engine.tasks('State', { id }))).code, status.NOT_FOUND);
    const names = ['', 'runt.v1.Containers', 'containerd.task.v3.Task'];
    const answers = names.map((service) =>
      runt.health.check({ service }).then(
        (r) => r.status,
        ({ status: s }) => s,
      ),
    );
    assert.equal(await Promise.all(answers), ['SERVING', 'SERVING', 'NOT_FOUND']);
    for (const namespace of ['', '../x']) {
      const other = connect(socket, { namespace });
      const refused = await other.list().catch((error: unknown) => error);
      other.close();
      assert.match((refused as CallError).message, /namespace/);
    }
  } finally {
    runt.close();
    pods.close();
  }
  await engine.kill();
  await engine.begin('--api', `unix://${socket}`);
  assert.ok(existsSync(socket), 'the socket of a killed server is replaced');
});

function joinPod(bed: Bed, pid: number): void {
  const joined = ['network', 'ipc', 'uts', 'pid'].map((type) => ({
    type,
    path: `/proc/${pid}/ns/${type === 'network' ? 'net' : type}`,
  }));
  bed.config.linux.namespaces = [...joined, { type: 'mount' }] as never;
  delete (bed.config as { hostname?: string }).hostname;
}

suite.run();
