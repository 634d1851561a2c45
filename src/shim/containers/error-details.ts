/** The details of failed calls: a runt.v1.Error in a google.rpc.Status. */
import { RuntError } from '../../sys/error.js';
import { clipped } from '../../sys/report/clipped-text.js';
import type { Procedure } from '../transport/rpc.js';
import { codeOf, StatusError, wellFormed } from '../transport/status-code.js';
import { api, rpc } from './api-protos.js';

/** Limits in characters and bytes: gRPC's C core, which Python has, refuses trailers over 8 KiB. */
const maxText = 400;
const maxError = 2500;

const type_url = 'type.googleapis.com/runt.v1.Error';

const text = (value: string | undefined): string => wellFormed(clipped(value ?? '', maxText));

/** JSON of a config's value; a bigint in decimal. */
const json = (value: unknown): string =>
  value === undefined ? '' : text(JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? String(v) : v)));

/** Makes the procedures fail with a StatusError that has details, if they fail with a RuntError. */
export function withDetails([path, procedure]: readonly [string, Procedure]): [string, Procedure] {
  if ('unary' in procedure) {
    const { unary } = procedure;
    return [path, { unary: (request, call) => unary(request, call).catch(refuse) }];
  }
  const { streaming } = procedure;
  return [path, { streaming: (stream) => streaming(stream).catch(refuse) }];
}

function refuse(error: unknown): never {
  throw error instanceof RuntError ? detailedError(error) : error;
}

/** The status of an error, whose message is the sentence alone. */
function detailedError(error: RuntError): StatusError {
  const [code, message] = [codeOf(error), text(error.message)];
  // Python's grpc_status refuses details with another code or message than those of the call.
  const status = { code, message, details: [{ type_url, value: encodeError(error) }] };
  return new StatusError(code, message, rpc.Status.encode(status).finish());
}

function encodeError(error: RuntError): Uint8Array {
  const violations = (error.violations ?? []).map(({ pointer, value, expected, see }) => ({
    pointer: text(pointer),
    value: json(value),
    expected: text(expected),
    see: text(see),
  }));
  const facts = {
    code: error.code,
    message: text(error.message),
    hint: text(error.hint),
    pointer: text(error.pointer),
    value: json(error.value),
    document: text(error.document),
    op: error.op ?? '',
    path: text(error.path),
    errno: error.errno ?? 0,
    syscall: error.syscall ?? '',
    see: text(error.see),
  };
  for (let more = error.more === true; ; more = true) {
    const bytes = api.Error.encode({ ...facts, violations, more }).finish();
    if (bytes.length <= maxError || violations.length === 0) return bytes;
    violations.pop();
  }
}
