/** The state store: the files of a container, the order of their writes, and what each failed call leaves. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { list, names } from '../../../src/container/list.js';
import { makeStateDir } from '../../../src/container/state/claim-id.js';
import {
  type ContainerRecord,
  loadRecord,
  removeStateDir,
  withLock,
} from '../../../src/container/state/state-store.js';
import { saveRecord, storeConfig, storedConfigPath } from '../../../src/container/state/stored-files.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { eachFailure } from '../../sys/fake-host/each-failure.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { recordOf } from './records.js';

const test = suite('state store');

/** A kernel with the state of a container `web`. */
function withContainer(over: Partial<ContainerRecord> = {}): FakeKernel {
  const kernel = new FakeKernel();
  makeStateDir(kernel.root, 'web');
  saveRecord(kernel.root, recordOf('web', over));
  kernel.calls.length = 0;
  return kernel;
}

const failure = (f: () => unknown): RuntError => {
  try {
    f();
  } catch (error) {
    if (error instanceof RuntError) return error;
    throw error;
  }
  throw new Error('it did not fail');
};

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** The calls of the last operation, with `~` for the kernel's root. */
const callsOf = (kernel: FakeKernel): string[] => kernel.calls.map((call) => call.replaceAll(kernel.root, '~'));

/** The outcome of each failed call: the call, then the error's code and message without the errno's text. */
async function failures(make: () => FakeKernel, act: (kernel: FakeKernel) => unknown): Promise<string[]> {
  const outcomes = await eachFailure(make, act);
  return outcomes.map(({ kernel, call, error, leftOpen }) => {
    assert.equal(leftOpen, [], call);
    const name = call.slice(0, call.indexOf('('));
    if (error === undefined) return `${name}: none`;
    if (!(error instanceof RuntError)) throw error;
    assert.is(error.errno, E.EIO, call);
    return `${name}: ${error.code} ${error.message.replace(/: EIO.*/, '')}`.replaceAll(kernel.root, '~');
  });
}

test('makeStateDir makes a missing root, then the directory, both private to their owner', () => {
  const kernel = new FakeKernel();
  makeStateDir(kernel.root, 'web');
  assert.equal(
    callsOf(kernel).filter((call) => call.startsWith('mkdirAt')),
    [`mkdirAt(</run>, ${kernel.root.slice(5)}, 0o700) = 0`, 'mkdirAt(<~>, web, 0o700) = 0'],
  );
  assert.equal(kernel.open, [kernel.root]);
});

test('makeStateDir refuses an existing id', () => {
  const kernel = withContainer();
  const error = failure(() => makeStateDir(kernel.root, 'web'));
  assert.equal([error.code, error.message], ['ERR_CONTAINER_EXISTS', 'container with given ID already exists: web']);
  assert.equal(kernel.tree.list(`${kernel.root}/web`), ['state.json']);
});

test('each failed call of makeStateDir is an error of the state that leaves no descriptor', async () => {
  assert.equal(
    await failures(
      () => new FakeKernel(),
      ({ root }) => makeStateDir(root, 'web'),
    ),
    [
      'openDirectory: ERR_STATE make the state root ~',
      'stat: ERR_STATE stat an open file',
      'openDirectory: ERR_STATE make the state root ~',
      'stat: ERR_STATE stat an open file',
      'openDirectory: ERR_STATE make the state root ~',
      'mkdirAt: ERR_STATE make the state root ~',
      'openDirectory: ERR_STATE make the state root ~',
      'stat: ERR_STATE stat an open file',
      'mkdirAt: ERR_STATE make the state directory ~/web',
    ],
  );
});

test('makeStateDir makes a removed root again', () => {
  const kernel = withContainer();
  kernel.tree.removeTree({
    parent: kernel.tree.directory('/run'),
    name: kernel.root.slice(5),
    inode: kernel.tree.at(kernel.root),
  });
  makeStateDir(kernel.root, 'web');
  assert.equal(kernel.tree.list(kernel.root), ['web']);
  assert.equal(kernel.open, [kernel.root], 'the descriptor of the removed root was closed');
});

test('save replaces the file, which only its owner may read, in one call', () => {
  const kernel = withContainer();
  saveRecord(kernel.root, recordOf('web', { status: 'creating' }));
  assert.equal(callsOf(kernel), [
    'openDirectory(<~>, web, 0x200000) = fd',
    'stat(<~/web>, , 0x1000, 64 bytes) = 0',
    'replaceFile(<~/web>, state.json, 0o600, 206 bytes) = 0',
    'close(<~/web>) = 0',
  ]);
  assert.is(kernel.tree.at(`${kernel.root}/web/state.json`)?.mode, 0o100600);
  assert.is(loadRecord(kernel.root, 'web').status, 'creating');
});

test('a failed save leaves the old record', async () => {
  const made: FakeKernel[] = [];
  const act = (kernel: FakeKernel): void => {
    made.push(kernel);
    saveRecord(kernel.root, recordOf('web', { pid: 7 }));
  };
  assert.equal(await failures(withContainer, act), [
    'openDirectory: ERR_STATE write the state ~/web/state.json',
    'stat: ERR_STATE stat an open file',
    'replaceFile: ERR_STATE write the state ~/web/state.json',
  ]);
  const pids = made.map((kernel) => JSON.parse(kernel.tree.text(`${kernel.root}/web/state.json`)).pid);
  assert.equal(pids, [2500, 2500, 2500, 7], 'the last one is the run without a failure');
});

test('save to a removed directory is an error, and makes none', () => {
  const kernel = new FakeKernel();
  const error = failure(() => saveRecord(kernel.root, recordOf('web')));
  assert.equal([error.code, error.errno], ['ERR_STATE', E.ENOENT]);
  assert.is(kernel.tree.list(kernel.root), undefined);
});

test('load returns what was saved', () => {
  const record = recordOf('web', { annotations: { a: 'ü' }, cgroups: ['/sys/fs/cgroup/web'], owner: 5 });
  const kernel = withContainer(record);
  assert.equal(loadRecord(kernel.root, 'web'), record);
  assert.equal(kernel.names, ['openDirectory', 'stat', 'openEntry', 'stat', 'read', 'read', 'close', 'close']);
});

test('load reads a record that is longer than the first buffer', () => {
  const annotations = { long: 'x'.repeat(100_000) };
  const kernel = withContainer({ annotations });
  assert.equal(loadRecord(kernel.root, 'web').annotations, annotations);
});

test('a failed call of load does not mean that the container is missing or its state damaged', async () => {
  assert.equal(await failures(withContainer, ({ root }) => loadRecord(root, 'web')), [
    'openDirectory: ERR_STATE read the state ~/web/state.json',
    'stat: ERR_STATE stat an open file',
    'openEntry: ERR_STATE read the state ~/web/state.json',
    'stat: ERR_STATE stat an open file',
    'read: ERR_STATE read the state ~/web/state.json',
    'read: ERR_STATE read the state ~/web/state.json',
  ]);
});

test('only a missing directory means that there is no container', () => {
  const kernel = withContainer();
  assert.is(failure(() => loadRecord(kernel.root, 'other')).code, 'ERR_NO_CONTAINER');
  assert.is(failure(() => loadRecord(`${kernel.root}-none`, 'web')).code, 'ERR_NO_CONTAINER');
  kernel.tree.file('/run/file');
  assert.is(
    failure(() => loadRecord('/run/file/root', 'web')).code,
    'ERR_NO_CONTAINER',
    'a parent of the root is a file',
  );
  assert.is(failure(() => loadRecord(kernel.root, '../web')).code, 'ERR_CONTAINER_ID');
});

test('a directory without a record that a running create makes, or an undo removes, is not a container', () => {
  const kernel = withContainer();
  const directory = kernel.tree.at(`${kernel.root}/web`)!;
  const [name, record] = [...directory.entries!][0]!;
  directory.entries!.delete(name);
  kernel.tree.at(kernel.root)!.lock = true;
  assert.is(failure(() => loadRecord(kernel.root, 'web')).code, 'ERR_NO_CONTAINER');
  kernel.tree.at(kernel.root)!.lock = undefined;
  assert.is(failure(() => loadRecord(kernel.root, 'web')).code, 'ERR_STATE_CORRUPT');
  // It is written between the two looks.
  kernel.before('flock', 1, () => directory.entries!.set(name, record));
  assert.is(loadRecord(kernel.root, 'web').id, 'web');
});

test('a directory without a record is damaged; one that is removed meanwhile is not a container', () => {
  const kernel = withContainer();
  const directory = `${kernel.root}/web`;
  kernel.before('openEntry', 1, () => kernel.tree.at(directory)?.entries?.clear());
  assert.match(
    failure(() => loadRecord(kernel.root, 'web')).message,
    /it has no state.json, because its create or delete was killed/,
  );
  kernel.before('openEntry', 1, () => removeStateDirOfOther(kernel));
  assert.is(failure(() => loadRecord(kernel.root, 'web')).code, 'ERR_NO_CONTAINER');
});

/** Removes the directory, as another process would. */
function removeStateDirOfOther(kernel: FakeKernel): void {
  const parent = kernel.tree.directory(kernel.root);
  kernel.tree.removeTree({ parent, name: 'web', inode: parent.entries?.get('web') });
}

test('a text that is not a record of this version is refused with what it is', () => {
  const kernel = withContainer();
  const file = `${kernel.root}/web/state.json`;
  const why = (text: string): string[] => {
    kernel.tree.file(file, text);
    const { code, message } = failure(() => loadRecord(kernel.root, 'web'));
    return [code, message.replace('the state of container web ', '').replace(/SyntaxError.*/, 'SyntaxError')];
  };
  const record = (over: object): string => JSON.stringify({ ...recordOf('web'), ...over });
  assert.equal(why('{'), ['ERR_STATE_CORRUPT', 'cannot be used: SyntaxError']);
  assert.equal(why('null'), ['ERR_STATE_CORRUPT', 'cannot be used: it is not an object']);
  assert.equal(why('{}'), ['ERR_STATE_CORRUPT', 'cannot be used: it has no format version']);
  assert.equal(why(record({ version: 2 })), [
    'ERR_STATE_VERSION',
    'has format version 2, and this runt reads version 1',
  ]);
  const wrong = [
    { id: 'other' },
    { status: 'running' },
    { pid: -1 },
    { pid: 2 ** 31 },
    { pid: 1.5 },
    { startTime: 5 },
    { bundle: undefined },
    { cgroups: ['relative'] },
    { supervisor: { pid: 5 } },
    { creator: 5 },
    { unit: { name: 'a.scope', bus: null } },
    { rdt: '/sys/fs/resctrl' },
    { owner: 'root' },
    { pidNamespace: undefined },
    { annotations: { a: { b: 'c' } } },
    { annotations: 'text' },
    { hooks: { poststop: 5 } },
    { hooks: { poststop: [{ args: ['true'] }] } },
    { hooks: { poststop: [{ path: '/bin/true', env: [5] }] } },
    { config: 5 },
  ];
  for (const over of wrong) {
    assert.equal(why(record(over)), ['ERR_STATE_CORRUPT', 'cannot be used: a field has the wrong type']);
  }
});

test('a file that another user may have written is not used', () => {
  const kernel = withContainer();
  const file = `${kernel.root}/web/state.json`;
  const text = kernel.tree.text(file);
  const why = (make: () => void): string => {
    make();
    const { code, message } = failure(() => loadRecord(kernel.root, 'web'));
    assert.is(code, 'ERR_STATE_CORRUPT');
    kernel.tree.file(file, text);
    return message.slice(message.indexOf(': ') + 2);
  };
  assert.is(
    why(() => kernel.tree.symlink(file, '/etc/state.json')),
    'it is a symbolic link',
  );
  assert.is(
    why(() => kernel.tree.fifo(file)),
    'it is not a regular file',
  );
  assert.is(
    why(() => kernel.tree.socket(file)),
    'it is not a regular file',
  );
  assert.is(
    why(() => {
      kernel.tree.file(file, text).uid = 1000;
    }),
    'it belongs to user 1000',
  );
  assert.is(
    why(() => kernel.tree.file(file, text, 0o620)),
    'other users may write to it',
  );
  assert.is(loadRecord(kernel.root, 'web').id, 'web');
});

test('a directory that another user could have replaced is refused by every function', () => {
  const kernel = withContainer();
  const directory = kernel.tree.directory(`${kernel.root}/web`);
  const refused = (change: () => void, clause: RegExp): void => {
    const { mode, uid } = directory;
    change();
    for (const use of [() => loadRecord(kernel.root, 'web'), () => removeStateDir(kernel.root, 'web')]) {
      const error = failure(use);
      assert.is(error.code, 'ERR_STATE_UNSAFE');
      assert.match(error.message, clause);
    }
    Object.assign(directory, { mode, uid });
  };
  refused(() => {
    directory.uid = 1000;
  }, /it belongs to user 1000, and runt runs as user 0/);
  refused(() => {
    directory.mode = 0o40702;
  }, /every user may write to it/);
  refused(() => {
    directory.mode = 0o40720;
  }, /its group may write to it/);
  kernel.tree.symlink(`${kernel.root}/web`, '/elsewhere');
  assert.match(failure(() => loadRecord(kernel.root, 'web')).message, /it is a symbolic link/);
  assert.equal(kernel.open, [kernel.root]);
});

test('the config is copied once, and found again', () => {
  const kernel = withContainer();
  assert.is(
    storedConfigPath(kernel.root, recordOf('web')),
    '/b/config.json',
    'the config of the bundle, because there is no copy',
  );
  storeConfig(kernel.root, 'web', bytes('{"a":1}'));
  assert.is(kernel.tree.text(`${kernel.root}/web/config.json`), '{"a":1}');
  assert.is(storedConfigPath(kernel.root, recordOf('web')), `${kernel.root}/web/config.json`);
  const error = failure(() => storeConfig(kernel.root, 'web', bytes('{}')));
  assert.equal([error.code, error.errno], ['ERR_STATE', E.EEXIST]);
  assert.is(kernel.tree.text(`${kernel.root}/web/config.json`), '{"a":1}');
});

test('a failed call of the config copy neither writes it nor falls back to that of the bundle', async () => {
  assert.equal(await failures(withContainer, ({ root }) => storeConfig(root, 'web', bytes('{}'))), [
    'openDirectory: ERR_STATE store the config in ~/web/config.json',
    'stat: ERR_STATE stat an open file',
    'writeFile: ERR_STATE store the config in ~/web/config.json',
  ]);
  const kept = withContainer();
  kept.failAt('stat', 2, E.EIO);
  assert.is(
    failure(() => storedConfigPath(kept.root, recordOf('web'))).message,
    'look for config.json in the state: EIO (input/output error)',
  );
});

test('removeStateDir removes the files of runt, then the directory', () => {
  const kernel = withContainer();
  storeConfig(kernel.root, 'web', bytes('{}'));
  kernel.calls.length = 0;
  removeStateDir(kernel.root, 'web');
  assert.equal(callsOf(kernel), [
    'openDirectory(<~>, web, 0x0) = fd',
    'stat(<~/web>, , 0x1000, 64 bytes) = 0',
    'flock(<~/web>, 6) = 0',
    'unlinkAt(<~/web>, start.sock, 0x0) = ENOENT',
    'unlinkAt(<~/web>, plan-rest.json, 0x0) = ENOENT',
    'unlinkAt(<~/web>, config.json, 0x0) = 0',
    'unlinkAt(<~/web>, state.json, 0x0) = 0',
    'unlinkAt(<~>, web, 0x200) = 0',
    'close(<~/web (deleted)>) = 0',
  ]);
  assert.equal(kernel.tree.list(kernel.root), []);
  removeStateDir(kernel.root, 'web');
});

test('removeStateDir also removes other files, but not those in the mount of a restore', () => {
  const kernel = withContainer();
  kernel.tree.file(`${kernel.root}/web/exec-1.json`);
  kernel.tree.file(`${kernel.root}/web/deep/er/file`);
  kernel.tree.mount(`${kernel.root}/web/criu-root`);
  const mounted = kernel.tree.file(`${kernel.root}/web/criu-root/kept`);
  removeStateDir(kernel.root, 'web');
  assert.equal(kernel.tree.list(kernel.root), []);
  assert.not.ok(mounted.removed);
  assert.equal(kernel.open, [kernel.root]);
});

test('removeStateDir tries twice, because a failing command may write meanwhile', () => {
  const kernel = withContainer();
  kernel.tree.file(`${kernel.root}/web/more`);
  kernel.on('removeTree', () => -E.ENOTEMPTY);
  const error = failure(() => removeStateDir(kernel.root, 'web'));
  assert.equal([error.code, error.errno], ['ERR_STATE', E.ENOTEMPTY]);
  assert.is(kernel.names.filter((name) => name === 'removeTree').length, 2);
});

test('a failed call of removeStateDir is an error only if the directory stays', async () => {
  assert.equal(await failures(withContainer, ({ root }) => removeStateDir(root, 'web')), [
    'openDirectory: ERR_STATE remove the state ~/web',
    'stat: ERR_STATE stat an open file',
    'flock: none',
    'unlinkAt: none',
    'unlinkAt: none',
    'unlinkAt: none',
    'unlinkAt: none',
    'unlinkAt: ERR_STATE remove the state ~/web',
  ]);
});

test('work under the lock happens in the directory that was locked', async () => {
  const kernel = withContainer();
  await kernel.finish(withLock(kernel.root, 'web', async () => saveRecord(kernel.root, recordOf('web'))));
  assert.equal(callsOf(kernel), [
    'openDirectory(<~>, web, 0x0) = fd',
    'stat(<~/web>, , 0x1000, 64 bytes) = 0',
    'flock(<~/web>, 6) = 0',
    'stat(<~/web>, , 0x1000, 64 bytes) = 0',
    'stat(<~>, web, 0x100, 64 bytes) = 0',
    'replaceFile(<~/web>, state.json, 0o600, 205 bytes) = 0',
    'close(<~/web>) = 0',
  ]);
});

test('the lock is released after the work succeeded or failed', async () => {
  const kernel = withContainer();
  const directory = kernel.tree.directory(`${kernel.root}/web`);
  const work = withLock(kernel.root, 'web', async () => {
    assert.ok(directory.lock);
    throw new Error('the work failed');
  });
  const error = await kernel.finish(work.catch((thrown: Error) => thrown));
  assert.is(String(error), 'Error: the work failed');
  assert.is(directory.lock, undefined);
  assert.equal(kernel.open, [kernel.root]);
});

test('the lock waits for another process that holds it', async () => {
  const kernel = withContainer();
  const directory = kernel.tree.directory(`${kernel.root}/web`);
  directory.lock = true;
  kernel.clock.after(90_000, () => {
    directory.lock = undefined;
  });
  const began = kernel.clock.now;
  const waited = await kernel.finish(withLock(kernel.root, 'web', async () => kernel.clock.now - began));
  assert.ok(waited >= 90_000 && waited < 91_000, `${waited} ms`);
});

test('if the container was removed during the wait for its lock, there is none, or the new one', async () => {
  for (const again of [false, true]) {
    const kernel = withContainer();
    kernel.tree.directory(`${kernel.root}/web`).lock = true;
    kernel.clock.after(1000, () => {
      removeStateDirOfOther(kernel);
      if (again) kernel.tree.file(`${kernel.root}/web/state.json`, JSON.stringify(recordOf('web', { pid: 9 })));
    });
    // The lock of the removed directory ends with the process that removed it.
    const old = kernel.tree.directory(`${kernel.root}/web`);
    kernel.clock.after(1001, () => {
      old.lock = undefined;
    });
    const work = withLock(kernel.root, 'web', async () => loadRecord(kernel.root, 'web').pid);
    const result = await kernel.finish(work.catch((error: RuntError) => error.code));
    assert.is(result, again ? 9 : 'ERR_NO_CONTAINER');
    assert.equal(kernel.open, [kernel.root]);
  }
});

test('a lock that cannot be taken is an error, and the work is not done', async () => {
  for (const [call, message] of [
    ['openDirectory', 'open the state ~/web'],
    ['flock', 'lock container web'],
  ] as const) {
    const kernel = withContainer();
    let done = false;
    kernel.failAt(call, 1, E.EIO);
    const work = withLock(kernel.root, 'web', async () => {
      done = true;
    });
    const error = await kernel.finish(
      work.then(
        () => undefined,
        (thrown: RuntError) => thrown,
      ),
    );
    assert.equal(
      [error?.code, error?.message.replace(kernel.root, '~')],
      ['ERR_STATE', `${message}: EIO (input/output error)`],
    );
    assert.not.ok(done);
    assert.equal(kernel.open, [kernel.root]);
  }
});

test('list has all containers by name, and none without a root', () => {
  const kernel = withContainer();
  for (const id of ['b', 'a']) {
    makeStateDir(kernel.root, id);
    saveRecord(kernel.root, recordOf(id));
  }
  assert.equal(names(kernel.root), ['a', 'b', 'web']);
  assert.equal(
    list({ root: kernel.root }).map(({ id, status }) => `${id} ${status}`),
    ['a stopped', 'b stopped', 'web stopped'],
  );
  assert.equal(names(`${kernel.root}-none`), []);
});

test('list shows a process with the recorded start time as running, another one with its pid as stopped', () => {
  const kernel = withContainer();
  const status = () => list({ root: kernel.root })[0]?.status;
  const process = kernel.processes.add({ pid: 2500 });
  assert.is(status(), 'running');
  process.exit(0);
  assert.is(status(), 'stopped');
  kernel.processes.add({ pid: 2500, startTime: '9999' });
  assert.is(status(), 'stopped');
});

test('an empty directory under the lock of a delete is not a container; without the lock it is damaged', () => {
  const kernel = withContainer();
  kernel.tree.removeTree({
    parent: kernel.tree.directory(`${kernel.root}/web`),
    name: 'state.json',
    inode: kernel.tree.at(`${kernel.root}/web/state.json`),
  });
  assert.is(failure(() => loadRecord(kernel.root, 'web')).code, 'ERR_STATE_CORRUPT');
  kernel.on('flock', () => -E.EAGAIN);
  assert.is(failure(() => loadRecord(kernel.root, 'web')).code, 'ERR_NO_CONTAINER');
  kernel.on('flock', () => -E.EIO);
  assert.is(failure(() => loadRecord(kernel.root, 'web')).code, 'ERR_STATE');
});

test('a root with many containers is read with a larger buffer', () => {
  const kernel = withContainer();
  const directory = kernel.tree.directory(kernel.root);
  for (let i = 0; i < 1000; i++) kernel.tree.directory(`${kernel.root}/${'x'.repeat(100)}${i}`);
  assert.is(names(kernel.root).length, directory.entries?.size);
  const reads = callsOf(kernel).filter((call) => call.startsWith('readDir'));
  assert.match(reads.join('\n'), /^.*, 65536 bytes\) = EOVERFLOW\n.*, 524288 bytes\) = \d+$/);
});

test('a root that cannot be read is an error; a container that cannot be read causes a warning', () => {
  const kernel = withContainer();
  makeStateDir(kernel.root, 'bad');
  kernel.failAt('readDir', 1, E.EIO);
  assert.is(failure(() => list({ root: kernel.root })).code, 'ERR_STATE');
  const warnings: string[] = [];
  const states = list({ root: kernel.root, warn: (sentence) => warnings.push(sentence) });
  assert.equal(
    states.map(({ id }) => id),
    ['web'],
  );
  assert.equal(warnings, [
    'the state of container bad cannot be used: it has no state.json, because its create or delete was killed',
  ]);
});

test.run();
