/** The containers of the library on the fake host: streams, options, exits, and what a failure leaves. */
import { closeSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type Container, type Run, RuntError, Runtime } from '../../src/library/index.js';
import { E } from '../../src/sys/errno.js';
import { O_ACCMODE, SIGKILL, SIGTERM } from '../../src/sys/linux.js';
import { useNodeHost } from '../../src/sys/node-host.js';
import { TaskHost } from '../shim/task/task-host.js';
import { OpenFile, reserveNumbers } from '../sys/fake-host/descriptors.js';
import { created, executed, reports, type Script, type ScriptedInit } from '../sys/fake-host/scripted-init.js';

const test = suite('library container');

reserveNumbers(1000);
const SIGUSR1 = 10;

/** A descriptor of Node.js in the container: another descriptor of the same file, while the container has it. */
class Handed extends OpenFile {
  private own = -1;
  readonly readable = true;

  constructor(
    private readonly fd: number,
    readonly shown = `descriptor ${fd}`,
  ) {
    super();
  }

  override hold(): this {
    if (this.own < 0) {
      const [, flags = '0'] = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${this.fd}`, 'utf8')) ?? [];
      const mode = (['r', 'w', 'r+'] as const)[Number.parseInt(flags, 8) & O_ACCMODE];
      this.own = openSync(`/proc/self/fd/${this.fd}`, mode ?? 'r');
    }
    return super.hold();
  }

  override read(data: Uint8Array): number {
    return readSync(this.own, data);
  }

  override write(data: Uint8Array): number {
    return writeSync(this.own, data);
  }

  protected override closed(): void {
    closeSync(this.own);
  }
}

/** A host on which the pipes of Node.js reach the container. */
function host(script?: Script): { host: TaskHost; runtime: Runtime; web: Container } {
  const { native } = useNodeHost([]);
  const task = new TaskHost(script, undefined, { name: 'node' });
  const { kernel } = task;
  kernel.on('pipe', (data) => native.pipe(data));
  const [openAt, close] = [kernel.performs('openAt'), kernel.performs('close')];
  const isPipe = (path: string): boolean => path.startsWith('/proc/self/fd/');
  kernel.on('openAt', (dir, path, ...how) => (isPipe(path) ? native : { openAt }).openAt(dir, path, ...how));
  kernel.on('close', (fd) => (fd > 2 && fd < 1000 ? native : { close }).close(fd));
  kernel.descriptors.outside = (fd) => (fd > 2 && fd < 1000 ? new Handed(fd) : undefined);
  const runtime = new Runtime({ root: kernel.root });
  return { host: task, runtime, web: runtime.container('web') };
}

/** Makes the container's runt-init answer `start` as soon as it exists. */
function answered(answer: (init: ScriptedInit) => void = () => {}): { script: Script; holder: { host?: TaskHost } } {
  const holder: { host?: TaskHost } = {};
  const script: Script = (n) => (n === 0 ? [created[0]!, 'go', () => holder.host?.answerStart(answer)] : executed);
  return { script, holder };
}

function running(answer?: (init: ScriptedInit) => void) {
  const { script, holder } = answered(answer);
  const made = host(script);
  holder.host = made.host;
  return made;
}

const say = (init: ScriptedInit, fd: number, text: string): number | undefined =>
  init.files(fd)?.write(new TextEncoder().encode(text));

async function failure(task: TaskHost, work: Promise<unknown>): Promise<RuntError> {
  const error = await task.kernel.finish(
    work.then(
      () => undefined,
      (thrown: unknown) => thrown,
    ),
  );
  assert.instance(error, RuntError);
  return error as RuntError;
}

const text = async (stream: Run['stdout']): Promise<string> => {
  let all = '';
  for await (const chunk of stream!) all += String(chunk);
  return all;
};

test('a container can be created, started, queried, awaited and deleted', async () => {
  const { host, runtime, web } = running();
  const { kernel } = host;
  assert.is((await kernel.finish(runtime.create('web', '/b'))).id, 'web');
  assert.is((await web.state()).status, 'created');
  await kernel.finish(web.start());
  const state = await runtime.state('web');
  assert.equal([state.status, state.pid], ['running', host.main.process.pid]);
  assert.equal(
    (await runtime.list()).map(({ id }) => id),
    ['web'],
  );
  const waiting = web.wait();
  host.main.process.exit(3);
  const { status, signal, oom } = await kernel.finish(waiting);
  assert.equal([status, signal, oom], [3, 0, false]);
  await kernel.finish(web.delete());
  assert.is((await failure(host, web.state())).code, 'ERR_NO_CONTAINER');
  await host.settle(1000);
  assert.equal(host.left, []);
});

test('run returns the streams and the exit of the process, and removes the container', async () => {
  const { host, runtime } = running((init) => {
    say(init, 1, 'out');
    say(init, 2, 'err');
  });
  const { kernel } = host;
  const run = await kernel.finish(runtime.run('web', '/b'));
  assert.is(run.pid, host.main.process.pid);
  const output = Promise.all([text(run.stdout), text(run.stderr)]);
  host.main.process.exit(0);
  assert.is((await kernel.finish(run.exit)).status, 0);
  assert.equal(await output, ['out', 'err']);
  assert.equal(await runtime.list(), []);
  await host.settle(1000);
  assert.equal(host.left, []);
  run.stdin?.destroy();
});

test('run with keep leaves the stopped container; streams that are not pipes are null', async () => {
  const { host, runtime, web } = running();
  const { kernel } = host;
  const run = await kernel.finish(runtime.run('web', '/b', { keep: true, stdio: ['ignore', 'inherit', 'ignore'] }));
  assert.equal([run.stdin, run.stdout, run.stderr], [null, null, null]);
  say(host.main, 1, 'inherited');
  assert.is(kernel.descriptors.written(1), 'inherited');
  host.main.process.signal(SIGKILL);
  const { status, signal } = await kernel.finish(run.exit);
  assert.equal([status, signal, (await web.state()).status], [128 + SIGKILL, SIGKILL, 'stopped']);
  await kernel.finish(web.delete());
  await host.settle(1000);
  assert.equal(host.left, []);
});

test('a run whose start fails removes the container and ends its streams', async () => {
  const { host, runtime } = running();
  host.kernel.failAt('unixConnect', 2, E.ENOMEM);
  const error = await failure(host, runtime.run('web', '/b'));
  assert.equal([error.code, error.errno], ['ERR_STATE', E.ENOMEM]);
  await host.settle(10_000);
  assert.equal([await runtime.list(), host.left], [[], []]);
});

test('a failed create rejects with the same report as the command, and leaves nothing', async () => {
  const { host, runtime } = running();
  const error = await failure(host, runtime.create('web', '/none'));
  assert.is(error.code, 'ERR_SPEC_MISSING');
  assert.match((error as RuntError & { report(): string }).report(), /\/none\/config.json/);
  assert.match((await failure(host, runtime.create('../web', '/b'))).message, /invalid container ID/);
  assert.equal(host.left, []);
});

test('a warning about the config is passed to onWarning', async () => {
  const { host, runtime, web } = running();
  const warnings: string[] = [];
  const config = JSON.parse(host.kernel.tree.text('/b/config.json')) as { annotations?: object };
  config.annotations = { 'run.oci.keep_original_groups': '1' };
  host.kernel.tree.file('/b/config.json', JSON.stringify(config));
  const options = { onWarning: (sentence: string) => void warnings.push(sentence), hookTimeout: 5, noNewKeyring: true };
  await host.kernel.finish(runtime.create('web', '/b', options));
  assert.match(warnings.join('\n'), /keep_original_groups/);
  await host.kernel.finish(web.delete({ force: true }));
  const denied = await failure(host, runtime.create('web', '/b', { unsafeAnnotations: 'deny' }));
  assert.is(denied.code, 'ERR_ANNOTATION_DENIED');
  await host.settle(10_000);
  assert.equal(host.left, []);
});

test('kill takes a name or a number, may signal all processes, and refuses an unknown signal', async () => {
  const { host, runtime, web } = running();
  const { kernel } = host;
  await kernel.finish(runtime.create('web', '/b'));
  await kernel.finish(web.start());
  const { process } = host.main;
  process.onSignal = () => true;
  for (const signal of ['USR1', 'SIGUSR1', SIGUSR1]) await kernel.finish(web.kill(signal));
  await kernel.finish(web.kill());
  const other = kernel.processes.add({ cgroups: [...process.cgroups.values()], onSignal: () => true });
  await kernel.finish(web.kill('USR1', { all: true }));
  assert.equal(process.signals, [SIGUSR1, SIGUSR1, SIGUSR1, SIGTERM, SIGUSR1]);
  assert.equal(other.signals, [SIGUSR1]);
  const error = await failure(host, web.kill('NOTHING'));
  assert.equal([error.code, error.message], ['ERR_USAGE', 'kill: unknown signal "NOTHING"']);
  assert.equal(await web.pids(), [process.pid, other.pid]);
  other.signal(SIGKILL);
  await kernel.finish(web.delete({ force: true }));
  assert.is((await failure(host, web.delete())).code, 'ERR_NO_CONTAINER');
  await kernel.finish(web.delete({ force: true }));
  await host.settle(10_000);
  assert.equal(host.left, []);
});

test('pause, resume, update and stats act on the running container', async () => {
  const { host, runtime, web } = running();
  const { kernel } = host;
  await kernel.finish(runtime.create('web', '/b'));
  await kernel.finish(web.start());
  await kernel.finish(web.pause());
  assert.is((await web.state()).status, 'paused');
  await kernel.finish(web.resume());
  assert.is((await web.state()).status, 'running');
  await kernel.finish(web.update({ pids: { limit: 9 } }));
  kernel.tree.file('/sys/fs/cgroup/web/pids.current', '2\n');
  const { pids } = await web.stats();
  assert.equal([pids?.current, pids?.limit].map(Number), [2, 9]);
  await kernel.finish(web.delete({ force: true }));
  await host.settle(10_000);
  assert.equal(host.left, []);
});

test('exec rejects for a container that has ended or does not exist', async () => {
  const { host, runtime, web } = running();
  const { kernel } = host;
  await kernel.finish(runtime.create('web', '/b'));
  await kernel.finish(web.start());
  host.main.process.exit(0);
  const ended = await failure(host, web.exec(['sh']));
  assert.equal([ended.code, ended.message], ['ERR_CONTAINER_STATUS', 'cannot exec in a stopped container: web']);
  await kernel.finish(web.delete());
  assert.is((await failure(host, web.exec(['sh']))).code, 'ERR_NO_CONTAINER');
  await host.settle(10_000);
  assert.equal(host.left, []);
});

test('exec runs a process in a running container', async () => {
  const { script, holder } = answered();
  const made = host((n) =>
    n === 0 ? (typeof script === 'function' ? script(0) : script) : [(init) => holder.host?.enter(init), ...executed],
  );
  holder.host = made.host;
  const { kernel } = made.host;
  await kernel.finish(made.runtime.create('web', '/b'));
  await kernel.finish(made.web.start());
  const options = { env: ['A=1'], cwd: '/', user: '5:6', additionalGids: [7], capabilities: ['CAP_KILL'] };
  const run = await kernel.finish(made.web.exec(['cat'], options));
  const [, exec] = made.host.children;
  assert.is(run.pid, exec?.process.pid);
  const output = text(run.stdout);
  say(exec!, 1, 'hello');
  exec?.process.exit(4);
  const { status, pid } = await kernel.finish(run.exit);
  assert.is(await output, 'hello');
  assert.equal([status, pid], [4, run.pid]);
  await kernel.finish(made.web.delete({ force: true }));
  await made.host.settle(10_000);
  assert.equal(made.host.left, []);
});

test('a failed operation of runt-init rejects with its pointer into the config', async () => {
  const { host: task, runtime } = host([reports('error', { index: 0, errno: E.EPERM, syscall: 'mount', detail: '' })]);
  const error = await failure(task, runtime.run('web', '/b'));
  assert.is(error.errno, E.EPERM);
  await task.settle(10_000);
  assert.equal(task.left, []);
});

test.run();
