/** The status codes of failed calls: gRPC's, on both transports. */
import { printable } from '../../plan/printable-text.js';
import { RuntError } from '../../sys/error.js';
import { reportOf } from '../../sys/report/error-report.js';

/**
 * google.rpc.Code. Use UNIMPLEMENTED only for an unknown method: if Create answers it, containerd 2.x tries an older
 * task API, and crashes with a gRPC shim (nil dereference).
 */
export const Code = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
} as const;

export class StatusError extends Error {
  constructor(
    readonly code: number,
    message: string,
    /** An encoded google.rpc.Status with the same code and message, for gRPC's trailer grpc-status-details-bin. */
    readonly details?: Uint8Array,
  ) {
    super(message);
  }
}

/** The error of a wait whose call its client has ended. */
export const cancelledError = (): StatusError => new StatusError(Code.CANCELLED, 'the call is cancelled');

const codes: Readonly<Record<string, number>> = {
  ERR_NO_CONTAINER: Code.NOT_FOUND,
  ERR_NO_PROCESS: Code.NOT_FOUND,
  // The bundle does not exist.
  ERR_SPEC_MISSING: Code.NOT_FOUND,
  ERR_CONTAINER_ID: Code.INVALID_ARGUMENT,
  ERR_USAGE: Code.INVALID_ARGUMENT,
  ERR_CONTAINER_EXISTS: Code.ALREADY_EXISTS,
  ERR_PROCESS_EXISTS: Code.ALREADY_EXISTS,
  ERR_CONTAINER_STATUS: Code.FAILED_PRECONDITION,
  ERR_NOT_SUPERVISED: Code.FAILED_PRECONDITION,
  ERR_STREAMS: Code.FAILED_PRECONDITION,
  ERR_UNSUPPORTED: Code.INVALID_ARGUMENT,
  ERR_SPEC_INVALID: Code.INVALID_ARGUMENT,
  ERR_OPTIONS: Code.INVALID_ARGUMENT,
  ERR_ANNOTATION_DENIED: Code.INVALID_ARGUMENT,
  ERR_STATE_UNSAFE: Code.FAILED_PRECONDITION,
  ERR_SANDBOX: Code.FAILED_PRECONDITION,
  ERR_CRIU_MISSING: Code.FAILED_PRECONDITION,
  ERR_CRIU_VERSION: Code.FAILED_PRECONDITION,
  ERR_SPEC_JSON: Code.INVALID_ARGUMENT,
  ERR_SPEC_VALUE: Code.INVALID_ARGUMENT,
};

export interface CallStatus {
  /** google.rpc.Code. */
  readonly code: number;
  readonly message: string;
  /** For the trailer grpc-status-details-bin: bytes of a google.rpc.Status. */
  readonly details?: Uint8Array | undefined;
}

/** google.rpc.Code of a RuntError. */
export const codeOf = (error: RuntError): number => codes[error.code] ?? Code.UNKNOWN;

/** The status of any error; a RuntError's message is its whole report. */
export function statusOf(error: unknown): CallStatus {
  if (error instanceof StatusError) return { code: error.code, message: error.message, details: error.details };
  if (error instanceof RuntError) return { code: codeOf(error), message: wellFormed(reportOf(error)) };
  return { code: Code.UNKNOWN, message: wellFormed(String(error)) };
}

/** A protobuf string must be UTF-8: clients refuse an answer with any other bytes. */
export const wellFormed = (text: string): string => text.split('\n').map(printable).join('\n');

/** A type of message, as protobufjs makes it. */
export interface Decoder<I> {
  decode(data: Uint8Array): I;
}

/** Decodes a request, or a message in one. @throws StatusError INVALID_ARGUMENT for malformed bytes */
export function decodeMessage<I>(input: Decoder<I>, payload: Uint8Array): I {
  try {
    return input.decode(payload);
  } catch (error) {
    throw new StatusError(Code.INVALID_ARGUMENT, `the request is malformed: ${(error as Error).message}`);
  }
}
