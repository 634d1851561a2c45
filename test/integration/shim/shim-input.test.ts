/** Invalid and hostile input to the shim: the shim and its container continue. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { type google, task, ttrpc } from '../../../src/shim/transport/protos.js';
import { DEADLINE } from '../../deadline.js';
import { descriptors } from '../../leaks/process-use.js';
import { eventually, needing } from '../bed/bed.js';
import { type Engine, onEngine, refused } from '../bed/shim-engine.js';

const test = needing('shim', 'root', 'cgroups');

const connect = (address: string): Promise<Socket> =>
  new Promise((settle, fail) => {
    const socket = createConnection(address.slice('unix://'.length), () => settle(socket));
    socket.on('error', fail);
  });

interface Answer {
  data: Buffer;
  /** Closed by the shim. */
  closed: boolean;
}

/**
 * Sends bytes on a connection of its own; returns what it receives until the shim closes it, until `enough`, or for
 * `ms`.
 */
async function sent(
  address: string,
  bytes: Uint8Array,
  enough: (data: Buffer) => boolean,
  ms: number,
): Promise<Answer> {
  const socket = await connect(address);
  const answer: Answer = { data: Buffer.alloc(0), closed: false };
  socket.removeAllListeners('error');
  socket.on('error', () => {});
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((settle) => {
    timer = setTimeout(settle, ms);
    socket.on('data', (chunk) => {
      answer.data = Buffer.concat([answer.data, chunk]);
      if (enough(answer.data)) settle();
    });
    socket.on('close', () => {
      answer.closed = true;
      settle();
    });
  });
  socket.write(bytes);
  await over;
  clearTimeout(timer);
  const { data, closed } = answer;
  socket.destroy();
  return { data, closed };
}

/** Sends bytes that need no response. */
const raw = (address: string, bytes: Uint8Array, ms = 500): Promise<Answer> => sent(address, bytes, () => false, ms);

/** Sends a request and returns the payload of the response. */
async function answered(address: string, bytes: Uint8Array): Promise<Buffer> {
  const whole = (data: Buffer) => data.length >= 10 && data.length >= 10 + data.readUInt32BE(0);
  return (await sent(address, bytes, whole, DEADLINE)).data.subarray(10);
}

function frame(length: number, stream: number, type: number, message: Uint8Array): Buffer {
  const head = Buffer.alloc(10);
  head.writeUInt32BE(length, 0);
  head.writeUInt32BE(stream, 4);
  head.writeUInt8(type, 8);
  return Buffer.concat([head, message]);
}

const request = (method: string, payload: Uint8Array, service = 'containerd.task.v2.Task') => {
  const message = ttrpc.Request.encode({ service, method, payload }).finish();
  return frame(message.length, 1, 1, message);
};

/** A sleeping container whose shim gets the input of `f`; afterwards both must be the same, and end as usual. */
const bothGoOn = (f: (engine: Engine, address: string) => Promise<void>) =>
  onEngine(async (engine, bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    bed.write();
    const address = engine.start().replace(/^.*(unix:[^"]*).*$/, '$1');
    const pid = await engine.run();
    const shim = async () => {
      const r = task.ConnectRequest.encode({ id: bed.id });
      return (await engine.call('Connect', r, task.ConnectResponse)).shimPid;
    };
    const before = await shim();
    const open = descriptors(before);
    await f(engine, address);
    assert.is(await shim(), before);
    assert.is(readFileSync(`/proc/${pid}/comm`, 'utf8'), 'sleep\n');
    // The shim closes its end of a connection with a delay.
    await eventually('no descriptor is left open', () => descriptors(before) === open);
    await engine.over();
  });

test(
  'the shim survives invalid frames: another protocol, 4 GiB lengths, unknown types, truncation',
  bothGoOn(async (_, address) => {
    await raw(address, Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
    await raw(address, frame(0xffffffff, 1, 1, new Uint8Array()));
    await raw(address, frame(5, 0, 9, new Uint8Array(5)));
    await raw(address, frame(3, 7, 2, Buffer.from([255, 255, 255])));
    await raw(address, Buffer.from([0, 0, 1]), 50);
    await raw(address, frame(100, 1, 1, new Uint8Array(40)), 50);
    const garbage = await answered(address, frame(6, 1, 1, Buffer.from([255, 255, 255, 255, 255, 255])));
    const { status } = ttrpc.Response.decode(garbage);
    assert.ok(status?.code, 'a message that is not a request is answered with an error');
  }),
);

test(
  'a message of 5 MiB closes its connection and no other',
  bothGoOn(async (_, address) => {
    const payload = new Uint8Array(5 << 20);
    const { data, closed } = await raw(address, request('State', payload), DEADLINE);
    assert.is(data.length, 0);
    assert.ok(closed, 'the connection was ended by the shim');
  }),
);

test(
  'unknown services and methods, and malformed requests, are errors',
  bothGoOn(async (_, address) => {
    const code = async (bytes: Buffer): Promise<number> =>
      ttrpc.Response.decode(await answered(address, bytes)).status?.code ?? 0;
    assert.is(await code(request('Nothing', new Uint8Array())), 12);
    assert.is(await code(request('constructor', new Uint8Array())), 12);
    assert.is(await code(request('__proto__', new Uint8Array())), 12);
    assert.is(await code(request('State', new Uint8Array(), 'containerd.task.v9.Task')), 12);
    assert.ok(await code(request('State', Buffer.from([10, 200, 1]))));
    assert.is(await code(request('State', new Uint8Array())), 5);
  }),
);

test(
  'an Any of another type, or whose value does not decode, is refused',
  bothGoOn(async (engine) => {
    const { id, bundle } = engine.bed;
    const any = (type_url: string, text: string): google.protobuf.Any.$Properties => ({
      type_url,
      value: new TextEncoder().encode(text),
    });
    const other = any('containerd.events.TaskExit', 'x');
    const create = (options: google.protobuf.Any.$Properties) =>
      refused(engine.call('Create', task.CreateTaskRequest.encode({ id: `${id}-other`, bundle, options })));
    assert.match((await create(other)).message, /runtime options of type containerd.events.TaskExit/);
    await create(any('containerd.runc.v1.Options', '\x0a\x7f'));
    const update = (resources: google.protobuf.Any.$Properties) =>
      refused(engine.call('Update', task.UpdateTaskRequest.encode({ id, resources })));
    for (const text of ['', '{', '[]', '"x"', '{"memory":{"limit":"much"}}'])
      await update(any('types.containerd.io/opencontainers/runtime-spec/1/LinuxResources', text));
    for (const [i, text] of ['', '{', '[]', 'null', '{"args":"x"}'].entries()) {
      const execId = `e${i}`;
      const spec = any('types.containerd.io/opencontainers/runtime-spec/1/Process', text);
      await engine.call('Exec', task.ExecProcessRequest.encode({ id, execId, spec }));
      await refused(engine.call('Start', task.StartRequest.encode({ id, execId })));
      await engine.call('Delete', task.DeleteRequest.encode({ id, execId }));
    }
  }),
);

test(
  'the shim survives clients that disconnect during their calls',
  bothGoOn(async (engine, address) => {
    const { id } = engine.bed;
    const wait = request('Wait', task.WaitRequest.encode({ id }).finish());
    const stats = request('Stats', task.StatsRequest.encode({ id }).finish());
    for (let i = 0; i < 20; i++) {
      await raw(address, wait, 10);
      await raw(address, Buffer.concat([stats, wait, stats.subarray(0, 12)]), 1);
    }
  }),
);

test(
  'missing streams, directories, sockets and regular files as streams do not end the shim',
  bothGoOn(async (engine) => {
    const { bed } = engine;
    const { id, bundle } = bed;
    const directory = join(bed.dir, 'directory');
    const file = join(bed.dir, 'regular');
    mkdirSync(directory);
    writeFileSync(file, 'input\n');
    const exec = (execId: string, streams: object) =>
      engine
        .exec(execId, ['/bin/cat'], streams)
        .then(() => engine.call('Start', task.StartRequest.encode({ id, execId })));
    for (const [i, path] of [
      join(bed.dir, 'nothing'),
      directory,
      join(bed.dir, 'ttrpc'),
      `file://${directory}`,
    ].entries()) {
      await refused(exec(`out${i}`, { stdout: path }));
      // A directory can be opened for reading: it reads as end of file.
      if (path.endsWith(directory)) await exec(`in${i}`, { stdin: path }).then(() => engine.wait(`in${i}`));
      else await refused(exec(`in${i}`, { stdin: path }));
      await refused(engine.call('Create', task.CreateTaskRequest.encode({ id: `${id}-${i}`, bundle, stdout: path })));
      for (const execId of [`out${i}`, `in${i}`])
        await engine.call('Delete', task.DeleteRequest.encode({ id, execId }));
    }
    const output = join(bed.dir, 'output');
    writeFileSync(output, '');
    await exec('files', { stdin: file, stdout: output });
    assert.is(await engine.wait('files'), 0);
    await engine.call('Delete', task.DeleteRequest.encode({ id, execId: 'files' }));
    assert.is(readFileSync(output, 'utf8'), 'input\n');
  }),
);

test.run();
