/** Server reflection: the services of a server, and their descriptors with all that these need. */
import { createRequire } from 'node:module';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { grpc } from '../../../build/gen/grpc.js';
import { withReflection } from '../../../src/shim/grpc/reflection.js';
import type { Procedure, Stream, Streaming } from '../../../src/shim/transport/rpc.js';
import { useNodeHost } from '../../../src/sys/node-host.js';

useNodeHost([]);

interface Named {
  readonly name: string;
}
interface Message extends Named {
  readonly field: readonly { readonly typeName: string }[];
  readonly enumType: readonly Named[];
  readonly nestedType: readonly Message[];
}
interface File extends Named {
  readonly package: string;
  readonly enumType: readonly Named[];
  readonly messageType: readonly Message[];
  readonly service: readonly {
    readonly method: readonly { readonly inputType: string; readonly outputType: string }[];
  }[];
}
const { FileDescriptorProto } = createRequire(import.meta.url)('protobufjs/ext/descriptor') as {
  FileDescriptorProto: { decode(bytes: Uint8Array): File };
};

const { ServerReflectionRequest, ServerReflectionResponse } = grpc.reflection.v1;
const unary: Procedure = { unary: async () => new Uint8Array() };
const paths = [
  'containerd.services.sandbox.v1.Controller/Create',
  'containerd.task.v3.Task/Create',
  'grpc.health.v1.Health/Check',
  'runt.v1.Containers/Run',
];

/** The answers to requests, in one call. */
async function ask(...requests: object[]) {
  const procedures = withReflection(new Map(paths.map((path) => [path, unary])));
  const path = 'grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  const { streaming } = procedures.get(path) as { streaming: Streaming };
  const messages = requests.map((request) => ServerReflectionRequest.encode(request).finish());
  const answers: grpc.reflection.v1.ServerReflectionResponse[] = [];
  const stream: Stream = {
    header: () => undefined,
    cancelled: new Promise(() => {}),
    receive: async () => messages.shift(),
    send: async (bytes) => void answers.push(ServerReflectionResponse.decode(bytes)),
  };
  await streaming(stream);
  return answers;
}

test('the services of the server are listed, with reflection itself', async () => {
  const [answer] = await ask({ listServices: '' });
  assert.equal(
    answer?.listServicesResponse?.service?.map(({ name }) => name),
    [
      'containerd.services.sandbox.v1.Controller',
      'containerd.task.v3.Task',
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'runt.v1.Containers',
    ],
  );
});

test('the descriptors of each service have every type that they use', async () => {
  for (const path of paths) {
    const [service = ''] = path.split('/');
    const [answer] = await ask({ fileContainingSymbol: service });
    const files = answer!.fileDescriptorResponse!.fileDescriptorProto!.map((b) => FileDescriptorProto.decode(b));
    const known = new Set<string>();
    const used = new Set<string>();
    const add = (prefix: string, message: Message): void => {
      known.add(`${prefix}.${message.name}`);
      for (const { typeName } of message.field) if (typeName) used.add(typeName);
      for (const { name } of message.enumType) known.add(`${prefix}.${message.name}.${name}`);
      for (const nested of message.nestedType) add(`${prefix}.${message.name}`, nested);
    };
    for (const f of files) {
      for (const { name } of f.enumType) known.add(`.${f.package}.${name}`);
      for (const message of f.messageType) add(`.${f.package}`, message);
      for (const { method } of f.service)
        for (const { inputType, outputType } of method) for (const type of [inputType, outputType]) used.add(type);
    }
    assert.ok(used.size > 1, service);
    assert.equal(
      // A name may be relative to its scope (descriptor.proto).
      [...used].filter((type) => ![...known].some((name) => name.endsWith(`.${type.replace(/^\./, '')}`))),
      [],
      service,
    );
  }
});

test('an unknown symbol is an error, and the next request is answered', async () => {
  const [unknown, listed] = await ask({ fileContainingSymbol: 'x.Y' }, { listServices: '' });
  assert.is(unknown?.errorResponse?.errorCode, 5);
  assert.ok(listed?.listServicesResponse);
});

test.run();
