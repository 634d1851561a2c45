/** gRPC's health service without a transport. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { health } from '../../../src/shim/containers/api-protos.js';
import { Health } from '../../../src/shim/containers/health-service.js';
import type { Streaming, Unary } from '../../../src/shim/transport/rpc.js';
import { Code, statusOf } from '../../../src/shim/transport/status-code.js';
import { callWith } from '../call-facts.js';
import { FakeCall } from './fake-call.js';

const { HealthCheckRequest, HealthCheckResponse } = health;
const [SERVING, NOT_SERVING, SERVICE_UNKNOWN] = [1, 2, 3];

function server() {
  const made = new Health(new Map([['a.B/C', { unary: async () => new Uint8Array() }]]));
  const [check, watch] = made.procedures.map(([, procedure]) => procedure) as [
    { unary: Unary },
    { streaming: Streaming },
  ];
  const request = (service: string) => HealthCheckRequest.encode({ service }).finish();
  return {
    made,
    check: (service: string) =>
      check.unary(request(service), callWith()).then(
        (answer) => HealthCheckResponse.decode(answer).status,
        (error) => statusOf(error),
      ),
    watch: async (service: string) => {
      const call = new FakeCall(HealthCheckResponse).begin(watch.streaming, request(service));
      for (let i = 0; i < 20; i++) await undefined;
      return call;
    },
  };
}

test('the server and its services are there until it ends', async () => {
  const { made, check, watch } = server();
  assert.equal([await check(''), await check('a.B')], [SERVING, SERVING]);
  assert.equal(await check('a'), { code: Code.NOT_FOUND, message: 'there is no service a', details: undefined });
  const [all, one, none, left] = [await watch(''), await watch('a.B'), await watch('a'), await watch('')];
  left.cancel();
  for (let i = 0; i < 20; i++) await undefined;
  assert.equal([left.end, left.sent], ['OK', [{ status: SERVING }]]);
  made.close();
  for (let i = 0; i < 20; i++) await undefined;
  for (const call of [all, one])
    assert.equal([call.sent, call.end], [[{ status: SERVING }, { status: NOT_SERVING }], 'OK']);
  assert.equal(none.sent, [{ status: SERVICE_UNKNOWN }, { status: SERVICE_UNKNOWN }]);
  assert.is(await check(''), NOT_SERVING);
  assert.equal((await watch('')).sent, [{ status: NOT_SERVING }]);
});

test.run();
