/** `state` and `list`: the status from the record, the process and the freezer; which entries `list` leaves out. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { list, listIds } from '../../src/container/list.js';
import { forEach, matchingIds } from '../../src/container/matching-ids.js';
import { saveRecord } from '../../src/container/state/stored-files.js';
import { state } from '../../src/container/state.js';
import { E } from '../../src/sys/errno.js';
import { RuntError } from '../../src/sys/error.js';
import { eachFailure, FakeContainer, told } from './fake-container.js';

const test = suite('state');

const statusOf = (c: FakeContainer): string => {
  c.kernel.use();
  return state(c.options).status;
};

test('state prints its fields in the order of runc', () => {
  const c = new FakeContainer({ status: 'running', record: { annotations: { a: 'b' }, owner: 1000 } });
  c.kernel.tree.file('/etc/passwd', 'root:x:0:0::/root:/bin/sh\nme:x:1000:1000::/:/bin/sh\n');
  assert.is(
    JSON.stringify(state(c.options)),
    '{"ociVersion":"1.2.0","id":"web","pid":2500,"status":"running","bundle":"/b","rootfs":"/b/rootfs","created":"2026-01-01T00:00:00Z","annotations":{"a":"b"},"owner":"me"}',
  );
});

test('the owner is empty if the user has no name, or if /etc/passwd is missing', () => {
  const c = new FakeContainer({ record: { owner: 1000 } });
  assert.is(state(c.options).owner, '');
  c.kernel.tree.file('/etc/passwd', 'root:x:0:0::/root:/bin/sh\n');
  assert.is(state(c.options).owner, '');
});

test('a container whose create ends after the record was read is created, not stopped', () => {
  const creator = { pid: 77, startTime: '5' };
  const c = new FakeContainer({ status: 'created', record: { status: 'creating', pid: 0, startTime: '', creator } });
  const { creator: _, ...record } = {
    ...c.record,
    status: 'created' as const,
    pid: 2500,
    startTime: c.process!.startTime,
  };
  c.kernel.before('processStat', 1, () => saveRecord(c.root, record));
  const { status, pid } = state(c.options);
  assert.equal([status, pid], ['created', 2500]);
});

test('state reports each status, with pid 0 for a stopped container', () => {
  for (const status of ['creating', 'created', 'running', 'stopped'] as const) {
    const c = new FakeContainer({ status });
    assert.is(statusOf(c), status);
    assert.is(state(c.options).pid, status === 'stopped' ? 0 : 2500);
  }
});

test('a container is creating while its process or its create lives; after a killed create it is stopped', () => {
  const creator = { pid: 2300, startTime: '3300' };
  const c = new FakeContainer({ status: 'creating', record: { pid: 0, startTime: '', creator } });
  assert.is(statusOf(c), 'stopped');
  const create = c.kernel.processes.add({ pid: 2300 });
  assert.is(statusOf(c), 'creating');
  create.exit(1);
  assert.is(statusOf(c), 'stopped');
});

test('a container is created while runt-init waits and the start socket exists, else running', () => {
  const c = new FakeContainer();
  assert.is(statusOf(c), 'created');
  c.kernel.tree.directory(c.directory).entries?.delete('start.sock');
  assert.is(statusOf(c), 'running');
  const other = new FakeContainer();
  other.process!.name = 'sh';
  assert.is(statusOf(other), 'running', 'a start that was killed has left the socket');
});

test('a created container that a delete removes meanwhile is stopped, not running', () => {
  const c = new FakeContainer();
  const stat = c.kernel.performs('stat');
  c.kernel.on('stat', (dir, path, flags, out) => {
    if (path === 'start.sock') {
      c.process!.exit(0);
      c.kernel.tree.directory(c.directory).entries?.delete('start.sock');
    }
    return stat(dir, path, flags, out);
  });
  assert.is(statusOf(c), 'stopped');
});

test('a container is paused if its cgroup is frozen, on both versions of cgroups', () => {
  for (const layout of ['v2', 'v1'] as const) {
    const c = new FakeContainer({ layout });
    c.freeze(c.cgroups[0]!);
    assert.is(statusOf(c), 'paused');
  }
});

test('a zombie, or another process with the pid, is a stopped container', () => {
  const c = new FakeContainer({ status: 'running' });
  c.process!.state = 'Z';
  assert.is(statusOf(c), 'stopped');
  const reused = new FakeContainer({ status: 'stopped' });
  reused.kernel.processes.add({ pid: 2500, startTime: '1' });
  assert.is(statusOf(reused), 'stopped');
});

test('a process hidden by /proc, or a /proc that is not procfs, is an error and not "stopped"', async () => {
  for (const [errno, message] of [
    [E.ENOENT, /the process exists, and \/proc hides it/],
    [E.ENODEV, /\/proc is not a proc file system/],
    [E.EXDEV, /\/proc shows another pid namespace/],
    [E.EIO, /read \/proc\/2500\/stat: EIO/],
  ] as const) {
    const c = new FakeContainer({ status: 'running' });
    c.kernel.on('processStat', () => -errno);
    const error = await c.failure(() => state(c.options));
    assert.is(error.code, 'ERR_PROCESS');
    assert.match(error.message, message);
    assert.equal(c.kernel.open, [c.root]);
  }
});

test('whichever call fails, state never reports a wrong status', async () => {
  for (const layout of ['v2', 'v1'] as const) {
    for (const [status, frozen] of [
      ['created', false],
      ['running', true],
      ['stopped', false],
    ] as const) {
      const make = () => {
        const c = new FakeContainer({ layout, status });
        if (frozen) c.freeze(c.cgroups[0]!);
        return c;
      };
      const found = new Map<FakeContainer, string>();
      const outcomes = await eachFailure(make, (c) => void found.set(c, state(c.options).status));
      for (const { container, call, error, leftOpen } of outcomes) {
        assert.equal(leftOpen, [], call);
        if (error === undefined) assert.is(found.get(container), frozen ? 'paused' : status, call);
        else if (!(error instanceof RuntError)) throw error;
      }
    }
  }
});

test('list reports an unknown status separately, and still lists the other containers', () => {
  const c = new FakeContainer({ status: 'running' });
  c.addContainer('b');
  c.kernel.on('processStat', () => -E.EIO);
  assert.throws(() => list(c.options), /read \/proc\/2500\/stat/);
  const unknown: string[] = [];
  const states = list({ ...c.options, unknown: (error) => unknown.push(error.code) });
  assert.equal([states.map(({ id }) => id), unknown], [['b'], ['ERR_PROCESS']]);
});

test('list leaves out containers that are removed meanwhile, and entries that are not containers', () => {
  const c = new FakeContainer({ status: 'stopped' });
  c.addContainer('gone');
  c.kernel.tree.directory(`${c.root}/.deleted`);
  c.kernel.tree.file(`${c.root}/file`);
  const { tree } = c.kernel;
  c.kernel.before('openDirectory', 1, () => tree.directory(c.root).entries?.delete('gone'));
  assert.equal([list(c.options).map(({ id }) => id), c.warnings], [['web'], []]);
});

test('listIds has the ids that list has, with its warnings, and reads no process', () => {
  const c = new FakeContainer({ status: 'running' });
  c.addContainer('b');
  const { tree } = c.kernel;
  tree.file(`${c.root}/broken/state.json`, '{');
  tree.directory(`${c.root}/killed`);
  tree.directory(`${c.root}/.deleted`);
  tree.file(`${c.root}/file`);
  c.kernel.calls.length = 0;
  assert.equal(listIds(c.options), ['b', 'web']);
  assert.not.ok(c.kernel.calls.some((call) => call.startsWith('processStat')));
  assert.is(c.warnings.length, 2);
  assert.match(c.warnings.join(), /broken.*killed/);
});

test('--regex selects the matching ids; an invalid pattern is an error', () => {
  const c = new FakeContainer();
  c.addContainer('web-2');
  c.addContainer('db');
  c.kernel.tree.directory(`${c.root}/.deleted`);
  c.kernel.on('matching', (pattern, list, out) => {
    if (pattern === '(') return -E.EINVAL;
    const names = new TextDecoder().decode(list).split('\0').slice(0, -1);
    const bytes = new TextEncoder().encode(
      names
        .filter((name) => new RegExp(pattern).test(name))
        .map((name) => `${name}\0`)
        .join(''),
    );
    out.set(bytes);
    return bytes.length;
  });
  assert.equal(matchingIds(c.root, '^web'), ['web', 'web-2']);
  assert.equal(matchingIds(c.root, '.'), ['db', 'web', 'web-2']);
  assert.equal(matchingIds(c.root, 'none'), []);
  for (const pattern of ['(', 'a\0b']) {
    assert.throws(() => matchingIds(c.root, pattern), /^bad regular expression ".*": EINVAL/);
  }
});

test('a failure of one container does not stop the command for the others; the error counts them', async () => {
  const c = new FakeContainer();
  const done: string[] = [];
  const failing = (ids: readonly string[], hint?: string) => (id: string) => {
    done.push(id);
    if (ids.includes(id)) throw new RuntError({ code: 'ERR_PROCESS', message: `no ${id}`, ...(hint && { hint }) });
    return Promise.resolve();
  };
  const run = (ids: readonly string[], hint?: string) =>
    c.failure(() => forEach(['a', 'b', 'c'], async (id) => failing(ids, hint)(id)));
  const one = await run(['b']);
  assert.equal([told(c, one), one.hint, done.splice(0)], ['ERR_PROCESS no b', undefined, ['a', 'b', 'c']]);
  assert.is((await run(['b', 'c'])).hint, 'look at b, c too: it failed for 2 of 3 containers');
  assert.is((await run(['a', 'b'], 'wait')).hint, 'wait; look at a, b too: it failed for 2 of 3 containers');
  await c.run(() => forEach([], async () => {}));
});

test.run();
