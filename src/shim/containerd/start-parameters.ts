/** The messages on the stdin of `start` and `-info`. */
import { bootstrap, google } from '../transport/protos.js';

export interface StartParameters {
  /** Empty for none. */
  readonly options: google.protobuf.Any.$Properties;
  readonly parameters?: bootstrap.BootstrapParams;
}

/**
 * Decodes the runtime's options: an Any or, for `start` since containerd 2.3, an extension of BootstrapParams. Both
 * messages begin with two strings: in BootstrapParams these equal the id and the namespace of the flags.
 */
export function decodeStartInput(data: Uint8Array, id: string, namespace: string): StartParameters {
  try {
    const parameters = bootstrap.BootstrapParams.decode(data);
    if (id !== '' && parameters.instanceId === id && parameters.namespace === namespace) {
      const found = parameters.extensions?.find(({ value }) => value?.type_url?.endsWith('.v1.Options'));
      return { options: found?.value ?? {}, parameters };
    }
  } catch {
    // The value of an Any need not be a string.
  }
  try {
    return { options: google.protobuf.Any.decode(data) };
  } catch {
    return { options: {} };
  }
}
