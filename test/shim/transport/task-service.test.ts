/** Answers of the task service that no transport and no container is needed for. */
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Task } from '../../../src/shim/task/task.js';
import { runcOptions, task } from '../../../src/shim/transport/protos.js';
import { Code, statusOf } from '../../../src/shim/transport/status-code.js';
import { TaskService } from '../../../src/shim/transport/task-service.js';
import { RuntError } from '../../../src/sys/error.js';
import { useNodeHost } from '../../../src/sys/node-host.js';

useNodeHost([]);

const service = () =>
  new TaskService({
    publisher: {} as never,
    debug: false,
    root: () => '/nonexistent/runt-service-test',
    shutdown: () => {},
  });

const call = (on: TaskService, name: string, request: { finish(): Uint8Array }, version = 3) =>
  on.call(`containerd.task.v${version}.Task`, name, request.finish());

async function codeOf(answer: Promise<unknown>): Promise<number> {
  return answer.then(
    () => Code.OK,
    (error) => statusOf(error).code,
  );
}

for (const [what, pids, expected] of [
  ['that runs has its processes', [7, 8], [7, 8]],
  ['that has ended has its init process', [], [42]],
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
  'options of a type that is not known': { options: options('example.Options', new Uint8Array([10, 0])) },
  'an option that is not applied': {
    options: options('containerd.runc.v1.Options', runcOptions.Options.encode({ taskApiAddress: 'x' }).finish()),
  },
  'a parent checkpoint': { parentCheckpoint: '/images' },
  'a kind of stream that is not known': { stdout: 'carrier-pigeon:///coop' },
};

// containerd 2.x takes UNIMPLEMENTED for an older task API, and ends itself when the shim speaks gRPC.
for (const [what, request] of Object.entries(refused)) {
  for (const version of [2, 3]) {
    test(`Create with ${what} is INVALID_ARGUMENT, in version ${version}`, async () => {
      const create = task.CreateTaskRequest.encode({ id: 'c', bundle: '/nonexistent', ...request });
      assert.is(await codeOf(call(service(), 'Create', create, version)), Code.INVALID_ARGUMENT);
    });
  }
}

test('a config that this version does not apply is INVALID_ARGUMENT', () => {
  assert.is(statusOf(new RuntError({ code: 'ERR_UNSUPPORTED', message: 'x' })).code, Code.INVALID_ARGUMENT);
});

test('UNIMPLEMENTED is a method that does not exist', async () => {
  assert.is(await codeOf(call(service(), 'Nothing', task.StateRequest.encode({}))), Code.UNIMPLEMENTED);
  assert.is(await codeOf(call(service(), 'Create', task.StateRequest.encode({}), 9)), Code.UNIMPLEMENTED);
});

test.run();
