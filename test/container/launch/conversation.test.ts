/** The conversation with runt-init: the reports that each state allows, and the state after each. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Conversation, type ReportHandlers, type State } from '../../../src/container/launch/conversation.js';
import { InitChannel, type Report } from '../../../src/container/launch/init-channel.js';
import { E } from '../../../src/sys/errno.js';
import { RuntError } from '../../../src/sys/error.js';
import { fdPair } from '../../../src/sys/fds.js';
import { native } from '../../../src/sys/host.js';
import { REPORT, type ReportKind } from '../../../src/sys/protocol.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { frameOf } from '../../sys/fake-host/scripted-init.js';
import { SocketEnd } from '../../sys/fake-host/sockets.js';

const test = suite('conversation');

type Kind = Report['kind'];
const kinds: readonly Kind[] = [...(Object.keys(REPORT) as ReportKind[]).filter((kind) => kind !== 'words'), 'eof'];

/** As in docs/internals.md: the reports of each state, and the state after each. */
const allowed: Readonly<Record<Exclude<State, 'ended'>, Partial<Record<Kind, State>>>> = {
  preparing: {
    created: 'waiting',
    trace: 'preparing',
    hooks: 'preparing',
    pid: 'preparing',
    await: 'preparing',
    slow: 'preparing',
    kept: 'preparing',
    bound: 'preparing',
    stdio: 'preparing',
    listener: 'preparing',
    error: 'ended',
    eof: 'ended',
  },
  waiting: { error: 'ended', eof: 'ended' },
  starting: {
    exec: 'executing',
    trace: 'starting',
    slow: 'starting',
    error: 'ended',
    eof: 'ended',
  },
  executing: { error: 'ended', eof: 'ended' },
};

interface Peer {
  readonly kernel: FakeKernel;
  readonly end: SocketEnd;
  readonly conversation: Conversation;
  /** The kinds of the answered reports, each with the state in which it arrived. */
  readonly answered: string[];
}

function conversationIn(state: State): Peer {
  const kernel = new FakeKernel();
  const pair = new Uint8Array(16);
  native.socketPair(pair);
  const [ours, theirs] = fdPair(pair);
  const end = kernel.descriptors.get(theirs);
  if (!(end instanceof SocketEnd)) throw new Error('no socket');
  const answered: string[] = [];
  const answers = Object.fromEntries(
    kinds.map((kind) => [kind, ({ kind: of }: Report, at: State) => void answered.push(`${of} while ${at}`)]),
  );
  const channel = new InitChannel(ours);
  return { kernel, end, conversation: new Conversation(channel, answers as ReportHandlers<State>, state), answered };
}

/** Sends a report of that kind with plausible fields. */
function send(end: SocketEnd, kind: Kind): void {
  if (kind === 'eof') end.drop();
  else
    end.send(
      frameOf([kind, ...REPORT[kind].split(' ').flatMap((field) => (field === '' || field[0] === '@' ? [] : ['1']))]),
    );
}

for (const [state, after] of Object.entries(allowed) as [keyof typeof allowed, Partial<Record<Kind, State>>][]) {
  test(`${state}: each report is answered, or refused by its name`, async () => {
    for (const kind of kinds) {
      const { kernel, end, conversation, answered } = conversationIn(state);
      send(end, kind);
      const next = after[kind];
      if (next === undefined) {
        const error = await kernel.finish(conversation.readUntil('ended').catch((thrown: unknown) => thrown));
        assert.instance(error, RuntError, kind);
        const { code, message } = error as RuntError;
        assert.equal([code, message], ['ERR_INTERNAL', `runt-init sent the report "${kind}" while it was ${state}`]);
        assert.equal(answered, [], `${kind} is not answered`);
      } else {
        // A conversation may end in every state.
        if (next === state) end.drop();
        await kernel.finish(conversation.readUntil(next === state ? 'ended' : next));
        assert.is(answered[0], `${kind} while ${state}`);
        if (next === state) assert.is(answered[1], `eof while ${state}`, 'the state did not change');
      }
      conversation.channel.close();
    }
  });
}

test('start lets a waiting runt-init continue', async () => {
  const { kernel, end, conversation, answered } = conversationIn('waiting');
  conversation.start();
  assert.is(end.text(), 'g');
  send(end, 'exec');
  send(end, 'eof');
  await kernel.finish(conversation.readUntil('ended'));
  assert.equal(answered, ['exec while starting', 'eof while executing']);
});

test('a failed answer ends the conversation with its error', async () => {
  const kernel = new FakeKernel();
  const pair = new Uint8Array(16);
  native.socketPair(pair);
  const [ours, theirs] = fdPair(pair);
  const answers = { hooks: () => Promise.reject(new Error('the hook failed')) } as unknown as ReportHandlers<State>;
  const conversation = new Conversation(new InitChannel(ours), answers, 'preparing');
  send(kernel.descriptors.get(theirs) as SocketEnd, 'hooks');
  const error = await kernel.finish(conversation.readUntil('waiting').catch((thrown: unknown) => thrown));
  assert.is(String(error), 'Error: the hook failed');
});

test('a go that cannot be written is an error, unless runt-init has ended', () => {
  const { kernel, conversation } = conversationIn('waiting');
  kernel.failAt('write', 1, E.EPIPE);
  conversation.start();
  kernel.failAt('write', 1, E.ECONNRESET);
  conversation.start();
  kernel.failAt('write', 1, E.EIO);
  assert.throws(() => conversation.start(), /tell runt-init to continue: EIO/);
});

test.run();
