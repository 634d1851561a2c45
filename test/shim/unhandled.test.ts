/** Unhandled errors: a line in the log of a server, which continues; the end of any other command. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { task } from '../../src/shim/transport/protos.js';
import { Connection } from '../../src/shim/transport/ttrpc.js';
import { native } from '../../src/sys/host.js';
import { useNodeHost } from '../../src/sys/node-host.js';
import { eventually } from '../deadline.js';
import { TaskClient } from '../integration/bed/task-client.js';

useNodeHost([]);

const built = spawnSync('flock', ['build/.lock', process.execPath, 'hack/test-programs.mjs', 'faulty'], {
  encoding: 'utf8',
});

async function inDirectory(f: (dir: string) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'runt-unhandled-'));
  try {
    await f(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** A process, and its stderr so far. */
class Running {
  words = '';
  private readonly over: Promise<unknown>;

  constructor(readonly child: ChildProcess) {
    child.stderr!.on('data', (chunk) => {
      this.words += chunk;
    });
    this.over = new Promise((settle) => child.once('exit', settle));
  }

  /** Waits until it has written that. */
  async says(pattern: RegExp): Promise<void> {
    await eventually(`${pattern}`, () => {
      if (pattern.test(this.words)) return true;
      assert.is(this.child.exitCode, null, `it has ended: ${this.words}`);
      return false;
    });
  }

  async end(): Promise<void> {
    this.child.kill();
    await this.over;
  }
}

const expected = /: an unhandled rejection[\s\S]*: another one/;

if (built.status === 3) {
  process.stdout.write('# skip unhandled: quickjs: QuickJS is not available\n');
  test.skip('the static shim logs an unhandled rejection and continues to answer');
} else {
  test('the static shim logs an unhandled rejection and continues to answer', () =>
    inDirectory(async (dir) => {
      assert.is(built.status, 0, built.stderr);
      const program = join(dir, 'containerd-shim-runt-v1');
      symlinkSync(join(process.cwd(), 'build/test/faulty'), program);
      const at = native.openAt(-100, dir, 0, 0);
      const listener = native.unixListen(at, 'socket', 8);
      const args = ['-namespace', 'n', '-id', 'i', '-address', '/none', '-socket', join(dir, 'socket')];
      const env = { FAULTY_AFTER: '300' };
      const shim = new Running(spawn(program, args, { stdio: [listener, 'ignore', 'pipe'], env }));
      native.close(listener);
      try {
        const connection = new Connection(native.unixConnect(at, 'socket'));
        void connection.serve();
        const ask = async () => {
          const request = task.ConnectRequest.encode({ id: 'i' }).finish();
          const answer = await connection.call('containerd.task.v2.Task', 'Connect', request);
          return task.ConnectResponse.decode(answer).shimPid;
        };
        assert.is(await ask(), shim.child.pid);
        await shim.says(expected);
        assert.is(await ask(), shim.child.pid);
        assert.not.match(shim.words, 'a third');
        connection.close();
      } finally {
        native.close(at);
        await shim.end();
      }
    }));

  test('a command that is not a server ends with the error', () =>
    inDirectory(async (dir) => {
      const program = join(dir, 'containerd-shim-runt-v1');
      symlinkSync(join(process.cwd(), 'build/test/faulty'), program);
      // It waits for input on its stdin.
      const child = spawn(program, ['-info'], { stdio: ['pipe', 'ignore', 'pipe'], env: { FAULTY_AFTER: '100' } });
      let words = '';
      child.stderr.on('data', (chunk) => {
        words += chunk;
      });
      assert.is(await new Promise((settle) => child.once('close', settle)), 1);
      assert.match(words, 'internal error: Error: an unhandled rejection');
    }));
}

test('serve, on Node.js, logs an unhandled error or exception of a callback and continues to answer', () =>
  inDirectory(async (dir) => {
    const plant = join(dir, 'plant.mjs');
    const socket = join(dir, 'socket');
    writeFileSync(
      plant,
      // The faults happen once it listens, when a client can see them.
      `import { existsSync } from 'node:fs';
       const waiting = process.argv.includes('serve') && setInterval(() => {
         if (!existsSync(${JSON.stringify(socket)})) return;
         clearInterval(waiting);
         setTimeout(async () => { throw new Error('an unhandled rejection'); }, 1);
         setTimeout(() => { throw new Error('another one'); }, 2);
       }, 20);`,
    );
    const args = ['--import', plant, 'dist/cli.js', '--root', dir, 'serve', '--listen', socket];
    const server = new Running(spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] }));
    try {
      await server.says(expected);
      const client = new TaskClient(socket);
      assert.is((await client.call('Connect', { id: 'i' })).shimPid as unknown, server.child.pid);
      client.close();
    } finally {
      await server.end();
    }
  }));

test.run();
