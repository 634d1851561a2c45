/** Warnings of `exec` about values that are not applied; loaded on demand. */
import { suggestion, warningSentence } from '../../spec/judge/findings.js';
import type { Violation } from '../../sys/error.js';
import { capabilityNames } from '../../sys/kernel-names.js';
import { clipped } from '../../sys/report/clipped-text.js';
import { inFile } from './exec-pointer.js';

/** @param unknown unknown names of --cap */
export function unknownCapabilities(id: string, unknown: readonly string[]): string[] {
  return unknown.map((name) =>
    clipped(`exec ${id}: --cap ${name} is not a capability: it is left out${suggestion(name, capabilityNames())}`),
  );
}

/**
 * The runtime-spec requires `user` of a config. In a file of --process, which is runc's format, uid and gid are 0 by
 * default.
 * @param document name of the file of --process in warnings
 */
export function processWarnings(document: string, warnings: readonly Violation[]): string[] {
  return warnings
    .filter(({ pointer }) => !/^\/(?:ociVersion|process\/user\/[ug]id)$/.test(pointer))
    .map((warning) => `${document}: ${warningSentence({ ...warning, pointer: inFile(warning.pointer) })}`);
}
