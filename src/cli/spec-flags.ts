/** Flags of `spec` and `bundle`, in the form of the table in command-syntax.ts. */

import { RuntError } from '../sys/error.js';

/** The options of both. */
const common = {
  rootless: 'bool',
  overlay: 'str',
  ephemeral: 'opt',
  'layer-dir': 'str',
  'volume|v': 'list',
  'env|e': 'list',
  'env-file': 'list',
  cwd: 'str',
  'workdir|w': 'str',
  'user|u': 'str',
  hostname: 'str',
  'tty|t': 'bool',
  'read-only': 'bool',
  'host-network': 'bool',
  memory: 'str',
  cpus: 'str',
  pids: 'str',
  'uid-map': 'list',
  'gid-map': 'list',
  profile: 'docker|podman|unprivileged|builder',
  'cap-add': 'list',
  'cap-drop': 'list',
  'no-new-privs': 'bool',
  seccomp: 'str',
  ulimit: 'list',
  tmpfs: 'list',
  'shm-size': 'str',
  device: 'list',
  'cdi-spec-dir': 'list',
  sysctl: 'list',
  annotation: 'list',
  'label|l': 'list',
  hook: 'list',
  pid: 'str',
  net: 'str',
  ipc: 'str',
  uts: 'str',
  userns: 'str',
  cgroupns: 'str',
} as const;

export const specFlags = {
  'bundle|b': 'str',
  'file|f': 'str',
  schema: 'str',
  rootfs: 'str',
  ...common,
  force: 'bool',
  'help|h': 'bool',
} as const;

export const bundleFlags = {
  ref: 'str',
  platform: 'str',
  'max-size': 'str',
  entrypoint: 'str',
  ...common,
  'help|h': 'bool',
} as const;

/** The options of `spec` in parsed flags, by their names in the library. @throws RuntError ERR_USAGE */
export function optionsOfFlags(
  command: string,
  { workdir, ...flags }: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  if (workdir !== undefined && flags.cwd !== undefined)
    throw new RuntError({
      code: 'ERR_USAGE',
      message: `${command}: --workdir and --cwd are the same flag: choose one`,
    });
  const options: Record<string, unknown> = workdir === undefined ? {} : { cwd: workdir };
  for (const [flag, value] of Object.entries(flags)) {
    options[flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase())] = value;
  }
  return options;
}

/** The name of an option in errors. */
export const flagOfOption = (option: string): string =>
  option === 'args' ? 'the command' : `--${option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
