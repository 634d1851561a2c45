/** `runt serve`: the task service over gRPC, as scripts use it. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Client, credentials, status } from '@grpc/grpc-js';
import * as assert from 'uvu/assert';
import { grpc } from '../../../build/gen/grpc.js';
import { COMMAND_LIMIT } from '../../deadline.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { type ServerProgram, serve, serveCommand, servers, TaskClient } from '../bed/task-client.js';
import { listen } from '../bed/unix.js';

interface Described {
  name: string;
  field: { name: string }[];
  nestedType: { name: string }[];
}
const descriptor = createRequire(import.meta.url)('protobufjs/ext/descriptor') as {
  FileDescriptorProto: { decode(bytes: Uint8Array): { name: string; messageType: Described[] } };
};
const suites = {
  test: needing('serve', 'root'),
  notified: needing('serve and sd_notify', 'root', 'programs'),
  otherUser: needing('serve and other users', 'root', 'open-checkout'),
};

/** Registers a test for each program that serves gRPC. */
const forEach =
  (suite: keyof typeof suites) =>
  (name: string, body: (program: ServerProgram) => Parameters<(typeof suites)['test']>[1]): void => {
    for (const program of Object.keys(servers) as ServerProgram[]) suites[suite](`${program}: ${name}`, body(program));
  };
const test = forEach('test');
const notified = forEach('notified');
const otherUser = forEach('otherUser');
interface Failure {
  code: number;
  details: string;
}

/** A server on a socket in the bed, and a client of it. */
class Api {
  readonly socket: string;
  private child!: ChildProcess;
  private readonly client: TaskClient;

  constructor(
    readonly bed: Bed,
    private readonly program: ServerProgram,
    name = 'api.sock',
  ) {
    this.socket = join(bed.dir, name);
    this.client = new TaskClient(this.socket);
  }

  async begin(): Promise<void> {
    this.child = await serve(this.bed, this.socket, this.program);
  }

  call(method: string, request: object): Promise<Record<string, never>> {
    return this.client.call(method, request);
  }

  /** Disconnects the client, also from open calls. */
  leave(): void {
    this.client.close();
  }

  /** The error of a call. */
  failure(method: string, request: object): Promise<Failure> {
    return this.call(method, request).then(
      () => {
        throw new Error(`${method} worked`);
      },
      (error: Failure) => error,
    );
  }

  /** Ends the server by a signal and returns its exit status. */
  async end(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    this.leave();
    if (this.child.exitCode !== null || this.child.signalCode !== null) return this.child.exitCode;
    const over = new Promise<number | null>((settle) => this.child.once('exit', (code) => settle(code)));
    this.child.kill(signal);
    return over;
  }
}

const onApi = (body: (api: Api, bed: Bed, program: ServerProgram) => Promise<void>) => (program: ServerProgram) =>
  onBed(async (bed) => {
    const api = new Api(bed, program);
    try {
      await api.begin();
      bed.config.process.args = ['/bin/sleep', '1000'];
      bed.write();
      await body(api, bed, program);
    } finally {
      await api.end();
      bed.runt(['delete', '--force', bed.id]);
    }
  });

/** Ends the servers that the test made, also if it fails. */
const onServers =
  (body: (make: (name?: string) => Promise<Api>, bed: Bed) => Promise<void>) => (program: ServerProgram) =>
    onBed(async (bed) => {
      const made: Api[] = [];
      const make = async (name?: string): Promise<Api> => {
        const api = new Api(bed, program, name);
        made.push(api);
        await api.begin();
        return api;
      };
      try {
        await body(make, bed);
      } finally {
        for (const server of made) await server.end('SIGKILL');
      }
    });

test(
  'a container works from create to delete, and the command sees its state',
  onApi(async (api, bed) => {
    const { id, bundle } = bed;
    const out = (name: string) => `file://${join(bed.dir, name)}`;
    const { pid } = await api.call('Create', { id, bundle, stdout: out('init') });
    assert.is((await api.call('State', { id })).status, 'CREATED');
    assert.is(bed.state().pid, pid);
    assert.is((await api.call('Start', { id })).pid, pid);
    assert.is((await api.call('Connect', { id })).taskPid, pid);
    const value = Buffer.from(
      JSON.stringify({
        args: ['sh', '-c', 'echo hello; exit 7'],
        cwd: '/',
        env: ['PATH=/bin'],
        user: { uid: 0, gid: 0 },
      }),
    );
    await api.call('Exec', { id, execId: 'x', spec: { type_url: 'x', value }, stdout: out('exec') });
    await api.call('Start', { id, execId: 'x' });
    assert.is((await api.call('Wait', { id, execId: 'x' })).exitStatus, 7);
    assert.is(readFileSync(join(bed.dir, 'exec'), 'utf8'), 'hello\n');
    await api.call('Delete', { id, execId: 'x' });
    const { processes } = (await api.call('Pids', { id })) as unknown as { processes: { pid: number }[] };
    assert.equal(
      processes.map((p) => p.pid),
      [pid],
    );
    await api.call('Pause', { id });
    assert.is((await api.call('State', { id })).status, 'PAUSED');
    assert.is(bed.state().status, 'paused');
    await api.call('Resume', { id });
    const resources = { type_url: 'x', value: Buffer.from(JSON.stringify({ pids: { limit: 77 } })) };
    await api.call('Update', { id, resources });
    const { stats } = (await api.call('Stats', { id })) as unknown as { stats: { type_url: string } };
    assert.match(stats.type_url, /^io\.containerd\.cgroups\.v[12]\.Metrics$/);
    await api.call('CloseIO', { id, stdin: true });
    await api.call('ResizePty', { id, width: 80, height: 25 });
    // Shutdown takes effect only without containers.
    await api.call('Shutdown', { id });
    const wait = api.call('Wait', { id });
    await api.call('Kill', { id, signal: 15, all: true });
    await api.call('Kill', { id, signal: 9 });
    assert.is((await wait).exitStatus, 137);
    assert.is((await api.call('Delete', { id })).exitStatus, 137);
    assert.is(bed.runt(['state', id]).code, 1);
    await api.call('Shutdown', { id });
    await eventually('the end of the server', () => !existsSync(api.socket));
  }),
);

test(
  "errors have gRPC's codes and runt's messages",
  onApi(async (api, bed) => {
    const { id, bundle } = bed;
    const expected = async (method: string, request: object, code: number, words: RegExp) => {
      const failed = await api.failure(method, request);
      assert.is(failed.code, code, `${method}: ${failed.details}`);
      assert.ok(words.test(failed.details), failed.details);
    };
    for (const method of [
      'State',
      'Start',
      'Delete',
      'Kill',
      'Wait',
      'Pause',
      'Resume',
      'Stats',
      'Pids',
      'Update',
      'Exec',
      'CloseIO',
      'ResizePty',
    ])
      await expected(method, { id: 'nobody' }, status.NOT_FOUND, /nobody/);
    await api.call('Create', { id, bundle });
    await expected('Create', { id, bundle }, status.ALREADY_EXISTS, new RegExp(id));
    await expected('Pause', { id: '../x' }, status.NOT_FOUND, /\.\.\/x/);
    await expected('Create', { id: '', bundle }, status.INVALID_ARGUMENT, /invalid container ID format/);
    await expected('Create', { id: 'a/b', bundle }, status.INVALID_ARGUMENT, /invalid container ID format/);
    await expected('Create', { id: 'other' }, status.INVALID_ARGUMENT, /bundle must be an absolute path/);
    await expected('Create', { id: 'other', bundle: 'b' }, status.INVALID_ARGUMENT, /bundle must be an absolute path/);
    await expected('Create', { id: 'other', bundle: `${bundle}/none` }, status.NOT_FOUND, /there is no directory/);
    await expected('Kill', { id, signal: 65 }, status.INVALID_ARGUMENT, /unknown signal 65/);
    await expected('Kill', { id, execId: 'none', signal: 9 }, status.NOT_FOUND, /none/);
    await expected('Exec', { id, execId: 'x' }, status.INVALID_ARGUMENT, /Exec of x has no spec/);
    await expected(
      'Exec',
      { id, execId: '../x', spec: { value: Buffer.from('{}') } },
      status.INVALID_ARGUMENT,
      /invalid exec_id/,
    );
    await expected('Exec', { id, spec: { value: Buffer.from('{}') } }, status.INVALID_ARGUMENT, /no exec_id/);
    await expected('Start', { id, execId: 'x' }, status.NOT_FOUND, /x/);
    await api.call('Exec', { id, execId: 'bad', spec: { value: Buffer.from('{') } });
    await api.call('Start', { id });
    await expected('Start', { id, execId: 'bad' }, status.INVALID_ARGUMENT, /is not JSON/);
    await expected('Delete', { id }, status.FAILED_PRECONDITION, /runn/);
    await api.call('Kill', { id, signal: 9 });
    await api.call('Wait', { id });
    await expected('Kill', { id, signal: 9 }, status.NOT_FOUND, /already finished/);
    await api.call('Delete', { id });
    bed.write('{"ociVersion": "1.0.0", "process": {"cwd": 7}}');
    await expected('Create', { id, bundle }, status.INVALID_ARGUMENT, /\/process\/cwd/);
    bed.write('{');
    await expected('Create', { id, bundle }, status.INVALID_ARGUMENT, /config\.json:1:2/);
    // More than an HTTP/2 header can hold; characters that take nine bytes each there.
    for (const key of ['k', '\u4e2d']) {
      const keys = Array.from({ length: 100 }, (_, i) => [`${i}${key.repeat(9000)}`, 1]);
      bed.write(JSON.stringify({ ociVersion: '1.0.0', root: { path: 'x' }, annotations: Object.fromEntries(keys) }));
      await expected('Create', { id, bundle }, status.INVALID_ARGUMENT, /has 100 violations/);
    }
    const options = { type_url: 'containerd.runc.v1.Options', value: Buffer.from([255, 255]) };
    await expected('Create', { id, bundle, options }, status.INVALID_ARGUMENT, /malformed/);
    await expected(
      'Update',
      { id, resources: { type_url: 'x', value: Buffer.alloc(5 << 20) } },
      status.RESOURCE_EXHAUSTED,
      /larg|long/,
    );
    assert.is((await api.call('Connect', { id })).taskPid, 0, 'and it serves on');
  }),
);

notified('the server reports that it is ready on stderr and to the service manager', (program) =>
  onBed(async (bed) => {
    const manager = await listen(bed, 'datagrams');
    const socket = join(bed.dir, 'ready.sock');
    const env = { ...process.env, NOTIFY_SOCKET: manager.path };
    const [command, ...args] = serveCommand(bed, `unix://${socket}`, program) as [string, ...string[]];
    const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr!.on('data', (data) => {
      text += data;
    });
    try {
      await eventually('the line', () => text.includes('\n'));
      assert.is(text, `runt: the task service is ready at unix://${socket}, for the containers below ${bed.root}\n`);
      // A client that has read the line need not retry.
      const client = new TaskClient(socket);
      const failed = await client.call('State', { id: 'none' }).catch((error: Failure) => error);
      assert.is((failed as Failure).code, status.NOT_FOUND);
      client.close();
      await eventually('READY=1', () => manager.lines().includes('READY=1'));
      assert.ok(manager.lines().some((line) => line.startsWith('STATUS=the task service is ready at ')));
    } finally {
      manager.end();
      child.kill('SIGKILL');
    }
  }),
);

test(
  'clients that disconnect or use another protocol do not affect others',
  onApi(async (api, bed, program) => {
    const { id, bundle } = bed;
    await api.call('Create', { id, bundle });
    for (const words of [
      'GET / HTTP/1.0\r\n\r\n',
      '\0'.repeat(100),
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff',
    ]) {
      const socket = connect(api.socket);
      socket.on('error', () => {});
      await new Promise<void>((next) => socket.write(Buffer.from(words, 'latin1'), () => next()));
      socket.destroy();
    }
    const other = new Api(bed, program);
    const lost = other.call('Wait', { id }).catch(() => 'lost');
    other.leave();
    assert.is(await lost, 'lost');
    assert.is((await api.call('State', { id })).status, 'CREATED');
    await api.call('Kill', { id, signal: 9 });
    await api.call('Delete', { id });
  }),
);

otherUser(
  'the socket has mode 0600 and checks peer credentials; only a stale socket is replaced',
  onApi(async (api, bed, program) => {
    const tried = (address: string) => {
      const [command, ...args] = serveCommand(bed, address, program) as [string, ...string[]];
      return spawnSync(command, args, { encoding: 'utf8', timeout: COMMAND_LIMIT });
    };
    assert.is(statSync(api.socket).mode & 0o777, 0o600);
    // With mode 0666 the kernel still reports the peer's credentials.
    chmodSync(api.socket, 0o666);
    const script = `require('net').connect(${JSON.stringify(api.socket)}).on('close', () => console.log('shut')).on('data', () => console.log('served'))`;
    assert.is(
      execFileSync(process.execPath, ['-e', script], { uid: 1000, gid: 1000, encoding: 'utf8', env: {} }),
      'shut\n',
    );
    for (const [listen, words] of [
      [`unix://${api.socket}`, /a server listens there/],
      [join(bed.bundle, 'config.json'), /is not a socket/],
      ['tcp://127.0.0.1:1', /does not listen at tcp:\/\/127\.0\.0\.1:1/],
      ['relative.sock', /not an absolute path/],
      [join(bed.dir, 'none', 'x.sock'), /ENOENT/],
    ] as const) {
      const r = tried(listen);
      assert.is(r.status, 1, listen);
      assert.match(r.stderr, words);
    }
    assert.ok(existsSync(join(bed.bundle, 'config.json')));
  }),
);

test(
  "SIGTERM ends the server and not the container, and a killed server's socket is replaced by the next",
  onServers(async (make, bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const { id, bundle } = bed;
    const first = await make();
    await first.call('Create', { id, bundle });
    await first.call('Start', { id });
    assert.is(await first.end(), 0);
    assert.not.ok(existsSync(first.socket));
    assert.is(bed.state().status, 'running');
    const second = await make();
    await second.end('SIGKILL');
    assert.ok(existsSync(second.socket));
    const third = await make();
    // The old socket file existed from the start.
    await eventually('an answer', () => third.call('Connect', { id }).catch(() => undefined));
    const { status: told, pid } = await third.call('State', { id });
    assert.equal([told, pid], ['RUNNING', bed.state().pid], 'it is its own, by whatever the first was ended');
    assert.is(await third.end('SIGINT'), 0);
    bed.delete('--force');
  }),
);

test(
  'a restarted server knows the containers of a killed one, their states and their exit statuses',
  onServers(async (make, bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'trap "exit 9" TERM; sleep 1000 & wait'];
    bed.write();
    const { bundle } = bed;
    const id = (name: string) => `${bed.id}-${name}`;
    const names = ['ends', 'runs', 'frozen', 'created'];
    const first = await make();
    const stdout = `file://${join(bed.dir, 'out')}`;
    for (const name of names) await first.call('Create', { id: id(name), bundle, stdout });
    for (const name of names.slice(0, 3)) await first.call('Start', { id: id(name) });
    await first.call('Pause', { id: id('frozen') });
    // A container of the command does not belong to the server.
    assert.is(bed.runt(['create', '--bundle', bundle, bed.id]).code, 0);
    const pidOf = async (name: string) => Number((await first.call('State', { id: id(name) })).pid);
    const pids = new Map(await Promise.all(names.map(async (name) => [name, await pidOf(name)] as const)));
    await first.end('SIGKILL');
    await eventually('an end that no server sees', () => {
      // Repeated: its shell may not have set the trap yet.
      bed.runt(['kill', id('ends'), 'TERM']);
      return /"stopped"/.test(bed.runt(['state', id('ends')]).stdout);
    });

    // Another socket: the client would wait before it retries the first.
    const second = await make('second.sock');
    const state = (name: string) => second.call('State', { id: id(name) });
    for (const [name, expected] of [
      ['ends', 'STOPPED'],
      ['runs', 'RUNNING'],
      ['frozen', 'PAUSED'],
      ['created', 'CREATED'],
    ] as const) {
      const answer = await state(name);
      const { status: told, pid, bundle: where, stdout: out } = answer as unknown as Record<string, unknown>;
      assert.equal([told, pid, where, out], [expected, pids.get(name), bundle, stdout], name);
    }
    assert.is((await second.failure('State', { id: bed.id })).code, status.NOT_FOUND);
    assert.is((await second.failure('Create', { id: id('runs'), bundle })).code, status.ALREADY_EXISTS);
    const ended = await second.call('Wait', { id: id('ends') });
    assert.is(ended.exitStatus, 9, 'as its supervisor saw it');
    assert.is((await second.failure('Kill', { id: id('ends'), signal: 9 })).code, status.NOT_FOUND);
    assert.is((await second.failure('Delete', { id: id('runs') })).code, status.FAILED_PRECONDITION);
    const wait = second.call('Wait', { id: id('runs') });
    await second.call('Kill', { id: id('runs'), signal: 9 });
    assert.is((await wait).exitStatus, 137);
    await second.call('Resume', { id: id('frozen') });
    assert.is((await state('frozen')).status, 'RUNNING');
    await second.call('Start', { id: id('created') });
    for (const name of ['frozen', 'created']) await second.call('Kill', { id: id(name), signal: 9 });
    for (const name of names) {
      const { exitStatus } = await second.call('Wait', { id: id(name) });
      const deleted = await second.call('Delete', { id: id(name) });
      assert.equal([deleted.pid, deleted.exitStatus], [pids.get(name), exitStatus]);
      assert.is(bed.runt(['state', id(name)]).code, 1);
    }
    await second.call('Shutdown', {});
    await eventually('the end of the server', () => !existsSync(second.socket));
    await second.end();
    bed.delete('--force');
  }),
);

test(
  'two servers of one root each know only their own containers',
  onApi(async (api, bed, program) => {
    const { id, bundle } = bed;
    await api.call('Create', { id, bundle });
    const other = new Api(bed, program, 'other.sock');
    await other.begin();
    assert.is((await other.failure('State', { id })).code, status.NOT_FOUND);
    await other.end();
    await api.call('Delete', { id });
  }),
);

test(
  'reflection lists the services, and describes the messages as proto/ does',
  onApi(async (api) => {
    const { ServerReflectionRequest, ServerReflectionResponse } = grpc.reflection.v1;
    type Response = grpc.reflection.v1.ServerReflectionResponse;
    const client = new Client(`unix://${api.socket}`, credentials.createInsecure());
    const asked = (version: string, request: object) =>
      new Promise<Response>((settle, fail) => {
        const stream = client.makeBidiStreamRequest(
          `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`,
          (r: object) => Buffer.from(ServerReflectionRequest.encode(r).finish()),
          (bytes: Buffer) => ServerReflectionResponse.decode(bytes),
        );
        stream.on('data', settle).on('error', fail);
        stream.write(request);
        stream.end();
      });
    try {
      for (const version of ['v1', 'v1alpha']) {
        const { listServicesResponse } = await asked(version, { listServices: '' });
        assert.equal(
          listServicesResponse?.service?.map(({ name }) => name),
          [
            'containerd.task.v3.Task',
            'grpc.health.v1.Health',
            'grpc.reflection.v1.ServerReflection',
            'grpc.reflection.v1alpha.ServerReflection',
            'runt.v1.Containers',
          ],
        );
      }
      const { fileDescriptorResponse } = await asked('v1', { fileContainingSymbol: 'containerd.task.v3.Task' });
      const files = fileDescriptorResponse!.fileDescriptorProto!.map((b) => descriptor.FileDescriptorProto.decode(b));
      assert.equal(files.map((f) => f.name).sort(), [
        'containerd/task/v3.proto',
        'containerd/types.proto',
        'google/protobuf.proto',
      ]);
      const own = (await asked('v1', { fileContainingSymbol: 'runt.v1.Containers.Run' })).fileDescriptorResponse!;
      assert.equal(
        own.fileDescriptorProto!.map((b) => descriptor.FileDescriptorProto.decode(b).name),
        ['runt/v1.proto', 'google/protobuf.proto'],
      );
      for (const name of [
        'grpc.health.v1.HealthCheckResponse',
        'runt.v1.Error',
        'io.containerd.cgroups.v1.Metrics',
        'io.containerd.cgroups.v2.Metrics',
        'containerd.runc.v1.Options',
      ]) {
        const answer = (await asked('v1', { fileContainingSymbol: name })).fileDescriptorResponse!.fileDescriptorProto!;
        const [file] = answer.map((b) => descriptor.FileDescriptorProto.decode(b));
        assert.ok(
          file!.messageType.some((message) => name.endsWith(`.${message.name}`)),
          name,
        );
      }
      const messages = files.find((f) => f.name === 'containerd/task/v3.proto')!.messageType;
      const update = messages.find(({ name }) => name === 'UpdateTaskRequest')!;
      assert.equal(
        update.nestedType.map(({ name }) => name),
        ['AnnotationsEntry'],
      );
      assert.ok(messages.find(({ name }) => name === 'StartRequest')!.field.some(({ name }) => name === 'exec_id'));
      assert.is(
        (await asked('v1', { fileContainingSymbol: 'no.such.Thing' })).errorResponse?.errorCode,
        status.NOT_FOUND,
      );
      assert.is((await asked('v1', {})).errorResponse?.errorCode, status.UNIMPLEMENTED);
    } finally {
      client.close();
    }
  }),
);

for (const suite of Object.values(suites)) suite.run();
