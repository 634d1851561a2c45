/** `linux.resources.blockIO` as files of v1 (blkio) and v2 (io). */
import type { BlockIO, ThrottleDevice } from '../../spec/config-types.js';
import { isSet, type Setting, unsupportedError } from './setting.js';

/** Key of the config, file of v1, key of a line of v2's io.max. */
const throttles = [
  ['throttleReadBpsDevice', 'read_bps_device', 'rbps'],
  ['throttleWriteBpsDevice', 'write_bps_device', 'wbps'],
  ['throttleReadIOPSDevice', 'read_iops_device', 'riops'],
  ['throttleWriteIOPSDevice', 'write_iops_device', 'wiops'],
] as const;

/**
 * Settings of v1. Weights are in blkio.weight up to Linux 4.20 (CFQ), and in blkio.bfq.weight with the BFQ scheduler;
 * leaf weights went with CFQ. A rate of 0 removes a limit.
 */
export function v1BlockIo(b: BlockIO, at: string): Setting[] {
  const settings: Setting[] = [];
  const weigh = (key: string, values: readonly (readonly [file: string, value: string])[]) => {
    const [first, ...others] = values.map(([file, value]) => ({ file: `blkio.${file}`, value }));
    settings.push({ controller: 'blkio', ...first!, ...(others.length > 0 && { others }), at: `${at}/${key}` });
  };
  if (isSet(b.weight)) {
    const value = String(b.weight);
    weigh('weight', [
      ['weight', value],
      ['bfq.weight', value],
    ]);
  }
  if (isSet(b.leafWeight)) weigh('leafWeight', [['leaf_weight', String(b.leafWeight)]]);
  b.weightDevice?.forEach((d, i) => {
    const line = (weight: number) => `${d.major}:${d.minor} ${weight}`;
    if (isSet(d.weight)) {
      weigh(`weightDevice/${i}/weight`, [
        ['weight_device', line(d.weight)],
        ['bfq.weight_device', line(d.weight)],
      ]);
    }
    if (isSet(d.leafWeight)) weigh(`weightDevice/${i}/leafWeight`, [['leaf_weight_device', line(d.leafWeight)]]);
  });
  for (const [key, file] of throttles) {
    each(b[key], (d, i) => weigh(`${key}/${i}`, [[`throttle.${file}`, `${d.major}:${d.minor} ${d.rate}`]]));
  }
  return settings;
}

/** Settings of v2. BFQ takes the config's weights unchanged; io.weight (io.cost) has another range. */
export function v2BlockIo(b: BlockIO, at: string): Setting[] {
  const settings: Setting[] = [];
  const weigh = (key: string, weight: number, device = '') =>
    settings.push({
      controller: 'io',
      file: 'io.bfq.weight',
      value: `${device}${weight}`,
      others: [{ file: 'io.weight', value: `${device}${ioWeight(weight)}` }],
      at: `${at}/${key}`,
    });
  const noLeaf = (key: string, value: number | undefined) => {
    if (isSet(value)) throw unsupportedError(`${at}/${key}`, value, 'cgroup v2 has no leaf weights');
  };
  if (isSet(b.weight)) weigh('weight', b.weight);
  noLeaf('leafWeight', b.leafWeight);
  b.weightDevice?.forEach((d, i) => {
    noLeaf(`weightDevice/${i}/leafWeight`, d.leafWeight);
    if (isSet(d.weight)) weigh(`weightDevice/${i}/weight`, d.weight, `${d.major}:${d.minor} `);
  });
  for (const [key, , name] of throttles) {
    each(b[key], (d, i) => {
      const rate = isSet(d.rate) ? d.rate : 'max';
      const value = `${d.major}:${d.minor} ${name}=${rate}`;
      settings.push({ controller: 'io', file: 'io.max', value, at: `${at}/${key}/${i}` });
    });
  }
  return settings;
}

function each(devices: readonly ThrottleDevice[] | undefined, f: (d: ThrottleDevice, i: number) => void): void {
  devices?.forEach(f);
}

/** Maps a v1 weight (10 … 1000) linearly to v2's (1 … 10000), rounded down, as runc and crun do. */
export function ioWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}
