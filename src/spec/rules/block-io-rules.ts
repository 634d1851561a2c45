/** Rules of `linux.resources.blockIO`. */

import type { Spec } from '../config-types.js';
import type { Findings } from '../judge/findings.js';

const SEE = 'config-linux.md#block-io';

export function blockIoRules(spec: Spec, findings: Findings): void {
  const blockIO = spec.linux?.resources?.blockIO;
  if (!blockIO) return;
  const at = '/linux/resources/blockIO';
  weights(blockIO, at, findings);
  blockIO.weightDevice?.forEach((device, i) => {
    if (device.weight === undefined && device.leafWeight === undefined) {
      findings.refuse(`${at}/weightDevice/${i}`, device, 'have weight or leafWeight', SEE);
    }
    weights(device, `${at}/weightDevice/${i}`, findings);
  });
}

/** The range of blkio.weight; engines write 0 for "not set". */
function weights(of: { weight?: number; leafWeight?: number }, at: string, findings: Findings): void {
  for (const key of ['weight', 'leafWeight'] as const) {
    const weight = of[key];
    if (weight && (weight < 10 || weight > 1000)) findings.refuse(`${at}/${key}`, weight, 'be 10 to 1000', SEE);
  }
}
