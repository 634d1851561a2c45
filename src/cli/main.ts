/**
 * The command `runt`: finds the command, parses its flags, runs it. Everything is loaded by need: what engines call
 * often must start fast.
 */
import { host } from '../sys/host.js';
import { checkArguments, parseFlags, usageError } from './arguments.js';
import type { About } from './failure-report.js';
import { print, printError } from './output.js';
import { type Call, type CommandName, commands, globals, type Values } from './syntax.js';

type Loaders = { [N in CommandName]: () => Promise<{ command(call: Call<N>): number | Promise<number> }> };

const loaders: Loaders = {
  create: () => import('./create.js'),
  start: () => import('./start.js'),
  run: () => import('./run.js'),
  state: () => import('./state.js'),
  wait: () => import('./wait.js'),
  exec: () => import('./exec.js'),
  ps: () => import('./ps.js'),
  checkpoint: () => import('./checkpoint.js'),
  restore: () => import('./restore.js'),
  pause: () => import('./pause.js'),
  resume: () => import('./resume.js'),
  update: () => import('./update.js'),
  events: () => import('./events.js'),
  kill: () => import('./kill.js'),
  delete: () => import('./delete.js'),
  list: () => import('./list.js'),
  spec: () => import('./spec.js'),
  version: () => import('./version.js'),
  validate: () => import('./validate.js'),
  explain: () => import('./explain.js'),
  features: () => import('./features.js'),
  serve: () => import('./serve.js'),
  debug: () => import('./debug.js'),
  completion: () => import('./completion.js'),
  help: () => import('./help.js'),
};

/** Runs the command that the host's arguments ask for. The exit status; never throws. */
export async function main(): Promise<number> {
  const global: Values<typeof globals> = {};
  const asked: { about?: About } = {};
  try {
    return await dispatch(global, asked);
  } catch (error) {
    try {
      return await (await import('./failure-report.js')).reportFailure(error, global, asked.about);
    } catch (second) {
      printError(`runt: ${error}\nrunt: the error was not logged: ${second}\n`);
      return 1;
    }
  }
}

async function dispatch(global: Values<typeof globals>, asked: { about?: About }): Promise<number> {
  const [name, ...words] = parseFlags('', globals, host.args, global, true);
  if (global.version) {
    print((await import('./version.js')).versionText());
    return 0;
  }
  if (global.debug || global['log-level'] === 'debug' || global.log !== undefined) {
    await (await import('./log.js')).openLog(global);
  }
  if (global.help || name === undefined) return (await import('./help.js')).command({ global, flags: {}, args: [] });
  if (!Object.hasOwn(commands, name)) throw usageError('', `unknown command ${name}`, name, Object.keys(commands));

  const command = name as CommandName;
  const flags: Record<string, unknown> = {};
  const { args: form } = commands[command];
  const args = parseFlags(name, commands[command].flags, words, flags, form.includes('…'));
  if (flags.help) return (await import('./help.js')).command({ global, flags: {}, args: [name] });
  checkArguments(name, form, args);
  // What fails before there is a container is not about it.
  const [id] = args;
  if (
    id !== undefined &&
    form.startsWith('<container-id>') &&
    name !== 'create' &&
    name !== 'run' &&
    name !== 'debug'
  ) {
    asked.about = { command: name, id };
  }
  const { command: run } = await loaders[command]();
  // The table is the type of both sides: what parseFlags made from commands[N] is what the command N takes.
  return run({ global, flags, args } as never);
}
