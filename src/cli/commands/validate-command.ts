/** `runt validate`: checks a config.json and prints every violation. */
import { type AnnotationPolicy, annotationPolicy, deniedError, findUnsafe } from '../../plan/annotation-policy.js';
import { printable } from '../../plan/printable-text.js';
import { toJson } from '../../spec/json/exact-json.js';
import { countOf, Findings, propertyExpectation } from '../../spec/judge/findings.js';
import { eachUnknownProperty } from '../../spec/judge/unknown-properties.js';
import { invalidError, type JudgedSpec, judgeFile, validSpec } from '../../spec/load-config.js';
import { unknownCalls } from '../../spec/rules/unknown-calls.js';
import { RuntError, type Violation } from '../../sys/error.js';
import { native } from '../../sys/host.js';
import { AT_FDCWD, S_IFDIR, S_IFMT } from '../../sys/linux.js';
import { clipped } from '../../sys/report/clipped-text.js';
import { absolute } from '../absolute-path.js';
import { print, printError } from '../command-output.js';
import type { Call } from '../command-syntax.js';

export async function command({ global, flags, args }: Call<'validate'>): Promise<number> {
  const path = configPath(absolute(args[0] ?? '.'));
  const json = flags.format === 'json';
  const { violations, more, warnings, error } = await findingsOf(path, {
    strict: flags.strict === true,
    policy: annotationPolicy(global['unsafe-annotations']),
    collect: json,
  });
  const valid = violations.length === 0;
  if (json) {
    print(`${toJson({ valid, violations, ...(more && { more }), warnings }, '  ')}\n`);
    return valid ? 0 : 1;
  }
  for (const { pointer, expected, see } of warnings) {
    const text = `${clipped(pointer || '/')} should ${clipped(expected)}${see ? ` (${see})` : ''}`;
    printError(`warning: ${printable(text)}\n`);
  }
  if (error) throw error;
  print('valid\n');
  return 0;
}

interface ValidationResult {
  readonly violations: readonly Violation[];
  /** Whether the list was cut. */
  readonly more: boolean;
  readonly warnings: readonly Violation[];
  /** The error of an invalid config, with all violations. */
  readonly error?: RuntError;
}

interface ValidateOptions {
  /** Treat warnings about the config and unknown properties as violations. */
  readonly strict: boolean;
  readonly policy: AnnotationPolicy;
  /** Return violations, and do not throw, for a text that is not a JSON object. */
  readonly collect: boolean;
}

async function findingsOf(path: string, { strict, policy, collect }: ValidateOptions): Promise<ValidationResult> {
  let judged: JudgedSpec;
  try {
    judged = judgeFile(path);
  } catch (error) {
    if (!collect || !(error instanceof RuntError) || error.violations === undefined) throw error;
    return { violations: error.violations, more: false, warnings: [] };
  }
  const { spec, findings } = judged;
  const isValid = findings.violations.length === 0;
  const platformError = isValid ? undefined : invalidError(path, findings.violations);
  if (platformError?.code === 'ERR_SPEC_UNSUPPORTED') {
    const { foreignViolations } = await import('../../spec/rules/other-platforms.js');
    const platformViolations = foreignViolations(path);
    for (const violation of platformViolations) findings.add(violation);
    const message = `${path} is for another platform than Linux, and is not valid for that platform`;
    const { violations, more, warnings } = findings;
    const all = { violations: [...violations], ...(more && { more }) };
    const error =
      platformViolations.length > 0
        ? new RuntError({ code: 'ERR_SPEC_INVALID', message, path, ...all })
        : platformError;
    return { violations, more, warnings, error };
  }

  const unsafe = findUnsafe(isValid ? spec.annotations : textsOf(spec.annotations), ['create', 'systemd']);
  const annotationViolations = unsafe.map(({ at, value, effect }) => ({
    pointer: at,
    value,
    expected: `be absent, unless you trust its author with all privileges of runt: it ${effect}`,
    see: 'runtime-spec features.md#unsafe-annotations-in-configjson',
  }));
  const moreFindings = new Findings();
  if (policy === 'deny') for (const violation of annotationViolations) moreFindings.add(violation);
  let planError: RuntError | undefined;
  if (isValid) {
    const { asViolation, refusedEverywhere } = await import('../../plan/ideal-hosts.js');
    planError = refusedEverywhere(validSpec(judged, path).spec);
    if (planError) moreFindings.add(asViolation(planError));
  }
  const isAccepted = isValid && moreFindings.violations.length === 0;
  if (strict) {
    for (const violation of findings.warnings) moreFindings.add(violation);
    const warned = new Set(findings.warnings.map(({ pointer }) => pointer));
    eachUnknownProperty(spec, (pointer, { otherCase, nearest }) => {
      const expected = (): string => propertyExpectation(otherCase, nearest());
      if (!warned.has(pointer)) moreFindings.refuse(pointer, undefined, expected, '');
    });
  }

  for (const violation of moreFindings.violations) findings.add(violation);
  const { violations } = findings;
  const more = findings.more || moreFindings.more;
  // Only warn about facts that depend on this machine or on the config's author.
  const calls = isAccepted ? unknownCalls(spec.linux?.seccomp) : [];
  const notes = new Findings();
  for (const { pointer, value, expected, see = '' } of [...calls, ...(policy === 'warn' ? annotationViolations : [])])
    notes.warn(pointer, value, expected, see);
  const warnings = [...(strict ? [] : findings.warnings), ...notes.warnings];
  if (violations.length === 0) return { violations, more, warnings };

  const all = { violations: [...violations], ...(more && { more }) };
  const message = `${path} is not strictly valid: it has ${countOf(violations, more)}`;
  const error =
    isValid && violations.length === unsafe.length && policy === 'deny'
      ? deniedError(unsafe)
      : planError && violations.length === 1
        ? planError
        : isAccepted
          ? new RuntError({ code: 'ERR_SPEC_INVALID', message, path, ...all })
          : invalidError(path, violations, more);
  return { violations, more, warnings, error };
}

/** The annotations with text values, of a config that may break the schema. */
function textsOf(annotations: unknown): Record<string, string> {
  if (typeof annotations !== 'object' || annotations === null) return {};
  return Object.fromEntries(
    Object.entries(annotations).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

/** The config.json of a bundle; any other path is the config itself. */
function configPath(path: string): string {
  const data = new DataView(new ArrayBuffer(64));
  const isDirectory =
    native.stat(AT_FDCWD, path, 0, new Uint8Array(data.buffer)) >= 0 &&
    (Number(data.getBigInt64(0, true)) & S_IFMT) === S_IFDIR;
  return isDirectory ? `${path}/config.json` : path;
}
