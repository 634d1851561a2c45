/** Malformed and false requests to a supervisor: each one is refused, and the container and its supervisor continue. */
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { E } from '../../src/sys/errno.js';
import { Protocol } from '../../src/sys/protocol.js';
import { eventually, needing, onBed } from '../integration/bed/bed.js';

const test = needing('requests to a supervisor', 'root');

/** Sends bytes on a connection, as one request. Resolves to the answer, '' for none. */
const ask = (socket: string, bytes: string): Promise<string> =>
  new Promise((settle, reject) => {
    let answer = '';
    const connection = connect(socket, () => connection.end(bytes));
    connection.on('data', (d) => {
      answer += d;
    });
    connection.on('error', reject);
    connection.on('close', () => settle(answer));
  });
const request = (...fields: (string | number)[]): string => fields.map((field) => `${field}\0`).join('');

const { SPAWN_REQUEST, ADOPT_REQUEST, FORGET_REQUEST, WATCH_REQUEST, UNREAD_REQUEST } = Protocol;
const refused: Record<string, string> = {
  'no field': 'x',
  'no request': request('runt-none-1'),
  'fifty fields': request(...Array.from({ length: 50 }, () => SPAWN_REQUEST)),
  'a field without an end': request(SPAWN_REQUEST, 0, 3, 'exec', '').slice(0, -1),
  'a start without fields': request(SPAWN_REQUEST),
  'a start with flags that are no number': request(SPAWN_REQUEST, 'x', 3, 'exec', ''),
  'a start with a descriptor that is not a number': request(SPAWN_REQUEST, 0, '-3', 'exec', ''),
  'a start with a long path': request(SPAWN_REQUEST, 0, 3, 'exec', 'x'.repeat(5000)),
  'a start of another kind': request(SPAWN_REQUEST, 0, 3, 'sibling', ''),
  'a second init process': request(SPAWN_REQUEST, 0, 3, 'init', ''),
  'a start without an image': request(SPAWN_REQUEST, 0, 3, 'exec', ''),
  'a start with names of descriptors that are not sent': request(SPAWN_REQUEST, 0, 3, 'exec', '', 'image', 'cgroup'),
  'an adoption without fields': request(ADOPT_REQUEST),
  'an adoption without a pidfd': request(ADOPT_REQUEST, 'exec', 1, 1),
  'a process to forget that is not a number': request(FORGET_REQUEST, 'x', 1),
  'a time to forget that is not a number': request(FORGET_REQUEST, 1, 'x'),
  'nothing to forget': request(FORGET_REQUEST),
  'a process to watch, as if the supervisor were an heir': request(WATCH_REQUEST, 'init', 1, '', ''),
  'a record, as if the supervisor were an heir': request(UNREAD_REQUEST, 1, 1),
};

test(
  'each one is refused, and execs and the exit status still work',
  onBed(async (bed) => {
    bed.config.process.args = ['/bin/sh', '-c', 'trap "exit 5" USR1; : > /up; while :; do sleep 0.01; done'];
    bed.config.root.readonly = false;
    assert.is(bed.run(['--detach', '--supervise']).code, 0);
    await eventually('its trap is set', () => existsSync(join(bed.rootfs, 'up')));
    const socket = join(bed.root, bed.id, 'supervisor.sock');
    for (const [what, bytes] of Object.entries(refused))
      assert.is(await ask(socket, bytes), `error ${E.EBADMSG}\0`, what);
    assert.is(await ask(socket, ''), '', 'a connection without a request has no answer');
    assert.is(await ask(socket, request(FORGET_REQUEST, 1, 1)), 'pid 1\0', 'an unknown process is forgotten');
    assert.is(bed.runt(['exec', bed.id, '/bin/sh', '-c', 'exit 4']).code, 4);
    assert.is(bed.kill('USR1').code, 0);
    assert.is(bed.runt(['wait', bed.id]).stdout, '5\n');
    assert.is(bed.delete().code, 0);
  }),
);

test.run();
