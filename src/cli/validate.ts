/** `runt validate`: checks a config.json and names every violation. */
import { loadSpec } from '../spec/load.js';
import { unknownProperties } from '../spec/strict.js';
import { RuntError, type Violation } from '../sys/error.js';
import { native } from '../sys/host.js';
import { AT_FDCWD, S_IFDIR, S_IFMT } from '../sys/linux.js';
import { print } from './output.js';
import { absolute } from './path.js';
import type { Call } from './syntax.js';

export function command({ flags, args }: Call<'validate'>): number {
  const path = configPath(absolute(args[0] ?? '.'));
  const json = flags.format === 'json';
  const violations = violationsOf(path, flags.strict === true, json);
  if (json) print(`${JSON.stringify({ valid: violations.length === 0, violations }, bigintAsText, 2)}\n`);
  else print('valid\n');
  return violations.length === 0 ? 0 : 1;
}

/** In text form a violation is thrown as the error that create would give; as JSON it is the result. */
function violationsOf(path: string, strict: boolean, collect: boolean): readonly Violation[] {
  let found: Violation[];
  try {
    const { spec } = loadSpec(path);
    if (!strict) return [];
    found = unknownProperties(spec).map(({ pointer, nearest }) => ({
      pointer,
      expected: `be a property of the runtime-spec${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`,
    }));
  } catch (error) {
    if (!collect || !(error instanceof RuntError) || error.violations === undefined) throw error;
    return error.violations;
  }
  if (found.length > 0 && !collect) {
    throw new RuntError({ code: 'ERR_SPEC_INVALID', message: `${path} has unknown properties`, violations: found });
  }
  return found;
}

/** A bundle stands for the config.json in it. */
function configPath(path: string): string {
  const data = new DataView(new ArrayBuffer(64));
  const isDirectory =
    native.stat(AT_FDCWD, path, 0, new Uint8Array(data.buffer)) >= 0 &&
    (Number(data.getBigInt64(0, true)) & S_IFMT) === S_IFDIR;
  return isDirectory ? `${path}/config.json` : path;
}

const bigintAsText = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value);
