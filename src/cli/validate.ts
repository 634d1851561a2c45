/** `runt validate`: checks a config.json and names every violation. */
import { type AnnotationPolicy, annotationPolicy, findUnsafe, refuseDenied } from '../plan/annotation-policy.js';
import { printable } from '../plan/printable.js';
import { type LoadedSpec, loadSpec } from '../spec/load.js';
import { unknownProperties } from '../spec/strict.js';
import { unknownCalls } from '../spec/unknown-calls.js';
import { RuntError, type Violation } from '../sys/error.js';
import { native } from '../sys/host.js';
import { AT_FDCWD, S_IFDIR, S_IFMT } from '../sys/linux.js';
import { print, printError } from './output.js';
import { absolute } from './path.js';
import type { Call } from './syntax.js';

export async function command({ global, flags, args }: Call<'validate'>): Promise<number> {
  const path = configPath(absolute(args[0] ?? '.'));
  const json = flags.format === 'json';
  const { violations, warnings } = await findingsOf(
    path,
    flags.strict === true,
    json,
    annotationPolicy(global['unsafe-annotations']),
  );
  const valid = violations.length === 0;
  if (json) {
    print(`${JSON.stringify({ valid, violations, warnings }, bigintAsText, 2)}\n`);
  } else {
    for (const { pointer, expected, see } of warnings) {
      printError(`warning: ${printable(pointer)} should ${printable(expected)}${see ? ` (${see})` : ''}\n`);
    }
    print('valid\n');
  }
  return valid ? 0 : 1;
}

interface Found {
  readonly violations: readonly Violation[];
  readonly warnings: readonly Violation[];
}

/**
 * In text form a violation is thrown as the error that create would give; as JSON it is the result. `strict` makes
 * violations of warnings about the config and of unknown properties.
 */
async function findingsOf(path: string, strict: boolean, collect: boolean, policy: AnnotationPolicy): Promise<Found> {
  let found: Violation[];
  let calls: Violation[];
  try {
    const { spec, warnings } = await load(path);
    const unsafe = findUnsafe(spec.annotations, ['create', 'systemd']);
    if (!collect) refuseDenied(unsafe, policy);
    const named = unsafe.map(({ at, value, effect }) => ({
      pointer: at,
      value,
      expected: `be absent unless whoever wrote it may do what the runtime may: it ${effect}`,
      see: 'runtime-spec features.md#unsafe-annotations-in-configjson',
    }));
    if (policy === 'deny' && named.length > 0) return { violations: named, warnings: [...warnings] };
    const { asViolation, refusedEverywhere } = await import('../plan/any-host.js');
    const refused = refusedEverywhere(spec);
    if (refused && !collect) throw refused;
    if (refused) return { violations: [asViolation(refused)], warnings: [] };
    calls = [...unknownCalls(spec.linux?.seccomp), ...(policy === 'allow' ? [] : named)];
    if (!strict) return { violations: [], warnings: [...warnings, ...calls] };
    found = [
      ...warnings,
      ...unknownProperties(spec).map(({ pointer, nearest }) => ({
        pointer,
        expected: `be a property of the runtime-spec${nearest === undefined ? '' : `; did you mean "${nearest}"?`}`,
      })),
    ];
  } catch (error) {
    if (!collect || !(error instanceof RuntError) || error.violations === undefined) throw error;
    return { violations: error.violations, warnings: [] };
  }
  if (found.length > 0 && !collect) {
    throw new RuntError({ code: 'ERR_SPEC_INVALID', message: `${path} is not strictly valid`, violations: found });
  }
  return { violations: found, warnings: calls };
}

/** loadSpec; of a config for another platform also what is wrong in the section that makes it one. */
async function load(path: string): Promise<LoadedSpec> {
  try {
    return loadSpec(path);
  } catch (error) {
    if (error instanceof RuntError && error.code === 'ERR_SPEC_UNSUPPORTED') {
      const { foreignViolations } = await import('../spec/foreign.js');
      const more = foreignViolations(path);
      const violations = [...(error.violations ?? []), ...more];
      const message = `${path} is for another platform than Linux, and not valid for that one`;
      if (more.length > 0) throw new RuntError({ code: 'ERR_SPEC_INVALID', message, path, violations });
    }
    throw error;
  }
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
