/**
 * A document's violations and warnings: its text, the schema, exact integers, and the rules. All of them at once: who
 * mends one at a time would have to ask as often.
 */
import validate from '../../../build/gen/validate-config.js';
import type { Spec } from '../config-types.js';
import { conforms } from '../json/null-members.js';
import { placeWideIntegers, wideIntegers } from '../json/wide-integers.js';
import { textRules } from '../rules/text-rules.js';
import { Findings } from './findings.js';
import { mended, rulesBut } from './mended-config.js';
import { schemaViolations } from './schema-violations.js';

/** A document to judge. */
interface Document {
  /** Its bytes, and their decoded form. */
  readonly json: Uint8Array;
  readonly text: string;
  /** What they were parsed to: an object. Exact integers are put into it, and nulls are taken out. */
  readonly spec: Spec;
  /** What errors call it. */
  readonly name: string;
}

/**
 * Judges a document. `rules` are those that rely on the types that the schema has checked.
 * @throws RuntError ERR_SPEC_JSON for one that is nested too deeply
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
  placeWideIntegers(integers, spec, findings);
  if (typed && findings.violations.length === 0) rules(spec, findings);
  else if (typed) rulesBut([], spec, rules, findings);
  else mended(JSON.parse(text) as Spec, integers, rules, findings);
  return findings;
}
