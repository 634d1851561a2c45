/** Parsers for the formats of cgroup files. */
import type { Count, IoEntry, Pressure, PressureLine, RdmaStats } from './stats-types.js';

/** A decimal number; 0 for any other text. */
export function parseCount(text: string | undefined): Count {
  const trimmed = text?.trim() ?? '';
  if (!/^-?[0-9]+$/.test(trimmed)) return 0;
  return trimmed.length < 16 ? Number(trimmed) : exactInt(BigInt(trimmed));
}

/** A bigint as a number if that is exact. */
export function exactInt(value: bigint): Count {
  return value <= 9007199254740991n && value >= -9007199254740991n ? Number(value) : value;
}

/** A limit; undefined for `max`. */
export function parseLimit(text: string | undefined): Count | undefined {
  return text === undefined || text.trim() === 'max' ? undefined : parseCount(text);
}

/** Lines `key value`. */
export function parseTable(text: string | undefined): Record<string, Count> {
  const values: Record<string, Count> = {};
  for (const line of splitLines(text)) {
    const space = line.indexOf(' ');
    if (space > 0) values[line.slice(0, space)] = parseCount(line.slice(space + 1));
  }
  return values;
}

export function splitLines(text: string | undefined): string[] {
  return (text ?? '').split('\n').filter((line) => line !== '');
}

export function splitWords(text: string | undefined): string[] {
  return (text ?? '')
    .trim()
    .split(' ')
    .filter((word) => word !== '');
}

/** v1 `8:0 Read 4096`, `8:0 12`. The line `Total 4096` is the sum over all devices, and is skipped. */
export function parseIoEntries(text: string | undefined): IoEntry[] {
  return splitLines(text).flatMap((line) => {
    const [device = '', ...rest] = splitWords(line);
    const [major, minor] = device.split(':');
    if (minor === undefined) return [];
    const operation = rest.length > 1 ? rest[0]! : '';
    return [{ major: Number(major), minor: Number(minor), operation, value: parseCount(rest.at(-1)) }];
  });
}

/** v2 `8:0 rbytes=4096 wbytes=0 …`: by device and key. */
export function parseKeyed(text: string | undefined): [name: string, values: Record<string, string>][] {
  return splitLines(text).map((line) => {
    const [name = '', ...pairs] = splitWords(line);
    const split = pairs.map((p) => [p.slice(0, p.indexOf('=')), p.slice(p.indexOf('=') + 1)]);
    return [name, Object.fromEntries(split)];
  });
}

/** `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`, and `full …`. */
export function parsePressure(text: string | undefined): Pressure | undefined {
  if (text === undefined) return undefined;
  const byName = Object.fromEntries(parseKeyed(text));
  const line = (v: Record<string, string> | undefined): PressureLine | undefined =>
    v && { avg10: Number(v.avg10), avg60: Number(v.avg60), avg300: Number(v.avg300), total: parseCount(v.total) };
  const some = line(byName.some);
  const full = line(byName.full);
  return { ...(some && { some }), ...(full && { full }) };
}

/** rdma.current and rdma.max; the same on v1 and v2. */
export function parseRdma(current: string | undefined, max: string | undefined): Record<string, RdmaStats> | undefined {
  if (current === undefined) return undefined;
  const limits = Object.fromEntries(parseKeyed(max));
  const devices = parseKeyed(current).map(([device, used]) => {
    const pair = (key: string) => {
      const limit = parseLimit(limits[device]?.[key]);
      return { current: parseCount(used[key]), ...(limit !== undefined && { limit }) };
    };
    return [device, { handles: pair('hca_handle'), objects: pair('hca_object') }];
  });
  return Object.fromEntries(devices);
}

/** Page sizes that have files, from the names in a directory. */
export function pageSizes(names: readonly string[]): string[] {
  const sizes = names.filter((n) => n.startsWith('hugetlb.')).map((n) => n.split('.')[1]!);
  return [...new Set(sizes)];
}

/** A list of CPUs or nodes: `0-3,7`. */
export function parseNumbers(text: string | undefined): number[] {
  return splitWords(text?.replaceAll(',', ' ').replaceAll('\n', ' ')).flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number) as [number, number?];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
