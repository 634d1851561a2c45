/** A procedure with one request and one response, from a function of their messages. */
import type { Procedure, Unary, UnaryCall } from './rpc.js';
import { type Decoder, decodeMessage } from './status-code.js';

interface Encoder<O> {
  encode(value: O): { finish(): Uint8Array };
}

/** @throws StatusError INVALID_ARGUMENT for malformed bytes, and what `f` throws */
export const unaryMethod =
  <I, O>(input: Decoder<I>, output: Encoder<O>, f: (request: I, call: UnaryCall) => Promise<O> | O): Unary =>
  (bytes, call) => {
    // No async function: with thousands of Waits its frame counts, and it would hold the bytes of the request.
    try {
      return answer(output, f(decodeMessage(input, bytes), call));
    } catch (error) {
      return Promise.reject(error);
    }
  };

/** The same as a procedure of `Services`. */
export const unaryProcedure = <I, O>(
  input: Decoder<I>,
  output: Encoder<O>,
  f: (request: I, call: UnaryCall) => Promise<O> | O,
): Procedure => ({ unary: unaryMethod(input, output, f) });

const answer = <O>(output: Encoder<O>, response: Promise<O> | O): Promise<Uint8Array> =>
  Promise.resolve(response).then((value) => output.encode(value).finish());
