/** The main function of `runt`. It loads each command on demand: frequent ones must start fast. */
import { host } from '../sys/host.js';
import { checkArguments, parseFlags, usageError } from './arguments.js';
import { printError } from './command-output.js';
import { type Call, type CommandName, commands, globals, rare, type Values } from './command-syntax.js';
import type { FailedCommand } from './failure-report.js';
import type { rareFlags } from './rare-flags.js';

type RareCommand = keyof typeof rareFlags;

type Loaders = { [N in CommandName]: () => Promise<{ command(call: Call<N>): number | Promise<number> }> };

const loaders: Loaders = {
  create: () => import('./commands/create-command.js'),
  start: () => import('./commands/start-command.js'),
  run: () => import('./commands/run-command.js'),
  state: () => import('./commands/state-command.js'),
  wait: () => import('./commands/wait-command.js'),
  exec: () => import('./commands/exec-command.js'),
  ps: () => import('./commands/ps-command.js'),
  checkpoint: () => import('./commands/checkpoint-command.js'),
  restore: () => import('./commands/restore-command.js'),
  pause: () => import('./commands/pause-command.js'),
  resume: () => import('./commands/resume-command.js'),
  update: () => import('./commands/update-command.js'),
  events: () => import('./commands/events-command.js'),
  kill: () => import('./commands/kill-command.js'),
  stop: () => import('./commands/stop-command.js'),
  delete: () => import('./commands/delete-command.js'),
  list: () => import('./commands/list-command.js'),
  spec: () => import('./commands/spec-command.js'),
  bundle: () => import('./commands/bundle-command.js'),
  version: () => import('./commands/version-command.js'),
  validate: () => import('./commands/validate-command.js'),
  explain: () => import('./commands/explain-command.js'),
  features: () => import('./commands/features-command.js'),
  serve: () => import('./commands/serve-command.js'),
  debug: () => import('./commands/debug-command.js'),
  doctor: () => import('./commands/doctor-command.js'),
  install: () => import('./commands/install-command.js'),
  network: () => import('./commands/network-command.js'),
  completion: () => import('./commands/completion-command.js'),
  help: () => import('./commands/help-command.js'),
};

/** What is known of a command when it fails. */
interface Context {
  command?: FailedCommand;
  /** Also those before a wrong one. */
  flags: { 'error-status'?: number };
}

/** Runs the command line of `host.args`. Never throws. @returns the exit status */
export async function main(): Promise<number> {
  const global: Values<typeof globals> = {};
  const context: Context = { flags: {} };
  try {
    return await dispatch(global, context);
  } catch (error) {
    try {
      const { command, flags } = context;
      return await (await import('./failure-report.js')).reportFailure(error, global, command, flags['error-status']);
    } catch (second) {
      printError(`runt: ${error}\nrunt: the error was not logged: ${second}\n`);
      return 1;
    }
  }
}

async function dispatch(global: Values<typeof globals>, context: Context): Promise<number> {
  const [name, ...rest] = parseFlags('', globals, host.args, global, true);
  if (global.version) return loaders.version().then(({ command }) => command({ global, flags: global, args: [] }));
  if (global.format) throw usageError('', 'unknown flag --format');
  if (global.debug || global['log-level'] === 'debug' || global.log !== undefined) {
    await (await import('./command-log.js')).openLog(global);
  }
  const help = async (args: string[]) =>
    (await import('./commands/help-command.js')).command({ global, flags: {}, args });
  if (global.help || name === undefined) return help([]);
  if (!Object.hasOwn(commands, name)) {
    if (rest.includes('-h') || rest.includes('--help')) return help([name]);
    throw usageError('', `unknown command ${name || '""'}`, name, Object.keys(commands));
  }

  const command = name as CommandName;
  const flags: Record<string, unknown> = context.flags;
  const { args: form, flags: own } = commands[command];
  const known = own === rare ? (await import('./rare-flags.js')).rareFlags[command as RareCommand] : own;
  const args = parseFlags(name, known, rest, flags, form.includes('…'));
  if (flags.help) return help([name]);
  checkArguments(name, form, args);
  // `create` and `run` may fail before the container exists: do not record their failures with it.
  const [id] = args;
  if (id !== undefined && form.startsWith('ID') && name !== 'create' && name !== 'run' && name !== 'debug') {
    context.command = { command: name, id };
  }
  const { command: run } = await loaders[command]();
  // Both types come from the table: parseFlags fills the flags of commands[N], and command N takes them.
  return run({ global, flags, args } as never);
}
