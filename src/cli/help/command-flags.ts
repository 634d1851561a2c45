/** The flags of any command, for what reads all of them: help, completion, man pages. */
import { type CommandName, commands, type Flags } from '../command-syntax.js';
import { rareFlags } from '../rare-flags.js';

/** The flags of a command, also of a rare one. */
export const flagsOf = (name: CommandName): Flags =>
  (rareFlags as Partial<Record<CommandName, Flags>>)[name] ?? commands[name].flags;
