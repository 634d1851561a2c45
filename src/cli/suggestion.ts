/** Suggestions for an unknown word on the command line. */
import type { RuntError } from '../sys/error.js';
import { nearest } from '../sys/nearest-word.js';
import type { UnknownWord } from './arguments.js';
import { globals } from './command-syntax.js';

/** Commands of engines, and the equivalent of runt. */
const equivalents: Readonly<Record<string, string>> = {
  rm: 'runt delete ID',
  ls: 'runt list',
  info: 'runt features, or runt debug ID',
  restart: 'runt delete --force ID, then runt run ID',
  stop: 'runt kill ID, which sends TERM, then runt delete ID',
  inspect: 'runt state ID, or runt debug ID for all that is known',
  stats: 'runt events --stats ID',
  top: 'runt ps ID',
  unpause: 'runt resume ID',
  init: 'runt spec, which writes a config.json',
};

/** Commands of engines that no runtime has. */
const engineCommands =
  'attach build commit cp diff images import load login logs port pull push rename rmi save tag'.split(' ');

/** Adds a suggestion to an error about an unknown word. */
export function addSuggestion(error: RuntError & { unknown?: UnknownWord }): void {
  if (!error.unknown) return;
  const { where, wrong, candidates } = error.unknown;
  const flag = wrong.replace(/^--?/, '');
  if (where !== '' && flag !== wrong && isGlobal(flag)) {
    error.message += `: it is a global flag`;
    error.hint = `global flags stand before the command: write runt ${wrong}${kindOf(flag) === 'bool' ? '' : ' …'} ${where} …`;
    return;
  }
  if (flag === wrong && (where === '' || where === 'help')) {
    if (Object.hasOwn(equivalents, wrong)) error.hint = `engines call it so: use ${equivalents[wrong]}`;
    else if (engineCommands.includes(wrong)) {
      error.hint = `this is done by engines, not by a runtime: use podman ${wrong}, docker ${wrong} or nerdctl ${wrong}`;
    }
    if (error.hint) return;
  }
  const near = nearest(wrong, candidates);
  if (near !== undefined) error.message += `; did you mean ${near}?`;
}

const globalKey = (name: string): string | undefined =>
  Object.keys(globals).find((key) => key.split('|').includes(name));
const isGlobal = (name: string): boolean => globalKey(name) !== undefined;
const kindOf = (name: string): string => (globals as Readonly<Record<string, string>>)[globalKey(name) ?? ''] ?? '';
