/** Rules of `linux.devices` and `linux.resources.devices`. */

import type { Spec } from '../config-types.js';
import type { Findings } from '../judge/findings.js';

export function deviceRules(spec: Spec, findings: Findings): void {
  const see = 'config-linux.md#devices';
  spec.linux?.devices?.forEach((device, i) => {
    const at = `/linux/devices/${i}`;
    findings.absolute(`${at}/path`, device.path, see);
    if (/^\/+dev\/+ptmx\/*$/.test(device.path) && !(device.type === 'c' && device.major === 5 && device.minor === 2))
      findings.warn(at, device, 'not be at /dev/ptmx, which is a link to pts/ptmx: it is left out', see);
    for (const key of ['major', 'minor'] as const) {
      const number = device[key];
      if (device.type === 'p') continue;
      if (number === undefined) findings.refuse(`${at}/${key}`, undefined, `be given for type ${device.type}`, see);
      else numberRule(at, number, key, 0, findings, see);
    }
  });
  spec.linux?.resources?.devices?.forEach((rule, i) => {
    const at = `/linux/resources/devices/${i}`;
    const page = 'config-linux.md#allowed-device-list';
    // runc's own tools write -1 for "all".
    const { major, minor, access } = rule;
    if (major !== undefined) numberRule(at, major, 'major', -1, findings, page);
    if (minor !== undefined) numberRule(at, minor, 'minor', -1, findings, page);
    // A rule that allows must not allow everything by omission. Without an access, a rule that denies means all access,
    // as runc's own default does.
    if (rule.allow && !access) findings.refuse(`${at}/access`, access, 'be given for a rule that allows', page);
    if (!access || access === 'rwm' || /^[rwm]+$/.test(access)) return;
    // Without the letter, a rule that allows allows less; one that denies would deny less.
    if (rule.allow && /[rwm]/.test(access))
      findings.warn(`${at}/access`, access, 'be made of r, w and m: other letters are ignored', page);
    else findings.refuse(`${at}/access`, access, 'be made of r, w and m', page);
  });
}

/** Linux device numbers have 12 bits for the major and 20 for the minor (MINORBITS). */
function numberRule(
  at: string,
  number: number | bigint,
  key: 'major' | 'minor',
  min: number,
  findings: Findings,
  see: string,
): void {
  const max = key === 'major' ? 0xfff : 0xfffff;
  if (number < min || number > max) findings.refuse(`${at}/${key}`, number, `be ${min} to ${max}`, see);
}
