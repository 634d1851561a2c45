/** The flags of any command, for what reads all of them: help, completion, man pages. */
import { type CommandName, commands, type Flags } from '../command-syntax.js';
import { specFlags } from '../spec-flags.js';

export const flagsOf = (name: CommandName): Flags => (name === 'spec' ? specFlags : commands[name].flags);
