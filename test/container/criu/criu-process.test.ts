/** criu as a child process: requests, notifications, and each way in which it may end. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { type CriuRequest, Type } from '../../../src/container/criu/criu-messages.js';
import { Criu, type Notification, refusalError, usableCriu } from '../../../src/container/criu/criu-process.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { native } from '../../../src/sys/host.js';
import { SIGKILL } from '../../../src/sys/linux.js';
import { Transcript } from '../../sys/fake-host/descriptors.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { installCriu, type ScriptedCriu } from './scripted-criu.js';

const test = suite('criu process');

const path = '/usr/sbin/criu';
const dump = { type: Type.DUMP };

interface Asked {
  readonly kernel: FakeKernel;
  readonly criu: ScriptedCriu | undefined;
  readonly error: RuntError | undefined;
  readonly answer: unknown;
}

/** Sends criu a request, which it performs with this function, and closes it. Asserts that nothing remains. */
async function asked(
  perform: (criu: ScriptedCriu, request: CriuRequest) => void | Promise<void>,
  notified?: (n: Notification) => void | Promise<void>,
  timeout?: number,
): Promise<Asked> {
  const kernel = new FakeKernel();
  const started = installCriu(kernel, perform);
  const work = async (): Promise<unknown> => {
    const criu = Criu.start('checkpoint web', path);
    try {
      return await criu.call(dump, notified, timeout);
    } finally {
      await criu.close();
    }
  };
  let error: RuntError | undefined;
  const answer = await kernel.finish(
    work().catch((thrown: unknown) => {
      if (!(thrown instanceof RuntError)) throw thrown;
      error = thrown;
    }),
  );
  assert.equal(kernel.open, []);
  assert.is(kernel.processes.list.length, 1, 'criu is reaped');
  return { kernel, criu: started[0], error, answer };
}

test("a successful request returns criu's response", async () => {
  const { answer, error } = await asked((criu) => criu.send({ type: Type.DUMP, success: true }));
  assert.is(error, undefined);
  assert.is((answer as { success: boolean }).success, true);
});

test('criu continues after each notification has been handled, in order', async () => {
  const log: string[] = [];
  await asked(
    async (criu) => {
      log.push(`pre-dump ${await criu.notify('pre-dump', 5)}`, `post-dump ${await criu.notify('post-dump')}`);
      criu.send({ type: Type.DUMP, success: true });
    },
    async ({ script, pid, fd }) => void log.push(`${script} of ${pid}, ${fd}`),
  );
  assert.equal(log, ['pre-dump of 5, -1', 'post-dump of 0, -1', 'pre-dump true', 'post-dump true']);
});

test('a notification may carry a descriptor', async () => {
  let shown = '';
  await asked(
    async (criu) => {
      await criu.notify('orphan-pts-master', 0, new Transcript('master'));
      criu.send({ type: Type.DUMP, success: true });
    },
    ({ fd }) => {
      shown = fd < 0 ? 'none' : 'one';
      // The receiver must close it.
      if (fd >= 0) native.close(fd);
    },
  );
  assert.is(shown, 'one');
});

test('the first failed notification ends the request and is its error', async () => {
  const failure = (n: number): RuntError => new RuntError({ code: 'ERR_HOOK', message: `hook ${n} failed` });
  let n = 0;
  const { error, criu } = await asked(
    async (peer) => {
      await peer.notify('setup-namespaces');
      await peer.notify('post-restore');
      peer.send({ type: Type.DUMP, success: false });
    },
    () => {
      throw failure(++n);
    },
  );
  assert.is(error?.message, 'hook 1 failed');
  assert.equal(criu?.replies, [false, false]);
  const gone = await asked(
    async (peer) => {
      await peer.notify('setup-namespaces');
      peer.process.exit(1);
    },
    () => {
      throw failure(9);
    },
  );
  assert.is(gone.error?.message, 'hook 9 failed', 'even if criu then ends');
});

test('a criu that ends without a response is reported with its end', async () => {
  const exited = await asked(({ process }) => process.exit(2));
  assert.equal(
    [exited.error?.code, exited.error?.message],
    ['ERR_CRIU', `checkpoint web: ${path} ended with status 2 before it had answered`],
  );
  const killed = await asked(({ process }) => process.signal(SIGKILL));
  assert.match(killed.error?.message ?? '', /was killed by signal 9 before/);
});

test('a criu that does not answer is killed', async () => {
  const { error, criu } = await asked(() => {}, undefined, 5000);
  assert.match(error?.message ?? '', /did not answer$/);
  assert.ok(criu?.process.end);
});

test('a criu that keeps running after its response is killed', async () => {
  const { criu } = await asked((peer) => {
    peer.process.onSignal = () => true;
    peer.send({ type: Type.DUMP, success: true });
  });
  assert.ok(criu?.process.end);
});

test('a message that is not a criu response is an error', async () => {
  const { error } = await asked((criu) => criu.sendBytes(Uint8Array.of(0xff, 0xff, 0xff)));
  assert.is(error?.message, `checkpoint web: ${path} sent a malformed answer`);
});

test('a criu that cannot be started is an error that leaves no descriptor', async () => {
  const kernel = new FakeKernel();
  installCriu(kernel, () => {});
  kernel.failAt('spawnKeeping', 1, E.EACCES);
  assert.throws(() => Criu.start('restore web', path), /restore web: run \/usr\/sbin\/criu: EACCES/);
  kernel.failAt('packetPair', 1, E.EMFILE);
  assert.throws(() => Criu.start('restore web', path), /EMFILE/);
  assert.equal(kernel.open, []);
});

test('usableCriu refuses a version that is too old, one before 3.0, and a missing criu', async () => {
  const usable = async (version?: readonly [number, number]): Promise<string> => {
    const kernel = new FakeKernel();
    if (version) installCriu(kernel, () => {}, version);
    const found = await kernel.finish(usableCriu('restore web', undefined).catch((error: unknown) => error));
    assert.equal([kernel.open, kernel.processes.list.length], [[], 1]);
    if (found instanceof RuntError) return found.code;
    return (found as { path: string }).path;
  };
  assert.is(await usable([3, 15]), path);
  assert.is(await usable([4, 0]), path);
  assert.is(await usable([3, 14]), 'ERR_CRIU_VERSION');
  assert.is(await usable(), 'ERR_CRIU_MISSING');
});

test("a refusal has criu's own message, or the first error of its log", () => {
  const log = [
    "(00.1) Error (rlimit.c:1): rlimit: Can't setup rlimit for 5",
    '(00.2) Error (criu/x.c:2): Unable to open it',
    '(00.3) Error (criu/y.c:3): later',
  ].join('\n');
  const of = (answer: object, text = log) => refusalError('restore web', path, answer as never, '/w/restore.log', text);
  const own = of({ cr_errmsg: 'Unable to open it\n', cr_errno: 2 });
  assert.is(own.message, 'restore web: criu failed: Unable to open it: ENOENT (no such file or directory)');
  assert.is(own.hint, 'read the log file /w/restore.log: Error (criu/x.c:2): Unable to open it');
  const harmless = of({ cr_errmsg: "rlimit: Can't setup rlimit for 5" });
  assert.is(harmless.message, 'restore web: criu failed: Error (criu/x.c:2): Unable to open it');
  assert.is(harmless.hint, 'read the log file /w/restore.log');
  assert.is(of({}, '').message, 'restore web: criu failed');
});

test.run();
