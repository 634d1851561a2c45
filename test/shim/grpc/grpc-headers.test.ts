/** Headers of gRPC calls and their answers. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readCallHeaders, statusHeaders } from '../../../src/shim/grpc/grpc-headers.js';
import { Code, StatusError } from '../../../src/shim/transport/status-code.js';
import { useNodeHost } from '../../../src/sys/node-host.js';

useNodeHost([]);

const call = [':method', 'POST', ':path', '/a.B/C', 'content-type', 'application/grpc'];

test('a call has its path, and its deadline in ms', () => {
  assert.equal(readCallHeaders(call), { path: 'a.B/C', timeout: -1, metadata: undefined });
  const more = [...call, 'te', 'trailers', 'user-agent', 'x', 'a', '1', 'b', '2', 'a', '3', 'grpc-trace-bin', 'x'];
  const { metadata } = readCallHeaders(more) as { metadata: ReadonlyMap<string, string> };
  assert.equal(
    [...metadata],
    [
      ['a', '1'],
      ['b', '2'],
    ],
  );
  for (const [text, ms] of [
    ['2H', 7_200_000],
    ['3M', 180_000],
    ['4S', 4000],
    ['5m', 5],
    ['6000u', 6],
    ['99999999n', 99.999999],
    ['0m', 0],
  ] as const) {
    const { timeout } = readCallHeaders([...call, 'grpc-timeout', text]) as { timeout: number };
    assert.ok(Math.abs(timeout - ms) < 1e-6, `${text}: ${timeout}`);
  }
  for (const text of ['', '5', 'm', '-1m', '123456789m', '1 m', '1d']) {
    assert.throws(
      () => readCallHeaders([...call, 'grpc-timeout', text]),
      (error: unknown) => error instanceof StatusError && error.code === Code.INTERNAL,
      text,
    );
  }
});

test('a request that is not gRPC gets a status of HTTP', () => {
  assert.is(readCallHeaders([]), 431);
  assert.is(readCallHeaders(call.map((value) => (value === 'POST' ? 'GET' : value))), 405);
  const typed = (type: string) => readCallHeaders(call.map((value) => (value === 'application/grpc' ? type : value)));
  for (const type of ['text/plain', 'application/grpc-web', 'application/grpcx', '']) assert.is(typed(type), 415, type);
  assert.is(readCallHeaders(call.slice(0, 4)), 415);
  for (const type of ['application/grpc+proto', 'application/grpc;x=y']) assert.type(typed(type), 'object');
});

test('compression is refused, and identity is none', () => {
  assert.type(readCallHeaders([...call, 'grpc-encoding', 'identity']), 'object');
  assert.throws(
    () => readCallHeaders([...call, 'grpc-encoding', 'gzip']),
    (error: unknown) => error instanceof StatusError && error.code === Code.UNIMPLEMENTED,
  );
});

test('a status has its message percent-encoded, byte by byte', () => {
  assert.equal(statusHeaders({ code: 0, message: '' }), ['grpc-status', 0]);
  const [, code, , text] = statusHeaders({ code: 5, message: 'a b~ 100%\n\u4e2d' });
  assert.equal([code, text], [5, 'a b~ 100%25%0A%E4%B8%AD']);
  assert.is(decodeURIComponent(String(text)), 'a b~ 100%\n\u4e2d');
});

test.run();
