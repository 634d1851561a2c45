/** gRPC server reflection, for tools such as grpcurl: descriptors of proto/, made at build time. */
import '../transport/protobuf-setup.js';
import { files } from '../../../build/gen/descriptors.js';
import { grpc } from '../../../build/gen/grpc.js';
import { type Procedure, type Services, type Stream, serviceNames } from '../transport/rpc.js';
import { Code, decodeMessage } from '../transport/status-code.js';
import { base64Bytes } from './base64.js';

const { ServerReflectionRequest, ServerReflectionResponse } = grpc.reflection.v1;
const versions = ['grpc.reflection.v1', 'grpc.reflection.v1alpha'].map((version) => `${version}.ServerReflection`);

type Request = grpc.reflection.v1.ServerReflectionRequest;
type Answer = Omit<grpc.reflection.v1.ServerReflectionResponse.$Properties, 'originalRequest' | 'validHost'>;

/** The services, and reflection of them and of itself. */
export function withReflection(services: Services): Services {
  const names = [...serviceNames(services), ...versions].sort();
  const streaming = async (stream: Stream): Promise<void> => {
    for (let bytes = await stream.receive(); bytes; bytes = await stream.receive()) {
      const request = decodeMessage(ServerReflectionRequest, bytes);
      const response = { validHost: request.host, originalRequest: request, ...answerRequest(request, names) };
      await stream.send(ServerReflectionResponse.encode(response).finish());
    }
  };
  return new Map([
    ...services,
    ...versions.map((version): [string, Procedure] => [`${version}/ServerReflectionInfo`, { streaming }]),
  ]);
}

function answerRequest(r: Request, services: readonly string[]): Answer {
  const has = (name: keyof Request) => Object.hasOwn(r, name);
  if (has('listServices')) return { listServicesResponse: { service: services.map((name) => ({ name })) } };
  if (has('fileByFilename')) return described(({ name }) => name === r.fileByFilename, r.fileByFilename ?? '');
  if (has('fileContainingSymbol')) {
    const symbol = r.fileContainingSymbol ?? '';
    return described(({ symbols }) => symbols.includes(symbol), symbol);
  }
  // proto3 has no extensions.
  if (has('allExtensionNumbersOfType'))
    return { allExtensionNumbersResponse: { baseTypeName: r.allExtensionNumbersOfType ?? '', extensionNumber: [] } };
  if (has('fileContainingExtension')) return errorAnswer(Code.NOT_FOUND, 'there are no extensions');
  return errorAnswer(Code.UNIMPLEMENTED, 'an unknown request');
}

/** Descriptors of the file and of all its imports. */
function described(wanted: (file: (typeof files)[number]) => boolean, what: string): Answer {
  const first = files.find(wanted);
  if (!first) return errorAnswer(Code.NOT_FOUND, `${what} is not known`);
  const found = new Set([first]);
  for (const file of found)
    for (const name of file.dependencies) {
      const next = files.find((f) => f.name === name);
      if (next) found.add(next);
    }
  return {
    fileDescriptorResponse: { fileDescriptorProto: [...found].map(({ descriptor }) => base64Bytes(descriptor)) },
  };
}

const errorAnswer = (errorCode: number, errorMessage: string): Answer => ({
  errorResponse: { errorCode, errorMessage },
});
