/**
 * Attacks on runt's sockets: another user can connect, because their directory and mode were opened, or through a
 * descriptor of the directory. Before peer credentials were checked, supervisor.sock started that user's program as
 * root.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, closeSync, existsSync, mkdirSync, openSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as assert from 'uvu/assert';
import { task, ttrpc } from '../../src/shim/transport/protos.js';
import { type Bed, eventually, needing, onBed } from '../integration/bed/bed.js';
import { programs, top } from '../integration/bed/place.js';
import { Engine } from '../integration/bed/shim-engine.js';
import { serve } from '../integration/bed/task-client.js';

const test = needing('sockets', 'root', 'setpriv');
const weak = needing('sockets without a check of peers', 'root', 'setpriv', 'programs');

const attacker = 1000;

/** A client: connects, writes, prints what it received as JSON and how the connection ended. */
const client = `
  const { connect } = require('node:net');
  const [path, hex, hold] = process.argv.slice(1);
  let heard = '';
  const socket = connect(path);
  socket.on('connect', () => socket.write(Buffer.from(hex, 'hex')));
  socket.on('data', (d) => { heard += d.toString('latin1'); if (!hold) socket.end(); });
  socket.on('error', (e) => { if (e.code !== 'EPIPE' && e.code !== 'ECONNRESET') heard = e.code; });
  socket.on('close', () => console.log(JSON.stringify(heard)));`;

/** The response to `request` on a socket, as the user `uid`; '' if the connection was closed without one. */
function ask(path: string, request: string | Uint8Array, uid: number, directory?: number): string {
  const hex = Buffer.from(request).toString('hex');
  const r = spawnSync(process.execPath, ['-e', client, path, hex], {
    uid,
    gid: uid,
    cwd: '/',
    env: {},
    encoding: 'utf8',
    timeout: 60_000,
    stdio: ['ignore', 'pipe', 'pipe', directory ?? 'ignore'],
  });
  if (r.status !== 0) throw new Error(`${r.error ?? ''}${r.stderr}`);
  return JSON.parse(r.stdout) as string;
}

/** Makes a state directory and all its sockets accessible to every user. */
function open(bed: Bed): string {
  const dir = join(bed.root, bed.id);
  for (const path of [bed.root, dir]) chmodSync(path, 0o755);
  for (const name of readdirSync(dir).filter((n) => n.endsWith('.sock'))) chmodSync(join(dir, name), 0o666);
  return dir;
}

test(
  'supervisor.sock responds to root and not to another user, and the container continues',
  onBed((bed) => {
    assert.is(bed.create(['--supervise']).code, 0);
    const dir = open(bed);
    const socket = join(dir, 'supervisor.sock');
    for (const request of ['runt-adopt-1\x01\0', 'runt-spawn-1\x00\x03\0init\0\0', '', 'x'.repeat(9000)]) {
      assert.is(ask(socket, request || 'x', attacker), '', request.slice(0, 20));
    }
    assert.match(ask(socket, 'runt-adopt-1\x01\0', 0), /^error \d+\0$/);
    // Through a descriptor of the directory, below one that the user cannot search.
    chmodSync(bed.root, 0o700);
    const fd = openSync(dir, 'r');
    assert.is(ask('/proc/self/fd/3/supervisor.sock', 'runt-adopt-1\x01\0', attacker, fd), '');
    assert.match(ask('/proc/self/fd/3/supervisor.sock', 'runt-adopt-1\x01\0', 0, fd), /^error/);
    closeSync(fd);
    assert.is(bed.start().code, 0);
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  '200 silent connections of another user to supervisor.sock do not delay exec',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    assert.is(bed.create(['--supervise']).code, 0);
    assert.is(bed.start().code, 0);
    const socket = join(open(bed), 'supervisor.sock');
    const flood = `
      const { connect } = require('node:net');
      let closed = 0, at = 0;
      const one = () => { at++; connect(${JSON.stringify(socket)}).on('error', () => {}).on('close', () => {
        if (++closed === 200) console.log('over'); else if (at < 200) one();
      }); };
      for (let i = 0; i < 20; i++) one();`;
    const child: ChildProcess = spawn(process.execPath, ['-e', flood], {
      uid: attacker,
      gid: attacker,
      cwd: '/',
      env: {},
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout!.on('data', (d) => {
      said += d;
    });
    try {
      // At 2 s for each connection this would take minutes.
      const r = bed.runt(['exec', '--detach', bed.id, '/bin/true'], { timeout: 20_000 });
      assert.is(r.code, 0, r.stderr);
      await eventually('the end of the flood', () => said === 'over\n', 20_000);
    } finally {
      child.kill('SIGKILL');
    }
    assert.is(bed.delete('--force').code, 0);
  }),
);

test(
  'another user cannot start a container by start.sock',
  onBed((bed) => {
    assert.is(bed.create().code, 0);
    const dir = open(bed);
    for (let i = 0; i < 5; i++) assert.is(ask(join(dir, 'start.sock'), 'g', attacker), '');
    assert.is(bed.state().status, 'created');
    assert.is(bed.start().code, 0);
    assert.is(bed.delete('--force').code, 0);
  }),
);

weak(
  'CVE-2020-15257: the attack works on a runt without the check of peers: another user starts a container',
  onBed((bed) => {
    bed.config.process.args = ['/bin/sleep', '1000'];
    const env = { PATH: process.env.PATH ?? '', RUNT_LIBRARY: join(programs, 'weak-library.so') };
    assert.is(bed.create([], { program: join(top, 'dist/cli.js'), env }).code, 0);
    ask(join(open(bed), 'start.sock'), 'g', attacker);
    bed.until('running');
    assert.is(bed.delete('--force').code, 0);
  }),
);

/** A ttrpc frame: Connect of the task service. */
function connectRequest(id: string): Uint8Array {
  const payload = task.ConnectRequest.encode({ id }).finish();
  const message = ttrpc.Request.encode({ service: 'containerd.task.v2.Task', method: 'Connect', payload }).finish();
  const frame = Buffer.alloc(10 + message.length);
  frame.writeUInt32BE(message.length, 0);
  frame.writeUInt32BE(1, 4);
  frame.writeUInt8(1, 8);
  frame.set(message, 10);
  return frame;
}

test(
  "CVE-2020-15257: the shim's ttrpc socket responds to root and not to another user",
  onBed(async (bed) => {
    const engine = new Engine(bed);
    bed.write();
    const path = engine.start().slice('unix://'.length);
    chmodSync(dirname(path), 0o755);
    chmodSync(path, 0o666);
    assert.is(ask(path, connectRequest(bed.id), attacker), '');
    assert.is.not(ask(path, connectRequest(bed.id), 0), '');
    await engine.run();
    await engine.over();
    engine.deaf();
  }),
);

test(
  "the shim refuses a socket directory that another user can write to, and ignores that user's socket",
  onBed(async (bed) => {
    const engine = new Engine(bed);
    bed.write();
    const directory = join(bed.dir, 's');
    const refused = (why: RegExp) => {
      try {
        engine.action('start');
      } catch (error) {
        assert.match(String((error as { stderr?: Buffer }).stderr), why);
        return;
      }
      throw new Error('start worked');
    };
    mkdirSync(directory, { mode: 0o700 });
    chownSync(directory, attacker, attacker);
    refused(/for the sockets of shims: another user owns it/);
    chownSync(directory, 0, 0);
    chmodSync(directory, 0o777);
    refused(/for the sockets of shims/);
    chmodSync(directory, 0o700);
    // The user's listener in a directory that is root's now, with the name of the shim's socket.
    const path = engine.start().slice('unix://'.length);
    await engine.run();
    await engine.over();
    await eventually('the end of the shim', () => !existsSync(path), 20_000);
    chmodSync(directory, 0o777);
    const listener = spawn(
      process.execPath,
      [
        '-e',
        `require('node:net').createServer((s) => s.end()).listen(${JSON.stringify(path)}, () => console.log('ready'))`,
      ],
      { uid: attacker, gid: attacker, cwd: '/', env: {}, stdio: ['ignore', 'pipe', 'ignore'] },
    );
    try {
      // The path exists before anything listens there.
      await once(listener.stdout, 'data');
      chmodSync(directory, 0o700);
      refused(/it is in use, another user listens there/);
    } finally {
      listener.kill('SIGKILL');
    }
    engine.deaf();
  }),
);

test(
  'the socket of runt serve does not respond to another user, who blocks no other client',
  onBed(async (bed) => {
    const path = join(bed.dir, 'api.sock');
    const child = await serve(bed, path);
    try {
      chmodSync(path, 0o666);
      // The server responds to the HTTP/2 preface with its settings.
      const preface = Buffer.concat([
        Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
        Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
      ]);
      assert.is(ask(path, preface, attacker), '');
      assert.is.not(ask(path, preface, 0), '');
    } finally {
      child.kill('SIGTERM');
      await new Promise((over) => child.once('exit', over));
    }
  }),
);

test.run();
weak.run();
