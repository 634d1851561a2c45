/** The options of the library in messages, hints and warnings, where the command has flags. Node.js only. */

/** What a text says to users of the command, and to those of the library. */
const words: readonly (readonly [command: RegExp, library: string])[] = [
  [/"runt stop \S+"/g, 'stop()'],
  [/"(?:runt )?delete --force \S+"/g, 'delete({ force: true })'],
  [/\(runt delete --force \S+\)/g, '(delete({ force: true }))'],
  [/"runt state"/g, 'state()'],
  [/"runt spec"/g, 'bundle()'],
  [/^spec: /g, 'bundle: '],
  [/\(runt spec --rootless\)/g, '(option rootless of bundle())'],
  [/\(spec --(overlay|ephemeral)\)/g, '(option $1 of bundle())'],
  [/\(runt update --cpu-idle 0\)/g, '(update({ cpu: { idle: 0 } }))'],
  [/ \(--bundle\)/g, ''],
  [/\(kill --all\)/g, '(kill with all: true)'],
  [/use --ignore-paused to (?:wait for that|override)/g, 'resume it first'],
  [/create it with --supervise, or [^:]+(?=:|$)/g, 'create it with this library'],
  [/wait once for each "exec --detach"/g, 'wait once for each exec of the command'],
  [/cannot use console socket if runt will not detach or allocate tty/g, 'tty needs a config with process.terminal'],
  [
    /cannot allocate tty if runt will detach without setting console socket/g,
    'process.terminal of the config needs tty',
  ],
  [/add --console-socket, .*or set process\.terminal to false/g, 'add tty: true, or set process.terminal to false'],
  [/(?:the )?(?:global flag )?--criu PATH/g, 'the option criu'],
  [/another --root/g, 'another root (option root)'],
  [/--root(?: DIR)?(?![\w-])/g, 'the option root'],
  [/--unsafe-annotations allow/g, "the option unsafeAnnotations: 'allow'"],
  [/\(--unsafe-annotations\)/g, '(option unsafeAnnotations)'],
  [/\(--init\)/g, '(option init)'],
  [/--console-socket/g, 'the option tty'],
  [/--cap(?= )/g, 'the option capabilities:'],
  [/--manage-cgroups-mode (\w+)/g, "the option manageCgroupsMode: '$1'"],
  [/--signal(?![\w-])/g, 'the option stopSignal'],
];

/** Flags of options that have the same name here, in camel case. Not after a quote: that is text of the user. */
const flag =
  /(?<!["\w-])--(cwd|env|user|additional-gids|init|hook-timeout|systemd-cgroup|no-pivot|no-new-keyring|image-path|parent-path)(?![\w-])/g;

const camelCase = (name: string): string => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());

/** A message, hint or warning with the options of the library. */
export const withOptions = (text: string): string =>
  words
    .reduce((changed, [command, library]) => changed.replace(command, library), text)
    .replace(flag, (_, name: string) => `the option ${camelCase(name)}`);

/** What the core calls with a warning. */
export const warner =
  (onWarning: ((sentence: string) => void) | undefined) =>
  (sentence: string): void =>
    onWarning?.(withOptions(sentence));
