/** The messages of proto/streaming.proto and proto/transfer.proto, and the Any's that carry them. */

// It configures protobufjs.
import '../transport/protos.js';
import * as protos from '../../../build/gen/streams.js';
import { google } from '../transport/protos.js';
import { Code, decodeMessage, StatusError } from '../transport/status-code.js';

const { StreamInit } = protos.containerd.services.streaming.v1;
const { Data, WindowUpdate } = protos.containerd.types.transfer;

const any = (type: string, value: Uint8Array): Uint8Array =>
  google.protobuf.Any.encode({ type_url: type, value }).finish();

/** The answer to the first message. */
export const streamAnswer = (): Uint8Array => any('google.protobuf.Empty', new Uint8Array());

export const dataMessage = (data: Uint8Array): Uint8Array =>
  any('containerd.types.transfer.Data', Data.encode({ data }).finish());

export const windowMessage = (update: number): Uint8Array =>
  any('containerd.types.transfer.WindowUpdate', WindowUpdate.encode({ update }).finish());

/** The id in the first message of a stream. @throws StatusError INVALID_ARGUMENT */
export const streamIdOf = (message: Uint8Array): string =>
  decodeMessage(StreamInit, messageOf(message, 'containerd.services.streaming.v1.StreamInit')).id;

/** @throws StatusError INVALID_ARGUMENT */
export const dataOf = (message: Uint8Array): Uint8Array =>
  decodeMessage(Data, messageOf(message, 'containerd.types.transfer.Data')).data;

/** @throws StatusError INVALID_ARGUMENT */
export const updateOf = (message: Uint8Array): number =>
  decodeMessage(WindowUpdate, messageOf(message, 'containerd.types.transfer.WindowUpdate')).update;

function messageOf(message: Uint8Array, type: string): Uint8Array {
  const { type_url, value } = decodeMessage(google.protobuf.Any, message);
  if (type_url === type || type_url?.endsWith(`/${type}`)) return value ?? new Uint8Array();
  throw new StatusError(Code.INVALID_ARGUMENT, `a message of the stream is ${type_url || 'none'}, not ${type}`);
}
