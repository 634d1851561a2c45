/** Violations and warnings of a document, all at once: text, schema, exact integers, and rules. */
import validate from '../../../build/gen/validate-config.js';
import type { Spec } from '../config-types.js';
import { conforms } from '../json/null-members.js';
import { setWideIntegers, wideIntegers } from '../json/wide-integers.js';
import { textRules } from '../rules/text-rules.js';
import { Findings } from './findings.js';
import { mendConfig, rulesBut } from './mended-config.js';
import { schemaViolations } from './schema-violations.js';
import { shareOptions } from './shared-options.js';

interface Document {
  /** Its bytes, and their decoded form. */
  readonly json: Uint8Array;
  readonly text: string;
  /** The parsed object; `judge` writes exact integers into it, removes nulls and shares lists. */
  readonly spec: Spec;
  /** Its name in errors. */
  readonly name: string;
}

/**
 * Checks a document. `rules` rely on the types that the schema has checked.
 * @throws RuntError ERR_SPEC_JSON for a document that is nested too deeply
 */
export function judge({ json, text, spec, name }: Document, rules: (spec: Spec, findings: Findings) => void): Findings {
  const integers = wideIntegers(json, name);
  const findings = new Findings();
  textRules(json, text, spec, findings);
  const typed = conforms(spec);
  if (!typed) {
    for (const violation of schemaViolations(validate.errors ?? [], spec)) findings.add(violation);
    if (validate.more) findings.more = true;
  }
  setWideIntegers(integers, spec, findings);
  if (typed) shareOptions(spec.mounts);
  if (typed && findings.violations.length === 0) rules(spec, findings);
  else if (typed) rulesBut([], spec, rules, findings);
  else mendConfig(JSON.parse(text) as Spec, integers, rules, findings);
  return findings;
}
