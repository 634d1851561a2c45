/** `runt completion`: completion scripts for shells, made from the tables of `--help`. */
import { capabilityNames, signalNames } from '../../sys/kernel-names.js';
import { usageError } from '../arguments.js';
import { print } from '../command-output.js';
import { type Call, type CommandName, commands } from '../command-syntax.js';
import { commandDescriptions } from '../help/command-descriptions.js';
import { type FlagLine, flagLines } from '../help/flag-lines.js';
import { isPlaceholder, type Placeholder } from '../help/placeholders.js';

const shells = { bash, zsh, fish } as const;

export function command({ args }: Call<'completion'>): number {
  const shell = args[0]!;
  if (!Object.hasOwn(shells, shell)) {
    throw usageError('completion', `unknown shell ${shell}: there are bash, zsh and fish`, shell, Object.keys(shells));
  }
  print(shells[shell as keyof typeof shells]());
  return 0;
}

/** The scripts under the file names that the shells look for. */
export function scripts(): Readonly<Record<string, string>> {
  return { runt: bash(), _runt: zsh(), 'runt.fish': fish() };
}

const names = Object.keys(commands) as CommandName[];
/** What completes a value: paths, container IDs, a list of words, or nothing ('text'). */
type Value = 'none' | 'directory' | 'file' | 'text' | readonly string[];

const placeholderValues: { readonly [P in Placeholder]?: () => Value } = {
  DIR: () => 'directory',
  FILE: () => 'file',
  'FILE|null': () => 'file',
  SOCKET: () => 'file',
  SIGNAL: signalNames,
  CAPABILITY: capabilityNames,
};

function completionOf({ value }: FlagLine): Value {
  if (value === '') return 'none';
  return isPlaceholder(value) ? (placeholderValues[value]?.() ?? 'text') : value.split('|');
}

/** The kind of a command's first argument. */
function firstArgument(
  name: CommandName,
): 'container' | 'directory' | 'file' | 'command' | 'shell' | 'action' | 'none' {
  switch (commands[name].args.split(' ')[0]) {
    case 'ID':
      // The caller chooses the ID of a new container.
      return name === 'create' || name === 'run' || name === 'restore' ? 'none' : 'container';
    case 'bash|zsh|fish':
      return 'shell';
    case 'add|del':
      return 'action';
    case '[COMMAND]':
      return 'command';
    case '[DIR]':
      return 'directory';
    case 'IMAGE':
    case '[DIR|FILE]':
      return 'file';
    default:
      return 'none';
  }
}

/** The spellings of a flag. */
const spelled = (f: FlagLine): string[] => [`--${f.name}`, ...(f.short === undefined ? [] : [`-${f.short}`])];

function bash(): string {
  const values = (where: CommandName | ''): string[] => {
    const lines = flagLines(where).filter((f) => f.value !== '');
    return lines.map((f) => {
      const value = completionOf(f);
      const reply =
        value === 'directory'
          ? 'compgen -d -- "$cur"'
          : value === 'file'
            ? 'compgen -f -- "$cur"'
            : value === 'text'
              ? ':'
              : `compgen -W '${(value as readonly string[]).join(' ')}' -- "$cur"`;
      return `    ${where === '' ? '' : `${where}:`}${spelled(f).join(`|${where === '' ? '' : `${where}:`}`)}) _runt_reply ${reply}; return ;;`;
    });
  };
  const taking = (where: CommandName | '', before = ''): string =>
    flagLines(where)
      .filter((f) => f.value !== '')
      .flatMap(spelled)
      .map((flag) => `${before}${flag}`)
      .join('|');
  const argument: Record<ReturnType<typeof firstArgument>, string> = {
    container: '((count > 0)) || _runt_reply _runt_ids',
    directory: '_runt_reply compgen -d -- "$cur"',
    file: '_runt_reply compgen -f -- "$cur"',
    command: `_runt_reply compgen -W '${names.join(' ')}' -- "$cur"`,
    shell: '_runt_reply compgen -W \'bash zsh fish\' -- "$cur"',
    action: '_runt_reply compgen -W \'add del bridge pasta slirp4netns\' -- "$cur"',
    none: ':',
  };
  return `# bash completion of runt; made by "runt completion bash"
_runt_reply() { mapfile -t COMPREPLY < <("$@"); COMPREPLY=("\${COMPREPLY[@]/#/$prefix}"); }
_runt_ids() { compgen -W "$("\${COMP_WORDS[0]}" "\${root[@]}" list -q 2>/dev/null)" -- "$cur"; }
_runt() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= prefix= i=1 count=0 word
  local -a root=()
  COMPREPLY=()
  # Readline splits "--flag=value" into three words.
  if [[ $cur = = ]]; then cur=; elif [[ $prev = = ]]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  # It does not split where = is not in COMP_WORDBREAKS.
  if [[ $cur = -*=* ]]; then prefix=\${cur%%=*}=; prev=\${cur%%=*}; cur=\${cur#*=}; fi
  while ((i < COMP_CWORD)); do
    word=\${COMP_WORDS[i]}
    case $word in
    --root) if [[ \${COMP_WORDS[i+1]} = = ]]; then ((i += 1)); fi; root=(--root "\${COMP_WORDS[i+1]}"); ((i += 1)) ;;
    ${taking('')}) if [[ \${COMP_WORDS[i+1]} = = ]]; then ((i += 1)); fi; ((i += 1)) ;;
    --root=*) root=(--root "\${word#*=}") ;;
    -*) ;;
    *) command=$word; break ;;
    esac
    ((i += 1))
  done
  if [[ -z $command ]]; then
    case $prev in
${values('').join('\n')}
    esac
    if [[ $cur = -* ]]; then
      _runt_reply compgen -W '${flagLines('').flatMap(spelled).join(' ')}' -- "$cur"
    else
      _runt_reply compgen -W '${names.join(' ')}' -- "$cur"
    fi
    return
  fi
  ((i >= COMP_CWORD)) && return
  case $command:$prev in
${names.flatMap(values).join('\n')}
  esac
  if [[ $cur = -* ]]; then
    case $command in
${names.map((n) => `    ${n}) _runt_reply compgen -W '${flagLines(n).flatMap(spelled).join(' ')}' -- "$cur" ;;`).join('\n')}
    esac
    return
  fi
  # Count the arguments before this one: neither flags nor values of flags.
  for ((i += 1; i < COMP_CWORD; i++)); do
    case $command:\${COMP_WORDS[i]} in
    ${names
      .map((n) => taking(n, `${n}:`))
      .filter(Boolean)
      .join('|')}) if [[ \${COMP_WORDS[i+1]} = = ]]; then ((i += 1)); fi; ((i += 1)) ;;
    *:-*) ;;
    *) ((count += 1)) ;;
    esac
  done
  case $command in
  kill) if ((count > 0)); then _runt_reply compgen -W '${signalNames().join(' ')}' -- "$cur"; return; fi ;;
  esac
  case $command in
${names.map((n) => `  ${n}) ${argument[firstArgument(n)]} ;;`).join('\n')}
  esac
}
complete -F _runt runt
`;
}

/** A text in single quotes, for zsh and fish. */
const quoted = (text: string, mark: string): string => `'${text.replaceAll("'", mark)}'`;

function zsh(): string {
  const spec = (f: FlagLine): string[] => {
    const text = f.text.replace(/[[\]:\\]/g, (c) => `\\${c}`);
    const value = completionOf(f);
    const after =
      value === 'none'
        ? ''
        : value === 'directory'
          ? ':directory:_files -/'
          : value === 'file'
            ? ':file:_files'
            : value === 'text'
              ? `:${f.name}: `
              : `:${f.name}:(${(value as readonly string[]).join(' ')})`;
    return spelled(f).map((s) =>
      quoted(`*${s}${value === 'none' || s[1] !== '-' ? '' : '='}[${text}]${after}`, "'\\''"),
    );
  };
  const argument: Record<ReturnType<typeof firstArgument>, string> = {
    container: "'1:container:_runt_ids'",
    directory: "'*:directory:_files -/'",
    file: "'1:file:_files'",
    command: `'1:command:(${names.join(' ')})'`,
    shell: "'1:shell:(bash zsh fish)'",
    action: "'1:action:(add del)' '2:network:(bridge pasta slirp4netns)'",
    none: '',
  };
  const flags = (where: CommandName | '') =>
    flagLines(where)
      .flatMap(spec)
      .map((s) => `      ${s} \\`)
      .join('\n');
  return `#compdef runt
# zsh completion of runt; made by "runt completion zsh"
_runt_ids() {
  local -a ids
  ids=(\${(f)"$(_call_program containers runt list -q 2>/dev/null)"})
  compadd -a ids
}
_runt() {
  local context state state_descr line
  typeset -A opt_args
  # -A: the global flags precede the command.
  _arguments -C -A '-*' \\
${flags('')}
      '1:command:->command' '*::argument:->argument'
  case $state in
  command)
    local -a all
    all=(
${names.map((n) => `      ${quoted(`${n}:${commandDescriptions[n].summary}`, "'\\''")}`).join('\n')}
    )
    _describe command all
    ;;
  argument)
    case $words[1] in
${names.map((n) => `    ${n})\n      _arguments \\\n${flags(n)}\n      ${argument[firstArgument(n)]}${n === 'kill' ? ` '2:signal:(${signalNames().join(' ')})'` : ''} ;;`).join('\n')}
    esac
    ;;
  esac
}
_runt "$@"
`;
}

function fish(): string {
  const q = (text: string) => quoted(text.replaceAll('\\', '\\\\'), "\\'");
  const line = (where: CommandName | '', f: FlagLine): string => {
    const value = completionOf(f);
    const when = where === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${where}`;
    const short = f.short === undefined ? '' : ` -s ${f.short}`;
    const after =
      value === 'none'
        ? ''
        : value === 'directory'
          ? " -x -a '(__fish_complete_directories)'"
          : value === 'file'
            ? ' -r -F'
            : value === 'text'
              ? ' -x'
              : ` -x -a ${q((value as readonly string[]).join(' '))}`;
    return `complete -c runt -n '${when}' -l ${f.name}${short}${after} -d ${q(f.text)}`;
  };
  const argument: Record<ReturnType<typeof firstArgument>, string> = {
    container: "'(runt list -q 2>/dev/null)'",
    directory: "'(__fish_complete_directories)'",
    file: "'(__fish_complete_path (commandline -ct))'",
    command: q(names.join(' ')),
    shell: "'bash zsh fish'",
    action: "'add del bridge pasta slirp4netns'",
    none: '',
  };
  return [
    '# fish completion of runt; made by "runt completion fish"',
    'complete -c runt -f',
    ...names.map((n) => `complete -c runt -n '__fish_use_subcommand' -a ${n} -d ${q(commandDescriptions[n].summary)}`),
    ...flagLines('').map((f) => line('', f)),
    `complete -c runt -n '__fish_seen_subcommand_from kill; and test (count (commandline -opc)) -ge 3' -a ${q(signalNames().join(' '))}`,
    ...names.flatMap((n) => [
      ...flagLines(n).map((f) => line(n, f)),
      ...(argument[firstArgument(n)] === ''
        ? []
        : [`complete -c runt -n '__fish_seen_subcommand_from ${n}' -a ${argument[firstArgument(n)]}`]),
    ]),
    '',
  ].join('\n');
}
