/** Sections of other platforms, for `runt validate`: not run, but checked for mistakes. */
import validate from '../../../build/gen/validate-platforms.js';
import type { Violation } from '../../sys/error.js';
import { readText } from '../../sys/fs.js';
import { parsePointer } from '../json/json-pointer.js';
import { schemaViolations } from '../judge/schema-violations.js';

/**
 * Violations in a config's sections for other platforms; the file must be valid JSON.
 * @throws RuntError when the file cannot be read
 */
export function foreignViolations(path: string): Violation[] {
  const spec: unknown = JSON.parse(readText(path));
  if (validate(spec)) return [];
  return schemaViolations(validate.errors ?? [], spec).map((violation) => ({
    ...violation,
    see: `runtime-spec config-${parsePointer(violation.pointer)[0]}.md`,
  }));
}
