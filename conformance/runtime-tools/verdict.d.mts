/** See verdict.mjs. */
export interface Result {
  outcome: 'passed' | 'failed' | 'skipped';
  asserted: Map<string, 'passed' | 'failed' | 'skipped'>;
  ended: string;
}
export interface Entry {
  programs: string[];
  assertion?: string;
  why: string;
  clause?: string;
  broken?: boolean;
  /** The entry is only for a host with this version of cgroups. */
  cgroup?: 1 | 2;
  /** The entry is only for a host on which this manager makes the cgroups. */
  driver?: 'cgroupfs' | 'systemd';
  /** The entry excuses only kernels before this version, which lack features that runt needs. */
  before?: string;
}
export interface Host {
  cgroup: 1 | 2;
  driver: 'cgroupfs' | 'systemd';
  /** The release of its kernel. */
  kernel: string;
}
export declare function losses(results: Result[]): string[];
export declare function failures(results: Result[]): string[];
export declare function majority(runs: Result[][], names: string[]): { results: Result[]; flaky: string[] };
export declare function entryOf(known: Entry[], program: string, assertion: string): Entry | undefined;
export declare function excuse(known: Entry[], program: string, assertion: string): Entry | undefined;
export declare function isFor(entry: Entry, host: Host): boolean;
