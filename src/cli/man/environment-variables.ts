/** The environment variables that runt and its shim read, for the man pages. */

export const environmentVariables = {
  XDG_RUNTIME_DIR:
    'For a user other than root, and for root of a user namespace: the state directory is $XDG_RUNTIME_DIR/runt, and the bus of systemd --user is $XDG_RUNTIME_DIR/bus.',
  USER: 'In a user namespace, root uses /run/runt instead of $XDG_RUNTIME_DIR/runt if USER is root.',
  DBUS_SESSION_BUS_ADDRESS: 'For a user other than root: the bus of systemd --user.',
  RUNT_HOOK_TIMEOUT: "Default of --hook-timeout, and of the shim's option HookTimeout.",
  RUNT_UNSAFE_ANNOTATIONS: "Default of --unsafe-annotations, and of the shim's option UnsafeAnnotations.",
  LISTEN_FDS:
    'With LISTEN_PID and LISTEN_FDNAMES, as in sd_listen_fds(3): number of file descriptors from 3 on that the process receives.',
  LISTEN_PID: 'See LISTEN_FDS.',
  LISTEN_FDNAMES: 'See LISTEN_FDS.',
  WATCHDOG_USEC: "Period of the service manager's watchdog, as in sd_watchdog_enabled(3): serve answers it.",
  WATCHDOG_PID: 'See WATCHDOG_USEC.',
  NOTIFY_SOCKET: 'Socket of the service manager, as in sd_notify(3): runt forwards the readiness of the process to it.',
  CNI_PATH: 'Directories of CNI plugins (default: /opt/cni/bin, /usr/lib/cni and /usr/libexec/cni).',
  NETCONFPATH: 'Directory of the configs of networks (default: /etc/cni/net.d).',
  NO_COLOR: 'If it is not empty, the output has no colours.',
  PATH: 'Directories in which runt looks for the programs that it runs.',
  HOME: 'For a user other than root, install writes below it: .config/containers and .local/share/runt.',
  TMPDIR: 'Directory in which doctor makes its containers (default: /tmp).',
  TTRPC_ADDRESS: "Socket of containerd's event service.",
  MAX_SHIM_VERSION: 'Newest version of the response of start that containerd accepts.',
  SCHED_CORE: 'If it is not empty, the shim and its containers share a core scheduling group.',
  RUNT_SHIM_IDLE: 'Seconds without a container, a client and an event after which the shim exits (default: 60).',
} as const;

export type Variable = keyof typeof environmentVariables;
