/** Suggestions for an unknown word on the command line. */
import type { RuntError } from '../sys/error.js';
import { nearestWord } from '../sys/nearest-word.js';
import { findFlag, type UnknownWord } from './arguments.js';
import { type Flags, globals } from './command-syntax.js';
import { rareFlags } from './rare-flags.js';

/** Commands of engines, and the equivalent of runt. */
const equivalents: Readonly<Record<string, string>> = {
  rm: 'runt delete ID',
  ls: 'runt list',
  info: 'runt features, or runt debug ID',
  restart: 'runt delete --force ID, then runt run ID',
  inspect: 'runt state ID, or runt debug ID for all that is known',
  stats: 'runt events --stats ID',
  top: 'runt ps ID',
  unpause: 'runt resume ID',
  init: 'runt spec, which writes a config.json',
};

/** Commands of engines that no runtime has. */
const engineCommands =
  'attach build commit cp diff images import load login logs port pull push rename rmi save tag'.split(' ');

const terminal = 'remove it, and write config.json with runt spec --tty: a terminal is part of the bundle';
/** Flags of `run` of engines, and what to do. */
const engineFlags: Readonly<Record<string, string>> = {
  rm: 'remove it: run deletes the container at its end, unless --keep is there',
  i: 'remove it: standard input is always passed on',
  it: terminal,
  ti: terminal,
};
/** Flags of `run` that `exec` does not have, and what to do. No engine's exec has them. */
const runFlags: Readonly<Record<string, string>> = {
  init: 'create the container with --init: its first process reaps the orphans of all execs',
};

/** Adds a suggestion to an error about an unknown word. */
export function addSuggestion(error: RuntError & { unknown?: UnknownWord }): void {
  if (!error.unknown) return;
  const { where, wrong, candidates } = error.unknown;
  const flag = wrong.replace(/^--?/, '');
  const globalFlag = where !== '' && flag !== wrong ? findFlag(globals, flag) : undefined;
  if (globalFlag !== undefined) {
    error.message += `: it is a global flag`;
    error.hint = `write runt ${wrong}${(globals as Flags)[globalFlag] === 'bool' ? '' : ' …'} ${where} …: global flags stand before the command`;
    return;
  }
  if (flag === wrong && (where === '' || where === 'help')) {
    if (Object.hasOwn(equivalents, wrong)) error.hint = `use ${equivalents[wrong]}`;
    else if (engineCommands.includes(wrong)) {
      error.hint = `use podman ${wrong}, docker ${wrong} or nerdctl ${wrong}: engines do this, not runtimes`;
    }
    if (error.hint) return;
  }
  if ((where === 'run' || where === 'create') && flag !== wrong && findFlag(rareFlags.spec, flag)) {
    error.hint = `set it in config.json, as runt spec ${wrong} does: ${where} reads such values from the bundle`;
    return;
  }
  if (where === 'run' && Object.hasOwn(engineFlags, flag)) {
    error.hint = engineFlags[flag]!;
    return;
  }
  if (where === 'exec' && flag !== wrong && Object.hasOwn(runFlags, flag)) {
    error.message += ': it is a flag of run and create';
    error.hint = runFlags[flag]!;
    return;
  }
  const near = nearestWord(wrong, candidates);
  if (near !== undefined) error.message += `; did you mean ${near}?`;
}
