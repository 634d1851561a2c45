/** Flags of `spec`, and the flags of any command. */
import { type CommandName, commands, type Flags } from './command-syntax.js';

export const specFlags = {
  'bundle|b': 'str',
  'file|f': 'str',
  rootless: 'bool',
  schema: 'str',
  rootfs: 'str',
  overlay: 'str',
  ephemeral: 'opt',
  'layer-dir': 'str',
  'volume|v': 'list',
  'env|e': 'list',
  cwd: 'str',
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
  'help|h': 'bool',
} as const satisfies Flags;

/** The flags of a command, for what reads all of them: help, completion, man pages. */
export const flagsOf = (name: CommandName): Flags => (name === 'spec' ? specFlags : commands[name].flags);
