/**
 * The messages on the stdin of `start` and `-info`: the runtime's options as an Any; for `start`, since containerd 2.3,
 * BootstrapParams, which hold the options among their extensions.
 */
import { bootstrap, google } from '../transport/protos.js';

export interface Given {
  /** Empty for none. */
  readonly options: google.protobuf.Any.$Properties;
  readonly parameters?: bootstrap.BootstrapParams;
}

/**
 * Both messages begin with two strings. They are BootstrapParams if these strings equal the id and the namespace of
 * the flags.
 */
export function interpret(data: Uint8Array, id: string, namespace: string): Given {
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
