/** A small valid config for the tests of spec/, and helpers to change it. */

import type { Spec } from '../../src/spec/config-types.js';
import { parseSpec } from '../../src/spec/load-config.js';
import { RuntError, type Violation } from '../../src/sys/error.js';
import { useNodeHost } from '../../src/sys/node-host.js';

useNodeHost([]);

/** A new valid config, with all sections that the rules check. */
export function sample(): Spec & { process: NonNullable<Spec['process']>; linux: NonNullable<Spec['linux']> } {
  return {
    ociVersion: '1.2.0',
    root: { path: 'rootfs' },
    process: { user: { uid: 0, gid: 0 }, args: ['true'], env: ['A=b'], cwd: '/' },
    mounts: [{ destination: '/proc', type: 'proc', source: 'proc' }],
    linux: { namespaces: [{ type: 'mount' }, { type: 'pid' }] },
  };
}

export function parse(json: string): ReturnType<typeof parseSpec> {
  const bytes = new TextEncoder().encode(json);
  return parseSpec(bytes, bytes.length, 'config.json');
}

/** The error of parsing a text. */
export function errorOf(json: string): RuntError {
  try {
    parse(json);
  } catch (error) {
    if (error instanceof RuntError) return error;
    throw error;
  }
  throw new Error('the text was accepted');
}

/** The violations of a config, as `pointer must expected`. */
export function complaints(spec: unknown): string[] {
  try {
    parse(JSON.stringify(spec));
    return [];
  } catch (error) {
    if (!(error instanceof RuntError) || !error.violations) throw error;
    return words(error.violations);
  }
}

export function words(violations: readonly Violation[]): string[] {
  return violations.map(({ pointer, expected }) => `${pointer} must ${expected}`);
}
