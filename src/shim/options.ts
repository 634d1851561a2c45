/** What an engine chooses for a container's runtime: containerd.runc.v1.Options, or CRI's runtimeoptions.v1.Options. */
import { runtimeOptions as criOptions, type google, linuxRunc, runcOptions } from './protos.js';
import { Code, StatusError } from './status.js';

/** The options that are applied. */
export interface RuntimeOptions {
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  /** Directory below which the state of each namespace is; empty for runt's own. */
  readonly root: string;
  /** Group of a process's pipes. Their user is the process's in any case, as with runc, whatever `io_uid` says. */
  readonly ioGid: number;
  /** Cgroup that the shim is put into, when it is started (bootstrap.ts). */
  readonly shimCgroup: string;
}

const none: RuntimeOptions = { noPivot: false, noNewKeyring: false, root: '', ioGid: 0, shimCgroup: '' };

/** Fields that ask for what this version does not do. `binary_name` names another runtime: here it has no meaning. */
const refused = ['systemdCgroup', 'criuImagePath', 'criuWorkPath', 'taskApiAddress', 'taskApiVersion'] as const;

/** @throws StatusError UNIMPLEMENTED for a field that is set and not applied, INVALID_ARGUMENT */
export function runtimeOptions(any: google.protobuf.Any.$Properties | null | undefined): RuntimeOptions {
  const value = any?.value ?? new Uint8Array();
  const name = any?.type_url?.slice(any.type_url.lastIndexOf('/') + 1) ?? '';
  if (name === 'containerd.runc.v1.Options') return applied(runcOptions.Options.decode(value));
  // From containerd up to 1.7, for a type that does not begin with io.containerd.runc and a client that sets an option.
  if (name === 'containerd.linux.runc.CreateOptions') return applied(asOptions(linuxRunc.CreateOptions.decode(value)));
  if (name === 'runtimeoptions.v1.Options') {
    const { configPath, configBody } = criOptions.Options.decode(value);
    if (configPath || configBody?.length)
      throw new StatusError(
        Code.UNIMPLEMENTED,
        `runtime options as a file (${configPath || 'TOML'}) are not supported`,
      );
    return none;
  }
  if (value.length > 0) throw new StatusError(Code.UNIMPLEMENTED, `runtime options of type ${name} are not supported`);
  return none;
}

/** Fields of those older options that the newer ones do not have; no client of containerd sets them. */
const older = ['openTcp', 'externalUnixSockets', 'terminal', 'fileLocks', 'emptyNamespaces', 'cgroupsMode'] as const;

function asOptions(options: linuxRunc.CreateOptions): runcOptions.Options {
  for (const field of older) {
    const value = options[field];
    if (Array.isArray(value) ? value.length > 0 : value)
      throw new StatusError(Code.UNIMPLEMENTED, `the runtime option ${field} is not supported`);
  }
  const { noPivotRoot, noNewKeyring, shimCgroup, ioUid, ioGid, criuWorkPath, criuImagePath } = options;
  const given = { noPivotRoot, noNewKeyring, shimCgroup, ioUid, ioGid, criuWorkPath, criuImagePath };
  return Object.assign(new runcOptions.Options(), given);
}

function applied(options: runcOptions.Options): RuntimeOptions {
  for (const field of refused) {
    if (options[field]) throw new StatusError(Code.UNIMPLEMENTED, `the runtime option ${field} is not supported`);
  }
  const { root, ioGid, shimCgroup } = options;
  if (root && !root.startsWith('/'))
    throw new StatusError(Code.INVALID_ARGUMENT, `the runtime option root is no absolute path: ${root}`);
  return { noPivot: options.noPivotRoot, noNewKeyring: options.noNewKeyring, root, ioGid, shimCgroup };
}
