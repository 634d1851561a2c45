/** What an engine chooses for a container's runtime: containerd.runc.v1.Options, or CRI's runtimeoptions.v1.Options. */
import { type google, runcOptions } from './protos.js';
import { Code, StatusError } from './status.js';

/** The options that are applied. */
export interface RuntimeOptions {
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
}

/** Fields that ask for what this version does not do. `binary_name` names another runtime: here it has no meaning. */
const refused = ['shimCgroup', 'ioUid', 'ioGid', 'root', 'systemdCgroup', 'criuImagePath', 'criuWorkPath'] as const;

/** @throws StatusError UNIMPLEMENTED for a field that is set and not applied */
export function runtimeOptions(any: google.protobuf.Any.$Properties | null | undefined): RuntimeOptions {
  const name = any?.type_url?.slice(any.type_url.lastIndexOf('/') + 1) ?? '';
  if (name !== 'containerd.runc.v1.Options') {
    if (any?.value?.length)
      throw new StatusError(Code.UNIMPLEMENTED, `runtime options of type ${name} are not supported`);
    return { noPivot: false, noNewKeyring: false };
  }
  const options = runcOptions.Options.decode(any?.value ?? new Uint8Array());
  for (const field of refused) {
    if (options[field]) throw new StatusError(Code.UNIMPLEMENTED, `the runtime option ${field} is not supported`);
  }
  return { noPivot: options.noPivotRoot, noNewKeyring: options.noNewKeyring };
}
