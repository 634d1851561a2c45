/** Scopes whose start systemd accepted but never finishes, or finishes badly: an error in time, and no unit left. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ERROR, type Message, REPLY } from '../../../src/cgroup/systemd/bus-message.js';
import { openBus } from '../../../src/cgroup/systemd/systemd-bus.js';
import { property } from '../../../src/cgroup/systemd/unit-properties.js';
import { startScope } from '../../../src/container/cgroups/systemd-unit.js';
import { RuntError } from '../../../src/sys/error.js';
import { mountCgroups } from '../../sys/fake-host/cgroups.js';
import { FakeKernel } from '../../sys/fake-host/fake-kernel.js';
import { jobRemoved, type Reply, withFakePeer } from './peer.js';

/** ms */
const limitMs = 1500;
const op = {
  op: 'systemdScope',
  at: '/linux/cgroupsPath',
  path: '/sys/fs/cgroup/system.slice/a.scope',
  unit: 'a.scope',
  properties: [property('Delegate', 'b', true)],
  optional: [],
} as const;

/** A machine with cgroup v2 and this process in /system.slice/here.scope. */
function machine(): FakeKernel {
  const kernel = new FakeKernel();
  mountCgroups(kernel, '/sys/fs/cgroup', { controllers: '' });
  const cgroup = kernel.tree.directory('/sys/fs/cgroup/system.slice/here.scope');
  kernel.processes.own.cgroups.set(cgroup.fs, cgroup);
  return kernel;
}

/** Starts the scope with a peer. @returns the error, the calls of the peer, and the ms until then */
async function started(answer: (call: Message) => readonly Reply[]) {
  const calls: string[] = [];
  const noted = (call: Message) => {
    calls.push(`${call.member} ${call.member === 'StartTransientUnit' ? call.body[0] : call.body.join(' ')}`);
    return answer(call);
  };
  let error: unknown;
  const kernel = machine();
  const begin = kernel.clock.now;
  await withFakePeer(kernel, { answer: noted }, async (path) => {
    await startScope(op, { path, daemon: false }, kernel.processes.own.pid, limitMs).catch((e: unknown) => {
      error = e;
    });
  });
  assert.instance(error, RuntError);
  return { error: error as RuntError, calls, ms: kernel.clock.now - begin };
}

const jobReply: Reply = { type: REPLY, signature: 'o', body: ['/job/1'] };
const ok: Reply = { type: REPLY };
const facts = ({ code, op, pointer }: RuntError) => [code, op, pointer];
const expected = ['ERR_SYSTEMD', 'systemdScope', '/linux/cgroupsPath'];

test('a job that never ends is an error in time; its start is cancelled and the unit reset', async () => {
  const { error, calls, ms } = await started((call) => [call.member === 'StartTransientUnit' ? jobReply : ok]);
  assert.equal(facts(error), expected);
  assert.match(error.message, 'systemd: the job of StartTransientUnit: no answer within 1.5 seconds');
  assert.equal(calls, ['StartTransientUnit a.scope', 'StopUnit a.scope replace', 'ResetFailedUnit a.scope']);
  assert.is(ms, limitMs);
});

test('a systemd that stops answering after the start delays the error only by a second time limit', async () => {
  const { error, calls, ms } = await started((call) => (call.member === 'StartTransientUnit' ? [jobReply] : []));
  assert.equal(facts(error), expected);
  assert.match(error.message, 'the job of StartTransientUnit', 'the first failure is reported');
  assert.equal(calls, ['StartTransientUnit a.scope', 'StopUnit a.scope replace']);
  assert.is(ms, 2 * limitMs);
});

test('a job that fails, or ends with another cgroup, leaves no unit', async () => {
  for (const [result, why] of [
    ['failed', /^start a.scope: its job ended as "failed"/],
    ['canceled', /its job ended as "canceled"/],
    ['done', /systemd made its cgroup at .*, not at/],
  ] as const) {
    const { error, calls } = await started((call) =>
      call.member === 'StartTransientUnit' ? [jobReply, jobRemoved('/job/1', result)] : [ok],
    );
    assert.equal(facts(error), expected);
    assert.match(error.message, why);
    assert.equal(calls.slice(1), ['StopUnit a.scope replace', 'ResetFailedUnit a.scope']);
  }
});

test('a start that systemd refused is not cancelled: the unit may belong to another program', async () => {
  const exists = { type: ERROR, error: 'org.freedesktop.systemd1.UnitExists', signature: 's', body: ['it is there'] };
  const busy = await started((call) => [call.member === 'StartTransientUnit' ? exists : ok]);
  assert.is(busy.error.code, 'ERR_CGROUP_BUSY');
  assert.equal(busy.calls, ['StartTransientUnit a.scope', 'ResetFailedUnit a.scope', 'StartTransientUnit a.scope']);
  const silent = await started(() => []);
  assert.equal(facts(silent.error), expected);
  assert.match(silent.error.message, 'StartTransientUnit: no answer within 1.5 seconds');
  assert.equal(silent.calls, ['StartTransientUnit a.scope']);
});

const noReply: Reply = { type: ERROR, error: 'org.freedesktop.DBus.Error.NoReply', signature: 's', body: ['gone'] };
const noJob: Reply = { type: ERROR, error: 'org.freedesktop.systemd1.NoSuchJob', signature: 's', body: ['none'] };
/** The cgroup of this process, as if systemd had moved the process there. */
const here = { ...op, path: '/sys/fs/cgroup/system.slice/here.scope' };

/** Starts a scope with a peer that does not answer the first call. @returns the calls that it received */
async function afterReexec(scope: Parameters<typeof startScope>[0], then: (call: Message) => readonly Reply[]) {
  const calls: string[] = [];
  const answer = (call: Message) => {
    calls.push(String(call.member));
    return calls.length === 1 ? [noReply] : then(call);
  };
  let error: unknown;
  const kernel = machine();
  await withFakePeer(kernel, { answer }, async (path) => {
    await startScope(scope, { path, daemon: false }, kernel.processes.own.pid, 4000).catch((e: unknown) => {
      error = e;
    });
  });
  return { calls, error };
}

test('a start without an answer is not repeated if systemd did it', async () => {
  const { calls, error } = await afterReexec(here, () => [ok]);
  assert.is(error, undefined);
  assert.equal(calls, ['StartTransientUnit']);
});

test('a start without an answer is repeated if systemd did not do it', async () => {
  const { calls, error } = await afterReexec(op, (call) =>
    call.member === 'StartTransientUnit' ? [jobReply, jobRemoved('/job/1', 'failed')] : [ok],
  );
  assert.match((error as Error).message, /its job ended as "failed"/);
  assert.equal(calls, ['StartTransientUnit', 'StartTransientUnit', 'StopUnit', 'ResetFailedUnit']);
});

test('an existing unit that does not hold the process is foreign: runt neither stops nor resets it', async () => {
  const exists = { type: ERROR, error: 'org.freedesktop.systemd1.UnitExists', signature: 's', body: ['it is there'] };
  const { calls, error } = await afterReexec(op, () => [exists]);
  assert.is((error as RuntError).code, 'ERR_CGROUP_BUSY');
  assert.equal(calls, ['StartTransientUnit', 'StartTransientUnit']);
});

test('a job whose end was not signalled is looked up with GetJob', async () => {
  const calls: string[] = [];
  const answer = (call: Message) => {
    calls.push(String(call.member));
    return [call.member === 'StartTransientUnit' ? jobReply : call.member === 'GetJob' ? noJob : ok];
  };
  const kernel = machine();
  const { pid } = kernel.processes.own;
  await withFakePeer(kernel, { answer }, (path) => startScope(here, { path, daemon: false }, pid, 10_000));
  assert.equal(calls, ['StartTransientUnit', 'GetJob']);
});

test('properties of a newer systemd are left out for an older one', async () => {
  const names: string[] = [];
  const answer = (version: string) => (call: Message) => {
    if (call.member === 'Get') return [{ type: REPLY, signature: 'v', body: [{ signature: 's', value: version }] }];
    if (call.member !== 'StartTransientUnit') return [ok];
    names.push((call.body[2] as [string, unknown][]).map(([name]) => name).join(' '));
    return [jobReply, jobRemoved('/job/1', 'done')];
  };
  const scope = {
    ...here,
    properties: [
      property('Delegate', 'b', true),
      property('OOMPolicy', 's', 'kill'),
      property('MemoryZSwapWriteback', 'b', false),
    ],
    optional: ['OOMPolicy', 'MemoryZSwapWriteback'],
  };
  for (const version of ['252.39-1~deb12u1', '255', 'v257.9-1', '262~rc3']) {
    const kernel = machine();
    const { pid } = kernel.processes.own;
    await withFakePeer(kernel, { answer: answer(version) }, (path) =>
      startScope(scope, { path, daemon: false }, pid, limitMs),
    );
  }
  assert.equal(names, [
    'Delegate PIDs',
    'Delegate OOMPolicy PIDs',
    'Delegate OOMPolicy MemoryZSwapWriteback PIDs',
    'Delegate OOMPolicy MemoryZSwapWriteback PIDs',
  ]);
});

test('an error about the property of an annotation points at the annotation', async () => {
  const wrong = {
    type: ERROR,
    error: 'org.freedesktop.DBus.Error.PropertyReadOnly',
    signature: 's',
    body: ['Cannot set property TimeoutStopUSec, or unknown property.'],
  };
  let error: RuntError | undefined;
  const kernel = machine();
  await withFakePeer(kernel, { answer: () => [wrong] }, async (path) => {
    const annotations = { 'org.systemd.property.Other': '1', 'org.systemd.property.TimeoutStopSec': '2' };
    await startScope(op, { path, daemon: false }, kernel.processes.own.pid, limitMs, annotations).catch((e) => {
      error = e;
    });
  });
  assert.equal([error?.pointer, error?.value], ['/annotations/org.systemd.property.TimeoutStopSec', '2']);
});

test('a stop that never ends is an error in time', async () => {
  const kernel = machine();
  const begin = kernel.clock.now;
  await withFakePeer(kernel, { answer: () => [jobReply] }, async (path) => {
    const bus = await openBus([{ path, daemon: false }], limitMs);
    let message = '';
    await bus.job('StopUnit', 'ss', ['a.scope', 'replace']).catch((e: Error) => {
      message = e.message;
    });
    bus.close();
    assert.match(message, 'the job of StopUnit: no answer within 1.5 seconds');
  });
  assert.is(kernel.clock.now - begin, limitMs);
});

test.run();
