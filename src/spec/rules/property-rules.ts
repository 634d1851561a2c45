/** Rules of property names: runtimes ignore unknown ones (config.md#extensibility); runt warns of misspelt ones. */
import type { Spec } from '../config-types.js';
import { type Findings, propertyExpectation } from '../judge/findings.js';
import { eachUnknownProperty } from '../judge/unknown-properties.js';

/** Limit on unknown properties with a spelling check, which compares each with all known ones. */
const MOST_JUDGED = 20;

/** Warns of each unknown property whose name is near to that of a known one, or is one in another case of letters. */
export function propertyRules(spec: Spec, findings: Findings): void {
  let judged = 0;
  eachUnknownProperty(spec, (pointer, { otherCase, nearest }) => {
    const near = otherCase === undefined && judged++ < MOST_JUDGED ? nearest() : undefined;
    if (otherCase !== undefined || near !== undefined) {
      const expected = propertyExpectation(otherCase, near);
      findings.warn(pointer, undefined, expected, 'config.md#extensibility');
    }
  });
}
