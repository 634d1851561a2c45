/** The programs of docs/recipes/library.md, each as the page has it: what they print, and that they leave nothing. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Duplex, Readable, Writable } from 'node:stream';
import * as assert from 'uvu/assert';
import { COMMAND_LIMIT, DEADLINE } from '../../deadline.js';
import { type Bed, eventually, needing, onBed } from '../bed/bed.js';
import { top } from '../bed/place.js';
import { program as pageProgram } from './page-program.js';

const test = needing('recipes of the library', 'root');
const shell = needing('shell over a WebSocket', 'root', 'xterm');
const browser = needing('shell in a browser', 'root', 'xterm', 'chromium');

/** The program below a heading of the page. */
const program = (bed: Bed, heading: string): string => pageProgram(bed, 'library.md', heading);

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. */
const ended = (path: string, args: string[] = [], cwd?: string): Promise<Ended> =>
  new Promise((settle) => {
    const options = { timeout: COMMAND_LIMIT, ...(cwd !== undefined && { cwd }) };
    execFile(process.execPath, [...args, path], options, (error, stdout, stderr) => {
      settle({ code: error ? Number(error.code) : 0, stdout, stderr });
    });
  });

const leavesNothing = (bed: Bed): void => assert.is(bed.runt(['list', '-q']).stdout, '');

test(
  'untrusted code has its limits, its deadline and its share of output',
  onBed(async (bed) => {
    const { code, stdout, stderr } = await ended(program(bed, 'Untrusted code'));
    assert.equal([code, stderr], [0, '']);
    const lines = stdout.trimEnd().split('\n');
    assert.equal(lines, ['65534', 'CapEff:\t0000000000000000', 'status 0', 'status 1', 'ERR_TIMEOUT', 'ERR_ABORTED']);
    leavesNothing(bed);
  }),
);

test(
  'a pool of two workers does six jobs',
  onBed(async (bed) => {
    const { code, stdout, stderr } = await ended(program(bed, 'A pool of workers'));
    assert.equal([code, stderr], [0, '']);
    const lines = stdout.trimEnd().split('\n');
    assert.equal(
      lines.map((line) => line.split(': ')[1]),
      ['1', '4', '9', '16', '25', '36'],
    );
    assert.equal(new Set(lines.map((line) => line.split(': ')[0])), new Set(['worker-0', 'worker-1']));
    leavesNothing(bed);
  }),
);

test(
  'a CI step sees the checkout, and ends with the status of its command',
  onBed(async (bed) => {
    const path = program(bed, 'A CI step');
    const checkout = join(bed.dir, 'checkout');
    mkdirSync(checkout);
    const failed = await ended(path, [], checkout);
    assert.equal([failed.code, failed.stdout], [1, 'checking 0 files\n']);
    writeFileSync(join(checkout, 'README.md'), '');
    assert.equal(await ended(path, [], checkout), { code: 0, stdout: 'checking 1 files\n', stderr: '' });
    leavesNothing(bed);
  }),
);

test(
  'tests start a database, wait until it is ready, and remove it',
  onBed(async (bed) => {
    // Stands in for Debian's redis, which conformance/servers runs.
    const debian = join(bed.dir, 'debian');
    cpSync(bed.rootfs, debian, { recursive: true, verbatimSymlinks: true });
    mkdirSync(join(debian, 'tmp'), { recursive: true });
    const programs = {
      'redis-server': 'sleep 0.2; echo "* Ready to accept connections tcp"; while :; do nc -l -p 6379 </dev/null; done',
      'redis-cli': 'case $1 in SET) echo "$3" >"/tmp/$2"; echo OK ;; GET) cat "/tmp/$2" 2>/dev/null ;; esac',
    };
    for (const [name, script] of Object.entries(programs)) {
      writeFileSync(join(debian, 'bin', name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(debian, 'bin', name), 0o755);
    }
    const { code, stdout } = await ended(program(bed, 'Tests with a database'), ['--test-reporter=tap']);
    assert.is(code, 0, stdout);
    assert.match(stdout, /# pass 2\n# fail 0/);
    leavesNothing(bed);
  }),
);

/** The server of the recipe, and the address of its page. */
async function started(bed: Bed): Promise<{ server: ChildProcess; port: number }> {
  const path = program(bed, 'A shell in the browser');
  const args = [path, '0', join(top, 'node_modules/@xterm/xterm')];
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface(server.stdout!), 'line')) as [string];
  return { server, port: Number(/^http:\/\/127\.0\.0\.1:(\d+)\/$/.exec(line)![1]) };
}

async function stopped(server: ChildProcess): Promise<void> {
  const over = once(server, 'exit');
  server.kill('SIGTERM');
  await over;
}

/** A WebSocket client (RFC 6455) that collects what the server sends. */
class Client {
  text = '';
  #data: Buffer = Buffer.alloc(0);

  private constructor(private readonly socket: Duplex) {
    socket.on('data', (chunk: Buffer) => this.add(chunk));
  }

  /** Undefined if the server closes the connection instead of accepting it. */
  static async open(port: number, origin: string): Promise<Client | undefined> {
    const socket = connect(port, '127.0.0.1');
    socket.setTimeout(DEADLINE, () => socket.destroy());
    const key = randomBytes(16).toString('base64');
    socket.write(
      `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nOrigin: ${origin}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`,
    );
    let head = '';
    while (!head.includes('\r\n\r\n')) {
      const [chunk] = await Promise.race([once(socket, 'data'), once(socket, 'close')]);
      if (!(chunk instanceof Buffer)) return undefined;
      head += chunk.toString('latin1');
    }
    const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    assert.match(head, `Sec-WebSocket-Accept: ${accept}`);
    const client = new Client(socket);
    client.add(Buffer.from(head.split('\r\n\r\n')[1]!, 'latin1'));
    return client;
  }

  private add(chunk: Buffer): void {
    this.#data = Buffer.concat([this.#data, chunk]);
    for (;;) {
      const [kind, short = 0] = this.#data;
      const start = short === 126 ? 4 : 2;
      if (this.#data.length < start) return;
      const end = start + (short === 126 ? this.#data.readUInt16BE(2) : short);
      if (this.#data.length < end) return;
      assert.is(kind, 0x82, 'a whole binary frame');
      this.text += this.#data.subarray(start, end).toString();
      this.#data = this.#data.subarray(end);
    }
  }

  send(kind: 'text' | 'binary', content: string): void {
    const payload = Buffer.from(content);
    const mask = randomBytes(4);
    const size = payload.length < 126 ? [0x80 | payload.length] : [0xfe, payload.length >> 8, payload.length & 0xff];
    const masked = payload.map((byte, i) => byte ^ mask[i % 4]!);
    this.socket.write(Buffer.concat([Buffer.from([kind === 'text' ? 0x81 : 0x82, ...size]), mask, masked]));
  }

  close(): void {
    this.socket.destroy();
  }
}

shell(
  'the shell over a WebSocket has its window size, takes long input, and ends with its connection',
  onBed(async (bed) => {
    const { server, port } = await started(bed);
    try {
      assert.is(await Client.open(port, 'http://elsewhere.example'), undefined);
      const client = await Client.open(port, `http://127.0.0.1:${port}`);
      client!.send('text', JSON.stringify({ columns: 101, rows: 37 }));
      client!.send('binary', 'stty size; exec 9<>/dev/null; echo $((6*7))\r');
      await eventually('the answer', () => /37 101\r\n42\r\n/.test(client!.text));
      const long = 'x'.repeat(1000);
      client!.send('binary', `echo ${long}${'y'.repeat(5)} | wc -c\r`);
      await eventually('the length', () => client!.text.includes('\n1006\r\n'));
      client!.send('binary', 'seq 1 30000\r');
      await eventually('much output', () => client!.text.includes('\n30000\r\n'));
      const shells = () => bed.runt(['ps', '-f', 'json', 'shell']).stdout;
      await eventually('two processes', () => JSON.parse(shells()).length === 2);
      client!.close();
      await eventually('the end of its shell', () => JSON.parse(shells()).length === 1);
    } finally {
      await stopped(server);
    }
    leavesNothing(bed);
  }),
);

/** Chromium by its DevTools protocol over descriptors 3 and 4. */
class Chromium {
  readonly #process: ChildProcess;
  readonly #answers = new Map<number, (result: Record<string, never>) => void>();
  #last = 0;
  #session: string | undefined;

  constructor(directory: string) {
    const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--remote-debugging-pipe'];
    const args = [...flags, `--user-data-dir=${directory}`, 'about:blank'];
    this.#process = spawn('chromium', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], detached: true });
    let rest = '';
    (this.#process.stdio[4] as Readable).on('data', (chunk) => {
      const messages = (rest + chunk).split('\0');
      rest = messages.pop()!;
      for (const message of messages) {
        const { id, result } = JSON.parse(message);
        this.#answers.get(id)?.(result);
      }
    });
  }

  call(method: string, params: object = {}): Promise<Record<string, never>> {
    const id = ++this.#last;
    const message = { id, method, params, ...(this.#session && { sessionId: this.#session }) };
    (this.#process.stdio[3] as Writable).write(`${JSON.stringify(message)}\0`);
    return new Promise((settle) => this.#answers.set(id, settle));
  }

  async open(url: string): Promise<void> {
    const { targetId } = await this.call('Target.createTarget', { url });
    this.#session = (await this.call('Target.attachToTarget', { targetId, flatten: true })).sessionId;
  }

  async evaluate(expression: string): Promise<unknown> {
    const { result } = await this.call('Runtime.evaluate', { expression, returnByValue: true });
    return (result as { value?: unknown } | undefined)?.value;
  }

  async end(): Promise<void> {
    const over = once(this.#process, 'exit');
    process.kill(-this.#process.pid!, 'SIGKILL');
    await over;
  }
}

browser(
  'Chromium shows the shell by xterm.js, and what is typed there is executed',
  onBed(async (bed) => {
    const { server, port } = await started(bed);
    const chromium = new Chromium(join(bed.dir, 'chromium'));
    try {
      await chromium.open(`http://127.0.0.1:${port}/`);
      const screen = async (): Promise<string> =>
        String(await chromium.evaluate("document.querySelector('.xterm-rows')?.innerText ?? ''"));
      const shows = (what: string): Promise<boolean> =>
        eventually(`"${what}" on the screen`, async () => (await screen()).includes(what), COMMAND_LIMIT);
      await shows('#');
      await chromium.evaluate('terminal.focus()');
      await chromium.call('Input.insertText', { text: 'echo browser $((6*7))' });
      const key = { key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13, text: '\r' };
      await chromium.call('Input.dispatchKeyEvent', { type: 'keyDown', ...key });
      await chromium.call('Input.dispatchKeyEvent', { type: 'keyUp', ...key });
      await shows('browser 42');
    } finally {
      await chromium.end();
      await stopped(server);
    }
    leavesNothing(bed);
  }),
);

test.run();
shell.run();
browser.run();
