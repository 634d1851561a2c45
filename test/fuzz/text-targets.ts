/** The targets of random-texts: random inputs, and what reads and checks each. */
import * as assert from 'node:assert/strict';
import fc from 'fast-check';
import { filterProgram } from '../../src/cgroup/devices/device-filter.js';
import { decodeMessage, encodeMessage, messageLength } from '../../src/cgroup/systemd/bus-message.js';
import type { Value } from '../../src/cgroup/systemd/variant.js';
import { remove } from '../../src/container/delete.js';
import { readExit } from '../../src/container/state/exit-records.js';
import { state } from '../../src/container/state.js';
import { parseToml } from '../../src/shim/containerd/toml.js';
import { Connection } from '../../src/shim/transport/ttrpc.js';
import { RuntError } from '../../src/sys/error.js';
import { native } from '../../src/sys/host.js';
import { useNodeHost } from '../../src/sys/node-host.js';
import { allowedInOrder, meant, run } from '../cgroup/devices/filter-interpreter.js';
import { filterRule, orderedRule } from '../cgroup/devices/filter-rule.js';
import { FakeContainer } from '../container/fake-container.js';
import { requestFrame } from '../shim/request-frame.js';
import { grpcFrames } from './grpc-target.js';
import { mounts } from './mount-target.js';
import { rlimits } from './rlimit-target.js';
import { seccompProfiles } from './seccomp-target.js';
import { bytesOf, changed, changes, type Target } from './target.js';

/** An object of JSON with some members replaced by any values, or left out (undefined). */
const replaced = (value: Readonly<Record<string, unknown>>): fc.Arbitrary<Record<string, unknown>> =>
  fc
    .dictionary(fc.constantFrom(...Object.keys(value), 'more'), fc.oneof(fc.jsonValue(), fc.constant(undefined)), {
      maxKeys: 3,
    })
    .map((others) => ({ ...value, ...others }));

const stored = (value: Readonly<Record<string, unknown>>): fc.Arbitrary<Uint8Array> =>
  fc
    .tuple(replaced(value), fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: changes }))
    .map(([object, list]) => changed(bytesOf(JSON.stringify(object)), list as [number, number][]));

const hook = { path: '/bin/true', args: ['true'], env: ['A=b'], timeout: 5 };
const record = {
  ...new FakeContainer({ status: 'running' }).record,
  annotations: { a: 'b' },
  hooks: { poststop: [hook] },
  supervisor: { pid: 2400, startTime: '3400' },
  creator: { pid: 2300, startTime: '3300' },
  pidsIn: 'pid:[4026531836]',
  rdt: ['/sys/fs/resctrl/web'],
  layers: ['/layers/web'],
};

/** state.json: `state` and `delete --force` answer, whatever it holds. */
const stateFile: Target<Uint8Array> = {
  inputs: stored(record),
  codes: /^ERR_/,
  async read(text) {
    const c = new FakeContainer({ status: 'running' });
    c.kernel.tree.file(`${c.directory}/state.json`, Buffer.from(text).toString('latin1'));
    c.kernel.use();
    let refusal: unknown;
    try {
      const { id, pid, status, bundle, rootfs, created, annotations = {} } = state(c.options);
      assert.equal(id, 'web');
      assert.ok(Number.isInteger(pid) && pid >= 0 && typeof status === 'string');
      for (const value of [bundle, rootfs, created, ...Object.values(annotations)])
        assert.equal(typeof value, 'string');
    } catch (error) {
      if (!(error instanceof RuntError)) throw error;
      refusal = error;
    }
    try {
      await c.run(() => remove({ ...c.options, force: true }));
      assert.equal(c.kernel.tree.at(c.directory), undefined, 'the state directory is left');
    } catch (error) {
      if (!(error instanceof RuntError)) throw error;
    }
    if (refusal) throw refusal;
  },
};

const exit = { pid: 2500, status: 137, signal: 9, exitedAtNs: '1700000000000000000', oom: false, reason: 'timeout' };

const exitRecord: Target<Uint8Array> = {
  inputs: fc.oneof(
    stored(exit),
    stored({ running: true, pid: 2500, startTime: '3500' }),
    stored({ lost: true, pid: 2 }),
  ),
  codes: /^ERR_STATE_CORRUPT$/,
  read(text) {
    const c = new FakeContainer({ status: 'stopped' });
    c.kernel.tree.file(`${c.directory}/exit.json`, Buffer.from(text).toString('latin1'));
    c.kernel.use();
    const found = readExit(c.directory);
    if (!found) return;
    assert.ok(Number.isInteger(found.pid) && found.pid >= 0 && found.pid < 2 ** 31);
    assert.ok(Number.isInteger(found.status) && Number.isInteger(found.signal));
    assert.equal(typeof found.exitedAtNs, 'bigint');
    assert.equal(typeof found.oom, 'boolean');
    assert.ok([undefined, 'timeout', 'parent'].includes(found.reason));
  },
};

const name = fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/);
const tomlValue = fc.oneof(
  fc.boolean().map((value) => [value, String(value)] as const),
  fc.maxSafeInteger().map((value) => [value, String(value)] as const),
  fc.nat().map((value) => [value, `0x${value.toString(16)}`] as const),
  // JSON's escapes are those of TOML, but for a slash.
  fc.string({ unit: 'grapheme' }).map((value) => [value, JSON.stringify(value)] as const),
  fc.stringMatching(/^[ -&(-~]*$/).map((value) => [value, `'${value}'`] as const),
);
const tomlLines = fc.uniqueArray(fc.tuple(name, tomlValue, fc.constantFrom('', ' ', ' # note', '\t')), {
  selector: ([key]) => key,
  maxLength: 5,
});

/** TOML: lines that the grammar makes have the value that it wrote; others have one or are refused. */
const toml: Target<{ lines: [string, readonly [unknown, string], string][]; noise: string }> = {
  inputs: fc.record({
    lines: tomlLines,
    noise: fc.oneof(fc.constant(''), fc.string(), fc.stringMatching(/^[a-z]{1,3} ?= ?["'[0-9a-fx_+#\\-]{0,6}$/)),
  }),
  codes: /^ERR_OPTIONS$/,
  read({ lines, noise }) {
    const text = lines.map(([key, [, written], rest]) => `${key} = ${written}${rest}`).join('\n');
    const expected = lines.map(([key, [value]]) => [key, value]);
    assert.deepEqual([...parseToml(text)], expected);
    for (const value of parseToml(`${text}\n${noise}`).values())
      assert.ok(typeof value !== 'number' || Number.isSafeInteger(value));
  },
};

/** A D-Bus type with a random value of it. */
const busValue: fc.Arbitrary<readonly [string, Value]> = fc.letrec<{ value: readonly [string, Value] }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.boolean().map((v) => ['b', v] as const),
    fc.bigInt({ min: 0n, max: 255n }).map((v) => ['y', v] as const),
    fc.bigInt({ min: -(2n ** 31n), max: 2n ** 31n - 1n }).map((v) => ['i', v] as const),
    fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }).map((v) => ['u', v] as const),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((v) => ['t', v] as const),
    fc.string({ unit: 'grapheme' }).map((v) => ['s', v.replaceAll('\0', '')] as const),
    fc.array(fc.string()).map((v) => ['as', v.map((one) => one.replaceAll('\0', ''))] as const),
    tie('value').map(([signature, value]) => ['v', { signature, value }] as const),
    fc
      .array(tie('value'), { minLength: 1, maxLength: 3 })
      .map((list) => [`(${list.map(([type]) => type).join('')})`, list.map(([, value]) => value)] as const),
  ),
})).value;

/** D-Bus: a message is read as it was written; a damaged one is read or refused. */
const bus: Target<{ serial: number; member: string; values: (readonly [string, Value])[]; list: [number, number][] }> =
  {
    inputs: fc.record({
      serial: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
      member: fc.stringMatching(/^[A-Za-z]{1,9}$/),
      values: fc.array(busValue, { maxLength: 4 }),
      list: changes,
    }),
    codes: /^ERR_SYSTEMD$/,
    read({ serial, member, values, list }) {
      const signature = values.map(([type]) => type).join('');
      const body = values.map(([, value]) => value);
      const bytes = encodeMessage({ type: 4, serial, path: '/', interface: 'a.b', member, signature, body });
      assert.equal(messageLength(bytes.subarray(0, 16)), bytes.length);
      const message = decodeMessage(bytes);
      assert.deepEqual(
        [message.serial, message.member, message.signature, message.body],
        [serial, member, signature, body],
      );
      const damaged = changed(bytes, list);
      if (damaged.length < 16 || messageLength(damaged.subarray(0, 16)) !== damaged.length) return;
      const { path } = decodeMessage(damaged);
      assert.ok(path === undefined || typeof path === 'string');
    },
  };

/** Frames of a client; the last part is any bytes. */
const frames = fc.record({
  good: fc.array(
    fc.record({ service: fc.string(), method: fc.string(), payload: fc.uint8Array({ maxLength: 2000 }) }),
    { maxLength: 3 },
  ),
  list: changes,
  rest: fc.uint8Array({ maxLength: 64 }),
});

/** ttrpc: the server ends with its client, and answers each request that is whole and not changed. */
const ttrpcFrames: Target<typeof frames extends fc.Arbitrary<infer T> ? T : never> = {
  inputs: frames,
  codes: /^never$/,
  async read({ good, list, rest }) {
    useNodeHost([]);
    const ends = new BigInt64Array(2);
    assert.equal(native.socketPair(new Uint8Array(ends.buffer)), 0);
    const [ours, theirs] = [Number(ends[0]), Number(ends[1])];
    let calls = 0;
    const server = new Connection(theirs, async (_service, _method, payload) => {
      calls++;
      return payload;
    });
    const served = server.serve();
    const requests = good.map((request, i) => requestFrame(2 * i + 1, request));
    const bytes = new Uint8Array([...changed(Buffer.concat(requests), list), ...rest]);
    for (let at = 0; at < bytes.length; ) {
      const n = native.write(ours, bytes.subarray(at));
      assert.ok(n > 0, `write: ${n}`);
      at += n;
    }
    native.close(ours);
    await served;
    if (list.length === 0) assert.ok(calls >= good.length, `${calls} calls of ${good.length}`);
  },
};

const numberText = fc.oneof(fc.constantFrom('*', '0', '1', '3', '4294967295'), fc.nat(300).map(String));
const access = fc.subarray(['r', 'w', 'm'], { minLength: 1 }).map((letters) => letters.join(''));
const deviceRule = fc
  .tuple(fc.constantFrom('b', 'c'), numberText, numberText, access)
  .map(([type, major, minor, kinds]) => `${type} ${major}:${minor} ${kinds}`);

/** Device filters: the BPF program decides each request as the rules say. */
const devices: Target<{ allow: boolean; lines: string[]; orders: boolean[]; request: readonly [string, number] }> = {
  inputs: fc.record({
    allow: fc.boolean(),
    lines: fc.array(deviceRule, { maxLength: 12 }),
    orders: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
    request: fc.tuple(access, fc.nat(300)),
  }),
  codes: /^never$/,
  read({ allow, lines, orders, request: [kinds, number] }) {
    const ordered = lines.map((line, i) => `${orders[i] ? 'allow' : 'deny'} ${line}`);
    const programs = [
      filterProgram({ allow, exceptions: lines.map(filterRule) }),
      filterProgram({ allow, ordered: ordered.map(orderedRule) }),
    ] as const;
    const known = lines.flatMap((line) => line.split(/[ :]/).slice(1, 3)).filter((text) => text !== '*');
    for (const type of ['b', 'c'] as const)
      for (const major of [...known.map(Number), number])
        for (const minor of [...known.map(Number), number]) {
          const q = { type, major, minor, access: kinds };
          assert.equal(run(programs[0], q), meant(allow, lines, q), JSON.stringify(q));
          assert.equal(run(programs[1], q), allowedInOrder(allow, ordered, q), JSON.stringify(q));
        }
  },
};

export const targets: Readonly<Record<string, Target<unknown> | undefined>> = {
  state: stateFile,
  exit: exitRecord,
  toml,
  bus,
  ttrpc: ttrpcFrames,
  devices,
  mounts,
  rlimits,
  'seccomp-profiles': seccompProfiles,
  grpc: grpcFrames,
};
