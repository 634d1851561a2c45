/** The man page containerd-shim-runt-v1(8). */
import { environmentVariables, type Variable } from './environment-variables.js';
import { bold, examples, italic, item, pageName, paragraphs, prose, section } from './roff.js';

const options: readonly (readonly [flag: string, value: string, text: string])[] = [
  ['namespace', 'NAME', 'Namespace of containerd.'],
  ['id', 'ID', 'Name of the container.'],
  ['address', 'SOCKET', "Path of containerd's socket."],
  ['bundle', 'DIR', 'Path of the bundle.'],
  ['socket', 'SOCKET', 'Path of the socket to serve, which start sets.'],
  ['publish-binary', 'FILE', 'No effect: the shim sends events over ttrpc.'],
  ['debug', '', 'Log debug messages.'],
  ['info', '', 'Print the features of runt and the options from standard input, encoded with protobuf, and exit.'],
  ['v', '', 'Print the version and exit.'],
];

const actions: readonly (readonly [name: string, text: string])[] = [
  [
    'start',
    'Start the server of the container, or find the server of its group, and print its address. Standard input holds the options of the runtime.',
  ],
  [
    'delete',
    'Delete a container whose server no longer runs, and print its exit status, encoded with protobuf. If a gRPC server has the container, leave standard output open until that server has deleted it, or has ended.',
  ],
];

const variables: readonly Variable[] = [
  'TTRPC_ADDRESS',
  'MAX_SHIM_VERSION',
  'SCHED_CORE',
  'RUNT_HOOK_TIMEOUT',
  'RUNT_UNSAFE_ANNOTATIONS',
  'RUNT_SHIM_IDLE',
  'PATH',
];

/** A purpose and a line for a shell. */
export const shimExamples = [
  {
    purpose: 'Run a container with ctr(8)',
    line: 'ctr run --rm --runtime io.containerd.runt.v1 docker.io/library/busybox:latest web echo hello',
  },
  {
    purpose: 'List the containers of a namespace of containerd',
    line: 'runt --root /run/containerd/runt/default list',
  },
] as const;

export function shimPage(): string[] {
  const name = bold('containerd-shim-runt-v1');
  return [
    ...section(
      'NAME',
      'containerd\\-shim\\-runt\\-v1,\ncontainerd\\-shim\\-runt\\-grpc\\-v1 \\- runtime shims for containerd',
    ),
    ...section(
      'SYNOPSIS',
      `${name} ${italic('[flags]')} [${bold('start')} | ${bold('delete')}]`,
      '.br',
      `${bold('containerd-shim-runt-grpc-v1')} ${italic('[flags]')} [${bold('start')} | ${bold('delete')}]`,
    ),
    ...section(
      'DESCRIPTION',
      ...paragraphs([
        'The shim manages the containers of one pod for containerd(8). It is the same program as runt under another name, and performs the operations of runt without starting it. containerd starts the shim for the runtime type io.containerd.runt.v1; users do not.',
        'It serves the task service of containerd, versions 2 and 3, over ttrpc on a unix socket. containerd-shim-runt-grpc-v1, for the type io.containerd.runt-grpc.v1, serves it over gRPC.',
        'The shim exits when containerd requests it, or after a minute without a container, a client and an event. Its containers do not depend on it: a supervisor records the exit status of each.',
      ]),
      ...actions.flatMap(([action, text]) => item(bold(action), text)),
      ...item('no action', 'Serve until containerd requests the end. start starts the server in this way.'),
    ),
    ...section(
      'OPTIONS',
      ...options.flatMap(([flag, value, text]) => item(`${bold(`-${flag}`)}${value && ` ${italic(value)}`}`, text)),
      '.PP',
      prose(
        "The options of the runtime are those of runc's shim (containerd.runc.v1.Options), set in containerd's configuration. UnsafeAnnotations and HookTimeout are added.",
      ),
    ),
    ...section('EXAMPLES', ...examples(shimExamples)),
    ...section('EXIT STATUS', '0 on success, 1 on failure. The reason of a failure is on standard error.'),
    ...section('ENVIRONMENT', ...variables.flatMap((v) => item(bold(v), environmentVariables[v]))),
    ...section(
      'FILES',
      ...item(italic('/run/containerd/runt/NAMESPACE'), 'The state of the containers of a namespace.'),
      ...item(italic('/run/containerd/s'), 'The sockets of the servers, unless containerd names another directory.'),
      ...item(italic('log'), "FIFO in the bundle: containerd's log of the shim."),
    ),
    ...section('SEE ALSO', [pageName('runt', 1), pageName('containerd', 8), pageName('ctr', 8)].join(',\n')),
  ];
}
