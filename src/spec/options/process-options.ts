/** The command, its environment, working directory and user. */
import type { Process } from '../config-types.js';
import { withVariables } from '../variables.js';
import type { HostLookups } from './lookups.js';
import type { SpecCaller, SpecOptions } from './option-types.js';
import type { Refuse } from './refusal.js';

/** 2^32-1 is "no change" to setresuid(2). */
const maxId = 0xfffffffe;

export function processOptions(
  process: Process,
  o: SpecOptions,
  caller: SpecCaller,
  lookups: HostLookups,
  refuse: Refuse,
): void {
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
  process.env = withVariables(process.env!, [
    ...fileVariables(o, caller, lookups, refuse),
    ...variables(o, lookups, refuse),
  ]);
}

function variables(o: SpecOptions, lookups: HostLookups, refuse: Refuse): string[] {
  return (o.env ?? []).flatMap((entry) => {
    if (entry === '' || entry.startsWith('=')) throw refuse('env', entry, 'is not NAME=VALUE, nor NAME');
    return resolved(entry, lookups);
  });
}

/** A name alone takes the caller's value; if the caller has none, neither has the container, as with docker. */
function resolved(entry: string, lookups: HostLookups): string[] {
  if (entry.includes('=')) return [entry];
  const value = lookups.environment(entry);
  return value === undefined ? [] : [`${entry}=${value}`];
}

/** A line each, as with docker: no quotes, comments from the start of a line. */
function fileVariables(o: SpecOptions, caller: SpecCaller, lookups: HostLookups, refuse: Refuse): string[] {
  return (o.envFile ?? []).flatMap((name) => {
    const text = name === '' ? undefined : lookups.text(caller.absolute(name));
    if (text === undefined) throw refuse('envFile', name, 'does not exist');
    return text.split('\n').flatMap((raw, i) => {
      const line = raw.trimStart().replace(/\r$/, '');
      if (line === '' || line.startsWith('#')) return [];
      if (/^(?:=|[^=]*\s)/.test(line))
        throw refuse('envFile', name, `has line ${i + 1}, which is not NAME=VALUE, nor NAME`);
      return resolved(line, lookups);
    });
  });
}
