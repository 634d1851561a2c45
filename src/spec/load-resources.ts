/** `linux.resources` alone, for `update`: same schema, exact integers and rules as in a config. */
import { RuntError, type Violation } from '../sys/error.js';
import { host } from '../sys/host.js';
import type { Resources, Spec } from './config-types.js';
import { parseJson } from './json/parse-json.js';
import { countOf, warningSentence } from './judge/findings.js';
import { judge } from './judge/judge-config.js';
import { OCI_VERSION } from './oci-version.js';
import { blockIoRules } from './rules/block-io-rules.js';
import { cgroupRules } from './rules/cgroup-rules.js';
import { deviceRules } from './rules/device-rules.js';

const PREFIX = '/linux/resources';
const inResources = (pointer: string): string => (pointer.startsWith(PREFIX) ? pointer.slice(PREFIX.length) : pointer);

/**
 * Checks the text of a LinuxResources object; `name` is its name in errors. Pointers of violations are into that
 * object.
 * @param warn receives a sentence for each value that has no effect
 * @throws RuntError ERR_SPEC_JSON when it is not JSON, ERR_SPEC_INVALID with all violations
 */
export function parseResources(text: string, name: string, warn: (sentence: string) => void = () => {}): Resources {
  const alone = parseJson(text, name);
  if (typeof alone !== 'object' || alone === null || Array.isArray(alone)) {
    throw invalidError(name, [{ pointer: '', value: alone, expected: 'be an object' }]);
  }
  // Wrap it in a config as text: the scanner of wide integers reads literals.
  const config = `{"ociVersion":${JSON.stringify(OCI_VERSION)},"root":{"path":"rootfs"},"linux":{"resources":${text}}}`;
  const json = host.encode(config);
  const spec = JSON.parse(config) as Spec;
  const { violations, warnings, more } = judge({ json, text: config, spec, name }, (resources, findings) => {
    deviceRules(resources, findings);
    cgroupRules(resources, findings, true);
    blockIoRules(resources, findings);
  });
  if (violations.length > 0) throw invalidError(name, violations, more);
  for (const { pointer, ...warning } of warnings)
    warn(`${name}: ${warningSentence({ ...warning, pointer: inResources(pointer) })}`);
  return spec.linux?.resources ?? {};
}

function invalidError(name: string, violations: readonly Violation[], more = false): RuntError {
  return new RuntError({
    code: 'ERR_SPEC_INVALID',
    message: `${name} has ${countOf(violations, more)} of the runtime-spec`,
    path: name,
    document: name,
    ...(more && { more }),
    violations: violations.map((v) => ({
      ...v,
      pointer: inResources(v.pointer),
    })),
  });
}
