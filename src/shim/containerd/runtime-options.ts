/** An engine's runtime options for a container: containerd.runc.v1.Options, or CRI's runtimeoptions.v1.Options. */
import { type AnnotationPolicy, isAnnotationPolicy } from '../../plan/annotation-policy.js';
import { readText } from '../../sys/fs.js';
import { host } from '../../sys/host.js';
import { runtimeOptions as criOptions, type google, linuxRunc, runcOptions } from '../transport/protos.js';
import { Code, decodeMessage, StatusError } from '../transport/status-code.js';
import { typeName } from './any-message.js';

/** The options that runt applies. */
export interface RuntimeOptions {
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  /** systemd creates the cgroup. */
  readonly systemdCgroup: boolean;
  /** Directory with a state root for each namespace; empty for runt's own. */
  readonly root: string;
  /** Group of a process's pipes. Their user is always the process's, as with runc; `io_uid` has no effect. */
  readonly ioGid: number;
  /** Cgroup that the shim joins when it starts (shim-bootstrap.ts). */
  readonly shimCgroup: string;
  /** Path of criu; empty for the criu in PATH. */
  readonly criuPath: string;
  /** Directory of the images that the container is restored from. */
  readonly criuImagePath: string;
  /** Directory of criu's logs; empty for one in the bundle. */
  readonly criuWorkPath: string;
  /** Policy for annotations that weaken a container; absent: the shim's environment decides. */
  readonly unsafeAnnotations?: AnnotationPolicy;
  /** Seconds for a hook without a timeout, 0 for no limit; absent: the shim's environment decides. */
  readonly hookTimeout?: number;
  /** The container manages cgroups of its own, as with containerd's cgroup_writable, but below its limits. */
  readonly cgroupWritable?: boolean;
  /** Warnings about known options that have no effect here, one sentence each. */
  readonly notes: readonly string[];
}

type Policies = Pick<RuntimeOptions, 'unsafeAnnotations' | 'hookTimeout'>;

const paths = ['root', 'criuPath', 'criuImagePath', 'criuWorkPath'] as const;
/** All fields, with the `typeof` of their values. By those of the task API containerd finds the server itself. */
const kinds = [
  ...(['noPivotRoot', 'noNewKeyring', 'systemdCgroup'] as const).map((f) => [f, 'boolean'] as const),
  ...(['ioUid', 'ioGid', 'taskApiVersion'] as const).map((f) => [f, 'number'] as const),
  ...(['shimCgroup', 'binaryName', 'taskApiAddress', ...paths] as const).map((f) => [f, 'string'] as const),
];

/** @throws StatusError INVALID_ARGUMENT, also for a field that is set and unsupported */
export async function runtimeOptions(any: google.protobuf.Any.$Properties | null | undefined): Promise<RuntimeOptions> {
  const value = any?.value ?? new Uint8Array();
  const name = typeName(any);
  if (name === 'containerd.runc.v1.Options') return checkedOptions(decodeMessage(runcOptions.Options, value));
  // containerd up to 1.7 sends these for a type outside io.containerd.runc if the client sets an option.
  if (name === 'containerd.linux.runc.CreateOptions')
    return checkedOptions(asOptions(decodeMessage(linuxRunc.CreateOptions, value)));
  if (name === 'runtimeoptions.v1.Options') {
    const { configPath, configBody } = decodeMessage(criOptions.Options, value);
    // containerd sends the section of its own configuration if that section names no file.
    const text = configPath ? readFile(configPath) : host.decode(configBody, configBody.length);
    const { options, own } = await tomlOptions(text);
    return { ...checkedOptions(options), ...own };
  }
  if (value.length > 0)
    throw new StatusError(Code.INVALID_ARGUMENT, `runtime options of type ${name} are not supported`);
  return checkedOptions(new runcOptions.Options());
}

function readFile(path: string): string {
  try {
    return readText(path);
  } catch (error) {
    const why = error instanceof Error ? error.message : error;
    throw invalidError(`read the runtime options ${path}: ${why}`);
  }
}

interface TomlOptions {
  readonly options: runcOptions.Options;
  /** `UnsafeAnnotations`, `HookTimeout` and `CgroupWritable`: runc's options have no fields for them. */
  readonly own: Policies & Pick<RuntimeOptions, 'cgroupWritable'>;
}

/** The same fields under their names in containerd's configuration, ignoring case: `SystemdCgroup = true`. */
async function tomlOptions(text: string): Promise<TomlOptions> {
  const { parseToml } = await import('./toml.js');
  const options = new runcOptions.Options();
  let own: TomlOptions['own'] = {};
  for (const [name, value] of parseToml(text)) {
    const known = kinds.find(([field]) => field.toLowerCase() === name.toLowerCase());
    if (name.toLowerCase() === 'unsafeannotations') {
      own = { ...own, unsafeAnnotations: policyNamed(name, value) };
      continue;
    }
    if (name.toLowerCase() === 'hooktimeout') {
      own = { ...own, hookTimeout: secondsNamed(name, value) };
      continue;
    }
    if (name.toLowerCase() === 'cgroupwritable') {
      own = { ...own, cgroupWritable: switchNamed(name, value) };
      continue;
    }
    // Only containerd reads these two.
    if (!known && /^(?:typeurl|configpath)$/i.test(name)) continue;
    if (!known) throw invalidError(`the runtime option ${name} is not known`);
    const [field, kind] = known;
    const right = typeof value === kind && (typeof value !== 'number' || (value >= 0 && value < 2 ** 32));
    if (!right) throw invalidError(`the runtime option ${name} must be of type ${kind}, not ${value}`);
    Object.assign(options, { [field]: value });
  }
  return { options, own };
}

function policyNamed(name: string, value: unknown): AnnotationPolicy {
  if (isAnnotationPolicy(value)) return value;
  throw invalidError(`the runtime option ${name} must be allow, warn or deny, not ${value}`);
}

function secondsNamed(name: string, value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 1e9) return value;
  throw invalidError(`the runtime option ${name} must be a number of seconds, not ${value}`);
}

function switchNamed(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw invalidError(`the runtime option ${name} must be of type boolean, not ${value}`);
}

/** Fields that only the older options have; no client of containerd sets them. */
const older = ['openTcp', 'externalUnixSockets', 'terminal', 'fileLocks', 'emptyNamespaces', 'cgroupsMode'] as const;

function asOptions(options: linuxRunc.CreateOptions): runcOptions.Options {
  for (const field of older) {
    const value = options[field];
    if (Array.isArray(value) ? value.length > 0 : value)
      throw new StatusError(Code.INVALID_ARGUMENT, `the runtime option ${field} is not supported`);
  }
  const { noPivotRoot, noNewKeyring, shimCgroup, ioUid, ioGid, criuWorkPath, criuImagePath } = options;
  const supported = { noPivotRoot, noNewKeyring, shimCgroup, ioUid, ioGid, criuWorkPath, criuImagePath };
  return Object.assign(new runcOptions.Options(), supported);
}

function checkedOptions(options: runcOptions.Options): RuntimeOptions {
  for (const field of paths) {
    const path = options[field];
    if (path && !path.startsWith('/'))
      throw invalidError(`the runtime option ${field} must be an absolute path, not ${path}`);
  }
  const { noPivotRoot: noPivot, binaryName, ioUid } = options;
  const { noNewKeyring, systemdCgroup, root, ioGid, shimCgroup, criuPath, criuImagePath, criuWorkPath } = options;
  const notes = [
    ...(binaryName ? [`the runtime option binary_name (${binaryName}) has no effect: this shim is the runtime`] : []),
    ...(ioUid ? [`the runtime option io_uid (${ioUid}) has no effect: pipes belong to the process's user`] : []),
  ];
  const settings = { noPivot, noNewKeyring, systemdCgroup, root, ioGid, shimCgroup };
  return { ...settings, criuPath, criuImagePath, criuWorkPath, notes };
}

/** The options, with systemd for the cgroups if the server says so. */
export const withSystemd = (options: RuntimeOptions, systemdCgroup = false): RuntimeOptions =>
  systemdCgroup ? { ...options, systemdCgroup } : options;

/** The policies that the container operations take. */
export const policyOf = ({ unsafeAnnotations, hookTimeout }: RuntimeOptions): Policies => ({
  ...(unsafeAnnotations && { unsafeAnnotations }),
  ...(hookTimeout !== undefined && { hookTimeout }),
});

const invalidError = (message: string): StatusError => new StatusError(Code.INVALID_ARGUMENT, message);
