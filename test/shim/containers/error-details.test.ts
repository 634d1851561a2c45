/** The details of failed calls: all facts, within the limits of gRPC's clients. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { api, rpc } from '../../../src/shim/containers/api-protos.js';
import { withDetails } from '../../../src/shim/containers/error-details.js';
import type { Procedure } from '../../../src/shim/transport/rpc.js';
import { Code, StatusError, statusOf } from '../../../src/shim/transport/status-code.js';
import { type ErrorFacts, RuntError } from '../../../src/sys/error.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { callWith } from '../call-facts.js';
import { FakeCall } from './fake-call.js';

useNodeHost([]);

async function detailsOf(error: Error) {
  const [, procedure] = withDetails(['x', { unary: () => Promise.reject(error) }]) as [
    string,
    Extract<Procedure, { unary: unknown }>,
  ];
  const status = statusOf(await procedure.unary(new Uint8Array(), callWith()).catch((thrown: unknown) => thrown));
  if (!status.details) return { status, error: undefined };
  const decoded = rpc.Status.decode(status.details);
  assert.equal([decoded.code, decoded.message], [status.code, status.message]);
  const [any, more] = decoded.details;
  assert.equal([any?.type_url, more], ['type.googleapis.com/runt.v1.Error', undefined]);
  return { status, error: api.Error.decode(any?.value as Uint8Array) };
}

test('an error has all of its facts', async () => {
  const facts: ErrorFacts = {
    code: 'ERR_SPEC_INVALID',
    message: 'mount a',
    op: 'mountFs',
    path: '/a',
    pointer: '/mounts/0',
    value: { size: 2n ** 60n },
    document: 'config.json',
    errno: 2,
    syscall: 'mount',
    hint: 'do this',
    see: 'mount(2)',
    violations: [{ pointer: '/x', value: 7, expected: 'be 8', see: 'y' }],
  };
  const { status, error } = await detailsOf(new RuntError(facts));
  assert.equal([status.code, status.message], [Code.INVALID_ARGUMENT, 'mount a: ENOENT (no such file or directory)']);
  const { message, value, violations, ...rest } = JSON.parse(JSON.stringify(error));
  const { message: _, value: __, violations: ___, ...expected } = facts;
  assert.equal(rest, expected);
  assert.equal([message, value], [status.message, '{"size":"1152921504606846976"}']);
  assert.equal(violations, [{ pointer: '/x', value: '7', expected: 'be 8', see: 'y' }]);
});

test('long facts and many violations are cut, and the message is one line of valid UTF-8', async () => {
  const long = '\u4e2d'.repeat(5000);
  const violations = Array.from({ length: 100 }, (_, i) => ({ pointer: `/${i}${long}`, expected: long, value: long }));
  const { status, error } = await detailsOf(
    new RuntError({ code: 'ERR_X', message: `a\nb\ud800${long}`, hint: long, path: long, violations }),
  );
  assert.ok(status.details!.length < 6000, `${status.details!.length} bytes`);
  assert.match(status.message, /^a\nb\\ud800\u4e2d+…$/);
  assert.equal([error?.more, error?.code, status.code], [true, 'ERR_X', Code.UNKNOWN]);
});

test('other errors pass as they are, of calls with streams too', async () => {
  const refused = await detailsOf(new StatusError(Code.CANCELLED, 'x'));
  assert.equal([refused.status.code, refused.error], [Code.CANCELLED, undefined]);
  const streaming = () => Promise.reject(new RuntError({ code: 'ERR_NO_CONTAINER', message: 'none' }));
  const [, procedure] = withDetails(['x', { streaming }]) as [string, Extract<Procedure, { streaming: unknown }>];
  const call = new FakeCall({ decode: () => ({}) }).begin(procedure.streaming);
  for (let i = 0; i < 20; i++) await undefined;
  assert.is(call.end, '5 none');
});

test.run();
