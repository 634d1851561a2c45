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
  'new Runtime': [(o) => new Runtime(o), { root: '' }, 'option root must be a path'],
  create: [(o) => runtime.create('web', '/b', o), { tty: 1 }, 'option tty must be a boolean'],
  run: [
    (o) => runtime.run('web', '/b', o),
    { timeout: '5' },
    'option timeout must be a number of milliseconds from 0 to 300 years',
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
  wait: [
    (o) => web.wait(o),
    { timeout: Number.NaN },
    'option timeout must be a number of milliseconds from 0 to 300 years',
  ],
  waitFor: [
    (o) => web.waitFor({ port: 1 }, o),
    { interval: 0 },
    'option interval must be a number of milliseconds from 1 to 300 years',
  ],
  stop: [(o) => web.stop(o), { signal: 'TERM' }, 'option signal must be an AbortSignal'],
  kill: [
    (o) => web.kill('TERM', o),
    { timeout: Number.POSITIVE_INFINITY },
    'option timeout must be a number of milliseconds from 0 to 300 years',
  ],
  delete: [(o) => web.delete(o), { force: 1 }, 'option force must be a boolean'],
  events: [
    (o) => first(web.events(o)),
    { types: ['exit'] },
    "option types must be a list of 'stats' and 'oom', or of one of them",
  ],
  logs: [(o) => first(web.logs(o)), { signal: 'TERM' }, 'option signal must be an AbortSignal'],
  update: [(o) => web.update({}, o), { onWarning: 'log' }, 'option onWarning must be a function'],
  fromState: [(o) => fromState('/s/web', o), { rootless: 'no' }, 'option rootless must be a boolean'],
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
  await said(() => runtime.run('web', bad), 'run: bundle must be a path');
  await said(() => runtime.state(bad), 'state: id must be a string');
  await said(() => web.update(bad), 'update: resources must be an object');
  await said(() => fromState(bad), 'fromState: source must be a path or a state document');
  await said(() => validate(bad), 'validate: config must be an object');
  await said(() => compile(bad), 'compile: bundle must be a path');
  await said(() => bundle('/b', bad), 'bundle: options must be an object');
  await said(() => bundle('/b', {}, bad), 'bundle: change must be a function');
  await said(() => web.kill('TREM'), 'kill: unknown signal "TREM"; did you mean TERM?');
  await said(() => web.kill(65), 'kill: unknown signal 65');
  await said(() => web.kill(''), 'kill: unknown signal ""');
  await said(() => web.kill('TERM', { timeout: 5 }), 'kill: the option timeout needs wait: true');
  await said(() => web.delete({ timeout: 5 }), 'delete: the option timeout needs wait: true');
  await said(() => bundle('', {}), 'bundle: directory must be a path');
  await said(() => validate(''), 'validate: config must be a path');
  await said(() => web.exec([]), 'exec: the command is empty');
  await said(() => web.exec(['a\0b']), 'exec: the command has a NUL byte');
  // A list with a hole.
  await said(() => web.exec(new Array(2) as never), 'exec: the command must be a list of strings');
  await said(() => web.stop({ stopSignal: 0 }), 'stop: unknown signal 0');
  await said(() => web.kill(null as never), 'kill: the signal must be a number or a string');
});

test('exec refuses the option init with the reason and the remedy', async () => {
  assert.is(
    await messageOf(() => web.exec(['true'], { init: true } as never)),
    'exec: option init must be left out: the first process of a container that was created with init reaps the orphans of its execs',
  );
});

const stdioError =
  "option stdio must be a list of three, each 'pipe', 'ignore', 'inherit', a descriptor or { file: PATH }";

test('stdio with an unknown member or a hole is refused, and so is stdio with a terminal', async () => {
  const run = (stdio: unknown, more = {}) => messageOf(() => runtime.run('web', '/b', { stdio, ...more } as never));
  for (const stdio of [['pipe', 'pipe', { file: '/log', append: true }], ['pipe', 'pipe', { file: '' }], new Array(3)])
    assert.is(await run(stdio), `run: ${stdioError}`);
  assert.is(await run(['pipe', 'pipe', 'pipe'], { tty: true }), 'run: the options tty and stdio exclude each other');
});

test('resources that are unknown or that JSON cannot express are refused by pointer', async () => {
  const update = async (resources: unknown, message: string) =>
    assert.is(await messageOf(() => web.update(resources as never)), `update: ${message}`);
  await update({ memry: {} }, 'unknown resource /memry; did you mean memory?');
  await update({ memory: { limt: 5 } }, 'unknown resource /memory/limt; did you mean limit?');
  await update({ pids: { limit: Number.NaN } }, 'resources at /pids/limit is NaN, which JSON does not have');
  await update({ memory: () => {} }, 'resources at /memory is a function');
  const circular: { memory?: object } = {};
  circular.memory = circular;
  await update(circular, 'resources at /memory contains itself');
  assert.is(await messageOf(() => validate(circular as never)), 'validate: config at /memory contains itself');
});

test('each option is read once, and those that another module has added to all objects do not count', async () => {
  let reads = 0;
  const options = {
    get tty() {
      return reads++ === 0 ? 'yes' : true;
    },
  };
  assert.is(await messageOf(() => runtime.run('web', '/b', options as never)), 'run: option tty must be a boolean');
  assert.is(reads, 1);
  // Options of a prototype of the caller's own count.
  assert.match(await messageOf(() => runtime.run('web', '/b', Object.create({ tty: 'yes' }))), 'option tty must be');
  const all = Object.prototype as { tty?: unknown };
  all.tty = 'yes';
  try {
    await runtime.run('web', '/nonexistent/bundle');
  } catch (error) {
    assert.is((error as RuntError).code, 'ERR_SPEC_MISSING');
  } finally {
    delete all.tty;
  }
});

test('a call whose signal has aborted rejects with ERR_ABORTED before it does anything', async () => {
  const reason = new Error('too late');
  const signal = AbortSignal.abort(reason);
  for (const call of [
    () => runtime.create('web', '/b', { signal }),
    () => runtime.run('web', '/b', { signal }),
    () => web.exec(['true'], { signal }),
    () => web.kill('TERM', { signal }),
    () => web.stop({ signal }),
    () => web.delete({ signal }),
    () => web.wait({ signal }),
    () => first(web.events({ signal })),
  ]) {
    const error: unknown = await Promise.resolve(call()).catch((e) => e);
    assert.instance(error, RuntError);
    assert.is((error as RuntError).code, 'ERR_ABORTED');
    assert.is((error as RuntError).cause, reason);
  }
});

test('an error shows the members that it has, and no others', () => {
  const error = new RuntError({ code: 'ERR_IO', message: 'x', path: '/x' });
  assert.equal(Object.keys(error).sort(), ['code', 'name', 'path']);
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
  await said({ port: 80, file: '/x' }, 'port and file are conditions of their own: write a list of them');
  await said({ file: 'ready' }, 'option file must be an absolute path');
  await said({ command: 'pg_isready -q' }, 'option command must be a list of strings');
});

test.run();
