/**
 * config.json from its bytes to a Spec that keeps every rule: JSON, schema, exact integers, semantics. All violations
 * are reported at once. A later `JSON.stringify` of the spec needs a replacer for its bigints.
 */
import validate from '../../build/gen/validate-config.js';
import { E } from '../sys/errno.js';
import { check, RuntError, type Violation } from '../sys/error.js';
import { host, native } from '../sys/host.js';
import { AT_FDCWD } from '../sys/linux.js';
import { parseJson } from './json.js';
import { conforms } from './nulls.js';
import { segments } from './pointer.js';
import { PLATFORMS } from './rules/platform.js';
import { schemaViolations } from './schema-violations.js';
import { semanticFindings } from './semantic.js';
import { textViolations } from './text.js';
import type { Spec } from './types.js';
import { placeWideIntegers } from './wide.js';

/** A config that is valid. */
export interface LoadedSpec {
  readonly spec: Spec;
  /** What deserves a word but makes nothing invalid: deprecated forms, unknown capabilities, a newer `ociVersion`. */
  readonly warnings: readonly Violation[];
  /** Its bytes. */
  readonly text: Uint8Array;
}

/** Largest config.json that is read; a real one has some 10 KiB. */
export const MAX_CONFIG = 4 << 20;

/**
 * Reads and checks the config.json at a path.
 * @throws RuntError ERR_SPEC_MISSING, ERR_SPEC_READ, and those of parseSpec
 */
export function loadSpec(path: string): LoadedSpec {
  let bytes = new Uint8Array(64 << 10);
  let length = native.readFile(AT_FDCWD, path, bytes);
  if (length === -E.EOVERFLOW) {
    bytes = new Uint8Array(MAX_CONFIG);
    length = native.readFile(AT_FDCWD, path, bytes);
  }
  if (length === -E.ENOENT || length === -E.ENOTDIR) {
    throw new RuntError({
      code: 'ERR_SPEC_MISSING',
      message: `read ${path}`,
      path,
      errno: -length,
      syscall: 'openat',
      hint: 'is this a bundle? A bundle is a directory with a config.json and a root file system; `runt spec` writes a config.json',
      see: 'runtime-spec bundle.md',
    });
  }
  if (length === -E.EOVERFLOW) throw invalid(path, [{ pointer: '', expected: `be at most ${MAX_CONFIG >> 20} MiB` }]);
  check(length, { code: 'ERR_SPEC_READ', message: `read ${path}`, path, syscall: 'read' });
  return parseSpec(bytes, length, path);
}

/**
 * Checks the first `length` bytes as a config.json; `name` is what errors call it.
 * @throws RuntError ERR_SPEC_JSON when it is no JSON, ERR_SPEC_UNSUPPORTED when it is for another platform,
 * ERR_SPEC_INVALID with all violations otherwise
 */
export function parseSpec(bytes: Uint8Array, length: number, name: string): LoadedSpec {
  const json = bytes.subarray(0, length);
  const text = host.decode(json, length);
  const spec = parse(text, name);

  const violations = textViolations(json, text, spec);
  // The native scanner has no pointer for a key with a NUL, so exact integers wait until the text is sound.
  const sound = violations.length === 0;
  const typed = conforms(spec);
  if (!typed) violations.push(...schemaViolations(validate.errors ?? [], spec));
  if (sound) violations.push(...placeWideIntegers(json, spec));
  // The semantic rules rely on the types that the schema has checked.
  if (!typed) throw invalid(name, violations);

  const findings = semanticFindings(spec);
  violations.push(...findings.violations);
  if (violations.length > 0) throw invalid(name, violations);
  if (spec.process) {
    // The spec wants user, uid and gid; without them runc and crun take root, and so do we, with the warning above.
    spec.process.user ??= { uid: 0, gid: 0 };
    spec.process.user.uid ??= 0;
    spec.process.user.gid ??= 0;
  }
  return { spec, warnings: findings.warnings, text: json };
}

function parse(text: string, name: string): Spec {
  const value = parseJson(text, name);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(name, [{ pointer: '', value, expected: 'be an object', see: 'runtime-spec config.md' }]);
  }
  return value as Spec;
}

function invalid(name: string, violations: Violation[]): RuntError {
  const foreign = violations.every(({ pointer }) => Object.hasOwn(PLATFORMS, segments(pointer)[0] ?? ''));
  const count = violations.length === 1 ? 'a violation' : `${violations.length} violations`;
  return new RuntError({
    code: foreign ? 'ERR_SPEC_UNSUPPORTED' : 'ERR_SPEC_INVALID',
    message: foreign ? `${name} is for another platform than Linux` : `${name} has ${count} of the runtime-spec`,
    path: name,
    violations,
  });
}
