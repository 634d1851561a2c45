/** A program that makes several containers has the long calls of the library in a thread, and sees no difference. */
import { execFileSync } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { resolve } from 'node:path';
import type { Worker } from 'node:worker_threads';
import * as assert from 'uvu/assert';
import type * as Library from '../../../src/library/index.js';
import { COMMAND_LIMIT } from '../../deadline.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { failure } from './failure.js';

const test = needing('thread of the library', 'root');
const { Runtime, RuntError } = (await import(resolve('dist/index.js'))) as typeof Library;

const none = ['ignore', 'ignore', 'ignore'] as const;

/** The thread of this program, when it has one. */
let thread: Worker | undefined;
let isReady = false;
subscribe('worker_threads', (message) => {
  thread = (message as { worker: Worker }).worker;
  thread.on('message', ({ kind }: { kind: string }) => {
    isReady ||= kind === 'ready';
  });
});

/** What a call has thrown. */
const failed = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Everything that an error shows, without times. */
function shown(error: Library.RuntError): object {
  const { stack: _, cause, ...facts } = error as Library.RuntError & { cause?: Library.RuntError };
  const names = Object.getOwnPropertyNames(error).sort();
  const texts = [error.message, String(error), error.report()].map((text) =>
    text.replace(/after \d+ ms/, 'after a time'),
  );
  return { ...facts, names, texts, ...(cause && { cause: shown(cause) }) };
}

/** Changes of a good config that make a create or a start fail, each in another way. */
const bad: readonly ((bed: Bed) => void)[] = [
  (bed) => {
    bed.config.process.args = [];
  },
  (bed) => {
    bed.config.mounts.push({ destination: '/mnt', source: '/no/such/source', options: ['bind'] });
  },
  (bed) => {
    bed.config.process.args = ['/no/such/program'];
  },
  (bed) => {
    bed.config.hooks = { createRuntime: [{ path: '/bin/false' }] };
  },
];

async function failures(bed: Bed): Promise<object[]> {
  const runtime = new Runtime({ root: bed.root });
  const errors: object[] = [];
  for (const change of bad) {
    const good = structuredClone(bed.config);
    change(bed);
    bed.write();
    errors.push(shown(await failure(runtime.run(bed.id, bed.bundle, { stdio: none }))));
    assert.equal(await runtime.list(), []);
    bed.config = good;
  }
  bed.write();
  errors.push(shown(await failure(runtime.container(bed.id).exec(['/bin/true'], { stdio: none }))));
  errors.push(shown(await failure(runtime.container(bed.id).delete())));
  return errors;
}

test(
  'errors of the thread are those of a call without it',
  onBed(async (bed) => {
    // The first call has no thread; a thread loads for longer than the others take, or has loaded.
    const first = await failures(bed);
    await eventually('the thread', () => isReady);
    const later = await failures(bed);
    assert.equal(later, first);
    assert.is(new Set(first.map((error) => (error as Library.RuntError).code)).size, bad.length + 1);
  }),
);

test(
  'a call in the thread has results, warnings, and what a listener throws',
  onBed(async (bed) => {
    assert.ok(isReady);
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.config.annotations = { 'run.oci.keep_original_groups': '1' };
    bed.write();
    const runtime = new Runtime({ root: bed.root });
    const warnings: string[] = [];
    const container = await runtime.create(bed.id, bed.bundle, {
      stdio: none,
      onWarning: (sentence) => warnings.push(sentence),
    });
    assert.match(warnings.join(), /keep_original_groups/);
    await container.start();
    assert.is((await (await container.exec(['/bin/sh', '-c', 'exit 7'], { stdio: none })).exit).status, 7);
    await container.delete({ force: true });
    const onWarning = () => {
      throw new Error('no warnings here');
    };
    const error = await failed(runtime.create(bed.id, bed.bundle, { stdio: none, onWarning }));
    assert.is((error as Error).message, 'no warnings here');
    assert.not.instance(error, RuntError);
    assert.equal(await runtime.list(), []);
  }),
);

test(
  'the stack of an error of the thread has the line of the caller',
  onBed(async (bed) => {
    assert.ok(isReady);
    const container = new Runtime({ root: bed.root }).container(bed.id);
    const caller = async (): Promise<void> => {
      await container.delete();
    };
    const { stack = '' } = await failure(caller());
    assert.match(stack, /runt-thread\.js/);
    assert.match(stack, /at async caller .*core-thread/);
  }),
);

test(
  'a listener that throws in a call that fails is what the call throws, with and without the thread',
  onBed((bed) => {
    bed.config.process.args = ['/no/such/program'];
    bed.config.annotations = { 'run.oci.keep_original_groups': '1' };
    bed.write();
    const printed = program(
      bed,
      `const onWarning = () => { throw 'of the listener'; };
      const failed = () => runtime.run('${bed.id}', '${bed.bundle}', { onWarning }).catch((error) => error);
      console.log(await failed());
      await warm();
      console.log(await failed(), (await runtime.list()).length);`,
    );
    assert.is(printed, 'of the listener\nof the listener 0\n');
  }),
);

/** What other modules do to all objects: before the thread starts, or before a call in it. */
const strangers = [
  "Object.assign(Object.prototype, { eval: true, stdin: true, resourceLimits: { stackSizeMb: 'x' } });",
  "Object.assign(Object.prototype, { error: 'added', cause: {}, kind: 'ready', refusal: { error: 'added' } });",
  'for (const { prototype } of [Object, Array, Function, Error, Promise, Map]) Object.freeze(prototype);',
];

test(
  'errors and results of the thread are the same where other modules add to all objects, or freeze them',
  onBed((bed) => {
    bed.config.process.args = ['/bin/true'];
    bed.write();
    for (const stranger of strangers) {
      const after = `${stranger} const error = await runtime.container('none').delete().catch((error) => error);
        console.log(error.name, error.code, error instanceof RuntError, await run());`;
      const expected = 'RuntError ERR_NO_CONTAINER true 0\n';
      assert.is(program(bed, `await run(); await warm(); ${after}`), expected, stranger);
      assert.is(program(bed, `await run(); ${after} await warm();`), expected, stranger);
    }
  }),
);

test(
  'without its thread, which was ended in a call, the library goes on',
  onBed(async (bed) => {
    assert.ok(isReady && thread);
    bed.config.process.args = ['/bin/true'];
    bed.write();
    const runtime = new Runtime({ root: bed.root });
    const run = () => runtime.run(bed.id, bed.bundle, { stdio: none });
    // More than the thread answers before its end.
    const calls = Array.from({ length: 500 }, () => failed(runtime.container(bed.id).delete()));
    // The library's thread does not keep this program alive.
    const alive = setInterval(() => {}, 1000);
    await thread!.terminate();
    clearInterval(alive);
    const codes = new Set((await Promise.all(calls)).map((error) => (error as Library.RuntError).code));
    assert.ok(codes.delete('ERR_INTERNAL'));
    codes.delete('ERR_NO_CONTAINER');
    assert.is(codes.size, 0, [...codes].join());
    assert.is((await (await run()).exit).status, 0);
  }),
);

/** Runs a program that uses the library, and returns what it has printed. */
function program(bed: Bed, text: string): string {
  const script = `import { subscribe } from 'node:diagnostics_channel';
    import { Runtime, RuntError } from ${JSON.stringify(resolve('dist/index.js'))};
    const runtime = new Runtime({ root: ${JSON.stringify(bed.root)} });
    const run = async () => (await (await runtime.run('${bed.id}', '${bed.bundle}', { stdio: ['ignore', 'ignore', 'ignore'] })).exit).status;
    const ready = new Promise((settle) => {
      subscribe('worker_threads', ({ worker }) => worker.on('message', ({ kind }) => kind === 'ready' && settle()));
    });
    // Returns when the thread takes the calls.
    const warm = async () => {
      const alive = setInterval(() => {}, 1000);
      for (const _ of 'two') await run().catch(() => {});
      await ready;
      clearInterval(alive);
    };
    const threads = () => process.report.getReport().workers.length;
    ${text}`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
    timeout: COMMAND_LIMIT,
  });
}

test(
  'a program that makes one container has no thread, and one that makes more ends by itself',
  onBed((bed) => {
    bed.config.process.args = ['/bin/true'];
    bed.write();
    assert.is(program(bed, 'console.log(await run(), threads());'), '0 0\n');
    assert.is(program(bed, 'for (let i = 0; i < 20; i++) await run(); console.log(threads());'), '1\n');
    // The end does not wait for a thread that still loads.
    assert.is(program(bed, 'await run(); await run(); console.log("done");'), 'done\n');
  }),
);

test(
  'two copies of the library in one program, as test runners load them, do not take the events of each other',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const printed = program(
      bed,
      `const other = await import(${JSON.stringify(`${resolve('dist/index.js')}?copy`)});
      for (let i = 0; i < 3; i++) {
        await runtime.create('${bed.id}', '${bed.bundle}', { stdio: ['ignore', 'ignore', 'ignore'] });
        const container = new other.Runtime({ root: runtime.root }).container('${bed.id}');
        await container.start();
        const run = await container.exec(['/bin/echo', 'out']);
        console.log((await run.output()).stdout.trim(), (await runtime.list()).length);
        await container.delete({ force: true });
      }`,
    );
    assert.is(printed, 'out 1\nout 1\nout 1\n');
  }),
);

test.run();
