/** Histories that the model of the lifecycle allows, and others that it must refuse. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { contradiction, type Event } from './history.js';
import type { Verb } from './lifecycle-model.js';

const test = suite('histories of the model');

/** `create>ok` is a command and its answer, `create>` begins one, `>ok` ends the oldest that runs, `KILL` kills it. */
function history(...words: string[]): Event[] {
  const running: number[] = [];
  return words.flatMap((word, i): Event[] => {
    if (word === 'KILL') return [{ kill: running[0]! }];
    const [verb = '', answer = ''] = word.split('>');
    const call: Event = { call: i, verb: verb as Verb };
    if (verb === '') return [{ end: running.shift()!, answer }];
    if (answer !== '') return [call, { end: i, answer }];
    running.push(i);
    return [call];
  });
}

const life = ['create>ok', 'state>is created', 'start>ok', 'state>is running'];
const allowed: Readonly<Record<string, readonly string[]>> = {
  'a whole life': [
    ...life,
    'pause>ok',
    'state>is paused',
    'resume>ok',
    'kill KILL>ok',
    'delete>ok',
    'state>NO_CONTAINER',
  ],
  'a killed process ends at any time': [...life, 'kill KILL>ok', 'state>is running', 'state>is stopped'],
  'a pause of a process that exits already': [...life, 'kill TERM>ok', 'pause>ok', 'state>is stopped'],
  'a SIGTERM before the start': ['create --supervise>ok', 'kill TERM>ok', 'wait>exit 143'],
  'a SIGTERM beside the start': ['create --supervise>ok', 'start>', 'kill TERM>ok', '>ok', 'wait>exit 143'],
  'a delete of a container whose run goes on': [
    'run --detach>',
    'state>is running',
    'delete --force>ok',
    'create>ok',
    '>failed',
    'state>is created',
  ],
  'a wait that began before the end': ['create --supervise>ok', 'wait>', 'start>ok', 'kill KILL>ok', '>exit 137'],
  'a wait whose container is deleted': ['create --supervise>ok', 'wait>', 'delete --force>ok', '>CANCELLED'],
  'two creates at once': ['create>', 'create>', '>CONTAINER_EXISTS', '>ok'],
  'a create that is seen': ['create>', 'state>NO_CONTAINER', 'state>is creating', '>ok'],
  'a start before, during or after a delete': ['create>ok', 'delete>', 'start>NO_CONTAINER', '>ok'],
  'the rest of a killed create': [
    'create>',
    'KILL',
    'state>STATE_CORRUPT',
    '>killed',
    'delete --force>ok',
    'state>NO_CONTAINER',
  ],
};
const refused: Readonly<Record<string, readonly string[]>> = {
  'a start that had no effect': ['create>ok', 'start>ok', 'state>is created'],
  'two creates of one id': ['create>ok', 'create>ok'],
  'a container that comes back': [...life, 'delete --force>ok', 'state>is running'],
  'a run that fails without a cause': ['run --detach>', 'state>is running', '>failed'],
  'a stop without a signal': [...life, 'state>is stopped'],
  'an id that ends to exist before its delete': [...life, 'state>NO_CONTAINER', 'delete --force>ok'],
  'a delete of a running container': [...life, 'delete>ok'],
  'a wrong exit status': ['create --supervise>ok', 'start>ok', 'kill KILL>ok', 'wait>exit 0'],
  'the rest of a killed command, where none was killed': ['create>', 'state>STATE_CORRUPT', '>ok'],
  'a command that was killed without a signal': ['create>', '>killed'],
  'a SIGTERM after the start that the program does not handle': [
    'create --supervise>ok',
    'start>ok',
    'kill TERM>ok',
    'wait>exit 143',
  ],
  'an end of a frozen process without SIGKILL': [...life, 'pause>ok', 'kill TERM>ok', 'state>is stopped'],
  'an exec in a paused container': [...life, 'pause>ok', 'exec>exit 7'],
  'a success of a command that waits': ['create --supervise>ok', 'wait>exit 137'],
  'a wait that tells of a delete which is not there': ['create --supervise>ok', 'kill KILL>ok', 'wait>CANCELLED'],
};

for (const [name, words] of Object.entries(allowed))
  test(`the model allows ${name}`, () => assert.is(contradiction(history(...words)), undefined));
for (const [name, words] of Object.entries(refused))
  test(`the model refuses ${name}`, () => assert.type(contradiction(history(...words)), 'string'));

test.run();
