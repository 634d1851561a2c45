/** Streams of the shim: loggers, files, terminals, and pipes that belong to the process's user. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { task } from '../../../src/shim/transport/protos.js';
import { elapse } from '../../deadline.js';
import { needing } from '../bed/bed.js';
import { onEngine, readAll, refused } from '../bed/shim-engine.js';

const test = needing('shim', 'root', 'cgroups');

/**
 * A logger that writes to the files out and err beside it, and closes descriptor 5 when it is ready; `ready` is a
 * command that runs before.
 */
const logger = (dir: string, ready = ':'): string => {
  const path = join(dir, 'logger');
  const lines = [
    '#!/bin/sh',
    'cd "$(dirname "$0")"',
    'echo "$CONTAINER_ID $CONTAINER_NAMESPACE $*" >who',
    '[ "$1" != fail ] || exit 3',
    ready,
    'exec 5>&-',
    'cat <&4 >err &',
    'cat <&3 >out',
    'wait',
    'echo over >>who',
  ];
  writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o755 });
  return path;
};

test(
  'a logger gets stdout and stderr as descriptors, its arguments and the ids, and Delete waits for it',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'echo one; echo two >&2'];
    bed.write();
    engine.start();
    const uri = `binary://${logger(bed.dir)}?--name=a%20b&flag`;
    await engine.run({ stdout: uri, stderr: uri });
    await engine.wait();
    await engine.over();
    const read = (name: string) => readFileSync(join(bed.dir, name), 'utf8');
    assert.equal(['out', 'err'].map(read), ['one\n', 'two\n']);
    assert.is(read('who'), `${bed.id} ${engine.namespace} --name a b flag\nover\n`);
  }),
);

test(
  'a reader that connects after the end gets all output, of a terminal too, and Delete waits only for seconds',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/echo', 'late'];
    bed.write();
    engine.start();
    for (const [name, terminal] of [
      ['out', false],
      ['tty', true],
    ] as const) {
      const stdout = engine.fifo(name);
      bed.config.process.terminal = terminal;
      bed.write();
      await engine.run({ stdout, terminal });
      await engine.wait();
      // The reader is late.
      await elapse(300);
      assert.is((await readAll(stdout)).replace('\r', ''), 'late\n');
      await engine.call('Delete', task.DeleteRequest.encode({ id: bed.id }));
    }
    await engine.run({ stdout: engine.fifo('never'), terminal: true });
    await engine.wait();
    await engine.over();
  }),
);

test(
  'Create fails if the logger is missing or ends before it is ready, and nothing is left',
  onEngine(async (engine, bed) => {
    bed.write();
    engine.start();
    const uri = `binary://${logger(bed.dir)}?fail`;
    const error = await refused(engine.run({ stdout: uri, stderr: uri }));
    assert.match(error.message, /start the logger .*: it ended before it was ready/);
    const missing = await refused(engine.run({ stdout: 'binary:///nowhere/x' }));
    assert.match(missing.message, /start the logger \/nowhere\/x.*ENOENT/);
    assert.match((await refused(engine.run({ stdout: 'http://x/y' }))).message, /http:\/\/ is not supported/);
    assert.match((await refused(engine.run({ stdout: '/nowhere/fifo' }))).message, /open \/nowhere\/fifo/);
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id: bed.id }));
  }),
);

test(
  'a binary-v2:// logger (containerd 2.3) is ready when it writes a byte, and fails Create if it closes first',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/echo', 'one'];
    bed.write();
    engine.start();
    const silent = `binary-v2://${logger(bed.dir)}`;
    const error = await refused(engine.run({ stdout: silent, stderr: silent }));
    assert.match(error.message, /start the logger .*closed descriptor 5 without writing a byte/);
    const uri = `binary-v2://${logger(bed.dir, 'printf x >&5')}?--name=a`;
    await engine.run({ stdout: uri, stderr: uri });
    await engine.wait();
    await engine.call('Delete', task.DeleteRequest.encode({ id: bed.id }));
    assert.is(readFileSync(join(bed.dir, 'out'), 'utf8'), 'one\n');
    assert.is(readFileSync(join(bed.dir, 'who'), 'utf8'), `${bed.id} ${engine.namespace} --name a\nover\n`);
    bed.config.process.terminal = true;
    bed.write();
    await engine.run({ stdout: uri, terminal: true });
    await engine.wait();
    await engine.over();
    assert.is(readFileSync(join(bed.dir, 'out'), 'utf8').replace('\r', ''), 'one\n');
  }),
);

test(
  'a log file is made with its directories, and complete',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'echo one; sleep 0.1; echo two >&2'];
    bed.write();
    engine.start();
    const file = join(bed.dir, 'logs', 'below', 'file');
    for (const times of [1, 2]) {
      await engine.run({ stdout: `file://${file}`, stderr: `file://${file}` });
      await engine.wait();
      await engine.call('Delete', task.DeleteRequest.encode({ id: bed.id }));
      assert.is(readFileSync(file, 'utf8'), 'one\ntwo\n'.repeat(times));
    }
    await engine.call('Shutdown', task.ShutdownRequest.encode({ id: bed.id }));
  }),
);

test(
  'a terminal works with a logger, and a size set before the terminal exists is applied',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    engine.start();
    await engine.run();
    const uri = `binary://${logger(bed.dir)}`;
    // The process may run before its size is set.
    const sized =
      'i=0; until [ "$(stty size 2>/dev/null)" = "31 77" ] || [ $i -gt 600 ]; do i=$((i+1)); sleep 0.05; done; stty size; exit 4';
    await engine.exec('t', ['/bin/sh', '-c', sized], { terminal: true, stdout: uri });
    const { id } = bed;
    await engine.call('ResizePty', task.ResizePtyRequest.encode({ id, execId: 't', width: 77, height: 31 }));
    await engine.call('Start', task.StartRequest.encode({ id, execId: 't' }));
    assert.is(await engine.wait('t'), 4);
    await engine.call('Delete', task.DeleteRequest.encode({ id, execId: 't' }));
    assert.match(readFileSync(join(bed.dir, 'out'), 'utf8'), /^31 77\r?\n$/);
    await engine.over();
  }),
);

test(
  "a terminal's reader gets end of file when the process has ended, before Delete",
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    engine.start();
    await engine.run();
    const [stdin, stdout] = [engine.fifo('in'), engine.fifo('out')];
    const out = readAll(stdout);
    await engine.exec('t', ['/bin/sh', '-c', 'echo shown'], { terminal: true, stdin, stdout });
    await engine.call('Start', task.StartRequest.encode({ id: bed.id, execId: 't' }));
    assert.is(await engine.wait('t'), 0);
    assert.is(await out, 'shown\n');
    await engine.over();
  }),
);

test(
  'a process of another user can reopen its own stdout and stdin',
  onEngine(async (engine, bed) => {
    bed.config.process.user = { uid: 1234, gid: 5 };
    bed.config.process.args = ['/bin/sh', '-c', 'cat /dev/stdin >/dev/stdout; echo e >/dev/stderr'];
    bed.write();
    engine.start();
    const [stdin, stdout] = [engine.fifo('in'), engine.fifo('out')];
    const stderr = `file://${join(bed.dir, 'log')}`;
    const out = readAll(stdout);
    await engine.run({ stdin, stdout, stderr });
    writeFileSync(stdin, 'mine');
    await engine.call('CloseIO', task.CloseIORequest.encode({ id: bed.id, stdin: true }));
    assert.is(await engine.wait(), 0);
    assert.is(await out, 'mine');
    await engine.over();
    assert.is(readFileSync(join(bed.dir, 'log'), 'utf8'), 'e\n');
  }),
);

test(
  'input sent before CloseIO is read, and input for a process that reads none does no harm',
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'exec 0<&-; sleep 1000'];
    bed.write();
    engine.start();
    const unread = engine.fifo('unread');
    await engine.run({ stdin: unread });
    // The pipe has no reader: writing to it must not end the shim.
    writeFileSync(unread, 'x');
    const { id } = bed;
    const [stdin, stdout] = [engine.fifo('in'), engine.fifo('out')];
    const out = readAll(stdout);
    await engine.exec('cat', ['/bin/cat'], { stdin, stdout });
    await engine.call('Start', task.StartRequest.encode({ id, execId: 'cat' }));
    writeFileSync(stdin, 'one two');
    await engine.call('CloseIO', task.CloseIORequest.encode({ id, execId: 'cat', stdin: true }));
    assert.is(await engine.wait('cat'), 0);
    assert.is(await out, 'one two');
    await engine.over();
    assert.not.ok(existsSync(`/run/containerd/runt/${engine.namespace}/${id}`));
  }),
);

test.run();
