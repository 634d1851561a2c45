/** Warnings of `exec` about values that are not applied. Loaded by need. */
import { suggestion, warningSentence } from '../../spec/judge/findings.js';
import type { Violation } from '../../sys/error.js';
import { capabilityNames } from '../../sys/kernel-names.js';
import { clipped } from '../../sys/report/clipped-text.js';
import { inFile } from './exec-pointer.js';

/** @param unknown names that --cap gives */
export function unknownCapabilities(id: string, unknown: readonly string[]): string[] {
  return unknown.map((name) =>
    clipped(`exec ${id}: --cap ${name} is not a capability: it is left out${suggestion(name, capabilityNames())}`),
  );
}

/** @param document what the file of --process is called */
export function processWarnings(document: string, warnings: readonly Violation[]): string[] {
  return warnings
    .filter(({ pointer }) => pointer !== '/ociVersion')
    .map((warning) => `${document}: ${warningSentence({ ...warning, pointer: inFile(warning.pointer) })}`);
}
