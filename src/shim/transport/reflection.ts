/** gRPC server reflection, for tools such as grpcurl: descriptors of proto/, made at build time. Node only. */
import type { Server, ServerDuplexStream } from '@grpc/grpc-js';
import { files, services } from '../../../build/gen/descriptors.js';
import { grpc } from '../../../build/gen/grpc.js';

const { ServerReflectionRequest, ServerReflectionResponse } = grpc.reflection.v1;
const versions = ['grpc.reflection.v1', 'grpc.reflection.v1alpha'];
const NOT_FOUND = 5;
const UNIMPLEMENTED = 12;

type Request = grpc.reflection.v1.ServerReflectionRequest;
type Answer = Omit<grpc.reflection.v1.ServerReflectionResponse.$Properties, 'originalRequest' | 'validHost'>;

export function addReflection(server: Server): void {
  for (const version of versions) {
    server.register(
      `/${version}.ServerReflection/ServerReflectionInfo`,
      (stream: ServerDuplexStream<Request, Buffer>) => {
        stream.on('data', (request: Request) => {
          const response = { validHost: request.host, originalRequest: request, ...answerRequest(request) };
          stream.write(Buffer.from(ServerReflectionResponse.encode(response).finish()));
        });
        stream.on('end', () => stream.end());
        stream.on('error', () => {});
      },
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => ServerReflectionRequest.decode(bytes),
      'bidi',
    );
  }
}

function answerRequest(r: Request): Answer {
  const has = (name: keyof Request) => Object.hasOwn(r, name);
  if (has('listServices')) {
    const names = [...services.map(({ name }) => name), ...versions.map((version) => `${version}.ServerReflection`)];
    return { listServicesResponse: { service: names.sort().map((name) => ({ name })) } };
  }
  if (has('fileByFilename')) return described(({ name }) => name === r.fileByFilename, r.fileByFilename ?? '');
  if (has('fileContainingSymbol')) {
    const symbol = r.fileContainingSymbol ?? '';
    return described(({ symbols }) => symbols.includes(symbol), symbol);
  }
  // proto3 has no extensions.
  if (has('allExtensionNumbersOfType'))
    return { allExtensionNumbersResponse: { baseTypeName: r.allExtensionNumbersOfType ?? '', extensionNumber: [] } };
  if (has('fileContainingExtension')) return errorAnswer(NOT_FOUND, 'there are no extensions');
  return errorAnswer(UNIMPLEMENTED, 'an unknown request');
}

/** Descriptors of the file and of all its imports. */
function described(wanted: (file: (typeof files)[number]) => boolean, what: string): Answer {
  const first = files.find(wanted);
  if (!first) return errorAnswer(NOT_FOUND, `${what} is not known`);
  const found = new Set([first]);
  for (const file of found)
    for (const name of file.dependencies) {
      const next = files.find((f) => f.name === name);
      if (next) found.add(next);
    }
  const fileDescriptorProto = [...found].map(({ descriptor }) => Buffer.from(descriptor, 'base64'));
  return { fileDescriptorResponse: { fileDescriptorProto } };
}

const errorAnswer = (errorCode: number, errorMessage: string): Answer => ({
  errorResponse: { errorCode, errorMessage },
});
