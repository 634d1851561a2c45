/** The options of the library in hints, where the command has flags. Node.js only. */

/** What a hint says to users of the command, and to those of the library. */
const words: readonly (readonly [command: RegExp, library: string])[] = [
  [/"runt stop \S+"/g, 'stop()'],
  [/"(?:runt )?delete --force \S+"/g, 'delete({ force: true })'],
  [/"runt state"/g, 'state()'],
  [/\(kill --all\)/g, '(kill with all: true)'],
  [/use --ignore-paused to wait for that/g, 'resume it first'],
  [/(?:the )?(?:global flag )?--criu PATH/g, 'the option criu'],
  [/another --root/g, 'another root (option root)'],
  [/--root(?: DIR)?/g, 'the option root'],
  [/--unsafe-annotations allow/g, "the option unsafeAnnotations: 'allow'"],
  [/--console-socket/g, 'the option tty'],
  [/--hook-timeout/g, 'the option hookTimeout'],
  [/--systemd-cgroup/g, 'the option systemdCgroup'],
  [/--no-pivot/g, 'the option noPivot'],
  [/--no-new-keyring/g, 'the option noNewKeyring'],
  [/--signal/g, 'the option signal'],
];

/** A hint with the options of the library. */
export const withOptions = (hint: string): string =>
  words.reduce((text, [command, library]) => text.replace(command, library), hint);
