/** Responses of the task service that need no transport and no container. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Task } from '../../../src/shim/task/task.js';
import { runcOptions, task } from '../../../src/shim/transport/protos.js';
import { Code, statusOf } from '../../../src/shim/transport/status-code.js';
import { TaskService } from '../../../src/shim/transport/task-service.js';
import { RuntError } from '../../../src/sys/error.js';
import { useNodeHost } from '../../../src/sys/node-host.js';
import { callWith } from '../call-facts.js';

useNodeHost([]);

const service = () =>
  new TaskService({
    publisher: {} as never,
    debug: false,
    root: () => '/nonexistent/runt-service-test',
    shutdown: () => {},
  });

const call = (on: TaskService, name: string, request: { finish(): Uint8Array }, version = 3) =>
  on.call(`containerd.task.v${version}.Task`, name, request.finish(), callWith());

async function codeOf(answer: Promise<unknown>): Promise<number> {
  return answer.then(
    () => Code.OK,
    (error) => statusOf(error).code,
  );
}

for (const [what, pids, expected] of [
  ['that runs lists its processes', [7, 8], [7, 8]],
  ['that has ended lists its init process', [], [42]],
] as const) {
  test(`a task ${what}`, async () => {
    const on = service();
    on.add({ id: 'c', init: { pid: 42 }, execs: { all: () => [] }, pids: () => pids } as unknown as Task);
    const answer = task.PidsResponse.decode(await call(on, 'Pids', task.PidsRequest.encode({ id: 'c' })));
    assert.equal(
      answer.processes.map((p) => p.pid),
      expected,
    );
  });
}

const options = (type_url: string, value: Uint8Array) => ({ type_url, value });
const refused: Readonly<Record<string, task.CreateTaskRequest.$Properties>> = {
  'options of an unknown type': { options: options('example.Options', new Uint8Array([10, 0])) },
  'an invalid option': {
    options: options('containerd.runc.v1.Options', runcOptions.Options.encode({ root: 'run/x' }).finish()),
  },
  'a parent checkpoint': { parentCheckpoint: '/images' },
  'an unknown kind of stream': { stdout: 'carrier-pigeon:///coop' },
};

// containerd 2.x interprets UNIMPLEMENTED as an older task API, and exits if the shim speaks gRPC.
for (const [what, request] of Object.entries(refused)) {
  for (const version of [2, 3]) {
    test(`Create with ${what} is INVALID_ARGUMENT, in version ${version}`, async () => {
      const create = task.CreateTaskRequest.encode({ id: 'c', bundle: '/nonexistent', ...request });
      assert.is(await codeOf(call(service(), 'Create', create, version)), Code.INVALID_ARGUMENT);
    });
  }
}

test('an unsupported value of the config is INVALID_ARGUMENT', () => {
  assert.is(statusOf(new RuntError({ code: 'ERR_UNSUPPORTED', message: 'x' })).code, Code.INVALID_ARGUMENT);
});

test('an unknown method is UNIMPLEMENTED', async () => {
  assert.is(await codeOf(call(service(), 'Nothing', task.StateRequest.encode({}))), Code.UNIMPLEMENTED);
  assert.is(await codeOf(call(service(), 'Create', task.StateRequest.encode({}), 9)), Code.UNIMPLEMENTED);
});

test.run();
