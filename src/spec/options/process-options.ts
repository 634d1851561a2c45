/** The command, its environment, working directory and user. */
import type { Process } from '../config-types.js';
import { withVariables } from '../variables.js';
import type { SpecOptions } from './option-types.js';
import type { Refuse } from './refusal.js';

/** 2^32-1 is "no change" to setresuid(2). */
const maxId = 0xfffffffe;

export function processOptions(process: Process, o: SpecOptions, refuse: Refuse): void {
  if (o.args !== undefined && o.args.length > 0) {
    process.args = [...o.args];
    process.terminal = false;
  }
  if (o.tty !== undefined) process.terminal = o.tty;
  if (o.cwd !== undefined) {
    if (!o.cwd.startsWith('/')) throw refuse('cwd', o.cwd, 'is not an absolute path');
    process.cwd = o.cwd;
  }
  if (o.user !== undefined) {
    const match = /^([0-9]{1,10})(?::([0-9]{1,10}))?$/.exec(o.user);
    const [uid, gid] = [Number(match?.[1]), Number(match?.[2] ?? 0)];
    if (!match || uid > maxId || gid > maxId) {
      throw refuse('user', o.user, `is not UID[:GID], numbers from 0 to ${maxId}; config.json holds no names`);
    }
    process.user = { uid, gid };
  }
  for (const entry of o.env ?? []) {
    if (entry.indexOf('=') < 1) throw refuse('env', entry, 'is not NAME=VALUE');
  }
  process.env = withVariables(process.env!, o.env ?? []);
}
