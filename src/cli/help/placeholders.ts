/** Placeholders for values of flags and for arguments, in help, man pages and completion, with their meaning. */
export const placeholders = {
  ID: 'Name of a container.',
  DIR: 'Path of a directory.',
  FILE: 'Path of a file.',
  SOCKET: 'Path of a unix stream socket that a program listens on.',
  CGROUP: 'Path of a cgroup. On cgroup v1, CONTROLLER[,CONTROLLER…]: may precede it.',
  URL: 'URL, as the description of the flag says.',
  SIGNAL: 'Number of a signal, or its name with or without SIG.',
  SIZE: 'Number of bytes, or a number with k, m, g, t or p for a power of 1024.',
  DURATION: 'Time such as 90s, 1m30s or 100ms. A number without a unit is seconds.',
  MICROSECONDS: 'Number of microseconds.',
  NUMBER: 'Decimal number.',
  LIST: 'Numbers and ranges, such as 0-3,7.',
  PID: 'Process ID.',
  FD: 'Number of an open file descriptor.',
  NAME: 'Host name.',
  'NAME=VALUE': 'Name and value. For --env, NAME alone takes the value of the caller.',
  'NAME[=VALUE]': 'Name, and a value, which may be absent.',
  'POINT=PATH': 'Point of the lifecycle, such as createRuntime, and the path of a program.',
  'new|host|container:ID|PATH': 'A new namespace, the one of runt, that of a running container, or that of a file.',
  'DST[:OPTIONS]': 'Path in the container, and mount options with commas between them.',
  'HOST[:CONTAINER[:rwm]]': 'Path of a device or of a directory, path in the container, and access.',
  'UID[:GID]': 'User ID, and optionally a group ID. exec also takes names.',
  GID: 'Group ID.',
  CAPABILITY: 'Name of a capability, such as CAP_NET_RAW.',
  'FILE|null': 'Path of a regular file, or the word null.',
  'FILE|default|unconfined': 'Path of a seccomp profile, or one of the two words.',
  'NAME=SOFT[:HARD]': 'Limit of setrlimit(2) such as nofile or core, and its values; -1 or unlimited: no limit.',
  PROFILE: 'Name of an AppArmor profile.',
  LABEL: 'SELinux label.',
  'TYPE:NAME': 'The word apparmor or selinux, and the name of the profile or label.',
  SCHEMA: 'Line of a schemata file of resctrl, such as L3:0=7f0;1=1f.',
  'SRC:DST[:OPTIONS]': 'Path on the host, path in the container, and mount options with commas between them.',
  'CONTAINER:HOST:SIZE': 'First ID in the container, first ID on the host, and number of IDs.',
  'ADDRESS:PORT': 'Address and port for TCP.',
  COMMAND: 'Program and its arguments. For help: command of runt.',
  'PS-OPTION': 'Option of ps(1).',
} as const;

export type Placeholder = keyof typeof placeholders;

/** Whether a value of a flag is a placeholder; otherwise it is the list of words that the flag takes. */
export const isPlaceholder = (value: string): value is Placeholder => Object.hasOwn(placeholders, value);
