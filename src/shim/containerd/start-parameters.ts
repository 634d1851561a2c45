/**
 * What containerd writes to the stdin of `start` and `-info`: the runtime's options as an Any; to `start`, since 2.3, parameters
 * (BootstrapParams), which hold the options among their extensions.
 */
import { bootstrap, google } from '../transport/protos.js';

export interface Given {
  /** Empty when there are none. */
  readonly options: google.protobuf.Any.$Properties;
  readonly parameters?: bootstrap.BootstrapParams;
}

/**
 * An Any and the parameters look alike: two strings come first. They are parameters when these are the id and the namespace,
 * which the flags tell too.
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
