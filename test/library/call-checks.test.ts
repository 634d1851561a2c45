/** Every public method of the library refuses wrong options and arguments by name, before it does anything. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { bundle, compile, explain, fromState, RuntError, Runtime, validate } from '../../src/library/index.js';

const test = suite('library call checks');

const runtime = new Runtime({ root: '/nonexistent/runt' });
const web = runtime.container('web');

async function messageOf(call: () => unknown): Promise<string> {
  try {
    await call();
  } catch (error) {
    assert.instance(error, RuntError);
    assert.is((error as RuntError).code, 'ERR_USAGE');
    return (error as RuntError).message;
  }
  return 'no error';
}

/** The first event of a stream. */
const first = (stream: AsyncIterator<unknown>): Promise<unknown> => stream.next();

const images = { imagePath: '/images' };

/** A call with these options, of each method that has some; the second is an option with its wrong value and error. */
const calls: Record<string, [(options: never) => unknown, wrong: object, error: string]> = {
  'new Runtime': [(o) => new Runtime(o), { root: 5 }, 'option root must be a string'],
  create: [(o) => runtime.create('web', '/b', o), { tty: 1 }, 'option tty must be a boolean'],
  run: [
    (o) => runtime.run('web', '/b', o),
    { timeout: '5' },
    'option timeout must be a number of milliseconds, at least 0',
  ],
  restore: [
    (o) => runtime.restore('web', '/b', { ...images, ...(o as object) }),
    { manageCgroupsMode: 'hard' },
    "option manageCgroupsMode must be 'soft', 'full', 'strict' or 'ignore'",
  ],
  checkpoint: [
    (o) => web.checkpoint({ ...images, ...(o as object) }),
    { pageServer: '1.2.3.4:5' },
    'option pageServer must be an object with address, and port from 1 to 65535',
  ],
  wait: [(o) => web.wait(o), { timeout: Number.NaN }, 'option timeout must be a number of milliseconds, at least 0'],
  waitFor: [
    (o) => web.waitFor({ port: 1 }, o),
    { interval: -1 },
    'option interval must be a number of milliseconds, at least 0',
  ],
  stop: [(o) => web.stop(o), { timeout: -5 }, 'option timeout must be a number of milliseconds, at least 0'],
  kill: [(o) => web.kill('TERM', o), { all: 'yes' }, 'option all must be a boolean'],
  delete: [(o) => web.delete(o), { force: 1 }, 'option force must be a boolean'],
  events: [(o) => first(web.events(o)), { types: ['exit'] }, "option types must be a list of 'stats' and 'oom'"],
  logs: [(o) => first(web.logs(o)), { signal: 'TERM' }, 'option signal must be an AbortSignal'],
  exec: [(o) => web.exec(['true'], o), { env: { A: 'b' } }, 'option env must be a list of strings'],
  compile: [
    (o) => compile('/b', o),
    { unsafeAnnotations: 'no' },
    "option unsafeAnnotations must be 'allow', 'warn' or 'deny'",
  ],
  explain: [(o) => explain('/b', o), { colour: 'red' }, 'option colour must be a boolean'],
};

for (const [name, [call, wrong, error]] of Object.entries(calls)) {
  test(`${name} refuses an unknown option with the nearest name, and a wrong value by name`, async () => {
    assert.is(await messageOf(() => call(wrong as never)), `${name}: ${error}`);
    const [known = ''] = Object.keys(wrong);
    const unknown = `${known}x`;
    assert.is(
      await messageOf(() => call({ [unknown]: undefined } as never)),
      `${name}: unknown option ${unknown}; did you mean ${known}?`,
    );
  });
}

test('options that are not an object, and arguments of a wrong type, are refused by name', async () => {
  const bad = 5 as never;
  const said = async (call: () => unknown, message: string) => assert.is(await messageOf(call), message);
  await said(() => web.stop(null as never), 'stop: the options must be an object');
  await said(() => web.checkpoint(undefined as never), 'checkpoint: options must be an object');
  await said(() => web.checkpoint({} as never), 'checkpoint: option imagePath must be a path');
  await said(() => runtime.restore('web', '/b', {} as never), 'restore: option imagePath must be a path');
  await said(() => runtime.container(bad), 'container: id must be a string');
  await said(() => runtime.create(bad, '/b'), 'create: id must be a string');
  await said(() => runtime.run('web', bad), 'run: bundle must be a string');
  await said(() => runtime.state(bad), 'state: id must be a string');
  await said(() => web.update(bad), 'update: resources must be an object');
  await said(() => fromState(bad), 'fromState: source must be an object');
  await said(() => validate(bad), 'validate: config must be an object');
  await said(() => compile(bad), 'compile: bundle must be a string');
  await said(() => bundle('/b', bad), 'bundle: options must be an object');
  await said(() => bundle('/b', {}, bad), 'bundle: change must be a function');
  await said(() => web.kill('TREM'), 'kill: unknown signal TREM; did you mean TERM?');
  await said(() => web.kill(65), 'kill: unknown signal 65');
  await said(() => web.stop({ signal: 0 }), 'stop: unknown signal 0');
  await said(() => web.kill(null as never), 'kill: the signal must be a number or a string');
});

test('waitFor refuses a condition that it does not know, or whose value is wrong', async () => {
  const said = async (condition: unknown, message: string) =>
    assert.is(await messageOf(() => web.waitFor(condition as never)), `waitFor: ${message}`);
  await said('running', 'a condition is a function, or has one of status, output, port, file, command');
  await said(
    { status: 'up' },
    "option status must be one of 'creating', 'created', 'running', 'paused', 'stopped', or a list of them",
  );
  await said({ output: /x/, tims: 2 }, 'unknown option tims; did you mean times?');
  await said([{ port: 80 }, { port: 70_000 }], 'option port must be a port from 1 to 65535');
  await said({ file: 'ready' }, 'option file must be an absolute path');
  await said({ command: 'pg_isready -q' }, 'option command must be a list of strings');
});

test.run();
