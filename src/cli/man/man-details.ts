/** What the man page of a command has beyond its help: exit status, variables, files, related pages. */
import type { CommandName } from '../command-syntax.js';
import type { Variable } from './environment-variables.js';

interface Details {
  /** The exit status, where it is not only 0 or 1. */
  readonly status?: string;
  /** Variables besides those that every command reads. */
  readonly variables?: readonly Variable[];
  /** Path → what it is; besides the state directory. */
  readonly files?: Readonly<Record<string, string>>;
  readonly related: readonly CommandName[];
}

/** The variables that decide the state directory. */
export const commonVariables: readonly Variable[] = ['XDG_RUNTIME_DIR', 'USER'];

const config = { 'config.json': "the container's configuration, in its bundle" };
const log = (name: string) => ({ [name]: "criu's log, in the directory of --work-path or --image-path" });
const creation: readonly Variable[] = [
  'RUNT_HOOK_TIMEOUT',
  'RUNT_UNSAFE_ANNOTATIONS',
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_FDNAMES',
  'NOTIFY_SOCKET',
  'DBUS_SESSION_BUS_ADDRESS',
];

export const manDetails: { readonly [N in CommandName]: Details } = {
  create: { variables: creation, files: config, related: ['start', 'run', 'delete', 'spec'] },
  start: { variables: ['NOTIFY_SOCKET'], related: ['create', 'run'] },
  run: {
    status:
      'In the foreground: the exit status of the process, or 128+N if signal N killed it. With --detach: 0. If the time of --timeout has passed: 124. If another command deleted the container: 137. If the container was not created or not started: 1, or the status of --error-status.',
    variables: creation,
    files: config,
    related: ['create', 'start', 'exec', 'delete'],
  },
  wait: {
    status:
      '0 if the exit status was printed, whatever it is; 124 if the time of --timeout has passed; 137 if the container was deleted and its status is not known; 1 otherwise.',
    related: ['run', 'exec', 'state'],
  },
  state: { related: ['list', 'debug', 'ps'] },
  exec: {
    status:
      'The exit status of the process, or 128+N if signal N killed it. With --detach: 0. If the time of --timeout has passed: 124. If the process was not executed: 255, or the status of --error-status.',
    variables: ['RUNT_UNSAFE_ANNOTATIONS', 'LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES'],
    related: ['run', 'wait', 'ps'],
  },
  ps: { variables: ['PATH'], related: ['exec', 'kill', 'debug'] },
  checkpoint: {
    variables: ['RUNT_UNSAFE_ANNOTATIONS', 'DBUS_SESSION_BUS_ADDRESS', 'PATH'],
    files: log('dump.log'),
    related: ['restore'],
  },
  restore: {
    status:
      'In the foreground: the exit status of the process, or 128+N if signal N killed it. With --detach: 0. If the container was not restored: 1.',
    variables: ['RUNT_HOOK_TIMEOUT', 'RUNT_UNSAFE_ANNOTATIONS', 'DBUS_SESSION_BUS_ADDRESS', 'PATH'],
    files: { ...config, ...log('restore.log') },
    related: ['checkpoint', 'run'],
  },
  pause: { related: ['resume', 'kill'] },
  resume: { related: ['pause'] },
  update: { variables: ['DBUS_SESSION_BUS_ADDRESS'], related: ['events', 'spec'] },
  events: { related: ['update', 'ps'] },
  kill: { related: ['stop', 'delete', 'ps', 'list'] },
  stop: { related: ['kill', 'wait', 'delete'] },
  delete: { variables: ['DBUS_SESSION_BUS_ADDRESS'], related: ['stop', 'kill', 'list', 'create'] },
  list: {
    status: '0 on success; 1 if the state of a container cannot be determined. The other containers are printed.',
    related: ['state', 'ps'],
  },
  spec: { files: { 'config.json': 'the new file' }, related: ['bundle', 'validate', 'explain', 'create'] },
  bundle: {
    files: {
      'DIR/rootfs': "the image's files",
      'DIR/config.json': 'the config',
      'DIR/.runt-partial': 'what is not done yet; the next run removes what a killed one has left',
    },
    related: ['spec', 'validate', 'run'],
  },
  version: { related: ['features', 'help'] },
  validate: {
    status: '0 if the config is valid; 1 if it is not, or was not read.',
    variables: ['RUNT_UNSAFE_ANNOTATIONS'],
    files: config,
    related: ['spec', 'explain'],
  },
  explain: {
    variables: ['RUNT_HOOK_TIMEOUT', 'RUNT_UNSAFE_ANNOTATIONS', 'NO_COLOR'],
    files: config,
    related: ['create', 'validate', 'spec'],
  },
  features: { related: ['version', 'validate'] },
  serve: { variables: ['NOTIFY_SOCKET', 'LISTEN_FDS', 'WATCHDOG_USEC', 'WATCHDOG_PID'], related: ['run', 'state'] },
  debug: { related: ['state', 'ps', 'list'] },
  doctor: {
    status: '0 if nothing that containers need is missing, warnings or not; 1 if a check failed.',
    variables: ['TMPDIR', 'DBUS_SESSION_BUS_ADDRESS'],
    related: ['features', 'debug', 'validate'],
  },
  install: {
    files: { '/var/lib/runt/install': 'record of what was written, with copies of the earlier files' },
    variables: ['HOME'],
    related: ['doctor', 'features'],
  },
  network: {
    files: {
      '/etc/cni/net.d': 'configs of networks, in files that end in .conflist, .conf or .json',
      '/run/runt-net/ID': 'record of a connected container',
    },
    variables: ['CNI_PATH', 'NETCONFPATH'],
    related: ['spec', 'state'],
  },
  completion: { related: ['help'] },
  help: { variables: ['NO_COLOR'], related: ['version', 'completion'] },
};
