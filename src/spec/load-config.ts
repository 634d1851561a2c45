/** Loader of config.json: JSON, schema, exact integers and rules, with all violations at once up to `MAX_FINDINGS`. */
import { E } from '../sys/errno.js';
import { RuntError, type Violation } from '../sys/error.js';
import { checkExists, readAtMost } from '../sys/fs.js';
import { host } from '../sys/host.js';
import type { Spec } from './config-types.js';
import { parsePointer } from './json/json-pointer.js';
import { parseJson } from './json/parse-json.js';
import { countOf, type Findings } from './judge/findings.js';
import { judge } from './judge/judge-config.js';
import { isBefore } from './oci-version.js';
import { PLATFORMS } from './rules/platform-rules.js';
import { semanticRules } from './rules/semantic-rules.js';

/** A valid config. JSON.stringify of `spec` needs a replacer for its bigints. */
export interface LoadedSpec {
  readonly spec: Spec;
  /** Findings that do not make the config invalid: deprecated forms, unknown capabilities, a newer `ociVersion`. */
  readonly warnings: readonly Violation[];
  /** Its bytes. */
  readonly text: Uint8Array;
}

/** A config, and the findings of the rules. */
export interface JudgedSpec {
  readonly spec: Spec;
  readonly findings: Findings;
  /** Its bytes. */
  readonly text: Uint8Array;
}

/** Maximum size of a config.json: that of a plan (docs/internals.md#the-plan-on-the-wire). */
export const MAX_CONFIG = 16 << 20;

/** Size of the first buffer for one; most have some 10 KiB. */
export const USUAL_CONFIG = (16 << 10) - 8;

/** Rules besides those of the schema. */
type Rules = (spec: Spec, findings: Findings) => void;

/**
 * Reads and checks the config.json at a path.
 * @throws RuntError ERR_SPEC_MISSING, ERR_SPEC_READ, and those of parseSpec
 */
export function loadSpec(path: string, rules: Rules = semanticRules): LoadedSpec {
  return validSpec(judgeFile(path, rules), path);
}

/**
 * Checks the first `length` bytes as a config.json; `name` is its name in errors.
 * @throws RuntError ERR_SPEC_JSON when it is not JSON, ERR_SPEC_UNSUPPORTED when it is for another platform,
 * ERR_SPEC_INVALID with all violations otherwise
 */
export function parseSpec(bytes: Uint8Array, length: number, name: string): LoadedSpec {
  return validSpec(judgeSpec(bytes, length, name), name);
}

/**
 * Reads and checks the config.json at a path, and returns the findings.
 * @throws RuntError ERR_SPEC_MISSING, ERR_SPEC_READ, ERR_SPEC_JSON; ERR_SPEC_INVALID for a value that is not an object
 */
export function judgeFile(path: string, rules: Rules = semanticRules): JudgedSpec {
  const read = readAtMost(path, USUAL_CONFIG, MAX_CONFIG);
  if (typeof read !== 'number') return judgeSpec(read, read.length, path, rules);
  if (read === -E.ENOENT || read === -E.ENOTDIR) {
    throw new RuntError({
      code: 'ERR_SPEC_MISSING',
      message: `read ${path}`,
      path,
      errno: -read,
      syscall: 'openat',
      hint: whyMissing(path),
      see: 'runtime-spec bundle.md',
    });
  }
  if (read === -E.EOVERFLOW)
    throw invalidError(path, [{ pointer: '', expected: `be at most ${MAX_CONFIG >> 20} MiB` }]);
  throw new RuntError({ code: 'ERR_SPEC_READ', message: `read ${path}`, path, errno: -read, syscall: 'read' });
}

/** The hint for a missing config.json: which part of its path is missing. */
function whyMissing(path: string): string {
  const bundle = path.slice(0, path.lastIndexOf('/')) || '/';
  const r = checkExists(bundle);
  if (r === -E.ENOENT) return `correct the path of the bundle: there is no directory ${bundle}`;
  if (r === -E.ENOTDIR || checkExists(`${bundle}/.`) === -E.ENOTDIR)
    return `name the directory that has the config.json (--bundle): ${bundle} is not a directory`;
  if (!path.endsWith('/config.json')) return `name a config file or a bundle that exists: there is no ${path}`;
  return `write a config.json with "runt spec", or name another directory (--bundle): ${bundle} is not a bundle`;
}

/** Checks the first `length` bytes as a config.json. @throws as judgeFile */
export function judgeSpec(bytes: Uint8Array, length: number, name: string, rules: Rules = semanticRules): JudgedSpec {
  const json = bytes.subarray(0, length);
  const text = host.decode(json, length);
  const spec = parse(text, name);
  return { spec, findings: judge({ json, text, spec, name }, rules), text: json };
}

/** Returns a checked config if it is valid. @throws RuntError ERR_SPEC_UNSUPPORTED, ERR_SPEC_INVALID */
export function validSpec({ spec, findings, text }: JudgedSpec, name: string): LoadedSpec {
  if (findings.violations.length > 0) throw invalidError(name, findings.violations, findings.more);
  if (spec.process) {
    // The spec requires user, uid and gid. Without them runc and crun use root, and so does runt, with the warning
    // above.
    spec.process.user ??= { uid: 0, gid: 0 };
    spec.process.user.uid ??= 0;
    spec.process.user.gid ??= 0;
  }
  const resources = spec.linux?.resources;
  // Before runtime-spec 1.3 engines wrote 0 for no limit: podman 4 does for `--pids-limit -1`.
  if (resources?.pids?.limit === 0 && isBefore(spec.ociVersion, 1, 3)) delete resources.pids.limit;
  return { spec, warnings: findings.warnings, text };
}

function parse(text: string, name: string): Spec {
  const value = parseJson(text, name);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidError(name, [{ pointer: '', value, expected: 'be an object', see: 'runtime-spec config.md' }]);
  }
  return value as Spec;
}

/** The error for a config with violations; `more`: there are more than these. */
export function invalidError(name: string, violations: readonly Violation[], more = false): RuntError {
  const foreign = violations.every(({ pointer }) => Object.hasOwn(PLATFORMS, parsePointer(pointer)[0] ?? ''));
  return new RuntError({
    code: foreign ? 'ERR_SPEC_UNSUPPORTED' : 'ERR_SPEC_INVALID',
    message: foreign
      ? `${name} is for another platform than Linux`
      : `${name} has ${countOf(violations, more)} of the runtime-spec`,
    path: name,
    violations: [...violations],
    ...(more && { more }),
  });
}
