/** Placeholders for values of flags and for arguments, in help, man pages and completion, with their meaning. */
export const placeholders = {
  ID: 'name of a container',
  DIR: 'path of a directory',
  FILE: 'path of a file',
  SOCKET: 'path of a unix stream socket that a program listens on',
  CGROUP: 'path of a cgroup, after CONTROLLER[,CONTROLLER…]: on cgroup v1',
  URL: 'URL',
  SIGNAL: 'signal: a number, or a name with or without SIG',
  SIZE: 'number of bytes, or a number with the unit k, m, g, t or p',
  DURATION: 'time such as 90s, 1m30s or 100ms; a number without a unit is seconds',
  MICROSECONDS: 'number of microseconds',
  NUMBER: 'number',
  LIST: 'numbers and ranges, such as 0-3,7',
  PID: 'process ID',
  FD: 'number of an open file descriptor',
  NAME: 'name',
  'NAME=VALUE': 'environment variable',
  'UID[:GID]': 'user ID, and group ID; exec also takes names',
  GID: 'group ID',
  CAPABILITY: 'capability, such as CAP_NET_RAW',
  PROFILE: 'name of an AppArmor profile',
  LABEL: 'SELinux label',
  'TYPE:NAME': 'apparmor or selinux, and the name of the profile or label',
  SCHEMA: 'line of a schemata file of resctrl, such as L3:0=7f0;1=1f',
  'SRC:DST[:OPTIONS]': 'path on the host, path in the container, and mount options',
  'CONTAINER:HOST:SIZE': 'first ID in the container, first ID on the host, and number of IDs',
  'ADDRESS:PORT': 'address and port for TCP',
  COMMAND: 'a program and its arguments; for help, a command of runt',
  'PS-OPTION': 'option of ps(1)',
} as const;

export type Placeholder = keyof typeof placeholders;

/** Whether a value of a flag is a placeholder; otherwise it is the list of words that the flag takes. */
export const isPlaceholder = (value: string): value is Placeholder => Object.hasOwn(placeholders, value);
